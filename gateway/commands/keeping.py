"""`gateway erase` and `gateway hold`: content that goes before its time, and content that must not go."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Annotated, Any

import typer

from gateway.commands.operators import Reason, actor, minute, open_store, require_id, require_reason
from gateway.commands.output import Config, Exit, Json, Yes, emit, out, program, say, settings_for, table
from gateway.errors import Conflict, GatewayError
from gateway.store.holds import Erasure

hold = typer.Typer(no_args_is_help=True, help="Legal holds (Löschsperren): they stop retention and erasure.")

Submission = Annotated[str, typer.Argument(help="Submission id.")]


def erase(
    submission: Submission, config: Config = None, reason: Reason = "", yes: Yes = False, as_json: Json = False
) -> None:
    """Erase the content of one submission for good, before its time is over. The record stays, with the proof. Does it
    only with --yes; again it shows the proof.
    """
    require_id(submission)
    with open_store(settings_for(config)) as store:
        found = store.holds.erasure(submission)
        if found.erased_at is None and (why := _refusal(found)):
            raise why
        did = False
        if yes and found.erased_at is None:
            require_reason(reason)
            did = store.erase(submission, actor=actor(), reason=reason).result()
            found = store.holds.erasure(submission)
        # Also when it was erased before: a reader may have been in the way then.
        scrubbed = store.holds.scrub() if yes else True
    if as_json:
        emit(_document(found, did=did, dry_run=not yes))
    else:
        _tell(found, dry_run=not yes)
    if not scrubbed:
        raise GatewayError(
            "erased; but old pages are still in the database's log file, because something reads just now",
            code="log_not_emptied",
            remedy="Run the same command again.",
        )


@hold.command("add")
def add(submission: Submission, config: Config = None, reason: Reason = "", as_json: Json = False) -> None:
    """Keep the content of a submission, whatever its retention says, until the hold is removed."""
    require_id(submission)
    require_reason(reason)
    with open_store(settings_for(config)) as store, _named(submission):
        store.holds.add(submission, actor=actor(), reason=reason).result()
    if as_json:
        emit({"submissionId": submission, "hold": True, "reason": reason})
    say(f"{submission} is under a legal hold. Lift it: {program()} hold remove {submission} --reason …")


@hold.command("remove")
def remove(
    submission: Submission, config: Config = None, reason: Reason = "", yes: Yes = False, as_json: Json = False
) -> None:
    """Lift a hold. Retention takes effect again, at once where its date is over. Does it only with --yes."""
    require_id(submission)
    with open_store(settings_for(config)) as store, _named(submission):
        found = store.holds.erasure(submission)
        if found.hold is None:
            raise Conflict("it is not under a legal hold")
        if yes:
            require_reason(reason)
            store.holds.remove(submission, actor=actor(), reason=reason).result()
    if as_json:
        emit({"submissionId": submission, "hold": not yes, "dryRun": not yes, "keepUntil": _iso(found.keep_until)})
    then = f"Its content is kept until {minute(found.keep_until)}." if found.keep_until else "It has no date yet."
    say(f"The hold is lifted. {then}" if yes else f"{then} Nothing was changed; add --yes to lift the hold.")


@hold.command("list")
def list_holds(config: Config = None, as_json: Json = False) -> None:
    """Every legal hold, the longest first."""
    with open_store(settings_for(config)) as store:
        holds = store.holds.all()
    if as_json:
        emit(
            [
                {
                    "submissionId": one.submission_id,
                    "since": _iso(one.since),
                    "actor": one.actor,
                    "reason": one.reason,
                    "service": one.service,
                    "department": one.department,
                    "state": one.state,
                }
                for one in holds
            ]
        )
        return
    columns = ("submission", "since", "by", "service", "state", "reason")
    rows = [(h.submission_id, minute(h.since), h.actor, h.service, h.state, h.reason) for h in holds]
    table("Legal holds", columns, rows)


@contextlib.contextmanager
def _named(submission: str) -> Any:
    """A conflict is an answer here, about this submission."""
    try:
        yield
    except Conflict as error:
        raise _no(f"{submission}: {error}", f"See: {program()} hold list") from None


def _refusal(found: Erasure) -> GatewayError | None:
    if found.hold is not None:
        return _no(
            f"{found.submission_id} is under a legal hold: {found.hold}",
            f"Lift it first: {program()} hold remove {found.submission_id} --reason … --yes",
        )
    if not found.final:
        return _no(
            f"{found.submission_id} is {found.state}: content is kept as long as a submission is open",
            "Discard or return what is stuck first, or wait until everything is delivered.",
        )
    return None


def _no(text: str, remedy: str) -> GatewayError:
    error = GatewayError(text, code="conflict", remedy=remedy)
    error.exit_code = Exit.NO
    return error


def _document(found: Erasure, *, did: bool, dry_run: bool) -> dict[str, Any]:
    return {
        "submissionId": found.submission_id,
        "service": found.service,
        "state": found.state,
        "dryRun": dry_run,
        "erased": found.erased_at is not None,
        "erasedNow": did,
        "erasedAt": _iso(found.erased_at),
        "parts": found.parts,
        "bytes": found.size,
        "keepUntil": _iso(found.keep_until),
        "certificate": found.certificate,
    }


def _tell(found: Erasure, *, dry_run: bool) -> None:
    if found.certificate is None:
        until = f"; retention would take it at {minute(found.keep_until)}" if found.keep_until else ""
        say(f"{found.service}, {found.state}: {found.parts} parts, {found.size} bytes{until}.")
        say("Nothing was changed; add --yes and --reason to erase it for good. It cannot be undone.")
        return
    proof = found.certificate
    out.print(f"Certificate of erasure for submission {found.submission_id}", style="bold", markup=False)
    for name, value in (
        ("service", found.service),
        ("erased at", proof["at"]),
        ("by", proof["actor"]),
        ("reason", proof["details"].get("reason", "")),
        ("parts", proof["details"].get("parts", "")),
        ("bytes", proof["details"].get("bytes", "")),
        ("event", proof["number"]),
        ("hash", proof["hash"]),
    ):
        out.print(f"  {name}: {value}", markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        say("It was erased before; nothing was changed.")


def _iso(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
