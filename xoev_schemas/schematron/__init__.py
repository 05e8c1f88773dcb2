"""Schematron: business rules that no schema language says, as the German standards publish them.

A schema is compiled to XSLT once (`compile_schematron`) and run by Saxon in watched processes
(`xoev_schemas.workers.Workers`); what fails becomes findings (`schematron_findings`).
"""

from __future__ import annotations

from collections.abc import Callable

from xoev_schemas.schematron.failures import SchematronFailure, exhausted, schematron_findings
from xoev_schemas.schematron.reader import read_schema
from xoev_schemas.schematron.stylesheet import to_stylesheet
from xoev_schemas.xsd import NotCompiled

__all__ = ["NotCompiled", "SchematronFailure", "compile_schematron", "exhausted", "schematron_findings"]


def compile_schematron(data: bytes, resolve: Callable[[str], bytes] | None = None, *, name: str = "rules.sch") -> bytes:
    """ISO Schematron (`queryBinding` xslt2 or xslt3) → XSLT 3.0.

    resolve: the bytes of an included file by its name (of the same folder); raises KeyError or OSError.
    name: of the file, for problems. Raises NotCompiled with `FILE:LINE` and a sentence for each: not well-formed,
    something that is not supported (by name), a reference that leads nowhere, a function that reaches outside the
    message. Faults in an XPath expression are found by `Workers.prove`, which knows XPath.
    """
    return to_stylesheet(read_schema(data, resolve, name))
