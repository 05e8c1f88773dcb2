"""Commands about single messages: validate, map, send. The first two send nothing and need no running gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.output import Config, Exit, Json, emit, err, out, print_findings, say, settings_for
from gateway.errors import GatewayError
from gateway.portal import File, Portal
from gateway.services import Accepts, Packages, Service, map_case, map_request
from gateway.wiring import load_packages, parse_limits
from xoev_schemas.documents import Document, Limits, Unreadable, parse
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.registry import Registry, SchemaRef

Files = Annotated[list[Path], typer.Argument(help="XML or JSON files.", exists=True, dir_okay=False, readable=True)]
Schema = Annotated[
    str | None,
    typer.Option(help="Schema to judge by (fim:…, xoev:…, or a schema URI); default: by the message itself."),
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one file, as `validate` reports it. valid None = no schema is installed for it."""

    file: str
    valid: bool | None
    accepted: bool
    standard: str
    message: str
    findings: list[Finding]

    def as_dict(self) -> dict[str, Any]:
        found = [finding.as_dict() for finding in self.findings]
        return {
            "file": self.file,
            "valid": self.valid,
            "accepted": self.accepted,
            "standard": self.standard,
            "message": self.message,
            "findings": found,
        }

    @property
    def exit_code(self) -> Exit:
        return {True: Exit.YES, False: Exit.NO, None: Exit.UNKNOWN}[self.valid]


def validate(
    files: Files,
    config: Config = None,
    schema: Schema = None,
    as_json: Json = False,
    output: Annotated[str, typer.Option("--format", help="text or json")] = "text",
) -> None:
    """Judge messages by their standard. "valid" is the standard's word, "accepted" this gateway's."""
    settings = settings_for(config)
    registry, packages = load_packages(settings)
    limits = parse_limits(settings)
    verdicts = [_judge(registry, packages, limits, file, schema) for file in files]
    if as_json or output == "json":
        emit([verdict.as_dict() for verdict in verdicts])
    else:
        for verdict in verdicts:
            _print_verdict(verdict)
    raise typer.Exit(max(verdict.exit_code for verdict in verdicts))


def map_command(
    file: Annotated[Path, typer.Argument(help="XML or JSON file.", exists=True, dir_okay=False)],
    config: Config = None,
    schema: Schema = None,
    target: Annotated[str | None, typer.Option(help="Show the request for this target instead of the case.")] = None,
    trace: Annotated[
        bool, typer.Option(help="Say which source value became which target value, by which rule.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the case that a message becomes, or with --target the exact request. Sends nothing."""
    settings = settings_for(config)
    registry, packages = load_packages(settings)
    document = _parsed(file, parse_limits(settings))
    service, accepts, ref = _service_for(registry, packages, document, schema)
    made = map_case(service, accepts, document, _sample_envelope(service, ref))
    if made.value is not None and target:
        if target not in service.targets:
            raise GatewayError(
                f"{service.name} does not deliver to {target!r}; its targets: {', '.join(service.targets)}"
            )
        made = map_request(packages.targets[target], service.name, made.value)
    if made.value is None:
        if as_json:
            emit({"error": "not_mappable", "findings": [f.as_dict() for f in made.findings]})
        else:
            print_findings(made.findings)
        raise typer.Exit(Exit.NO)
    if trace:
        for line in made.trace:
            err.print(f"{line.target} ← {line.source}   {line.rule}", markup=False, highlight=False)
    emit(made.value)


def send(
    files: Files,
    config: Config = None,
    url: Annotated[str | None, typer.Option(help="Where the gateway listens; default: this installation.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="GATEWAY_TOKEN", help="Bearer token; default: issued for --client.")
    ] = None,
    client: Annotated[str, typer.Option(help="Client to issue a token for when none is given.")] = "demo-portal",
    schema: Schema = None,
    attachment: Annotated[
        list[Path] | None, typer.Option(help="Attachment to send along (repeatable).", exists=True)
    ] = None,
    wait: Annotated[int | None, typer.Option(help="Wait up to so many seconds for the delivery.")] = None,
    as_json: Json = False,
) -> None:
    """Send files to a running gateway as a form server would."""
    settings = settings_for(config)
    registry, packages = load_packages(settings)
    portal = Portal(url or f"http://{settings.listen}", token or _own_token(settings, packages, client))
    answers: list[dict[str, Any]] = []
    worst = Exit.YES
    for file in files:
        data = File.read(file)
        uri = schema or _schema_uri(registry, data, parse_limits(settings))
        answer = portal.send(data, uri, [File.read(path) for path in attachment or ()], wait=wait)
        answers.append({"file": str(file), "status": answer.status, **answer.body})
        worst = max(worst, Exit.YES if answer.accepted else Exit.NO if answer.status < 500 else Exit.UNKNOWN)
        if not as_json:
            _print_answer(file, answer.status, dict(answer.body))
    if as_json:
        emit(answers)
    raise typer.Exit(worst)


# ------------------------------------------------------------------------------------------------------------ helpers


def _judge(registry: Registry, packages: Packages, limits: Limits, file: Path, schema: str | None) -> Verdict:
    data = File.read(file)
    try:
        document = parse(data.content, _media_type(data), limits)
    except Unreadable as error:
        return Verdict(str(file), False, False, "", "", list(error.findings))
    ref = registry.find(schema) if schema else registry.recognise(document)
    if ref is None:
        return Verdict(str(file), None, False, "", "", [_no_schema(schema)])
    judgement = registry.validate(document, ref)
    accepted = bool(_accepting(packages, registry, ref)) and not has_errors(judgement.findings)
    return Verdict(
        str(file), judgement.valid, accepted, judgement.standard, judgement.message, list(judgement.findings)
    )


def _no_schema(schema: str | None) -> Finding:
    return Finding(
        "schema.not_installed",
        "warning",
        "schema",
        Text("Für diese Nachricht ist kein Schema installiert.", "No schema is installed for this message."),
        found=schema,
        remedy=Text(
            "Standard mit `gateway schemas import PFAD` einspielen.",
            "Import the standard: `gateway schemas import PATH`.",
        ),
    )


def _accepting(packages: Packages, registry: Registry, ref: SchemaRef) -> list[tuple[Service, Accepts]]:
    return [
        (service, accepts)
        for service in packages.services.values()
        if service.inactive is None
        for accepts in service.accepts
        if registry.find(accepts.schema) == ref
    ]


def _parsed(file: Path, limits: Limits) -> Document:
    data = File.read(file)
    try:
        return parse(data.content, _media_type(data), limits)
    except Unreadable as error:
        print_findings(error.findings)
        raise typer.Exit(Exit.NO) from None


def _media_type(file: File) -> str:
    if file.media_type in ("application/xml", "application/json"):
        return file.media_type
    return "application/xml" if file.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" else "application/json"


def _service_for(
    registry: Registry, packages: Packages, document: Document, schema: str | None
) -> tuple[Service, Accepts, SchemaRef]:
    ref = registry.find(schema) if schema else registry.recognise(document)
    if ref is None:
        raise GatewayError(
            "no installed schema fits this message; name one with --schema, or import the standard first"
        )
    found = _accepting(packages, registry, ref)
    if not found:
        raise GatewayError(f"no service accepts {ref.standard} {ref.message}; see `gateway services list`")
    return *found[0], ref


def _sample_envelope(service: Service, ref: SchemaRef) -> dict[str, Any]:
    from gateway.checking import sample_envelope

    return sample_envelope(service, ref)


def _own_token(settings: Any, packages: Packages, client: str) -> str:
    from gateway.wiring import open_issuer

    issuer, known = open_issuer(settings), packages.clients.get(client)
    if issuer is None or known is None or known.client_id is None:
        raise GatewayError(f"cannot issue a token for {client!r}: give --token, or name a client from `clients/`")
    return issuer.issue(known.client_id)


def _schema_uri(registry: Registry, data: File, limits: Limits) -> str:
    try:
        ref = registry.recognise(parse(data.content, _media_type(data), limits))
    except Unreadable:
        ref = None
    if ref is None:
        raise GatewayError(f"{data.name}: no installed schema fits; name one with --schema")
    return f"{ref.standard}#{ref.message}" if ref.standard.startswith("xoev:") else ref.standard


def _print_verdict(verdict: Verdict) -> None:
    word = {True: "valid", False: "not valid", None: "could not be judged"}[verdict.valid]
    out.print(f"{verdict.file}: {word}", markup=False, highlight=False)
    if verdict.standard:
        taken = "accepted" if verdict.accepted else "not accepted"
        out.print(f"  by {verdict.standard} {verdict.message}; {taken} by this gateway", markup=False, highlight=False)
    print_findings(verdict.findings)


def _print_answer(file: Path, status: int, body: dict[str, Any]) -> None:
    if status in (200, 202):
        out.print(
            f"{file}: accepted as {body.get('submissionId')} ({body.get('status')})", markup=False, highlight=False
        )
        return
    say(f"{file}: refused ({status} {body.get('title', '')})")
    print_findings(Finding.from_dict(f) for f in body.get("findings", []))
    if not body.get("findings"):
        say(json.dumps(body, ensure_ascii=False))
