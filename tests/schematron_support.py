"""Small Schematron schemas and what they find, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from lxml import etree

from xoev_schemas.findings import Finding
from xoev_schemas.schematron import compile_schematron, schematron_findings
from xoev_schemas.workers import Workers


def schema(inside: str, attributes: str = 'queryBinding="xslt2"') -> bytes:
    """A schema with the prefix `m` for `urn:muster`; its content begins on line 3."""
    return f"""<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform" {attributes}><ns prefix="m" uri="urn:muster"/>
{inside}
</schema>""".encode()


def rule(context: str, assertions: str) -> str:
    return f'<pattern><rule context="{context}">{assertions}</rule></pattern>'


def check(
    workers: Workers, schematron: bytes, document: str, includes: Mapping[str, bytes] | None = None
) -> list[Finding]:
    """Compile, run, and make findings, as the gateway does."""
    compiled = compile_schematron(schematron, (includes or {}).__getitem__, name="muster.sch")
    return check_compiled(workers, compiled, document)


def check_compiled(workers: Workers, stylesheet: bytes, document: str) -> list[Finding]:
    data = document.encode()
    failures = workers.schematron(sha256(stylesheet).hexdigest(), [stylesheet], data)
    return schematron_findings(failures, "Muster 1.0", etree.fromstring(data))


def rules_of(findings: list[Finding]) -> list[str]:
    """The ids of the rules, as far as the source tells them."""
    return [str(finding.source).rpartition(", ")[2] for finding in findings]
