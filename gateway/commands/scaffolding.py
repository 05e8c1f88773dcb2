"""`gateway services new`: a package from a standard or an interface description, to begin with."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.commands.opening import look
from gateway.commands.output import Config, Exit, Json, emit, out, print_findings, program, say, settings_for
from gateway.errors import GatewayError
from gateway.packages.forms import Name
from gateway.packages.schema_names import explain_missing
from gateway.settings import Settings
from gateway.wiring import open_checker
from xoev_schemas.findings import Finding, has_errors
from xoev_schemas.registry import Registry, SchemaRef

if TYPE_CHECKING:
    from gateway.scaffold.files import Files
    from gateway.services import Service, Target

_DESCRIPTIONS = ("wsdl", "openapi")


@dataclass(frozen=True)
class _Written:
    """What the command says. summary: for `--json`. steps: what to do next."""

    files: Files
    findings: Sequence[Finding]
    summary: dict[str, Any]
    steps: tuple[str, str, str]


def new(
    name: Annotated[str, typer.Argument(help="Name of the service, or of the target; also that of its folder.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="fim:S…, xoev:NAME/VERSION#MESSAGE, xsd:NAMESPACE (a service); wsdl:FILE#OPERATION, "
            "openapi:FILE#METHOD /PATH (a target; the operation may be left out).",
        ),
    ],
    into: Annotated[
        Path | None, typer.Option(help="Folder of packages (default: the first of the setting `packages`, ./packages).")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Where a service goes: a target that is there, or the name of a new one (default: NAME)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write a package that passes `gateway check`, from a standard or from the description of an interface."""
    settings = settings_for(config)
    folder = into or (settings.packages[0] if settings.packages else Path("packages"))
    _refuse_names(name, target)
    kind, _, rest = source.partition(":")
    made = (
        _target(name, kind, rest, folder) if kind in _DESCRIPTIONS else _service(settings, name, source, target, folder)
    )
    places = [folder / path for path in sorted(made.files)]
    if not dry_run:
        _write(made.files, folder)
    findings = [replace(finding, path=str(folder / finding.path)) for finding in made.findings]
    if as_json:
        told = [finding.as_dict() for finding in findings]
        emit({**made.summary, "files": [str(p) for p in places], "written": not dry_run, "findings": told})
    else:
        out.print("\n".join(str(place) for place in places), markup=False, highlight=False)
        print_findings(findings)
    if dry_run:
        say(f"Nothing was written. Without --dry-run: {len(places)} files.")
    else:
        for number, step in enumerate((*_reachable(settings, folder), *made.steps), start=1):
            say(f"{number}. {step}")
    raise typer.Exit(Exit.NO if has_errors(made.findings) else Exit.YES)


def _service(settings: Settings, name: str, source: str, target: str | None, folder: Path) -> _Written:
    from gateway.scaffold.drafting import draft_service

    registry, services, targets = _there(settings, folder)
    _refuse_existing(folder / "services" / name)
    if name in services:
        raise _exists(services[name].folder)
    to = target or name
    existing = targets.get(to)
    if existing is None:
        _refuse_existing(folder / "targets" / to)
    else:
        _require_here(existing, folder)
    ref = _ref(registry, source)
    say(f"Reading {source} …")
    with open_checker(settings, registry) as checker:
        made = draft_service(name, ref, checker, to, existing)
    if not made.samples:
        say("No message could be made that the standard's own rules take: write the first sample by hand.")
    summary = {
        "service": name,
        "target": to,
        "schema": made.schema,
        "fields": made.fields,
        "parties": made.parties,
        "samples": list(made.samples),
    }
    sample = next((path for path in sorted(made.files) if "/samples/" in path and "/data." in path), None)
    shown = f"{program()} map {folder / sample} --target {to}" if sample else f"{program()} services test {name}"
    steps = (
        f"Decide what {folder / 'services' / name / 'README.md'} asks; the same places say DECIDE in service.yaml.",
        f"{program()} check, after every change.",
        f"{shown} shows what would go out.",
    )
    return _Written(made.files, made.findings, summary, steps)


def _target(name: str, kind: str, rest: str, folder: Path) -> _Written:
    from gateway.scaffold.interfaces import draft_target

    path, _, operation = rest.partition("#")
    _refuse_existing(folder / "targets" / name)
    if not Path(path).is_file():
        raise GatewayError(f"there is no file {path}", code="no_file", remedy=f"Write --from {kind}:FILE.")
    made = draft_target(name, name, kind, Path(path), operation)
    others = [other for other in made.others if other != made.operation]
    say(f"Operation: {made.operation}." + (f" Others, to be named behind #: {_listed(others)}." if others else ""))
    summary = {"target": name, "operation": made.operation, "otherOperations": others, "required": made.left}
    steps = (
        f"Fill what is marked REQUIRED in {folder / 'targets' / name / 'request.yaml'} (fields: {made.left}), and "
        "what says DECIDE and CHECK in target.yaml.",
        f"Name it in a service: targets: [{name}]. Or begin one: {program()} services new NAME --from fim:… "
        f"--target {name}.",
        f"{program()} check, after every change.",
    )
    return _Written(made.files, made.findings, summary, steps)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _there(settings: Settings, folder: Path) -> tuple[Registry, Mapping[str, Service], Mapping[str, Target]]:
    """The standards, and the packages beside which the new one will lie; the first of all has none."""
    folders = [place for place in dict.fromkeys([*settings.packages, folder]) if place.is_dir()]
    if not folders:
        return Registry(settings.home / "schemas"), {}, {}
    registry, packages = look(settings.model_copy(update={"packages": folders}))
    return registry, packages.services, packages.targets


def _ref(registry: Registry, source: str) -> SchemaRef:
    """The one message that is meant. Raises GatewayError that names what there is."""
    without = [s.ref for s in registry.standards() if s.is_fim and s.ref.startswith(f"{source}V")]
    ref = registry.find(max(without) if without else source)
    if ref is None:
        missing = explain_missing(source, registry)
        allowed = f" There are: {missing.allowed}." if missing.allowed else ""
        raise GatewayError(missing.text.en, code="unknown_schema", remedy=f"{missing.remedy.en}{allowed}")
    if not ref.message:
        messages = registry.standard(ref.standard).messages
        raise GatewayError(
            f"{ref.standard} has {len(messages)} messages, and a service takes one",
            code="message_missing",
            remedy=f"Name it behind #: {_listed([f'{source}#{message}' for message in messages])}.",
        )
    return ref


def _refuse_names(*names: str | None) -> None:
    for name in names:
        try:
            TypeAdapter(Name).validate_python(name or "none")
        except ValidationError:
            raise typer.BadParameter(f"{name!r} is no name of a package: lower-case letters, digits, . _ -") from None


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise _exists(folder)


def _exists(folder: Path) -> GatewayError:
    return GatewayError(f"{folder} is there already", code="exists", remedy="Choose another name, or remove it first.")


def _require_here(target: Target, folder: Path) -> None:
    """Its request for the new service is written beside it."""
    if target.folder.resolve().parent.parent != folder.resolve():
        raise GatewayError(
            f"the target {target.name} lies in {target.folder.parent.parent}, not in {folder}",
            code="target_elsewhere",
            remedy=f"Write --into {target.folder.parent.parent}, or name a new target.",
        )


def _write(files: Files, folder: Path) -> None:
    """All of it or nothing: laid out beside, then moved."""
    from gateway.scaffold.files import put

    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        put(files, scratch)
        for kind in sorted(scratch.iterdir()):
            for package in sorted(kind.iterdir()):
                place = folder / kind.name / package.name
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.is_dir():  # a target that is there gets a file more
                    for file in package.iterdir():
                        file.rename(place / file.name)
                else:
                    package.rename(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _reachable(settings: Settings, folder: Path) -> list[str]:
    """A folder that no setting names would never be read."""
    if any(folder.resolve() == Path(known).resolve() for known in settings.packages):
        return []
    return [f"Name the folder in gateway.yaml: packages: [{folder}]."]
