"""Commands about standards: schemas list|show|import|fetch|remove."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.opening import look
from gateway.commands.output import Config, Json, Yes, emit, out, print_findings, say, settings_for, table
from gateway.errors import GatewayError
from xoev_schemas.needs import ListNeed, list_needs
from xoev_schemas.registry import Imported, Registry
from xoev_schemas.standards import InstalledList, Standard

if TYPE_CHECKING:
    from xoev_schemas.workers import Workers
    from xoev_schemas.xrepository import XRepository

app = typer.Typer(no_args_is_help=True, help="Installed standards and code lists.")

_PROVING_BYTES, _PROVING_SECONDS = 2 << 30, 120.0
_SHOWN = 20

DryRun = Annotated[bool, typer.Option("--dry-run", help="Compile everything and say what would come; install nothing.")]
Variant = Annotated[
    str | None,
    typer.Option(help="Name for this set of schemas, so that it can stand beside the normative one of its version."),
]


@app.command("list")
def list_schemas(
    code_lists: Annotated[bool, typer.Option("--code-lists", help="The code lists instead of the standards.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Installed standards: messages, forms, rules, code lists that are missing."""
    registry, _ = look(settings_for(config))
    if code_lists:
        _list_code_lists(registry, as_json=as_json)
        return
    rows = [_row(registry, standard) for standard in registry.standards()]
    if as_json:
        emit(rows)
        return
    table(
        "Standards",
        ("standard", "title", "messages", "forms", "rules", "code lists"),
        [
            (r["standard"], r["title"], r["messages"], ", ".join(r["forms"]), r["rules"] or "", _lists_cell(r))
            for r in rows
        ],
    )


def _row(registry: Registry, standard: Standard) -> dict[str, Any]:
    needs = [need for need in list_needs(registry, standard.ref) if need.uri]
    return {
        "standard": standard.ref,
        "title": standard.title,
        "version": standard.version,
        "variant": standard.variant or None,
        "publisher": standard.publisher,
        "messages": len(standard.messages),
        "forms": sorted({{"xsd": "XML", "json": "JSON"}[schema.kind] for schema in standard.schemas}),
        "rules": len(standard.schematron),
        "codeLists": len(needs),
        "codeListsMissing": sum(need.state == "missing" for need in needs),
    }


def _lists_cell(row: dict[str, Any]) -> str:
    missing = f", {row['codeListsMissing']} missing" if row["codeListsMissing"] else ""
    return f"{row['codeLists']}{missing}" if row["codeLists"] else ""


def _list_code_lists(registry: Registry, *, as_json: bool) -> None:
    rows = [
        {"uri": one.uri, "version": one.version, "title": one.title, "codes": one.codes} for one in registry.lists()
    ]
    if as_json:
        emit(rows)
    else:
        table("Code lists", ("list", "version", "title", "codes"), [tuple(row.values()) for row in rows])


@app.command("import")
def import_schemas(
    paths: Annotated[list[Path], typer.Argument(help="Folder, zip archive or single file.", exists=True)],
    variant: Variant = None,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring in standards (XSD, JSON Schema, Schematron, XDatenfelder) and code lists from a folder, archive or file.

    Never from the network. Compiles everything; installs all or nothing; safe to repeat.
    """
    settings = settings_for(config)
    imported = []
    with _proving() as workers:
        registry = Registry(settings.home / "schemas")
        for path in paths:
            say(f"Reading {path} into {settings.home / 'schemas'} …")
            imported.append(registry.import_path(path, variant=variant, prove=workers.prove, dry_run=dry_run))
    _tell(imported, dry_run=dry_run, as_json=as_json)


@app.command("fetch")
def fetch_schemas(
    urns: Annotated[list[str], typer.Argument(help="urn:xoev-de:…:standard:NAME_VERSION, or the URN of a code list.")],
    code_lists: Annotated[bool, typer.Option(help="With the code lists that a standard refers to.")] = True,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Get standards and code lists from the XRepository (setting `xrepository_url`) and bring them in."""
    from xoev_schemas.xrepository import XRepository

    settings = settings_for(config)
    imported, absent = [], dict[str, str]()
    with _proving() as workers, XRepository(settings.xrepository_url) as xrepository:
        registry = Registry(settings.home / "schemas")
        for urn in urns:
            with tempfile.TemporaryDirectory(prefix="gateway-schemas-") as folder:
                say(f"Fetching {urn} from {settings.xrepository_url} …")
                absent |= _fetched(xrepository, urn, Path(folder), code_lists=code_lists)
                imported.append(registry.import_path(Path(folder), prove=workers.prove, dry_run=dry_run))
    _tell(imported, dry_run=dry_run, as_json=as_json, absent=absent)


def _fetched(xrepository: XRepository, urn: str, folder: Path, *, code_lists: bool) -> dict[str, str]:
    from xoev_schemas.xrepository import NotFetched

    try:
        return xrepository.fetch(urn, folder, code_lists=code_lists, progress=lambda name: say(f"  {name}")).absent
    except NotFetched as error:
        raise GatewayError(str(error), code="not_fetched", remedy=error.remedy) from None


@app.command("show")
def show_schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A standard, or URI_VERSION of a code list.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One standard (version, messages, code lists that it needs, files with their digests), or one code list."""
    registry, _ = look(settings_for(config))
    ref = registry.find(name)
    standard = next((s for s in registry.standards() if s.ref in (name, ref.standard if ref else None)), None)
    one = next((one for one in registry.lists() if f"{one.uri}_{one.version}" == name), None)
    if standard is not None:
        _show_standard(registry, standard, as_json=as_json)
    elif one is not None:
        _show_list(registry, one, as_json=as_json)
    else:
        raise _unknown(registry, name)


def _unknown(registry: Registry, name: str) -> GatewayError:
    """Says what was probably meant: another version of the list, or a name that is nearly the same."""
    lists = [f"{one.uri}_{one.version}" for one in registry.lists()]
    versions = [one for one in lists if one.rpartition("_")[0] == name]
    names = [s.ref for s in registry.standards()] + lists
    near = versions or get_close_matches(name, names, n=3, cutoff=0.6)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return GatewayError(
        f"{name!r} is not installed",
        code="unknown_standard",
        remedy=f"{meant}All: gateway schemas list, and gateway schemas list --code-lists.",
    )


def _show_standard(registry: Registry, standard: Standard, *, as_json: bool) -> None:
    needs = list_needs(registry, standard.ref)
    document = {
        "standard": standard.ref,
        "title": standard.title,
        "version": standard.version,
        "variant": standard.variant or None,
        "publisher": standard.publisher,
        "licences": standard.licences,
        "schemaUris": list(standard.schema_uris),
        "messages": list(standard.messages),
        "rules": standard.schematron,
        "codeLists": [_need(need) for need in needs],
        "files": dict(standard.files),
    }
    if as_json:
        emit(document)
        return
    for key in ("standard", "title", "version", "variant", "publisher", "licences", "schemaUris", "messages", "rules"):
        if lines := _lines(document[key]):
            out.print(f"{key}:", style="bold")
            out.print("\n".join(f"  {line}" for line in lines), markup=False, highlight=False)
    if needs:
        table("codeLists", ("list", "version", "code type", "here"), [_need_row(need) for need in needs])
    out.print("files:", style="bold")
    lines = [f"  {digest}  {path}" for path, digest in sorted(standard.files.items())]
    out.print("\n".join(lines), markup=False, highlight=False)


def _need(need: ListNeed) -> dict[str, Any]:
    return {
        "uri": need.uri,
        "version": need.version,
        "codeType": need.code_type,
        "state": need.state,
        "versionsInstalled": list(need.versions),
    }


def _need_row(need: ListNeed) -> tuple[str, ...]:
    here = {
        "in_schema": "codes stand in the schema",
        "installed": f"installed{': ' + ', '.join(need.versions) if need.versions else ''}",
        "missing": "MISSING: its codes are not checked",
        "by_message": "the message says which list",
    }[need.state]
    version = need.version or "the message says"
    return need.uri or "any", version, str(need.code_type or "FIM"), here


def _show_list(registry: Registry, one: InstalledList, *, as_json: bool) -> None:
    found = registry.code_lists().get(one.uri, one.version)
    assert found is not None
    document = {
        "uri": found.uri,
        "version": found.version,
        "title": found.title,
        "agency": found.agency,
        "validFrom": found.valid_from,
        "keyColumn": found.key_column,
        "sha256": one.sha256,
        "codes": dict(found.labels),
    }
    if as_json:
        emit(document)
        return
    for key in ("uri", "version", "title", "agency", "validFrom", "keyColumn", "sha256"):
        if document[key]:
            out.print(f"{key}: {document[key]}", markup=False, highlight=False)
    table(f"{len(found)} codes", ("code", "meaning"), list(found.labels.items())[:_SHOWN])
    if len(found) > _SHOWN:
        say(f"… and {len(found) - _SHOWN} more: --json shows all.")


def _lines(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


@app.command("remove")
def remove_schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A standard, or URI_VERSION of a code list.")],
    yes: Yes = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take a standard or a code list away. Without --yes it only says what would be without it."""
    settings = settings_for(config)
    registry, packages = look(settings)
    if name not in {s.ref for s in registry.standards()} | {f"{one.uri}_{one.version}" for one in registry.lists()}:
        raise _unknown(registry, name)
    using = sorted(
        service.name
        for service in packages.services.values()
        if any((ref := registry.find(accepts.schema)) and ref.standard == name for accepts in service.accepts)
    )
    if yes:
        registry.remove(name)
    if as_json:
        emit({"name": name, "removed": yes, "services": using})
        return
    if using:
        say(f"Without it these services are inactive: {', '.join(using)}")
    say(f"Removed {name}." if yes else f"{name} would be removed; do it with --yes.")


def _counted(number: int, what: str) -> str:
    """`2 files of rules`; empty for none."""
    noun, _, rest = what.partition(" ")
    return f"{number} {noun}{'s' if number > 1 else ''} {rest}".strip() if number else ""


@contextmanager
def _proving() -> Iterator[Workers]:
    """A process to compile Schematron rules in; it starts only where there are any."""
    from xoev_schemas.workers import Workers

    with closing(Workers(1, _PROVING_BYTES, _PROVING_SECONDS)) as workers:
        yield workers


def _tell(imported: Iterable[Imported], *, dry_run: bool, as_json: bool, absent: dict[str, str] | None = None) -> None:
    absent = absent or {}
    standards = [(standard, standard.ref in one.new) for one in imported for standard in one.standards]
    lists = [(entry, f"{entry.uri}_{entry.version}" in one.new) for one in imported for entry in one.lists]
    notes = [note for one in imported for note in one.notes]
    if as_json:
        emit(
            {
                "dryRun": dry_run,
                "standards": [
                    {"standard": s.ref, "title": s.title, "messages": len(s.messages), "new": new}
                    for s, new in standards
                ],
                "codeLists": [{"uri": o.uri, "version": o.version, "codes": o.codes, "new": new} for o, new in lists],
                "absent": absent,
                "findings": [note.as_dict() for note in notes],
            }
        )
        return
    for standard, new in standards:
        counts = [_counted(len(standard.messages), "message"), _counted(len(standard.schematron), "file of rules")]
        known = "" if new else " (installed already)"
        told = ", ".join(count for count in counts if count)
        out.print(f"{standard.ref}: {told}{known}", markup=False, highlight=False)
    if lists:
        fresh = sum(new for _, new in lists)
        out.print(f"{len(lists)} code lists, {fresh} of them new", markup=False, highlight=False)
    print_findings(notes)
    for name, why in absent.items():
        say(f"Not there: {name} ({why})")
    if dry_run:
        say("Nothing was installed (--dry-run).")
