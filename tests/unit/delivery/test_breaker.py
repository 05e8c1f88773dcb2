"""A circuit per target: opens on what speaks about the target, probes, and closes on success."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.delivery.breaker import FAILURES_TO_OPEN, PROBE_EVERY, Circuit

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def failing(times: int, failure: str = "unavailable") -> Circuit:
    circuit = Circuit()
    for _ in range(times):
        circuit = circuit.failed(failure, "tcp.refused", NOW)
    return circuit


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    assert failing(FAILURES_TO_OPEN - 1).state == "closed"
    assert failing(FAILURES_TO_OPEN).state == "open"


def test_a_success_in_between_starts_the_count_again() -> None:
    circuit = failing(FAILURES_TO_OPEN - 1).succeeded()
    assert circuit.failed("unavailable", "tcp.refused", NOW).state == "closed"


def test_wrong_credentials_open_it_at_once_because_more_tries_lock_the_account() -> None:
    assert failing(1, "auth").state == "open"


@pytest.mark.parametrize("failure", ["rejected_by_target", "mapping", "unknown_outcome", "contract", "throttled"])
def test_what_speaks_about_one_request_leaves_it_closed(failure: str) -> None:
    assert failing(50, failure) == Circuit()


def test_while_open_it_admits_one_probe_per_interval() -> None:
    circuit = failing(FAILURES_TO_OPEN)
    assert not circuit.admits(NOW)
    later = NOW + PROBE_EVERY
    assert circuit.admits(later)
    assert not circuit.probing(later).admits(later + timedelta(seconds=1))


def test_a_failed_probe_keeps_it_open_since_the_first_failure() -> None:
    circuit = failing(FAILURES_TO_OPEN).failed("unavailable", "http.503", NOW + PROBE_EVERY)
    assert (circuit.state, circuit.opened_at, circuit.why) == ("open", NOW, "http.503")


@pytest.mark.parametrize("circuit", [Circuit(), failing(2), failing(7)])
def test_it_survives_being_stored(circuit: Circuit) -> None:
    assert Circuit.from_dict(circuit.as_dict()) == circuit
