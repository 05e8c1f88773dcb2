"""A message that exhausts a worker process ends it and gets its finding; nobody else notices."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from schematron_support import check, rule, rules_of, schema

from xoev_schemas.schematron import exhausted
from xoev_schemas.worker_process import pack
from xoev_schemas.workers import CallFailed, WorkerKilled, Workers

DOCUMENT = '<antrag xmlns="urn:muster"><x/></antrag>'
GOOD = schema(rule("m:antrag", '<assert id="good" test="not(m:x)">A</assert>'))
LOOPS = schema(
    '<ns prefix="f" uri="urn:f"/><xsl:function name="f:f"><xsl:param name="n"/>'
    '<xsl:sequence select="if ($n lt 0) then $n else f:f($n + 1)"/></xsl:function>'
    + rule("m:antrag", '<assert test="f:f(count(*)) = 1">A</assert>')
)
EATS = schema(
    rule(
        "m:antrag",
        "<let name='mebibyte' value=\"string-join(for $i in 1 to 65536 return '0123456789abcdef')\"/>"
        "<let name='all' value='for $i in 1 to 100000 return concat($mebibyte, $i + count(*))'/>"
        "<assert test='$all[last()] = $all[position() = last() - 1]'>A</assert>",
    )
)
RECURS = schema(
    '<ns prefix="f" uri="urn:f"/><xsl:function name="f:f"><xsl:param name="n"/>'
    '<xsl:sequence select="1 + f:f($n + 1)"/></xsl:function>'
    + rule("m:antrag", '<assert test="f:f(count(*)) = 1">A</assert>')
)
ROOM = 512 << 20


@pytest.fixture(autouse=True)
def _functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes find `worker_functions`."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def two() -> Iterator[Workers]:
    workers = Workers(2, memory_bytes=ROOM, seconds=1.0)
    yield workers
    workers.close()


@pytest.mark.parametrize(("schematron", "seconds", "reason"), [(LOOPS, 1.0, "time"), (EATS, 60.0, "memory")])
def test_rules_that_exhaust_a_process_cost_nobody_else_anything(schematron: bytes, seconds: float, reason: str) -> None:
    two = Workers(2, memory_bytes=256 << 20, seconds=seconds)
    with ThreadPoolExecutor(2) as threads:
        # Given a message on which the rules exhaust the process
        bad = threads.submit(check, two, schematron, DOCUMENT)

        # When others come meanwhile
        others = 0
        while not bad.done():
            assert rules_of(check(two, GOOD, DOCUMENT)) == ["good"]
            others += 1

    # Then they were checked, and only the bad one was broken off
    assert others
    with pytest.raises(WorkerKilled) as killed:
        bad.result()
    assert killed.value.reason == reason
    # And both processes work again
    with ThreadPoolExecutor(2) as threads:
        assert [rules_of(f.result()) for f in [threads.submit(check, two, GOOD, DOCUMENT) for _ in range(4)]] == [
            ["good"]
        ] * 4
    two.close()


def test_endless_recursion_is_a_finding_or_ends_the_process(two: Workers) -> None:
    def outcome() -> str:
        try:
            return check(two, RECURS, DOCUMENT)[0].code
        except WorkerKilled as killed:
            return killed.reason

    assert outcome() in ("schematron.not_evaluated", "memory", "time", "crash")
    assert rules_of(check(two, GOOD, DOCUMENT)) == ["good"]


@pytest.mark.parametrize("reason", ["time", "memory", "crash"])
def test_what_was_broken_off_is_an_error_that_claims_nothing(reason: str) -> None:
    finding = exhausted(reason, "Muster 1.0")  # type: ignore[arg-type]

    assert (finding.code, finding.severity, finding.source) == ("schematron.exhausted", "error", "Muster 1.0")
    assert "ist offen" in finding.text.de


@pytest.mark.parametrize(
    ("function", "arguments", "seconds", "reason"),
    [("loop", [], 1.0, "time"), ("take", [b"4096"], 60.0, "memory"), ("die", [], 60.0, "crash")],
)
def test_a_function_that_takes_too_long_or_too_much_or_dies_is_told_apart(
    function: str, arguments: list[bytes], seconds: float, reason: str
) -> None:
    workers = Workers(2, memory_bytes=ROOM, seconds=seconds)
    try:
        with pytest.raises(WorkerKilled) as killed:
            workers.call(f"worker_functions:{function}", *arguments)
        assert killed.value.reason == reason
        assert workers.call("worker_functions:echo", b"still there") == b"still there"
    finally:
        workers.close()


def test_an_exception_is_told_by_its_type_only(two: Workers) -> None:
    with pytest.raises(CallFailed) as failed:
        two.call("worker_functions:fail", b"Erika Mustermann")

    assert str(failed.value) == "ValueError"
    assert failed.value.__cause__ is None


def test_large_data_goes_there_and_back_whole(two: Workers) -> None:
    data = os.urandom(1 << 20) * 50

    assert two.call("worker_functions:echo", data) == data


def test_answers_reach_those_who_asked(two: Workers) -> None:
    def ask(number: int) -> bytes:
        return two.call("worker_functions:echo", str(number).encode() * (1 + number % 7 * 20_000))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(200)))

    assert answers == [str(number).encode() * (1 + number % 7 * 20_000) for number in range(200)]


def test_a_process_is_used_again_and_one_that_keeps_too_much_is_replaced(two: Workers) -> None:
    first = two.call("worker_functions:pid")
    assert two.call("worker_functions:pid") == first

    # When a message leaves more than half of what is allowed in use
    two.call("worker_functions:keep", b"300")

    # Then another process takes over, as soon as it is looked at (every 20 ms)
    assert any(two.call("worker_functions:pid") != first for _ in range(10_000))


def test_a_process_that_died_while_it_was_idle_is_replaced(two: Workers) -> None:
    process = int(two.call("worker_functions:pid"))
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)

    assert two.call("worker_functions:echo", b"x") == b"x"


def test_processes_do_not_get_what_the_gateways_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://user:secret@host/db")
    workers = Workers(1, memory_bytes=ROOM, seconds=5)

    assert b"GATEWAY" not in workers.call("worker_functions:variables")
    workers.close()


def test_processes_outlive_an_interrupt_and_end_when_they_are_closed(two: Workers) -> None:
    process = int(two.call("worker_functions:pid"))
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process, number)
    assert int(two.call("worker_functions:pid")) == process

    two.close()

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(RuntimeError, match="closed"):
        two.call("worker_functions:pid")


def test_a_process_ends_when_its_gateway_is_gone() -> None:
    ours, process = _alone(seconds=60)

    ours.close()

    assert process.wait(timeout=20) == 0


@pytest.mark.long
def test_a_process_that_is_busy_for_ever_ends_when_its_gateway_is_gone() -> None:
    ours, process = _alone(seconds=1)
    ours.sendall(pack([b"call", b"worker_functions:loop"]))

    ours.close()

    assert process.wait(timeout=120) == -signal.SIGXCPU


def _alone(seconds: int) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "xoev_schemas.worker_process", str(theirs.fileno()), str(seconds)]
        return ours, subprocess.Popen(command, pass_fds=[theirs.fileno()])
