"""A circuit per target: opens on what speaks about the target, probes, and closes on success."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.delivery.breaker import FAILURES_TO_OPEN, Circuit

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
EVERY = timedelta(seconds=30)


def failing(times: int, failure: str = "unavailable") -> Circuit:
    circuit = Circuit()
    for _ in range(times):
        circuit = circuit.failed(failure, "tcp.refused", NOW, EVERY)
    return circuit


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    assert failing(FAILURES_TO_OPEN - 1).state == "closed"
    assert failing(FAILURES_TO_OPEN).state == "open"


def test_a_success_in_between_starts_the_count_again() -> None:
    circuit = failing(FAILURES_TO_OPEN - 1).succeeded()
    assert circuit.failed("unavailable", "tcp.refused", NOW, EVERY).state == "closed"


def test_wrong_credentials_open_it_at_once_because_more_tries_lock_the_account() -> None:
    assert failing(1, "auth").state == "open"


@pytest.mark.parametrize("failure", ["rejected_by_target", "mapping", "unknown_outcome", "contract", "throttled"])
def test_what_speaks_about_one_request_leaves_it_closed(failure: str) -> None:
    assert failing(50, failure) == Circuit()


def test_while_open_it_admits_one_probe_per_interval() -> None:
    circuit = failing(FAILURES_TO_OPEN)
    assert not circuit.admits(NOW)
    later = NOW + EVERY
    assert circuit.admits(later)
    assert not circuit.probing(later, EVERY).admits(later + timedelta(seconds=1))


def test_a_failed_probe_keeps_it_open_since_the_first_failure() -> None:
    circuit = failing(FAILURES_TO_OPEN).failed("unavailable", "http.503", NOW + EVERY, EVERY)
    assert (circuit.state, circuit.opened_at, circuit.why) == ("open", NOW, "http.503")


@pytest.mark.parametrize(("failure", "code"), [("rejected_by_target", "http.422"), ("contract", "http.404")])
def test_an_answer_that_only_a_living_target_gives_closes_it_be_it_a_refusal(failure: str, code: str) -> None:
    assert failing(FAILURES_TO_OPEN).failed(failure, code, NOW, EVERY) == Circuit()
    almost = failing(FAILURES_TO_OPEN - 1).failed(failure, code, NOW, EVERY)
    assert almost.failed("unavailable", "tcp.refused", NOW, EVERY).state == "closed", "the count starts again"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ("throttled", "http.429"),
        ("unknown_outcome", "http.read_timeout"),
        ("mapping", "soap.request_invalid"),
        ("contract", "config.path"),
        ("contract", "tls.handshake"),
        ("bug", "bug.KeyError"),
    ],
)
def test_what_proves_nothing_leaves_it_open(failure: str, code: str) -> None:
    is_open = failing(FAILURES_TO_OPEN)
    assert is_open.failed(failure, code, NOW, EVERY) == is_open


def test_one_that_an_earlier_version_stored_is_understood() -> None:
    stored = {"state": "open", "failures": 5, "opened_at": NOW.isoformat(), "probe_at": None, "why": "tcp.refused"}
    assert Circuit.from_dict(stored) == Circuit("open", 5, NOW, None, "tcp.refused", "")


@pytest.mark.parametrize("circuit", [Circuit(), failing(2), failing(7)])
def test_it_survives_being_stored(circuit: Circuit) -> None:
    assert Circuit.from_dict(circuit.as_dict()) == circuit
