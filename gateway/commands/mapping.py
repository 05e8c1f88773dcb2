"""`gateway map`: the case that a message becomes, or the request that a target would get. Sends nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from lxml import etree

from adapters.base import DeliveryError, Preview, Previews, Request
from adapters.registry import load_adapter
from gateway.checking import sample_envelope
from gateway.commands.messages import Schema, accepting, media_type, read, there
from gateway.commands.opening import look
from gateway.commands.output import Config, Exit, Json, emit, err, out, say, settings_for
from gateway.errors import GatewayError
from gateway.portal import File
from gateway.services import Accepts, MappingOutcome, Packages, Service, Target, applies, map_case, map_request
from gateway.submission import Kind
from gateway.wiring import parse_limits
from xoev_schemas.documents import Document, Limits, Unreadable, parse
from xoev_schemas.findings import has_errors
from xoev_schemas.registry import Registry, SchemaRef


class NotMappable(GatewayError):
    """The message makes no case, or the case no request; `findings` say why."""

    exit_code = Exit.NO
    code = "not_mappable"


def map_command(
    file: Annotated[Path, typer.Argument(help="XML or JSON file; - is standard input.", callback=there)],
    config: Config = None,
    schema: Schema = None,
    target: Annotated[str | None, typer.Option(help="Show the request for this target instead of the case.")] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Without the gateway's own members: what a sample's case.json holds.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Say which source value became which target value, by which rule.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the case that a message becomes, or with --target the exact request. Sends nothing."""
    if sample and target:
        raise typer.BadParameter("it shows the case, --target the request: give one of them", param_hint="--sample")
    settings = settings_for(config)
    registry, packages = look(settings)
    data = read(file)
    document = _parsed(data, parse_limits(settings))
    service, accepts, ref = _service_for(registry, packages, document, schema)
    envelope = {**_envelope(registry, service, ref, document, data), "kind": accepts.kind or "new"}
    case = _made(map_case(service, accepts, document, envelope), "this message makes no case", trace and not target)
    if target is not None:
        chosen = _target(packages, service, target, accepts.kind or "new")
        _show_request(chosen, service, case, trace=trace, as_json=as_json)
        return
    emit({name: value for name, value in case.items() if name not in envelope} if sample else case)
    if not sample:
        say("Nothing was sent. The ids, the sender and the moment of receipt (now) are placeholders.")


def _show_request(target: Target, service: Service, case: Mapping[str, Any], *, trace: bool, as_json: bool) -> None:
    if not applies(target, case):
        say(f"{target.name} would not get this case: its condition (`when`) does not hold.")
    if case["test"] and not target.accepts_test:
        say(f"{target.name} would not get this case: the message is a test, and the target does not take tests.")
    mapped = map_request(target, service.name, case)
    request = Request(
        key=case["submissionId"],
        submission_id=case["submissionId"],
        body=_made(mapped, f"this case makes no request for {target.name}", trace),
        service=service.name,
        received_at=case["receivedAt"],
        test=case["test"],
    )
    preview = _preview(target, request)
    if as_json:
        emit({"target": target.name, "adapter": target.adapter, **_as_dict(preview)})
        return
    _print(preview)
    say(
        "Nothing was sent. The ids and the moment of receipt (now) are placeholders; secrets are masked. The body is "
        "indented for reading; --json has it exactly."
    )


def _preview(target: Target, request: Request) -> Preview:
    adapter = load_adapter(target.adapter)(target.config)
    try:
        if isinstance(adapter, Previews):
            return adapter.preview(request)
    except DeliveryError as error:
        why = f": {error.detail}" if error.detail else ""
        raise NotMappable(
            f"no request for {target.name} can be made of this case ({error.code}){why}",
            code=error.code,
            remedy=f"Mend {target.folder / 'request.yaml'} or {target.folder / 'target.yaml'}.",
        ) from None
    finally:
        adapter.close()
    say(f"The adapter {target.adapter} does not show its requests; this is what it is given.")
    return Preview("", "", {}, json.dumps(request.body, ensure_ascii=False, default=str).encode())


def _as_dict(preview: Preview) -> dict[str, Any]:
    return {
        "action": preview.action,
        "address": preview.address,
        "headers": dict(preview.headers),
        "body": preview.body.decode("utf-8", errors="replace"),
    }


def _print(preview: Preview) -> None:
    head = [f"{preview.action} {preview.address}"] if preview.action else []
    head += [f"{name}: {value}" for name, value in preview.headers.items()]
    text = "\n".join([*head, "", _indented(preview.body)] if head else [_indented(preview.body)])
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _indented(body: bytes) -> str:
    """XML and JSON one member a line, anything else as it is."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        pass
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return body.decode("utf-8", errors="replace")
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


# ------------------------------------------------------------------------------------------------------------ helpers


def _parsed(data: File, limits: Limits) -> Document:
    try:
        return parse(data.content, media_type(data), limits)
    except Unreadable as error:
        raise NotMappable(f"{data.name} cannot be read", code="unreadable", findings=error.findings) from None


def _service_for(
    registry: Registry, packages: Packages, document: Document, schema: str | None
) -> tuple[Service, Accepts, SchemaRef]:
    ref = registry.find(schema) if schema else registry.recognise(document)
    if ref is None:
        raise GatewayError(
            "no installed schema fits this message",
            code="schema_unknown",
            remedy="Name one with --schema (`gateway schemas list`), or import it: gateway schemas import PATH.",
        )
    found = accepting(packages, registry, ref)
    if not found:
        raise GatewayError(
            f"no service accepts {ref.standard} {ref.message}",
            code="service_unknown",
            remedy="What is accepted: gateway services list.",
        )
    return *found[0], ref


def _envelope(registry: Registry, service: Service, ref: SchemaRef, document: Document, data: File) -> dict[str, Any]:
    """The gateway's part of the case: what the message says of itself is real, what only handing it in would tell is
    not.
    """
    judgement = registry.validate(document, ref)
    if has_errors(judgement.findings):
        say(f"{data.name} is not valid; `gateway validate` says why.")
    envelope = sample_envelope(service, ref, received_at=datetime.now(UTC).replace(microsecond=0))
    digest = hashlib.sha512(data.content).hexdigest()
    known = {"valid": judgement.valid is True, "dataSha512": digest}
    return {
        **envelope,
        "test": judgement.test,
        "provenance": {**envelope["provenance"], **known},
    }


def _target(packages: Packages, service: Service, name: str, kind: Kind) -> Target:
    """As it is for this kind of submission."""
    if name not in service.targets:
        raise GatewayError(
            f"{service.name} does not deliver to {name!r}",
            code="unknown_target",
            remedy=f"Its targets: {', '.join(service.targets)}.",
        )
    target = packages.targets[name].for_kind(kind)
    if target is None:
        raise GatewayError(f"{name} skips submissions of the kind {kind}", code="kind_skipped")
    return target


def _made(outcome: MappingOutcome, complaint: str, trace: bool) -> Mapping[str, Any]:
    if outcome.value is None:
        raise NotMappable(complaint, findings=outcome.findings)
    if trace:
        for line in outcome.trace:
            err.print(f"{line.target} ← {line.source}   {line.rule}", markup=False, highlight=False, soft_wrap=True)
    made: Mapping[str, Any] = outcome.value
    return made
