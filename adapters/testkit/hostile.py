"""An adapter at a hostile department: every misbehaviour as a row of its report card, and as a test (needs pytest).

class TestMyAdapter(HostileContract):
    rig = staticmethod(my_rig)
"""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from adapters.base import (
    DeliveryError,
    Follows,
    InProgress,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Retryable,
)
from adapters.testkit.certificates import Authority
from adapters.testkit.contract import CANARY, AdapterContract, Bench, Rig
from adapters.testkit.department import ReadingDepartment
from adapters.testkit.http_department import HttpDepartment
from adapters.testkit.ledger import Deed
from adapters.testkit.trials import A_DAY, HTTP_TRIALS, READING_TRIALS, Said, Trial

LIMIT = 8.0
"""Seconds for one call of an adapter: its time-out, and a little. Who is longer hangs."""
MEMORY = 64 * 1024 * 1024
"""Bytes that one answer may cost at its peak."""

ALL_TRIALS = HTTP_TRIALS + READING_TRIALS

_MEASURED = ("huge", "gzip-bomb", "doctype")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report card. passed: None = does not apply, `fault` says why not.

    does: the department. did: the same by its own ledger. said: the adapter. fault: what was wrong with that.
    """

    part: Literal["contract", "behaviour"]
    name: str
    does: str
    did: str
    right: str
    said: str
    passed: bool | None
    fault: str = ""
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an adapter said to one delivery. text: for people. peak: bytes, 0 where nobody looked."""

    said: Said
    text: str
    receipt: Receipt | None = None
    error: BaseException | None = None
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A trial as it went. deeds: of the department for this case."""

    trial: Trial
    bench: Bench
    heard: Heard
    deeds: list[Deed] = field(default_factory=list)

    @property
    def acted(self) -> bool:
        return any(deed.acted for deed in self.deeds)


def try_adapter(trial: Trial, rig: Rig, folder: Path) -> Row:
    """One trial, at a bench of its own. Raises what the rig raises."""
    authority = Authority(folder) if trial.secure else None
    with rig(folder, authority) as bench:
        if (reason := _unfit(trial, bench)) is not None:
            return Row("behaviour", trial.name, trial.does, "", str(trial.lesson), "", None, reason)
        if trial.after and (first := _deliver(bench, "k0", trial)).said != "receipt":
            return _row(Seen(trial, bench, first), "the case before, which was to go well, did not")
        _tell(trial, bench)
        heard = _deliver(bench, "k1", trial)
        seen = Seen(trial, bench, heard, _deeds(bench))
        rules = _RULES if heard.said != "nothing in time" else (_decides,)
        return _row(seen, "; ".join(fault for rule in rules if (fault := rule(seen)) is not None))


def trials_of(rig: Rig, folder: Path) -> tuple[Trial, ...]:
    """Those that this department can be told. Raises what the rig raises."""
    with rig(folder, None) as bench:
        if bench.department is None:
            return ()
        return HTTP_TRIALS if isinstance(bench.department, HttpDepartment) else READING_TRIALS


class HostileContract(AdapterContract):
    """The whole: the contract of an adapter, and every misbehaviour. Set `rig`."""

    @pytest.mark.parametrize("trial", ALL_TRIALS, ids=[trial.name for trial in ALL_TRIALS])
    def test_decides_rightly_when_the_department(self, trial: Trial, tmp_path: Path) -> None:
        row = try_adapter(trial, self.rig, tmp_path)
        if row.passed is None:
            pytest.skip(row.fault)
        assert row.passed, f"the department {row.did}; right is: {row.right}; said was: {row.said}. {row.fault}"


def _unfit(trial: Trial, bench: Bench) -> str | None:
    if bench.department is None or isinstance(bench.department, HttpDepartment) != (trial in HTTP_TRIALS):
        return "this department cannot do that"
    if trial.secure and isinstance(bench.department, HttpDepartment) and not bench.department.secure:
        return "the rig does not use the authority that it was given"
    if trial.name == "crossed" and not bench.echoes:
        return "this department's answers do not say whose they are"
    return None


def _tell(trial: Trial, bench: Bench) -> None:
    told = trial.behaviour
    if isinstance(bench.department, HttpDepartment):
        bench.department.tell(
            told.kind, times=1, seconds=told.seconds, retry_after=told.retry_after, status=told.status
        )
    elif bench.department is not None:
        bench.department.tell(told.kind, times=1, seconds=told.seconds)


def _deliver(bench: Bench, key: str, trial: Trial) -> Heard:
    measured = trial.name in _MEASURED and not tracemalloc.is_tracing()
    if measured:
        tracemalloc.start()
    try:
        heard = _heard(lambda: bench.adapter.deliver(bench.request(key)))
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
    finally:
        if measured:
            tracemalloc.stop()
    return Heard(heard.said, heard.text, heard.receipt, heard.error, peak)


def _heard(call: Callable[[], Receipt]) -> Heard:
    try:
        receipt = bounded(call)
    except TimeoutError:
        return Heard("nothing in time", f"nothing within {LIMIT:.0f} s")
    except DeliveryError as error:
        wait = error.retry_after if isinstance(error, Retryable) else None
        pause = f", again after {wait:.0f} s" if wait is not None else ""
        kind = _kind(error)
        told = f"{kind}/{error.failure}" if kind in ("retryable", "permanent") else kind
        return Heard(kind, f"{told}: {error.code}{pause}", error=error)
    except Exception as error:
        return Heard("broke its promise", f"raised {type(error).__name__}", error=error)
    told = ", ".join(receipt.references.values()) or "no reference"
    return Heard("receipt", f"receipt ({told}{', already there' if receipt.already_there else ''})", receipt)


def _kind(error: DeliveryError) -> Said:
    if isinstance(error, InProgress):
        return "in progress"
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    return "permanent" if isinstance(error, Permanent) else "retryable"


Result = TypeVar("Result")


def bounded(call: Callable[[], Result], seconds: float = LIMIT) -> Result:
    """The result of a call, or what it raised; TimeoutError if it is not over by then (its thread is left behind)."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # pytest's own are no Exception
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def _deeds(bench: Bench) -> list[Deed]:
    if bench.department is None:
        return []
    if isinstance(bench.department, ReadingDepartment):
        bench.department.wait_for(1, timeout=1.0)
    return [deed for deed in bench.department.ledger.deeds if deed.key in ("k1", None)]


def _row(seen: Seen, fault: str) -> Row:
    trial, lesson = seen.trial, seen.trial.lesson
    asked, acted = len(seen.deeds), sum(deed.acted for deed in seen.deeds)
    kinds = ", ".join(deed.kind for deed in seen.deeds)
    did = f"was asked {asked}×, acted {acted}× ({kinds})" if asked else "is not done with anything yet"
    said = seen.heard.text
    return Row("behaviour", trial.name, trial.does, did, str(lesson), said, not fault, fault, lesson.why, lesson.remedy)


# --- What is looked at ----------------------------------------------------------------------------------------------


def _decides(seen: Seen) -> str | None:
    said, error, right = seen.heard.said, seen.heard.error, seen.trial.lesson.right
    if said == "receipt" and seen.trial.name == "empty" and not seen.bench.references:
        return None  # a target that says nothing more has said what it says
    if said not in right:
        return "that is the wrong decision"
    classes = right[said]
    if isinstance(error, DeliveryError) and classes and error.failure not in classes:
        return f"the class is {error.failure}, not {' or '.join(sorted(classes))}"
    return None


def _asks_once(seen: Seen) -> str | None:
    """With a fresh token it may ask once more."""
    allowed = 2 if seen.trial.behaviour.kind.startswith("unauthorised") else 1
    cases = [deed for deed in seen.deeds if deed.kind not in ("login", "entity", "status")]
    if len(cases) > allowed:
        return f"it asked {len(cases)} times in one delivery"
    if not cases and isinstance(seen.bench.department, HttpDepartment):
        return "the department was never asked"
    return None


def _is_not_led_away(seen: Seen) -> str | None:
    if any(deed.kind == "login" for deed in seen.deeds):
        return "it followed the redirect"
    if any(deed.kind == "entity" for deed in seen.deeds):
        return "it fetched what an entity names"
    return None


def _has_the_references(seen: Seen) -> str | None:
    department, receipt = seen.bench.department, seen.heard.receipt
    if receipt is None or department is None:
        return None
    record = department.ledger.find("k1")
    known = set(record.references.values()) if record is not None else set()
    if not seen.bench.references:
        return None
    if set(receipt.references) != seen.bench.references or not set(receipt.references.values()) <= known:
        return "those are not the references that the department gave"
    return "it says that the department knew the case" if receipt.already_there else None


def _keeps_quiet(seen: Seen) -> str | None:
    error = seen.heard.error
    return "the error's text repeats the application" if error is not None and CANARY in f"{error} {error!r}" else None


def _stays_small(seen: Seen) -> str | None:
    return f"it took {seen.heard.peak // 2**20} MB" if seen.heard.peak > MEMORY else None


def _passes_on_the_pause(seen: Seen) -> str | None:
    if not isinstance(seen.heard.error, Retryable):
        return None
    pause, wanted = seen.heard.error.retry_after, seen.trial.wait
    if wanted is not None and (pause is None or not wanted[0] <= pause <= wanted[1]):
        return f"the pause is not between {wanted[0]:.0f} and {wanted[1]:.0f} s"
    return "the pause is not between 0 s and a day" if pause is not None and not 0 <= pause <= A_DAY else None


def _finds_out(seen: Seen) -> str | None:
    """After an unknown outcome, and where the target can be asked."""
    if seen.heard.said not in ("unknown", "in progress") or not seen.bench.probes:
        return None
    try:
        found = bounded(lambda: seen.bench.adapter.probe("k1"))
    except (DeliveryError, TimeoutError) as error:
        return f"the probe afterwards ended with {type(error).__name__}: {error}"
    if (found is not None) == seen.acted:
        return None
    return "the probe finds what never arrived" if found is not None else "the probe does not find the case"


def _follows(seen: Seen) -> str | None:
    error, adapter = seen.heard.error, seen.bench.adapter
    if not isinstance(error, InProgress):
        return None
    if not isinstance(adapter, Follows):
        return "nobody can follow the ticket"
    begun = time.monotonic()
    later = _heard(lambda: adapter.follow(error.ticket))
    if later.said != "in progress":
        return f"followed, it says: {later.text}"
    return "it waits while it follows" if time.monotonic() - begun > LIMIT / 2 else None


def _goes_on(seen: Seen) -> str | None:
    """Whatever happened, it concerns this case only."""
    after = _heard(lambda: seen.bench.adapter.deliver(seen.bench.request("k2")))
    return f"the next case is not delivered: {after.text}" if after.said != "receipt" else None


_RULES: tuple[Callable[[Seen], str | None], ...] = (
    _decides,
    _asks_once,
    _is_not_led_away,
    _has_the_references,
    _keeps_quiet,
    _stays_small,
    _passes_on_the_pause,
    _finds_out,
    _follows,
    _goes_on,
)
