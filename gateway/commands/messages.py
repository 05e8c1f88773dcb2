"""`gateway send`: files to a running gateway, as a form server would; and how commands read files of messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gateway.commands.opening import issuer_of, look
from gateway.commands.output import Config, Exit, Json, emit, out, print_findings, say, settings_for, table
from gateway.errors import GatewayError
from gateway.portal import Answer, File, Portal
from gateway.services import Accepts, Packages, Service
from gateway.settings import Settings
from gateway.wiring import parse_limits
from xoev_schemas.documents import Limits, Unreadable, parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry, SchemaRef


def there(paths: Path | list[Path]) -> Path | list[Path]:
    """For an argument that names files, or standard input by `-`. Raises BadParameter."""
    for path in paths if isinstance(paths, list) else [paths]:
        if str(path) != "-" and (not path.exists() or path.is_dir()):
            raise typer.BadParameter(f"there is no file {path}")
    return paths


Files = Annotated[list[Path], typer.Argument(help="XML or JSON files; - is standard input.", callback=there)]
Schema = Annotated[
    str | None,
    typer.Option(help="Schema to judge by (fim:…, xoev:…, or a schema URI); default: by the message itself."),
]
LONGEST_WAIT = 30
"""Seconds that the interface waits at most (`Prefer: wait`)."""


def send(
    files: Files,
    config: Config = None,
    url: Annotated[str | None, typer.Option(help="Where the gateway listens; default: this installation.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="GATEWAY_TOKEN", help="Bearer token; default: issued for --client.")
    ] = None,
    client: Annotated[str, typer.Option(help="Client to issue a token for when none is given.")] = "demo-portal",
    service: Annotated[
        str | None,
        typer.Option(help="Service that is meant (its name or identifier), where the schema leaves it open."),
    ] = None,
    schema: Schema = None,
    attachment: Annotated[
        list[Path] | None, typer.Option(help="Attachment to send along (repeatable).", exists=True, dir_okay=False)
    ] = None,
    wait: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_WAIT, help="Wait so many seconds for the deliveries; tell them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send files to a running gateway as a form server would. With --wait: exit code 0 only if all is delivered."""
    settings = settings_for(config)
    address = _address(url or f"http://{settings.listen}")
    registry, packages = look(settings)
    given = token or _own_token(settings, packages, client)
    sender = _Sender(Portal(address, given, timeout=LONGEST_WAIT + (wait or 0)), address, registry, packages, wait)
    attachments = [File.read(path) for path in attachment or ()]
    sent: list[Sent] = []
    for file in files:
        data = read(file)
        uri = schema or _schema_uri(registry, packages, data, parse_limits(settings), service)
        sent.append(sender.send(file, data, uri, attachments, _identifier(packages, service)))
        if not as_json:
            sent[-1].tell()
    if as_json:
        emit([one.as_dict() for one in sent])
    raise typer.Exit(max(one.exit_code for one in sent))


@dataclass(frozen=True, slots=True)
class Sent:
    """What the gateway said about one file. deliveries: how they stood when the time to wait was over; None = not
    asked.
    """

    file: str
    answer: Answer
    deliveries: Sequence[Mapping[str, Any]] | None = None

    def as_dict(self) -> dict[str, Any]:
        told = {} if self.deliveries is None else {"deliveries": self.deliveries}
        return {"file": self.file, "status": self.answer.status, **self.answer.body, **told}

    @property
    def exit_code(self) -> Exit:
        """Where it was waited for, "accepted" is half the answer: dead is a no, on its way a cannot tell."""
        if not self.answer.accepted:
            return Exit.NO if self.answer.status < 500 else Exit.UNKNOWN
        states = {delivery["status"] for delivery in self.deliveries or ()}
        if states & {"dead", "returned", "discarded"} or self.answer.body.get("status") in ("rejected", "clarify"):
            return Exit.NO
        return Exit.YES if states <= {"delivered", "skipped"} else Exit.UNKNOWN

    def tell(self) -> None:
        body = self.answer.body
        if not self.answer.accepted:
            told = f"{self.file}: refused ({self.answer.status} {body.get('title', '')})"
            out.print(told, markup=False, highlight=False, soft_wrap=True)
            print_findings(Finding.from_dict(f) for f in body.get("findings", []))
            if not body.get("findings"):
                say(json.dumps(body, ensure_ascii=False))
            return
        told = f"{self.file}: accepted as {body.get('submissionId')} ({body.get('status')})"
        out.print(told, markup=False, highlight=False, soft_wrap=True)
        if self.deliveries is not None:
            rows = [
                (d["target"], d["status"], d["attempts"], ", ".join(f"{k} {v}" for k, v in d["references"].items()))
                for d in self.deliveries
            ]
            table("", ("target", "state", "attempts", "references"), rows)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends one file after the other to one gateway."""

    portal: Portal
    address: str
    registry: Registry
    packages: Packages
    wait: int | None

    def send(self, file: Path, data: File, uri: str, attachments: Sequence[File], service: str | None) -> Sent:
        """Raises GatewayError when nobody, or nobody of ours, answers."""
        try:
            answer = self.portal.send(data, uri, attachments, service=service, wait=self.wait)
            deliveries = None
            if self.wait and answer.accepted:
                deliveries = self.portal.status(answer.body["submissionId"]).body.get("deliveries", [])
        except httpx.TransportError as error:
            raise GatewayError(
                f"no gateway answers at {self.address} ({_reason(error)}); {file} was not accepted",
                code="unreachable",
                remedy="Start one with `gateway run` in the folder of its gateway.yaml, or name another: --url.",
            ) from None
        if not answer.body:
            raise GatewayError(
                f"what answers at {self.address} is no gateway (HTTP status {answer.status})",
                code="no_gateway",
                remedy="Name the gateway's own address: --url.",
            )
        return Sent(str(file), answer, deliveries)


# ------------------------------------------------------------------------------------------------------------ helpers


def read(path: Path) -> File:
    """A file, or standard input for `-`, that is a message whatever its name. Raises OSError."""
    unnamed = str(path) == "-"
    file = File("stdin", sys.stdin.buffer.read(), "application/octet-stream") if unnamed else File.read(path)
    return replace(file, media_type=media_type(file))


def media_type(file: File) -> str:
    """By its name, else by its first character: `application/xml` or `application/json`."""
    if file.media_type in ("application/xml", "application/json"):
        return file.media_type
    return "application/xml" if file.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" else "application/json"


def accepting(packages: Packages, registry: Registry, ref: SchemaRef) -> list[tuple[Service, Accepts]]:
    """The active services that accept a message, each with the entry of `accepts` that says so."""
    return [
        (service, accepts)
        for service in packages.services.values()
        if service.inactive is None
        for accepts in service.accepts
        if registry.find(accepts.schema) == ref
    ]


def _address(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise typer.BadParameter(f"{url!r} is no address of a gateway; write http://HOST:PORT", param_hint="--url")
    return url


def _own_token(settings: Settings, packages: Packages, client: str) -> str:
    issuer, known = issuer_of(settings), packages.clients.get(client)
    if known is None or known.client_id is None or known.issuer != issuer.issuer:
        portals = (n for n, c in packages.clients.items() if c.issuer == issuer.issuer and c.kind == "portal")
        names = ", ".join(sorted(portals)) or "none"
        raise GatewayError(
            f"there is no client {client!r} that a token could be issued for",
            code="unknown_client",
            remedy=f"Give --token, or name one with --client; known are: {names}.",
        )
    return issuer.issue(known.client_id)


def _identifier(packages: Packages, service: str | None) -> str | None:
    """How the interface knows a service: by its identifier. One without is found by its schema alone."""
    known = packages.services.get(service or "")
    return next(iter(known.identifiers), None) if known is not None else service


def _schema_uri(registry: Registry, packages: Packages, data: File, limits: Limits, service: str | None) -> str:
    """What the metadata call the schema: as the message says, else the one that the service accepts.

    Raises GatewayError, for a message that cannot be read with what is wrong with it.
    """
    try:
        ref = registry.recognise(parse(data.content, media_type(data), limits))
    except Unreadable as error:
        unreadable = GatewayError(f"{data.name} cannot be read", code="unreadable", findings=error.findings)
        unreadable.exit_code = Exit.NO
        raise unreadable from None
    if ref is not None:
        return f"{ref.standard}#{ref.message}" if ref.standard.startswith("xoev:") else ref.standard
    known = packages.services.get(service or "")
    if known is not None and len(known.accepts) == 1:
        return known.accepts[0].schema
    raise GatewayError(
        f"{data.name}: no installed schema fits", code="schema_unknown", remedy="Name one with --schema."
    )


def _reason(error: httpx.TransportError) -> str:
    """In a few words; the library's own may be empty."""
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return str(error).partition("] ")[2] or str(error) or type(error).__name__
