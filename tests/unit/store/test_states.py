"""The table of states decides: every pair is tried, against the table and against a real store."""

from __future__ import annotations

import ast
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from store_world import KEYS, Clock, World, death, verdict

from gateway.delivery import (
    DELIVERY_TRANSITIONS,
    OPEN,
    SUBMISSION_TRANSITIONS,
    Delivered,
    Delivery,
    DeliveryState,
    Outcome,
    Skipped,
    Wait,
    require_delivery,
    require_submission,
)
from gateway.errors import Conflict, GatewayError, IllegalTransition
from gateway.store import changes
from gateway.store.changes import changing
from gateway.store.store import Claimed, Store
from gateway.store.work import DUE_TOLERANCE
from gateway.submission import SubmissionState

D = DeliveryState


@pytest.mark.parametrize(("old", "new"), list(product(D, D)))
def test_every_pair_of_delivery_states_is_allowed_or_raises(old: D, new: D) -> None:
    if new in DELIVERY_TRANSITIONS[old]:
        require_delivery(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"from {old} to {new}"):
            require_delivery(old, new)


@pytest.mark.parametrize(("old", "new"), list(product([None, *SubmissionState], SubmissionState)))
def test_every_pair_of_submission_states_is_allowed_or_raises(
    old: SubmissionState | None, new: SubmissionState
) -> None:
    if new in SUBMISSION_TRANSITIONS[old]:
        require_submission(old, new)
    else:
        with pytest.raises(IllegalTransition):
            require_submission(old, new)


def test_the_store_makes_exactly_the_changes_of_the_table_each_with_one_event(world: World) -> None:
    for old, new in product(D, D):
        delivery = in_state(world, old)
        before = len(world.store.view(delivery.submission_id, events=True).events)

        def change(tx, delivery=delivery, new=new):  # type: ignore[no-untyped-def]
            with changing(tx, delivery.submission_id) as open_change:
                open_change.move(delivery, new, actor="test")

        future = world.store._writer.submit(delivery.submission_id, change)

        if new in DELIVERY_TRANSITIONS[old]:
            future.result(30)
            assert world.state(delivery) == new
        else:
            assert isinstance(future.exception(30), IllegalTransition)
            assert world.state(delivery) == old
        events = world.store.view(delivery.submission_id, events=True).events[before:]
        moves = [event for event in events if event["deliveryId"]]
        assert len(moves) == (1 if new in DELIVERY_TRANSITIONS[old] else 0)
        assert world.store.verify_chain(delivery.submission_id) == []


def test_the_store_makes_exactly_the_submission_changes_of_the_table_each_with_one_event(world: World) -> None:
    for old, new in product(SubmissionState, SubmissionState):
        submission_id = submission_in_state(world, old)
        before = len(world.store.view(submission_id, events=True).events)

        def change(tx, submission_id=submission_id, new=new):  # type: ignore[no-untyped-def]
            with changing(tx, submission_id) as open_change:
                open_change.move_submission(new)

        future = world.store._writer.submit(submission_id, change)

        allowed = new in SUBMISSION_TRANSITIONS[old]
        if allowed:
            future.result(30)
        else:
            assert isinstance(future.exception(30), IllegalTransition)
        view = world.store.view(submission_id, events=True)
        assert view.state == (new if allowed else old)
        assert len(view.events) - before == (1 if allowed else 0)


def submission_in_state(world: World, state: SubmissionState) -> str:
    """A submission that came into this state through the public methods."""
    if state is SubmissionState.REJECTED:
        submission = world.submission()
        world.store.reject(submission, verdict(decision="reject", valid=False)).result(30)
        return submission.submission_id
    decision = {SubmissionState.HELD: "hold", SubmissionState.ACCEPTED: "accept", SubmissionState.COMPLETED: "accept"}
    accepted = world.accept(checked=verdict(decision=decision.get(state, "clarify")))
    if state is SubmissionState.COMPLETED:
        world.store.finish(world.claimed(world.delivery(accepted)), None, Delivered()).result(30)
    if state in (SubmissionState.RETURNED, SubmissionState.DISCARDED):
        world.store.end_clarification(accepted.submission_id, state, actor="a", reason="r").result(30)
    return accepted.submission_id


def test_a_state_is_written_by_exactly_one_function_each() -> None:
    writers = set()
    for file in sorted(Path(changes.__file__).parent.glob("*.py")):
        for function in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.FunctionDef)):
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
                named = {keyword.arg for keyword in call.keywords}
                to_a_row = ast.unparse(call.func).endswith((".set_delivery", ".set_submission"))
                if to_a_row and "state" in named:
                    writers.add(f"{file.name}:{function.name}")
    assert writers == {"changes.py:move"}


def in_state(world: World, state: D) -> Delivery:
    """A delivery that came into this state through the public methods."""
    store = world.store
    if state is D.QUEUED:
        return world.delivery()
    if state in (D.DEAD, D.RETURNED, D.DISCARDED):
        delivery = world.dead()
        if state is D.RETURNED:
            store.return_to_sender([delivery.delivery_id], actor="a", reason="r").result(30)
        if state is D.DISCARDED:
            store.discard([delivery.delivery_id], actor="a", reason="r").result(30)
        return store.delivery(delivery.delivery_id)
    delivery = world.claimed()
    outcomes: dict[D, Outcome] = {
        D.WAITING: Wait(world.clock(), "retry"),
        D.DELIVERED: Delivered(),
        D.SKIPPED: Skipped("no"),
    }
    if state in outcomes:
        store.finish(delivery, None, outcomes[state]).result(30)
    if state is D.UNKNOWN:
        store.attempt_unknown(delivery, world.attempt(delivery), "x", "").result(30)
    return store.delivery(delivery.delivery_id)


# ---------------------------------------------------------------- a delivery's life, against a small model


class Life(RuleBasedStateMachine):
    """One delivery, any order of actions by workers, relay and people.

    The model is the pair (state, fence of the last claim); after each step the store must agree with it, the chain must
    verify, and an open delivery must be somewhere: in the outbox, held, with a person, or findable by the sweep.
    """

    folder: Path

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        file = self.folder / f"life-{id(self)}.db"
        file.unlink(missing_ok=True)
        store = Store.open(f"sqlite:///{file}", keys=KEYS, clock=self.clock, create=True)
        self.world = World(store, self.clock, "")
        self.id = self.world.delivery().delivery_id
        self.state = D.QUEUED
        self.held: Delivery | None = None
        self.attempt: int | None = None
        self.repeat = False

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.store.close()

    @rule(seconds=st.sampled_from([0.5, 31.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.forward(seconds)

    @rule()
    def somebody_claims(self) -> None:
        answer = self.world.store.claim(self.id, "worker", 120).result(30)
        if not isinstance(answer, Claimed):
            assert self.state not in (D.QUEUED,)
            return
        assert self.state in (D.QUEUED, D.WAITING, D.DELIVERING, D.UNKNOWN)
        self.held = answer.delivery
        if self.attempt is None or answer.unfinished_attempt is None:
            self.state, self.attempt = D.DELIVERING, None
        assert answer.unfinished_attempt == self.attempt

    @precondition(lambda self: self.state is D.DELIVERING and self.attempt is None)
    @rule()
    def an_attempt_starts(self) -> None:
        self.attempt = self.world.attempt(self.held)

    @precondition(lambda self: self.state is D.DELIVERING)
    @rule(kind=st.sampled_from(["delivered", "skipped", "wait", "dead", "poison"]))
    def the_turn_ends(self, kind: str) -> None:
        outcome = self.outcome(kind)
        self.world.store.finish(self.held, self.attempt, outcome).result(30)
        self.attempt = None

    @precondition(lambda self: self.state is D.DELIVERING and self.attempt is not None)
    @rule()
    def nobody_knows(self) -> None:
        self.world.store.attempt_unknown(self.held, self.attempt, "http.timeout", "").result(30)
        self.state, self.repeat = D.UNKNOWN, True

    @precondition(lambda self: self.state is D.UNKNOWN)
    @rule(kind=st.sampled_from(["delivered", "wait", "dead"]))
    def the_target_answers(self, kind: str) -> None:
        outcome = self.outcome(kind)
        self.world.store.resolve_unknown(self.held, self.attempt, outcome).result(30)
        if kind == "wait":
            self.state = D.QUEUED
        self.attempt = None

    @precondition(lambda self: self.held is not None)
    @rule()
    def a_late_worker_writes_with_an_old_fence(self) -> None:
        late = self.held
        assert late is not None
        stale = Delivery(**{name: getattr(late, name) for name in late.__slots__} | {"fence": late.fence - 1})
        with pytest.raises(Conflict):
            self.world.store.finish(stale, None, Delivered()).result(30)

    @rule()
    def a_person_redrives(self) -> None:
        self.by_hand(lambda: self.world.store.redrive([self.id], actor="p", reason="r"), D.DEAD, D.QUEUED)

    @rule()
    def a_person_discards(self) -> None:
        self.by_hand(lambda: self.world.store.discard([self.id], actor="p", reason="r"), D.DEAD, D.DISCARDED)

    @rule()
    def a_person_restores(self) -> None:
        self.by_hand(lambda: self.world.store.restore([self.id], actor="p", reason="r"), D.DISCARDED, D.DEAD)

    @rule()
    def a_person_settles(self) -> None:
        self.by_hand(lambda: self.world.store.settle(self.id, {}, actor="p", reason="r"), D.DEAD, D.DELIVERED)

    @rule()
    def its_target_is_away(self) -> None:
        due = self.world.store.delivery(self.id).due_at
        self.world.store.park(self.id, "unavailable", "tcp.refused").result(30)
        if self.state is D.QUEUED or (self.state is D.WAITING and (due is None or due <= self.clock() + DUE_TOLERANCE)):
            self.state = D.WAITING
            assert self.world.store.any_parked("steuer")

    @rule()
    def its_target_is_back(self) -> None:
        self.world.store.let_go("steuer").result(30)
        assert not self.world.store.any_parked("steuer")

    @rule()
    def one_is_called_to_probe(self) -> None:
        parked = self.world.store.any_parked("steuer")
        assert self.world.store.call_one("steuer", timedelta(0)).result(30) == parked

    @rule()
    def its_time_is_over(self) -> None:
        parked = self.world.store.any_parked("steuer")
        later = self.clock() + timedelta(days=1)
        given_up = self.world.store.give_up("steuer", later, lambda _: death("expired")).result(30)
        assert len(given_up) == parked
        if parked:
            self.state = D.DEAD

    @rule()
    def the_relay_publishes_and_the_broker_forgets(self) -> None:
        rows = self.world.store.due_outbox(100, self.clock())
        self.world.store.forget_outbox([row.outbox_id for row in rows]).result(30)

    def outcome(self, kind: str) -> Outcome:
        outcomes: dict[str, tuple[Outcome, D]] = {
            "delivered": (Delivered({"az": "1"}, b"proof", "text/plain"), D.DELIVERED),
            "skipped": (Skipped("no"), D.SKIPPED),
            "wait": (Wait(self.clock() + timedelta(seconds=30), "retry"), D.WAITING),
            "dead": (death(detail="said no"), D.DEAD),
            "poison": (death("poison"), D.DEAD),
        }
        outcome, self.state = outcomes[kind]
        return outcome

    def by_hand(self, action, needed: D, new: D) -> None:  # type: ignore[no-untyped-def]
        if self.state is needed:
            action().result(30)
            self.state = new
        else:
            with pytest.raises(GatewayError):
                action().result(30)

    @invariant()
    def the_store_agrees(self) -> None:
        stored = self.world.store.delivery(self.id)
        assert stored.state == self.state
        assert stored.possible_repeat == self.repeat
        assert self.world.store.verify_chain(stored.submission_id) == []
        view = self.world.store.view(stored.submission_id)
        assert view.state == ("accepted" if self.state in OPEN else "completed")
        letters = [letter.state for letter in self.world.store.dead_letters(delivery_id=self.id)]
        assert letters.count("open") == (1 if self.state is D.DEAD else 0)

    @invariant()
    def an_open_delivery_is_never_nowhere(self) -> None:
        if self.state not in OPEN or self.state is D.DEAD:
            return
        far = self.clock() + timedelta(days=365)
        if self.world.store.any_parked("steuer"):
            return  # the relay looks after it
        if not any(row.delivery_id == self.id for row in self.world.store.due_outbox(100, far)):
            assert self.world.store.sweep(far, 900).result(30) == 1


def test_a_delivery_lives_by_the_rules_whatever_happens_in_whatever_order(tmp_path: Path) -> None:
    Life.folder = tmp_path
    run = settings(max_examples=40, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Life, settings=run)
