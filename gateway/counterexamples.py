"""What `gateway check` says of valid messages that would break a mapping, and the files that show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.checking import trial_of
from gateway.packages.breaking import Counterexample, search
from gateway.packages.proving import AdapterLoader
from gateway.services import Packages
from xoev_schemas.fim.model import trails
from xoev_schemas.findings import Finding, Text
from xoev_schemas.ladder import Checker
from xoev_schemas.planned import Edit

CODE = "mapping.can_break"
_SHOWN_TEXT = 40
_SHOWN_EDITS = 6


@dataclass(frozen=True, slots=True)
class Looked:
    """findings: one for each rule that a valid message breaks. unfinished: services for which time was too short."""

    findings: tuple[Finding, ...]
    unfinished: tuple[str, ...]


def look_for_breaking(
    packages: Packages,
    checker: Checker,
    load_adapter: AdapterLoader,
    *,
    seconds: float,
    known: Sequence[Finding] = (),
    strict: bool = False,
    write_to: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Looked:
    """seconds: for each service. known: what was found already; their rules are not told again. strict: as errors.
    write_to: a folder for the messages, made if need be; None = they are only told of.
    """
    told = {(finding.path, finding.line) for finding in known if finding.severity != "info"}
    findings: list[Finding] = []
    unfinished: list[str] = []
    for service in packages.services.values():
        if service.inactive is not None:
            continue
        called = [call for name in service.targets for call in packages.targets[name].calls()]
        trials = [trial_of(call, load_adapter)[0] for call in called]
        end = clock() + seconds
        try:
            done = search(service, checker, trials, until=lambda end=end: clock() > end)  # type: ignore[misc]
        finally:
            for trial in trials:
                trial.close()
        unfinished += [] if done.complete else [service.name]
        new = [one for one in done.found if (str(one.place.file), one.place.line) not in told]
        for number, one in enumerate(new, start=1):
            told.add((str(one.place.file), one.place.line))
            finding = _finding(one, checker, _written(one, number, write_to))
            findings.append(replace(finding, severity="error") if strict else finding)
    return Looked(tuple(findings), tuple(unfinished))


def _written(one: Counterexample, number: int, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{one.service}-{number:02d}.{one.media_type.rpartition('/')[2]}"
    file.write_bytes(one.data)
    return file


def _finding(one: Counterexample, checker: Checker, file: Path | None) -> Finding:
    labels = _labels(one, checker)
    de, en = ("; ".join(_told(one, labels, german=german)) for german in (True, False))
    form = one.media_type.rpartition("/")[2].upper()
    schema = one.accepts.schema
    target = f" --target {one.target}" if one.target else ""
    show = f"gateway map {file}{target}" if file else ""
    return Finding(
        CODE,
        "warning",
        "service",
        Text(
            f"Eine Nachricht ({form}), die {schema} erlaubt, scheitert hier. {one.text.de} Es genügt: {de}.",
            f"a message ({form}) that {schema} allows breaks on this rule: {one.text.en} It takes no more than: {en}.",
        ),
        path=str(one.place.file),
        line=one.place.line,
        remedy=Text(
            "Machen Sie die Regel nachsichtiger, weisen Sie solche Nachrichten mit einer Regel der Leistung ab, oder "
            "schreiben Sie „required: stop“, wenn dann ein Mensch entscheiden soll. Die Nachricht zeigt: "
            + (f"{show}" if file else "gateway check --breaking ORDNER"),
            "Make the rule tolerant, refuse such messages by a rule of the service, or write 'required: stop' if a "
            f"person is to decide then. The message is shown by: {show or 'gateway check --breaking FOLDER'}",
        ),
    )


def _told(one: Counterexample, labels: dict[str, str], *, german: bool) -> Iterator[str]:
    """What the message has beyond the smallest that is valid."""
    if not one.attached:
        yield "keine Anlage" if german else "no attachment"
    for edit in one.plan[:_SHOWN_EDITS]:
        yield _edit(edit, labels, german=german)
    if len(one.plan) > _SHOWN_EDITS:
        more = len(one.plan) - _SHOWN_EDITS
        yield f"{more} weitere Angaben" if german else f"{more} more"
    if not one.plan and one.attached:
        yield "nur das Nötigste" if german else "nothing beyond what must be there"


def _edit(edit: Edit, labels: dict[str, str], *, german: bool) -> str:
    name = edit.place[-1]
    shown = f"{labels[name]} ({'/'.join(edit.place)})" if name in labels else "/".join(edit.place)
    if edit.text is not None and len(edit.text) > _SHOWN_TEXT:
        return f"{shown} mit {len(edit.text)} Zeichen" if german else f"{shown} with {len(edit.text)} characters"
    if edit.text is not None:
        return f"{shown} = „{edit.text}“" if german else f"{shown} = '{edit.text}'"
    if edit.times > 1:
        return f"{shown}, {edit.times}-mal" if german else f"{shown}, {edit.times} times"
    return f"{shown} ist angegeben" if german else f"{shown} is given"


def _labels(one: Counterexample, checker: Checker) -> dict[str, str]:
    """FIM id → name, where there is an XDatenfelder file."""
    schema = checker.registry.fim(one.accepts.ref.standard) if one.accepts.ref else None
    return {trail[-1].element.id: trail[-1].element.name for trail in trails(schema)} if schema else {}
