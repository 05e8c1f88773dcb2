"""A schema that a service names and that is not installed: a slip of a name, or a standard still to be imported?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.mapping.problems import nearest
from xoev_schemas.findings import Severity, Text
from xoev_schemas.standards import fim_id

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

_VERSION = re.compile(r"(?:(?<=\d)[Vv_]|/)\d+(?:\.\d+)*")
_NAME = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
_ALIKE, _ALIKE_NUMBERS = 0.85, 0.94
"""How similar a slip is to what was meant. FIM ids differ in a few digits anyway: there one character may differ."""
_IMPORT = Text("Spielen Sie ihn ein: gateway schemas import PFAD.", "Import it: gateway schemas import PATH.")


@dataclass(frozen=True, slots=True)
class Missing:
    """code: `config.unknown_schema` for what is surely or probably a slip, else `config.schema_not_installed`.

    reason: a short English phrase, for lists. allowed: what is installed instead.
    """

    code: str
    severity: Severity
    reason: str
    text: Text
    remedy: Text
    allowed: str | None


def explain_missing(schema: str, registry: Registry) -> Missing:
    """schema: a name that `registry.find` does not know."""
    standards = registry.standards()
    name, _, message = schema.partition("#")
    named = [standard for standard in standards if name == standard.ref or name in standard.schema_uris]
    if len(named) > 1:
        return _slip(schema, "names several standards", "nennt mehrere Standards", [s.ref for s in named])
    if named:
        known = [f"{name}#{one}" for one in named[0].messages]
        return _slip(schema, f"has no message {message}", f"hat keine Nachricht {message}", known)
    if not _NAME.fullmatch(name) and fim_id(name) is None:
        return _no_name(schema)
    installed = [standard.ref for standard in standards]
    others = [ref for ref in installed if _VERSION.sub("", ref) == _VERSION.sub("", name)]
    if others:
        return _absent(schema, others)
    fim = name.startswith("fim:")
    # A namespace is a name as well, for what is neither FIM nor anything else with many names.
    spaces = [uri for standard in standards if not standard.is_fim for uri in standard.schema_uris]
    alike = [ref for ref in [*installed, *spaces] if ref.startswith("fim:") == fim]
    if nearest(name, alike, cutoff=_ALIKE_NUMBERS if fim else _ALIKE):
        return _slip(schema, "is not installed", "ist nicht installiert", alike)
    return _absent(schema, ())


def _slip(schema: str, en: str, de: str, known: Iterable[str]) -> Missing:
    choices = sorted(known)
    meant = nearest(schema, choices) or choices[0]
    return Missing(
        "config.unknown_schema",
        "error",
        f"{schema} {en}; did you mean {meant}?",
        Text(f"{schema} {de}.", f"{schema} {en}."),
        Text(f"Meinten Sie „{meant}“?", f"Did you mean '{meant}'?"),
        ", ".join(choices[:40]),
    )


def _no_name(schema: str) -> Missing:
    return Missing(
        "config.unknown_schema",
        "error",
        f"{schema} is no name of a schema",
        Text(f"„{schema}“ ist kein Name eines Schemas.", f"'{schema}' is no name of a schema."),
        Text(
            "Schreiben Sie zum Beispiel fim:S00000000001V1.0, xoev:xbau/2.6#NACHRICHT oder xsd:NAMENSRAUM.",
            "Write, for instance, fim:S00000000001V1.0, xoev:xbau/2.6#MESSAGE or xsd:NAMESPACE.",
        ),
        None,
    )


def _absent(schema: str, others: Iterable[str]) -> Missing:
    """others: the same standard in other versions."""
    return Missing(
        "config.schema_not_installed",
        "warning",
        f"{schema} is not installed",
        Text(f"Der Standard {schema} ist nicht installiert.", f"the standard {schema} is not installed."),
        _IMPORT,
        ", ".join(sorted(others)) or None,
    )
