"""A worker's turn: the claim, the attempt before the call, the outcome after it; and what a late worker may not do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from store_world import CANARY, World, death

from gateway.delivery import Delivered, DeliveryState, Skipped, Wait
from gateway.errors import Conflict
from gateway.store.store import AttemptStart, Claimed, NotClaimable

START = AttemptStart("worker-1", "abc", "c" * 64, "d" * 64, False)


def wait(world: World, seconds: float, **changes: object) -> Wait:
    values: dict[str, object] = {"due_at": world.clock() + timedelta(seconds=seconds), "why": "retry"}
    return Wait(**{**values, **changes})  # type: ignore[arg-type]


# ---------------------------------------------------------------- claims


def test_a_queued_delivery_is_claimed_by_exactly_one_of_many_workers(world: World) -> None:
    delivery = world.delivery()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: world.store.claim(delivery.delivery_id, f"w{i}", 60).result(30), range(16)))

    assert sum(isinstance(answer, Claimed) for answer in answers) == 1
    assert {a.why for a in answers if isinstance(a, NotClaimable)} == {"taken"}


def test_a_claim_tells_until_when_and_under_which_fence_it_holds(world: World) -> None:
    delivery = world.claimed()

    assert delivery.state is DeliveryState.DELIVERING
    assert (delivery.fence, delivery.claims) == (1, 1)
    assert delivery.claimed_until == world.clock() + timedelta(seconds=120)
    assert world.store.delivery(delivery.delivery_id) == delivery


def test_a_delivery_that_waits_is_claimed_when_it_is_due_and_not_before(world: World) -> None:
    delivery = world.claimed()
    outcome = wait(world, 30, rung="30s")
    world.store.finish(delivery, None, outcome).result(30)

    early = world.store.claim(delivery.delivery_id, "w", 60).result(30)
    world.clock.forward(29.5)
    due = world.store.claim(delivery.delivery_id, "w", 60).result(30)

    assert early == NotClaimable("not_due", outcome.due_at)
    assert isinstance(due, Claimed)
    kinds = [event["kind"] for event in world.store.view(delivery.submission_id, events=True).events]
    assert kinds[-3:] == ["delivery.waiting", "delivery.queued", "delivery.delivering"]


def test_what_has_ended_is_missing_or_dead_is_not_claimed(world: World) -> None:
    ended = world.claimed()
    world.store.finish(ended, None, Skipped("condition does not hold")).result(30)

    assert world.store.claim(ended.delivery_id, "w", 60).result(30) == NotClaimable("ended")
    assert world.store.claim(world.dead().delivery_id, "w", 60).result(30) == NotClaimable("dead")
    assert world.store.claim("no-such-delivery", "w", 60).result(30) == NotClaimable("missing")


def test_a_worker_that_vanished_before_its_attempt_leaves_the_delivery_to_the_next(world: World) -> None:
    lost = world.claimed()
    world.clock.forward(121)

    answer = world.store.claim(lost.delivery_id, "worker-2", 60).result(30)

    assert isinstance(answer, Claimed)
    assert answer.unfinished_attempt is None
    assert (answer.delivery.fence, answer.delivery.claims) == (2, 2)


def test_claims_without_an_attempt_are_counted_and_an_attempt_resets_the_count(world: World) -> None:
    delivery = world.claimed()
    for _ in range(4):
        world.clock.forward(121)
        delivery = world.claimed(delivery)
    counted = delivery.claims

    world.attempt(delivery)

    assert counted == 5
    assert world.store.delivery(delivery.delivery_id).claims == 0


def test_an_attempt_that_never_ended_comes_back_with_the_next_claim(world: World) -> None:
    lost = world.claimed()
    number = world.attempt(lost)
    world.clock.forward(121)

    answer = world.store.claim(lost.delivery_id, "worker-2", 60).result(30)

    assert isinstance(answer, Claimed)
    assert (answer.unfinished_attempt, answer.delivery.state) == (number, DeliveryState.DELIVERING)
    world.store.attempt_unknown(answer.delivery, number, "worker.lost", "").result(30)
    world.store.resolve_unknown(answer.delivery, number, Delivered({"az": "1"}, already_there=True)).result(30)
    assert world.state(lost) == "delivered"
    assert world.store.verify_chain(lost.submission_id) == []


def test_a_worker_that_vanished_while_it_asked_the_target_leaves_the_question_to_the_next(world: World) -> None:
    lost = world.claimed()
    number = world.attempt(lost)
    world.store.attempt_unknown(lost, number, "http.timeout", "").result(30)
    taken = world.store.claim(lost.delivery_id, "worker-2", 60).result(30)
    world.clock.forward(121)

    answer = world.store.claim(lost.delivery_id, "worker-2", 60).result(30)

    assert isinstance(taken, NotClaimable)
    assert isinstance(answer, Claimed)
    assert (answer.unfinished_attempt, answer.delivery.state) == (number, DeliveryState.UNKNOWN)
    world.store.attempt_unknown(answer.delivery, number, "http.timeout", "").result(30)
    world.store.resolve_unknown(answer.delivery, number, death("unknown_outcome")).result(30)
    assert world.state(lost) == "dead"


@pytest.mark.parametrize("late", ["start", "finish", "unknown"])
def test_what_a_worker_writes_after_its_claim_was_taken_over_is_refused(world: World, late: str) -> None:
    paused = world.claimed()
    number = world.attempt(paused)
    world.clock.forward(121)
    world.store.claim(paused.delivery_id, "worker-2", 60).result(30)

    writes: dict[str, Callable[[], object]] = {
        "start": lambda: world.store.start_attempt(paused, START).result(30),
        "finish": lambda: world.store.finish(paused, number, Delivered()).result(30),
        "unknown": lambda: world.store.attempt_unknown(paused, number, "x", "").result(30),
    }

    with pytest.raises(Conflict, match="claim"):
        writes[late]()
    assert world.state(paused) == "delivering"
    assert len(world.store.attempts(paused.delivery_id)) == 1


def test_after_a_restart_of_a_single_process_every_claim_is_over(world: World) -> None:
    delivery = world.claimed()

    assert world.store.expire_claims().result(30) == 1
    assert isinstance(world.store.claim(delivery.delivery_id, "w", 60).result(30), Claimed)


def test_after_a_restart_of_a_single_process_nobody_waits_for_the_lease_of_the_one_that_died(world: World) -> None:
    assert world.store.acquire_lease("relay", "who died", 15).result(30)

    world.store.expire_claims().result(30)

    assert world.store.acquire_lease("relay", "who started", 15).result(30)


def test_postponing_takes_no_claim_and_comes_back_when_due(world: World) -> None:
    delivery = world.delivery()
    until = world.clock() + timedelta(hours=8)

    world.store.postpone(delivery.delivery_id, until, "hours", None).result(30)

    assert world.store.claim(delivery.delivery_id, "w", 60).result(30) == NotClaimable("not_due", until)
    assert world.store.delivery(delivery.delivery_id).attempts_total == 0


def test_a_superfluous_message_postpones_nothing_and_a_due_one_is_postponed_again(world: World) -> None:
    delivery = world.delivery()
    until = world.clock() + timedelta(hours=8)
    later = until + timedelta(hours=8)
    world.store.postpone(delivery.delivery_id, until, "hours", None).result(30)

    world.store.postpone(delivery.delivery_id, later, "circuit", None).result(30)
    assert world.store.delivery(delivery.delivery_id).due_at == until

    world.clock.forward(8 * 3600)
    world.store.postpone(delivery.delivery_id, later, "circuit", None).result(30)
    assert world.store.delivery(delivery.delivery_id).due_at == later
    assert world.store.verify_chain(delivery.submission_id) == []


def test_what_cannot_be_asked_now_stays_unknown_and_is_taken_up_again_then(world: World) -> None:
    delivery = world.claimed()
    number = world.attempt(delivery)
    world.store.attempt_unknown(delivery, number, "http.read_timeout", "").result(30)
    at = world.clock() + timedelta(minutes=1)

    world.store.ask_again(delivery, at).result(30)

    assert world.store.claim(delivery.delivery_id, "w", 60).result(30) == NotClaimable("taken", at)
    assert any(row.due_at == at for row in world.store.due_outbox(10, at))
    world.clock.forward(60)
    claim = world.store.claim(delivery.delivery_id, "w", 60).result(30)
    assert isinstance(claim, Claimed)
    assert (claim.unfinished_attempt, claim.delivery.state) == (number, "unknown")


# ---------------------------------------------------------------- outcomes


def test_a_delivered_case_keeps_its_references_and_proof_and_completes_the_submission(world: World) -> None:
    delivery = world.claimed()
    number = world.attempt(delivery)
    outcome = Delivered({"aktenzeichen": "AZ-1", "kassenzeichen": "KZ-2"}, f"<ok>{CANARY}</ok>".encode(), "text/xml")

    world.store.finish(delivery, number, outcome).result(30)

    view = world.store.view(delivery.submission_id)
    assert (view.state, view.final) == ("completed", True)
    assert view.deliveries[0].references == {"aktenzeichen": "AZ-1", "kassenzeichen": "KZ-2"}
    assert world.store.search("KZ-2") == world.store.search(delivery.delivery_id) == [delivery.submission_id]
    proof = world.store.read_part(delivery.submission_id, f"attempt:1:{delivery.delivery_id}:evidence")
    assert b"".join(proof) == outcome.evidence
    assert [(a.number, a.outcome) for a in world.store.attempts(delivery.delivery_id)] == [(1, "delivered")]


def test_a_submission_is_completed_only_when_its_last_delivery_ended(world: World) -> None:
    accepted = world.accept("a", "b")
    first, second = (world.store.delivery(d.delivery_id) for d in world.store.view(accepted.submission_id).deliveries)

    world.store.finish(world.claimed(first), None, Skipped("no")).result(30)
    half = world.store.view(accepted.submission_id).state
    world.store.finish(world.claimed(second), None, Skipped("no")).result(30)

    assert (half, world.store.view(accepted.submission_id).state) == ("accepted", "completed")


@pytest.mark.parametrize("rung", ["30s", None])
def test_a_retry_is_an_outbox_row_that_goes_to_its_rung_at_once_or_out_when_it_is_due(
    world: World, rung: str | None
) -> None:
    delivery = world.claimed()
    world.store.forget_outbox([row.outbox_id for row in world.store.due_outbox(10, world.clock())]).result(30)

    world.store.finish(
        delivery, world.attempt(delivery), wait(world, 30, rung=rung, failure="unavailable", code="http.503")
    ).result(30)

    now, later = (
        world.store.due_outbox(10, world.clock()),
        world.store.due_outbox(10, world.clock() + timedelta(seconds=30)),
    )
    assert len(now) == (1 if rung else 0)
    assert [(row.delivery_id, row.rung, row.attempt) for row in later] == [(delivery.delivery_id, rung, 2)]
    stored = world.store.delivery(delivery.delivery_id)
    assert (stored.state, stored.failure, stored.code) == ("waiting", "unavailable", "http.503")


def test_an_outcome_that_nobody_knows_marks_every_further_request(world: World) -> None:
    delivery = world.claimed()
    number = world.attempt(delivery)

    world.store.attempt_unknown(delivery, number, "http.timeout", "read timed out").result(30)
    world.store.resolve_unknown(delivery, number, wait(world, 5)).result(30)
    again = world.claimed(delivery)

    assert again.possible_repeat
    assert [a.outcome for a in world.store.attempts(delivery.delivery_id)] == ["unknown"]
    assert world.attempt(again) == 2


def test_an_attempt_ends_once(world: World) -> None:
    delivery = world.claimed()
    number = world.attempt(delivery)
    world.store.finish(delivery, number, wait(world, 0)).result(30)
    again = world.claimed(delivery)

    with pytest.raises(Conflict, match="ended already"):
        world.store.finish(again, number, Delivered()).result(30)
    assert world.state(again) == "delivering"


def test_what_the_target_said_is_stored_encrypted_and_found_by_its_attempt(world: World) -> None:
    delivery = world.claimed()
    number = world.attempt(delivery)

    world.store.finish(delivery, number, death(detail=f"Name {CANARY} unbekannt")).result(30)

    detail = world.store.read_part(delivery.submission_id, f"attempt:{number}:{delivery.delivery_id}:detail")
    assert b"".join(detail).decode() == f"Name {CANARY} unbekannt"


def test_a_targets_health_is_shared_by_all_workers(world: World) -> None:
    assert world.store.circuit("steuer") is None
    world.store.set_circuit("steuer", {"state": "open", "failures": 3}).result(30)
    world.store.set_circuit("steuer", {"state": "closed"}).result(30)

    assert world.store.circuit("steuer") == {"state": "closed"}
