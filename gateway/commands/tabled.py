"""What `gateway check` found, and its tables, in the form that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from rich.console import Console

from gateway.commands.operators import Language
from gateway.commands.output import emit, err, out, print_findings, say
from gateway.commands.tables import Printer
from gateway.commands.tables_page import tables_page
from gateway.packages.disclosure import Disclosure, disclosures
from gateway.packages.proving import AdapterLoader
from gateway.packages.tracing import RequestTable, request_tables
from gateway.services import Packages
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

Form = Literal["text", "json", "html"]
_WIDTH = 120
"""Characters of a line in a text that goes to a file."""


@dataclass(frozen=True, slots=True)
class Tables:
    """requests: where each field comes from. disclosures: who gets what."""

    requests: Sequence[RequestTable]
    disclosures: Sequence[Disclosure]

    @classmethod
    def of(
        cls,
        packages: Packages,
        registry: Registry,
        load_adapter: AdapterLoader,
        services: Sequence[str],
        *,
        everything: bool,
    ) -> Tables:
        """services: names; none = all that are active. everything: the fields that are not required, too."""
        return cls(
            request_tables(packages, registry, load_adapter, services, everything=everything),
            disclosures(packages, registry, services),
        )


def write(
    findings: Sequence[Finding],
    told: dict[str, Any],
    tables: Tables | None,
    form: Form,
    output: Path | None,
    language: Language,
) -> None:
    """told: what a JSON document has besides. output: None = stdout. A page is of tables alone; the findings stand on
    stderr then.
    """
    if form == "html":
        print_findings(findings, err)
        if tables is None:
            return
    with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as stream:
        if form == "json":
            _write_json(findings, told, tables, stream)
        elif form == "html" and tables is not None:
            stream.write(tables_page(tables.requests, tables.disclosures, language))
        else:
            console = Console(file=stream, width=_WIDTH, emoji=False) if output else out
            print_findings(findings, console)
            if tables is not None:
                Printer(console, language).requests(tables.requests)
                Printer(console, language).disclosures(tables.disclosures)
    if output:
        say(f"{output}: written")


def _write_json(findings: Sequence[Finding], told: dict[str, Any], tables: Tables | None, stream: IO[str]) -> None:
    document = {"findings": [finding.as_dict() for finding in findings], **told}
    if tables is not None:
        document["requests"] = [asdict(table) for table in tables.requests]
        document["disclosures"] = [asdict(one) for one in tables.disclosures]
    emit(document, stream)
