"""Department systems that misbehave: nothing is lost, nothing is doubled silently, and a person learns what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from city import City, city, dog_tax_packages, until

from gateway.errors import Conflict


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The dog tax as shipped: SOAP with a search, REST that may be repeated, a queue."""
    short = {"eakte-stadtkasse": {"retry": {"delays": ["0.1s", "0.2s"], "give_up_after": "1s"}}}
    # The time to give up is short here, so a circuit that opened in it has to be probed in a shorter one.
    with city(tmp_path_factory.mktemp("departments"), targets=short, circuit_probe_seconds=0.2) as opened:
        yield opened


@pytest.fixture(autouse=True)
def well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test told the shared systems is over after it."""
    yield
    if "running" in request.fixturenames:
        shared: City = request.getfixturevalue("running")
        for department in shared.departments.values():
            department.tell("ok")
        for target in shared.departments:
            shared.gateway.store.set_circuit(target, {"state": "closed", "failures": 0, "why": ""}).result()


def test_a_slow_system_only_costs_time(running: City) -> None:
    running.soap().tell("slow", seconds=1.0, times=1)

    submission_id = running.accepted()

    delivery = running.in_state(submission_id, "hundesteuer", "delivered")
    assert delivery.attempts == 1
    assert running.effects("hundesteuer", delivery.delivery_id) == [False]


def test_a_system_that_is_down_for_a_moment_gets_the_case_by_a_retry(running: City) -> None:
    running.rest().tell("down", times=2)

    submission_id = running.accepted()

    delivery = running.in_state(submission_id, "eakte-stadtkasse", "delivered")
    assert delivery.attempts == 3
    assert running.effects("eakte-stadtkasse", delivery.delivery_id) == [False]
    outcomes = [a.outcome for a in running.gateway.store.attempts(delivery.delivery_id)]
    assert outcomes == ["failed", "failed", "delivered"]


def test_a_system_that_stays_down_leaves_a_dead_letter_that_a_redrive_delivers(running: City) -> None:
    # Given a system that is down for longer than its target has patience
    running.rest().tell("down")
    submission_id = running.accepted()

    # Then the delivery is retried and given up, and the other targets are not concerned
    letter = running.letter(submission_id)
    assert (letter.failure, letter.target) == ("expired", "eakte-stadtkasse")
    assert letter.attempts >= 2
    assert letter.remedy
    assert letter.delivery_id is not None
    others = {d.target: d.state for d in running.ended(submission_id).deliveries if d.target != letter.target}
    assert set(others.values()) == {"delivered"}
    assert running.portal.status(submission_id).body["final"] is False

    # When it is up again and an operator sends the dead letter on its way
    running.rest().tell("ok")
    running.redrive(letter.delivery_id)

    # Then it arrives, once
    assert running.in_state(submission_id, "eakte-stadtkasse", "delivered").attempts > letter.attempts
    assert running.effects("eakte-stadtkasse", letter.delivery_id) == [False]
    assert running.view(submission_id).state == "completed"


@pytest.mark.parametrize("target", ["hundesteuer", "eakte-stadtkasse"])
def test_a_refusal_for_good_is_never_repeated(running: City, target: str) -> None:
    running.departments[target].tell("refuse")

    letter = running.letter(running.accepted())

    assert (letter.failure, letter.target, letter.attempts) == ("rejected_by_target", target, 1)
    assert letter.delivery_id is not None
    assert len(running.gateway.store.attempts(letter.delivery_id)) == 1
    assert running.effects(target, letter.delivery_id) == []


def test_a_page_for_people_is_no_receipt(running: City) -> None:
    running.rest().tell("html", times=1)

    submission_id = running.accepted()

    # A login page or a proxy answered: that is for a person to mend, and then the case arrives once.
    letter = running.letter(submission_id)
    assert (letter.failure, letter.code, letter.attempts) == ("contract", "http.html", 1)
    assert letter.delivery_id is not None
    running.redrive(letter.delivery_id)
    delivery = running.in_state(submission_id, "eakte-stadtkasse", "delivered")
    assert delivery.references
    assert running.effects("eakte-stadtkasse", delivery.delivery_id) == [False]


def test_a_case_whose_receipt_was_lost_is_found_by_asking_and_not_sent_again(running: City) -> None:
    running.soap().tell("commit_then_hang_up", times=1)

    submission_id = running.accepted()

    delivery = running.in_state(submission_id, "hundesteuer", "delivered")
    assert running.effects("hundesteuer", delivery.delivery_id) == [False], "exactly one case"
    (received,) = [r for r in running.soap().received if r.key == delivery.delivery_id]
    assert delivery.references["vorgangsnummer"] == received.references["number"]
    assert delivery.attempts == 1
    states = [e["new"] for e in running.view(submission_id).events if e["deliveryId"] == delivery.delivery_id]
    assert "unknown" in states


def test_a_case_that_asking_does_not_find_is_sent_again_and_marked(running: City) -> None:
    running.soap().tell("hang_up", times=1)

    submission_id = running.accepted()

    delivery = running.in_state(submission_id, "hundesteuer", "delivered")
    assert delivery.attempts == 2
    assert running.effects("hundesteuer", delivery.delivery_id) == [True], "one case, marked: we cannot be sure"


def test_a_system_that_promises_to_know_its_keys_is_asked_again_marked_and_makes_one_case(tmp_path: Path) -> None:
    packages = dog_tax_packages(tmp_path / "packages", targets={"eakte-stadtkasse": {"probe": None}})
    with city(tmp_path / "home", packages=packages) as running:
        running.rest().tell("commit_then_hang_up", times=1)

        submission_id = running.accepted()

        delivery = running.in_state(submission_id, "eakte-stadtkasse", "delivered")
        received = [r for r in running.rest().received if r.key == delivery.delivery_id]
        assert [(r.known, r.possible_repeat) for r in received] == [(False, False), (True, True)]
        assert delivery.references["vorgangsnummer"] == received[0].references["number"]


def test_where_nobody_can_know_a_person_decides_and_the_repeat_is_marked(tmp_path: Path) -> None:
    # Given a system that can neither be asked nor repeated, and that makes a case and hangs up
    packages = dog_tax_packages(tmp_path / "packages", targets={"hundesteuer": {"probe": None}})
    with city(tmp_path / "home", packages=packages) as running:
        running.soap().tell("commit_then_hang_up", times=1)
        submission_id = running.accepted()

        # Then nothing is repeated blindly
        letter = running.letter(submission_id)
        assert (letter.failure, letter.target, letter.attempts) == ("unknown_outcome", "hundesteuer", 1)
        assert letter.delivery_id is not None
        assert running.effects("hundesteuer", letter.delivery_id) == [False]

        # When somebody sends it again without saying that a repeat is meant, nothing moves
        with pytest.raises(Conflict):
            running.redrive(letter.delivery_id)
        assert running.delivery(submission_id, "hundesteuer").state == "dead"

        # When they confirm it, the system can see that it may have the case already
        running.redrive(letter.delivery_id, confirm_repeat=True)
        running.in_state(submission_id, "hundesteuer", "delivered")
        assert running.effects("hundesteuer", letter.delivery_id) == [False, True]
        assert running.soap().ledger.unmarked_repeats() == []


def test_wrong_credentials_open_the_circuit_and_what_waits_uses_up_no_attempt(tmp_path: Path) -> None:
    with city(tmp_path / "home") as running:
        # Given a system that does not let us in any more
        running.rest().tell("unauthorised")
        first = running.accepted()
        until_circuit(running, "eakte-stadtkasse", "open")

        # When more arrives
        later = [running.accepted() for _ in range(3)]

        # Then the door is not knocked at again (a wrong password locks accounts), and the rest is not concerned
        for submission_id in later:
            waiting = running.in_state(submission_id, "eakte-stadtkasse", "waiting")
            assert waiting.attempts == 0
            running.in_state(submission_id, "hundesteuer", "delivered")
        assert running.delivery(first, "eakte-stadtkasse").attempts == 1


def until_circuit(running: City, target: str, state: str) -> None:
    until(lambda: (running.gateway.store.circuit(target) or {}).get("state") == state, f"the circuit to be {state}")


def test_who_prefers_to_wait_learns_the_number_at_once(running: City) -> None:
    answer = running.send(wait=15)

    assert answer.status == 200
    assert answer.headers["preference-applied"] == "wait=15"
    numbers = [d["references"].get("vorgangsnummer") for d in answer.body["deliveries"] if d["target"] == "hundesteuer"]
    assert numbers[0]


def test_who_prefers_to_wait_gets_a_receipt_when_it_takes_longer(running: City) -> None:
    running.soap().tell("slow", seconds=3.0, times=1)

    answer = running.send(wait=1)

    assert answer.status == 202
    assert answer.body["status"] == "accepted"
    assert running.ended(answer.body["submissionId"]).state == "completed"


def test_a_department_s_other_deliveries_go_on_while_one_waits_for_a_slow_answer(running: City) -> None:
    running.soap().tell("slow", seconds=2.0, times=1)
    slow = running.accepted()
    running.in_state(slow, "hundesteuer", "delivering")

    quick = running.accepted()

    running.in_state(quick, "hundesteuer", "delivered")
    assert running.delivery(slow, "hundesteuer").state == "delivering"
    running.ended(slow)
