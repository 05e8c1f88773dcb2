"""A gateway that dies at a named moment: `python crash_child.py ARMED ROLE …` runs `gateway ROLE …`.

ARMED is a file that need not exist. While it says `POINT HIT TARGET SIGNAL`, the process sends itself that signal
(SIGKILL, SIGSTOP) when it comes to that point for the HIT-th time, for that target (`-`: any). The functions are
replaced here, in the test's own child: the program has no code for tests.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from gateway import pipeline, wiring
from gateway.delivery import Dead, Delivered, Wait, notices, relay
from gateway.store import Store, database, intake, keeping, outbox

ARMED = Path(sys.argv[1])
_hits: Counter[str] = Counter()
_lock = threading.Lock()
_in_commit = threading.local()


def pass_by(point: str, *arguments: Any) -> None:
    """Die or stop here, if that is what ARMED says."""
    try:
        name, hit, target, deadly = ARMED.read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if name != point or target not in ("-", *(str(getattr(a, "target", "")) for a in arguments)):
        return
    with _lock:
        _hits[point] += 1
        if _hits[point] != int(hit):
            return
    ARMED.unlink()
    # To this thread, which therefore does not run on for a moment while another one takes the signal.
    signal.pthread_kill(threading.get_ident(), signal.Signals[deadly])


Told = Callable[..., bool]


def before(owner: Any, name: str, point: str, when: Told = lambda *a, **k: True) -> None:
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        if when(*arguments, **named):
            pass_by(point, *arguments)
        return original(*arguments, **named)

    setattr(owner, name, replaced)


def after(owner: Any, name: str, point: str, when: Told = lambda *a, **k: True) -> None:
    """After it returned; where it returns a future, after that is done: what it writes is then committed."""
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        if when(*arguments, **named):
            done = result.result() if isinstance(result, Future) else result
            pass_by(point, *arguments, getattr(done, "delivery", None))
        return result

    setattr(owner, name, replaced)


def of(kind: type) -> Told:
    """Whether the outcome that `finish` or `resolve_unknown` is to store is of this kind."""
    return lambda _store, _delivery, _attempt, outcome: isinstance(outcome, kind)


def around_commit(owner: Any, name: str, point: str) -> None:
    """Die in the commit of the transaction in which this ran: just before the database is told, or just after."""
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        _in_commit.point = point
        return original(*arguments, **named)

    setattr(owner, name, replaced)


def dying_commit(self: Any, connection: Any, do_commit: Any = DefaultDialect.do_commit) -> None:
    point, _in_commit.point = getattr(_in_commit, "point", None), None
    if point:
        pass_by(f"{point}.before")
    do_commit(self, connection)
    if point:
        pass_by(f"{point}.after")


DefaultDialect.do_commit = dying_commit  # type: ignore[method-assign]
around_commit(intake, "accept_many", "intake.commit")
around_commit(keeping, "erase", "erase.commit")

after(pipeline, "check", "intake.checked")
after(Store, "_spill", "intake.spilled")
before(Store, "accept", "intake.received")
before(notices, "kept", "intake.answer")
before(relay, "message_of", "relay.publish")
before(Store, "forget_outbox", "relay.confirmed")
after(Store, "claim", "worker.claimed")
after(pipeline, "prepare", "worker.mapped")
after(Store, "start_attempt", "worker.attempt")
before(Store, "finish", "worker.delivered", of(Delivered))
after(Store, "finish", "worker.stored", of(Delivered))
before(Store, "finish", "worker.waits", of(Wait))
after(Store, "finish", "worker.waiting", of(Wait))
before(Store, "finish", "worker.dies", of(Dead))
after(Store, "attempt_unknown", "worker.unknown")
before(Store, "resolve_unknown", "worker.resolves")

# This machine's clock is off by the seconds in `clock-ROLE` beside ARMED. SQLite's time is this machine's.
_CLOCK = ARMED.with_name(f"clock-{sys.argv[2]}") if len(sys.argv) > 2 else ARMED


class Jumping(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        try:
            return datetime.now(tz) + timedelta(seconds=float(_CLOCK.read_text()))
        except (FileNotFoundError, ValueError):
            return datetime.now(tz)


wiring.datetime = database.datetime = Jumping  # type: ignore[attr-defined,misc]

# What was claimed by a process that died comes back at once, so that a matrix of these takes minutes.
outbox._SLACK = timedelta(seconds=0.2)
relay.LEASE_SECONDS = 1.5
relay.BROKER_PAUSE = 0.3

if __name__ == "__main__":
    from gateway.cli import main

    sys.argv = ["gateway", *sys.argv[2:]]
    main()
