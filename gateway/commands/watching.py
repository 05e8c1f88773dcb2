"""Commands of operators for what is on its way: targets, deliveries list, held list, case show. They change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from gateway.commands import matters
from gateway.commands.documents import (
    delivery_document,
    gives_up_at,
    held_document,
    submission_document,
    target_document,
)
from gateway.commands.letters import print_events
from gateway.commands.matters import REASON_OF_TWIN
from gateway.commands.opening import look
from gateway.commands.operators import (
    Lang,
    Language,
    Limit,
    Service,
    Target,
    cut,
    language,
    minute,
    moment,
    open_store,
    require_known,
    require_one_of,
    spoken,
)
from gateway.commands.output import Config, Json, emit, out, settings_for, table
from gateway.delivery import OPEN, Delivery, DeliveryState
from gateway.delivery.breaker import Circuit
from gateway.delivery.words import STATES, WAITING, explain
from gateway.errors import NotFound
from gateway.services import Packages
from gateway.store import OpenAtTarget, SubmissionView
from xoev_schemas.findings import Text

deliveries = typer.Typer(no_args_is_help=True, help="Deliveries: what is on its way, and what each waits for.")
held = typer.Typer(no_args_is_help=True, help="Submissions that wait for the virus scanner.")
case = typer.Typer(no_args_is_help=True, help="Single submissions, and the matters they belong to.")
case.command("find")(matters.find)
case.command("reference")(matters.reference)
case.command("twice")(matters.twice)

_MOVING = OPEN - {DeliveryState.DEAD}
_WAITS = (DeliveryState.WAITING, DeliveryState.UNKNOWN)


def targets(context: typer.Context, config: Config = None, lang: Lang = None, as_json: Json = False) -> None:
    """Department systems: whether each answers, since when not and why, and what is open for it."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_for(config)
    with open_store(settings) as store:
        circuits = {name: Circuit.from_dict(state) for name, state in store.circuits().items()}
        work = store.open_at_targets()
    _, packages = look(settings)
    # Those in use, and those that something is still open for although nothing is configured for them any more.
    used = {name for service in packages.services.values() for name in service.targets if service.inactive is None}
    names = sorted(used | set(work))
    if as_json:
        emit([target_document(n, packages.targets.get(n), circuits.get(n, Circuit()), work.get(n)) for n in names])
        return
    _print_targets(names, packages, circuits, work, language(lang))


@deliveries.command("list")
def list_deliveries(
    config: Config = None,
    state: Annotated[
        str, typer.Option(help=f"moving (what is neither dead nor ended), all, or one of: {', '.join(DeliveryState)}.")
    ] = "moving",
    target: Target = None,
    service: Service = None,
    limit: Limit = 100,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """What is on its way, the longest first: what it waits for, why, until when."""
    require_one_of("--state", state, ("moving", "all", *DeliveryState))
    chosen = {"moving": _MOVING, "all": frozenset(DeliveryState)}.get(state) or frozenset({DeliveryState(state)})
    settings = settings_for(config)
    with open_store(settings) as store:
        require_known(store, settings, target=target, service=service)
        found = store.deliveries(chosen, target=target, service=service, limit=limit + 1)
        circuits = {name: Circuit.from_dict(state) for name, state in store.circuits().items()}
    found = cut(found, limit)
    _, packages = look(settings)
    if as_json:
        emit([delivery_document(d, circuits.get(d.target, Circuit()), packages.targets.get(d.target)) for d in found])
        return
    _print_deliveries(found, packages, circuits, language(lang))


@held.command("list")
def list_held(config: Config = None, limit: Limit = 100, lang: Lang = None, as_json: Json = False) -> None:
    """What was accepted while the virus scanner was away, the oldest first. It goes on by itself once it is scanned."""
    with open_store(settings_for(config)) as store:
        found = store.held(limit)
    if as_json:
        emit([held_document(one) for one in found])
        return
    spoken_in = language(lang)
    rows = [(h.submission_id, h.service, h.client, minute(h.received_at), minute(h.created_at)) for h in found]
    table(spoken(Text("Zurückgestellt", "Held"), spoken_in), [spoken(text, spoken_in) for text in _HELD_COLUMNS], rows)


@case.command("show")
def show_case(
    what: Annotated[str, typer.Argument(help="Submission id, case id, delivery id or a department's reference.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What became of an application: where it is, what happened when. No content."""
    with open_store(settings_for(config)) as store:
        found = store.search(what)
        if not found:
            raise NotFound(f"nothing is known under {what!r}")
        views = [store.view(submission_id, events=True) for submission_id in found]
    if as_json:
        emit([submission_document(view) for view in views])
        return
    for view in views:
        _print_case(view)


# ----------------------------------------------------------------------------------------------------------- showing


_TARGET_COLUMNS = (
    Text("Ziel", "target"),
    Text("Adapter", "adapter"),
    Text("Verbindung", "circuit"),
    Text("seit", "since"),
    Text("warum", "why"),
    Text("nächster Versuch", "next probe"),
    Text("bereit", "queued"),
    Text("wartet", "waiting"),
    Text("unterwegs", "delivering"),
    Text("Klärfälle", "dead"),
    Text("ältester seit", "oldest since"),
)
_CIRCUIT = {"closed": Text("in Ordnung", "closed"), "open": Text("unterbrochen", "open")}


def _print_targets(
    names: Sequence[str],
    packages: Packages,
    circuits: Mapping[str, Circuit],
    work: Mapping[str, OpenAtTarget],
    lang: Language,
) -> None:
    rows = []
    for name in names:
        circuit, at = circuits.get(name, Circuit()), work.get(name)
        count: Mapping[str, int] = at.counts if at else {}
        target = packages.targets.get(name)
        rows.append(
            (
                name,
                target.adapter if target else "–",
                spoken(_CIRCUIT[circuit.state], lang),
                minute(circuit.opened_at),
                _why(circuit, lang),
                minute(circuit.probe_at) if circuit.state == "open" else "",
                count.get("queued", 0),
                count.get("waiting", 0),
                count.get("delivering", 0) + count.get("unknown", 0),
                count.get("dead", 0),
                minute(at.oldest) if at else "",
            )
        )
    table(spoken(Text("Ziele", "Targets"), lang), [spoken(text, lang) for text in _TARGET_COLUMNS], rows)


def _why(circuit: Circuit, lang: Language) -> str:
    if circuit.state == "closed":
        return ""
    words = explain(circuit.why)
    return f"{circuit.failure}: {circuit.why}" + (f" ({spoken(words, lang)})" if words else "")


_HELD_COLUMNS = (
    Text("Eingang", "submission"),
    Text("Leistung", "service"),
    Text("Absender", "client"),
    Text("eingegangen", "received"),
    Text("zurückgestellt", "held since"),
)
_DELIVERY_COLUMNS = (
    Text("Zustellung", "delivery"),
    Text("Leistung", "service"),
    Text("Ziel", "target"),
    Text("Stand", "state"),
    Text("wartet", "waits"),
    Text("bis", "until"),
    Text("wird aufgegeben", "gives up"),
    Text("Versuche", "attempts"),
    Text("letzter Fehler", "last failure"),
)


def _print_deliveries(
    found: Sequence[Delivery], packages: Packages, circuits: Mapping[str, Circuit], lang: Language
) -> None:
    rows: list[Sequence[Any]] = []
    for d in found:
        circuit = circuits.get(d.target, Circuit())
        parked = d.waits_for == "circuit"
        why = WAITING.get(d.waits_for or "")
        rows.append(
            (
                d.delivery_id,
                d.service,
                d.target,
                spoken(STATES[d.state], lang),
                " ".join(filter(None, (spoken(why, lang) if why else "", d.behind))),
                minute(circuit.probe_at if parked else d.due_at) if d.state in _WAITS else "",
                minute(gives_up_at(d, packages.targets.get(d.target))),
                d.attempts,
                d.code or (circuit.why if parked else ""),
            )
        )
    table(spoken(Text("Zustellungen", "Deliveries"), lang), [spoken(text, lang) for text in _DELIVERY_COLUMNS], rows)


def _print_case(view: SubmissionView) -> None:
    out.print(f"{view.submission_id}  {view.service}  {view.state}", markup=False, highlight=False, style="bold")
    received = f"received at {moment(view.received_at)} by {view.channel} from {view.client}; case {view.case_id}"
    out.print(received, markup=False, highlight=False)
    for one in view.possibly_twice:
        out.print(f"possibly twice: {one.submission_id} ({REASON_OF_TWIN[one.why]})", markup=False, highlight=False)
    rows = [
        (
            d.delivery_id,
            d.target,
            f"{d.state} for {d.behind}" if d.behind else d.state,
            d.attempts,
            ", ".join(f"{k} {v}" for k, v in d.references.items()),
            d.code,
        )
        for d in view.deliveries
    ]
    table("", ("delivery", "target", "state", "attempts", "references", "cause"), rows)
    print_events(view.events, {d.delivery_id: d.target for d in view.deliveries})
