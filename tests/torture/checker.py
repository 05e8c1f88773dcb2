"""The invariants, looked at from outside: what portals were told, what department systems have, what is stored."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.testkit import QueueDepartment
from adapters.testkit.ledger import Received
from gateway.demo.stage import Department
from gateway.store import Store
from tests.torture.books import Books
from tests.torture.plan import PORTALS
from tests.torture.portals import Portals, Sent

ENDS = {"delivered", "skipped", "dead", "returned", "discarded"}
ASKED_BY_STRANGERS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """invariant: `INV-1` … `INV-10`, or `answer` for an answer that the portal should not have got."""

    invariant: str
    text: str


class Checker:
    """departments: those that can be seen into. places: folders where no name of a person may stand."""

    def __init__(
        self,
        portals: Portals,
        departments: Mapping[str, Department],
        store: Store,
        books: Books,
        places: list[Path],
    ) -> None:
        self._portals = portals
        self._departments = departments
        self._store = store
        self._books = books
        self._places = places
        self._deliveries = {row.delivery_id: row for row in books.deliveries()}
        self._effects = {name: _effects(department) for name, department in departments.items()}
        self._by_id = {identity: sent for sent in portals.sent for identity in sent.ids}

    def violations(self) -> Iterator[Violation]:
        checks: list[tuple[str, Callable[[], Iterator[str]]]] = [
            ("INV-1", self._lost),
            ("INV-1", self._not_there),
            ("INV-2", self._second_submissions),
            ("INV-3", self._unmarked),
            ("INV-4", self._ghosts),
            ("INV-5", self._no_end),
            ("INV-6", self._out_of_order),
            ("INV-7", self._other_content),
            ("INV-8", self._chains),
            ("INV-9", self._strangers),
            ("INV-10", self._seen),
            ("answer", lambda: iter(self._portals.surprises)),
        ]
        for invariant, check in checks:
            yield from (Violation(invariant, text) for text in check())

    # -- the portals' side

    def _accepted(self) -> list[Sent]:
        return [sent for sent in self._portals.sent if sent.accepted]

    def _lost(self) -> Iterator[str]:
        for sent in self._accepted():
            for identity in dict.fromkeys(sent.ids):
                try:
                    stored = b"".join(self._store.read_part(identity, "data"))
                except Exception as error:
                    yield f"{identity} was accepted and cannot be read: {type(error).__name__}"
                    continue
                if stored != sent.sample.data.content:
                    yield f"{identity} is not what was sent"

    def _second_submissions(self) -> Iterator[str]:
        told: dict[tuple[str, str], set[str]] = defaultdict(set)
        for sent in self._accepted():
            told[sent.portal, sent.key] |= set(sent.ids)
        yield from (f"one key was told {sorted(ids)}" for ids in told.values() if len(ids) > 1)
        owners = Counter(identity for ids in told.values() for identity in ids)
        yield from (f"{identity} was told under {n} keys" for identity, n in owners.items() if n > 1)
        for name, effects in self._effects.items():
            cases: dict[str, set[str]] = defaultdict(set)
            for key, received in effects.items():
                if canary := self._canary_in(received[0]):
                    cases[canary].add(key)
            for keys in cases.values():
                if len(keys) > 1:
                    yield f"{name} has one message as {len(keys)} cases: {sorted(keys)}"

    def _strangers(self) -> Iterator[str]:
        for sent in itertools.islice(self._accepted(), ASKED_BY_STRANGERS):
            other = next(portal for portal in PORTALS if portal != sent.portal)
            if (status := self._portals.asked_by(other, sent.ids[0])) != 404:
                yield f"{other} asked for {sent.ids[0]} of {sent.portal} and got {status}"

    # -- the department systems' side

    def _not_there(self) -> Iterator[str]:
        for row in self._deliveries.values():
            if row.state == "delivered" and row.delivery_id not in self._effects.get(row.target, {row.delivery_id: 1}):
                yield f"{row.target} never got {row.delivery_id}, which is called delivered"

    def _unmarked(self) -> Iterator[str]:
        for name, effects in self._effects.items():
            for key, received in effects.items():
                if not all(again.possible_repeat for again in received[1:]):
                    yield f"{name} made {len(received)} cases of {key}, and not every repeat was marked"

    def _ghosts(self) -> Iterator[str]:
        for name, effects in self._effects.items():
            for key in effects:
                row = self._deliveries.get(key)
                if row is None or row.target != name:
                    yield f"{name} has the case {key}, which nobody stored for it"
        yield from (f"{key} is delivered without an attempt" for key in self._books.delivered_without_attempt())

    def _out_of_order(self) -> Iterator[str]:
        """By the portals' own knowledge of what came first, not by anybody's clock."""
        for sent in self._accepted():
            first = self._portals.by_order.get(sent.order.of) if sent.order.of is not None else None
            if sent.order.style != "follows" or first is None or first.case_id != sent.case_id:
                continue
            for name, effects in self._effects.items():
                earlier, later = (self._first_effect(name, effects, s) for s in (first, sent))
                if earlier is not None and later is not None and earlier > later:
                    yield f"{name} got {sent.ids[0]} before {first.ids[0]}, which came first in the matter"

    def _first_effect(self, target: str, effects: Mapping[str, list[Received]], sent: Sent) -> int | None:
        for place, key in enumerate(effects):
            row = self._deliveries.get(key)
            if row is not None and row.submission_id == sent.ids[0]:
                return place
        return None

    def _other_content(self) -> Iterator[str]:
        for name, effects in self._effects.items():
            if isinstance(self._departments[name], QueueDepartment):
                continue  # gets nothing of a person, on purpose
            for key, received in effects.items():
                row = self._deliveries.get(key)
                sent = self._by_id.get(row.submission_id) if row is not None else None
                if sent is not None and any(self._canary_in(one) != sent.canary for one in received):
                    yield f"{name} got another person's data as {key}"
        followers = {s.ids[0] for s in self._accepted() if s.order.style == "follows"}
        for row in self._books.case_digests():
            # What follows in a matter may read what became of the others meanwhile.
            if self._deliveries[row.delivery_id].submission_id not in followers:
                yield f"{row.delivery_id} was tried with {row.digests} different cases"

    def _canary_in(self, received: Received) -> str:
        text = str(received.body)
        place = text.find("Kanarie")
        return text[place : place + len("Kanarie") + 10] if place >= 0 else ""

    # -- the database's side

    def _no_end(self) -> Iterator[str]:
        stopped = {(row.submission_id, row.target) for row in self._deliveries.values() if row.state == "dead"}
        open_ones = [row for row in self._deliveries.values() if row.state not in ENDS]
        stopped |= {(row.submission_id, row.target) for row in open_ones if row.behind is not None}
        for row in open_ones:
            if row.behind is None or (row.behind, row.target) not in stopped:
                yield f"{row.target}/{row.delivery_id} is {row.state}, for ever"
        yield from (f"{key} is dead, and nobody is told" for key in self._books.dead_without_letter())
        submissions = self._books.submissions()
        have = {row.submission_id for row in self._deliveries.values()}
        for identity, state in submissions.items():
            if state in ("accepted", "completed") and identity not in have:
                yield f"{identity} is {state} and has no delivery"
        states = defaultdict(list)
        for row in self._deliveries.values():
            states[row.submission_id].append(row.state)
        for identity, of_it in states.items():
            ended = all(state in ENDS - {"dead"} for state in of_it)
            if ended != (submissions[identity] == "completed"):
                yield f"{identity} is {submissions[identity]}, its deliveries are {sorted(of_it)}"

    def _chains(self) -> Iterator[str]:
        for identity in self._books.submissions():
            yield from (f"{identity}: {wrong}" for wrong in self._store.verify_chain(identity))

    def _seen(self) -> Iterator[str]:
        yield from self._portals.quoted
        canaries = ("Kanarie",)
        for table, row in self._books.text():
            if any(c in row for c in canaries):
                yield f"a name stands in the table {table}"
        for place in self._places:
            yield from _names_in(place)


def _effects(department: Department) -> dict[str, list[Received]]:
    """Key → every request that made a case, in the order of the first of each key."""
    effects: dict[str, list[Received]] = {}
    for received in department.received:
        if not received.known:
            effects.setdefault(received.key, []).append(received)
    return effects


def _names_in(place: Path) -> Iterator[str]:
    for file in [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()):
        if "Kanarie" in file.name:
            yield f"a name is the name of a file below {place.name}"
        try:
            if b"Kanarie" in file.read_bytes():
                yield f"a name stands in {place.name}/{file.name}"
        except OSError:
            continue  # a server removed it meanwhile
