"""`gateway backup` and `gateway restore`: one command each, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.backup import manifest, restoring
from gateway.backup.making import Keys, back_up
from gateway.backup.manifest import Manifest
from gateway.backup.sealing import read_passphrase
from gateway.commands.opening import no_installation
from gateway.commands.output import Config, Exit, Json, Yes, emit, out, program, say, settings_for
from gateway.errors import GatewayError
from gateway.wiring import open_keys

Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File whose first line seals (or opens) the keys.")
]


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; with --verify, of a backup.")],
    config: Config = None,
    passphrase_file: Passphrase = None,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="The keys are backed up elsewhere.")] = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put the keys in unsealed: whoever has the backup can read everything.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Make nothing: prove that a backup is whole.")] = False,
    as_json: Json = False,
) -> None:
    """Back up database, content, keys and standards, beside running processes. Never overwrites."""
    if verify:
        _verify(folder, passphrase_file, as_json)
        return
    keys = _keys(passphrase_file, without_keys=without_keys, with_keys=with_keys)
    settings = settings_for(config)
    if not settings.database_url and not (settings.home / "gateway.db").exists():
        raise no_installation(settings)
    made = back_up(settings, folder, keys, say)
    if as_json:
        emit({"folder": str(folder), "digest": made.digest, "bytes": made.size, **_described(made.manifest)})
        return
    out.print(f"{folder}  {made.size} bytes  {made.digest}", markup=False, highlight=False, soft_wrap=True)
    say(f"Prove it: {program()} backup --verify {folder}. The configuration ({settings.file}) is not in it.")


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    config: Config = None,
    passphrase_file: Passphrase = None,
    nothing_sent_since: Annotated[
        bool,
        typer.Option(
            "--nothing-sent-since",
            help="Surely nothing was delivered after the backup (a move, with everything stopped): send what is open "
            "as it is. Else its outcome counts as unknown.",
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back into an empty installation, with the tables of this version. Does it only with --yes."""
    settings = settings_for(config)
    passphrase = read_passphrase(passphrase_file) if passphrase_file else None
    planned = restoring.plan(settings, folder, passphrase)
    done: restoring.Restored | None = None
    if yes and not planned.obstacles:
        done = restoring.restore(
            settings,
            folder,
            planned,
            lambda: open_keys(settings, create=False),
            sent_since=not nothing_sent_since,
            told=say,
        )
    if as_json:
        emit(
            {
                **_described(planned.manifest),
                "obstacles": planned.obstacles,
                "configurationDiffers": planned.differs,
                "migrates": planned.migrates,
                "restored": done is not None,
                "unknown": done and done.supposed,
                "putBack": done and done.put_back,
                "dryRun": not yes,
            }
        )
    _tell(planned, done)
    if planned.obstacles:
        raise typer.Exit(Exit.NO)


def _keys(passphrase_file: Path | None, *, without_keys: bool, with_keys: bool) -> Keys:
    if [passphrase_file is not None, without_keys, with_keys].count(True) != 1:
        raise GatewayError(
            "what becomes of the keys? Say one of --passphrase-file, --without-keys, --with-keys",
            code="usage",
            remedy="openssl rand -base64 32 > FILE makes a passphrase; keep it apart from the backups.",
        )
    if passphrase_file is not None:
        return Keys("sealed", read_passphrase(passphrase_file))
    return Keys("plain" if with_keys else "absent")


def _verify(folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    described = manifest.read_manifest(folder)
    faults = manifest.verify(folder, described)
    opened: bool | None = None
    if passphrase_file is not None and not faults:
        restoring.open_keys_of(folder, described, read_passphrase(passphrase_file))
        opened = True
    if as_json:
        emit({**_described(described), "faults": faults, "keysOpened": opened})
    for fault in faults:
        say(fault)
    if faults:
        raise typer.Exit(Exit.NO)
    say(f"{folder}: whole, {len(described.files)} files{', and its keys open' if opened else ''}.")


def _described(described: Manifest) -> dict[str, Any]:
    return {
        "version": described.version,
        "madeAt": described.made_at,
        "database": described.database,
        "revision": described.revision,
        "keys": described.keys,
        "submissions": described.rows("submission"),
        "deliveries": described.rows("delivery"),
        "openDeliveries": described.open_deliveries,
    }


def _tell(planned: restoring.Plan, done: restoring.Restored | None) -> None:
    described = planned.manifest
    say(
        f"Backup of {described.made_at} by version {described.version}: {described.rows('submission')} submissions, "
        f"{described.open_deliveries} open deliveries."
    )
    if planned.differs:
        say("The configuration here is not the one of that moment: compare gateway.yaml and the packages first.")
    for obstacle in planned.obstacles:
        say(f"Not restored: {obstacle}.")
    if planned.obstacles:
        return
    if done is None:
        say("It can be restored. Nothing was changed; add --yes to do it.")
        return
    say(
        f"Restored. {done.supposed} deliveries that were open then count as unknown outcomes: their targets are asked, "
        "or they are repeated with the mark, or a person decides."
    )
    say(f"Before anything is started, compare with the departments' lists: {program()} reconcile --help")
