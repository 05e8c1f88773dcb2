"""A SOAP target's settings against its WSDL, without network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from adapters import paths
from adapters.base import FieldSpec, TargetConfig
from adapters.settings import config_finding
from adapters.soap.addressing import WSA
from adapters.soap.security import WSSE
from adapters.soap.settings import HEADER, SoapProbe, SoapSettings
from adapters.soap.wsdl import Operation, Wsdl
from xoev_schemas.findings import Finding, Text


def request_fields(wsdl: Wsdl, operation: Operation, settings: SoapSettings) -> list[FieldSpec]:
    """What a request may have: the fields of its body, and header fields that nothing else fills, below `_header`.

    The WSDL knows no optional header field, so each of them is required.
    """
    open_parts = [
        (part, element)
        for part, element in operation.headers
        if part not in settings.soap_headers and not element.startswith((f"{{{WSA}}}", f"{{{WSSE}}}"))
    ]
    fields = wsdl.fields(operation.request)
    if open_parts:
        fields.append(FieldSpec(HEADER, True, "group"))
    for part, element in open_parts:
        inner = wsdl.fields(element)
        fields.append(FieldSpec(f"{HEADER}.{part}", True, "group" if inner else "string"))
        fields += [
            FieldSpec(f"{HEADER}.{part}.{f.path}", f.required, f.type, f.allowed, f.max_length, f.repeated)
            for f in inner
        ]
    return fields


def check_paths(config: TargetConfig, settings: SoapSettings, wsdl: Wsdl, operation: Operation) -> Iterator[Finding]:
    """Every place that the settings name must be in the operation's messages."""
    asked = {"key": config.key, "repeat_mark": settings.repeat_mark}
    told = {f"references.{name}": path for name, path in config.references.items()}
    told |= {"echo": settings.echo} if settings.echo else {}
    told |= {"success.path": settings.success.path} if settings.success else {}
    told |= {"already_there.path": settings.already_there.path} if settings.already_there else {}
    yield from _places(config, asked, request_fields(wsdl, operation, settings), operation.name)
    yield from _places(config, told, wsdl.fields(operation.response), operation.name)


def check_probe(
    config: TargetConfig, settings: SoapSettings, wsdl: Wsdl, probe: SoapProbe, key: str | None
) -> Iterator[Finding]:
    """key: where the search takes it, as the probe says or the target's own key suggests."""
    search = wsdl.operation(probe.operation, port=settings.port)
    references = probe.references or dict(config.references)
    told: dict[str, str | None] = {f"probe.references.{name}": path for name, path in references.items()}
    told |= {"probe.found": probe.found}
    yield from _places(config, {"probe.key": key}, request_fields(wsdl, search, settings), search.name)
    yield from _places(config, told, wsdl.fields(search.response), search.name)
    if key is None:
        yield soap_finding(
            config,
            "probe.key fehlt: die Stelle der Suche für unseren Schlüssel.",
            "probe.key is missing: where the search takes our key.",
            "probe",
        )
    if not references and probe.found is None:
        yield soap_finding(
            config,
            "probe braucht references oder found: Sonst wäre ein Treffer nicht zu erkennen.",
            "probe needs references or found: nothing would tell a hit from a miss.",
            "probe",
        )


def check_headers(config: TargetConfig, settings: SoapSettings, operations: Sequence[Operation]) -> Iterator[Finding]:
    """Fixed header fields must be of an operation that is called, and WS-Addressing needs to know the action."""
    known = sorted({part for operation in operations for part, _ in operation.headers})
    for part in settings.soap_headers:
        if part not in known:
            yield soap_finding(
                config,
                f"soap_headers.{part}: Dieses Kopffeld nennt die WSDL nicht (bekannt: {', '.join(known) or 'keines'}).",
                f"soap_headers.{part}: the WSDL names no such header (known: {', '.join(known) or 'none'}).",
                f"soap_headers.{part}",
            )
    for operation in operations:
        if settings.addressing and not (operation.addressing or operation.action):
            yield soap_finding(
                config,
                f"addressing: Die WSDL nennt für {operation.name} keine Aktion.",
                f"addressing: the WSDL names no action for {operation.name}.",
                "addressing",
            )


def _places(
    config: TargetConfig, places: Mapping[str, str | None], fields: list[FieldSpec], operation: str
) -> Iterator[Finding]:
    known = {field.path for field in fields}
    for setting, path in places.items():
        if path is None:
            continue
        named = ".".join(str(s).lstrip("@") for s in paths.parse(path) if isinstance(s, str))
        if named not in known:
            near = get_close_matches(named, known, n=1)
            yield soap_finding(
                config,
                f"{setting}: {path} gibt es in der Nachricht von {operation} nicht."
                + (f" Meinten Sie $.{near[0]}?" if near else ""),
                f"{setting}: {path} is not in the message of {operation}."
                + (f" Did you mean $.{near[0]}?" if near else ""),
                setting,
            )


def soap_finding(config: TargetConfig, de: str, en: str, setting: str) -> Finding:
    """setting: the key by which the gateway finds the line."""
    return config_finding(
        config,
        f"Die Angaben passen nicht zur WSDL des Ziels: {de}",
        f"The settings do not fit the target's WSDL: {en}",
        remedy=Text(
            "Vergleichen Sie target.yaml mit der WSDL; Pfade nennen die Elemente unter der Nachricht.",
            "Compare target.yaml with the WSDL; paths name the elements below the message.",
        ),
        found=setting,
        code="config.soap",
    )
