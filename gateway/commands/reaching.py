"""targets ping | targets test: ask department systems themselves, now. They send no case and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import typer

from adapters.base import Adapter, DeliveryError, ServesContract
from adapters.registry import load_adapter
from gateway.commands import watching
from gateway.commands.opening import look
from gateway.commands.operators import Lang, Language, language, require_one_of, spoken
from gateway.commands.output import Config, Exit, Json, emit, print_findings, settings_for, table
from gateway.delivery.words import CLASSES, explain
from gateway.packages.proving import prove_adapter
from gateway.services import Packages, Target
from xoev_schemas.findings import Finding, Text, has_errors

AT_ONCE = 16
"""Targets asked at a time: one that is away costs its whole time-out."""

Contract = Literal["matches", "differs", "not_served", "unknown"]

targets = typer.Typer(
    invoke_without_command=True, help="Department systems: whether each answers, since when not and why, what is open."
)
targets.callback()(watching.targets)


@dataclass(frozen=True, slots=True)
class Reached:
    """What asking one target told. reachable: and authorised; None: it could not be asked. failure, code: why not.

    contract: None where nobody asked for it. findings: of its settings, and of the contract.
    """

    target: Target
    reachable: bool | None
    failure: str = ""
    code: str = ""
    contract: Contract | None = None
    findings: Sequence[Finding] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        if self.reachable is None or self.contract == "unknown":
            return Exit.UNKNOWN
        return Exit.YES if self.reachable and not has_errors(list(self.findings)) else Exit.NO


Names = Annotated[list[str] | None, typer.Argument(help="Targets; default: all that an active service delivers to.")]


@targets.command("ping")
def ping_targets(names: Names = None, config: Config = None, lang: Lang = None, as_json: Json = False) -> None:
    """Is each reachable, and does it know us? 1: one is not, or does not; 2: one could not be asked."""
    _ask(names, config, language(lang), as_json, ping)


@targets.command("test")
def examine_targets(names: Names = None, config: Config = None, lang: Lang = None, as_json: Json = False) -> None:
    """Ping; and do its settings fit its description, and this the one that it serves today? Exit codes as of ping."""
    _ask(names, config, language(lang), as_json, examine)


def ping(target: Target) -> Reached:
    """Never raises."""
    adapter, findings = prove_adapter(target, load_adapter)
    if adapter is None or has_errors(findings):
        return Reached(target, None, "contract", "config.invalid", findings=findings)
    try:
        return _knock(target, adapter)
    finally:
        adapter.close()


def examine(target: Target) -> Reached:
    """Never raises."""
    adapter, findings = prove_adapter(target, load_adapter)
    if adapter is None or has_errors(findings):
        return Reached(target, None, "contract", "config.invalid", findings=findings)
    try:
        reached = _knock(target, adapter)
        if not reached.reachable:
            return replace(reached, findings=findings)
        contract, found = _compare(adapter)
        return replace(reached, contract=contract, findings=[*findings, *found])
    finally:
        adapter.close()


def _knock(target: Target, adapter: Adapter) -> Reached:
    try:
        adapter.ping()
    except DeliveryError as error:
        return Reached(target, False, error.failure, error.code)
    except Exception as error:  # an adapter that breaks its promise: nobody was asked
        return Reached(target, None, "bug", f"bug.{type(error).__name__}")
    return Reached(target, True)


def _compare(adapter: Adapter) -> tuple[Contract, list[Finding]]:
    if not isinstance(adapter, ServesContract):
        return "not_served", []
    try:
        found = adapter.compare_contract()
    except DeliveryError:
        return "unknown", []
    if found is None:
        return "not_served", []
    return ("differs" if has_errors(found) else "matches"), found


def _ask(
    names: list[str] | None, config: Any, lang: Language, as_json: bool, question: Callable[[Target], Reached]
) -> None:
    _, packages = look(settings_for(config))
    chosen = _chosen(packages, names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(question, chosen))
    if as_json:
        emit([_document(answer) for answer in answers])
    else:
        _print(answers, lang)
    raise typer.Exit(max((answer.exit for answer in answers), default=Exit.YES))


def _chosen(packages: Packages, names: list[str] | None) -> list[Target]:
    for name in names or ():
        require_one_of("target", name, packages.targets)
    used = {name for service in packages.services.values() if service.inactive is None for name in service.targets}
    return [packages.targets[name] for name in names or sorted(used)]


def _document(answer: Reached) -> dict[str, Any]:
    words = _words(answer)
    return {
        "target": answer.target.name,
        "adapter": answer.target.adapter,
        "reachable": answer.reachable,
        "class": answer.failure or None,
        "code": answer.code or None,
        "text": {"de": words.de, "en": words.en} if words else None,
        "contract": answer.contract,
        "findings": [finding.as_dict() for finding in answer.findings],
    }


_ANSWERS = {
    True: Text("antwortet", "answers"),
    False: Text("antwortet nicht oder lehnt uns ab", "does not answer, or refuses us"),
    None: Text("nicht gefragt", "not asked"),
}
_CONTRACTS: dict[Contract | None, Text] = {
    None: Text("", ""),
    "matches": Text("passt", "matches"),
    "differs": Text("weicht ab", "differs"),
    "not_served": Text("nicht angeboten", "not served"),
    "unknown": Text("nicht zu bekommen", "could not be fetched"),
}
_COLUMNS = (
    Text("Ziel", "target"),
    Text("Adapter", "adapter"),
    Text("Verbindung", "connection"),
    Text("Beschreibung", "contract"),
    Text("warum", "why"),
)


def _print(answers: Sequence[Reached], lang: Language) -> None:
    rows = []
    for answer in answers:
        words = _words(answer)
        why = f"{answer.code}: {spoken(words, lang)}" if words else ""
        state, contract = spoken(_ANSWERS[answer.reachable], lang), spoken(_CONTRACTS[answer.contract], lang)
        rows.append((answer.target.name, answer.target.adapter, state, contract, why))
    table(spoken(Text("Ziele", "Targets"), lang), [spoken(text, lang) for text in _COLUMNS], rows)
    for answer in answers:
        print_findings(answer.findings)


def _words(answer: Reached) -> Text | None:
    if answer.reachable:
        return None
    return explain(answer.code) or CLASSES.get(answer.failure)
