"""What was held because the virus scanner was away: scanned as soon as it is back, then let on, or put before a person.

A submission is held in the transaction that accepts it and let on in one of its own, so nothing is lost in between and
no worker sees it before. Two processes that scan the same one do no harm: the second finds it moved.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.attachments.findings import attachment_finding
from gateway.attachments.scanning import ScannerUnavailable
from gateway.delivery import notices
from gateway.delivery.turns import is_due
from gateway.errors import GatewayError, IllegalTransition, StoreUnavailable
from gateway.pipeline import decide
from gateway.store import ContentDamaged
from gateway.store.changes import SYSTEM
from xoev_schemas.findings import Finding

if TYPE_CHECKING:
    from gateway.store import HeldSubmission
    from gateway.wiring import Gateway

log = structlog.get_logger()

BATCH = 500
PAUSES = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds between two tries while the scanner is away; the last one repeats. The first also between two looks."""
GIVES_UP_AFTER = 5
"""A submission that the scanner fails at this often, although it answers, goes before a person."""
LEASE_SECONDS = 15.0


class Held:
    """A thread that lets on what was held. Only the process that holds the lease works."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._holder = f"held-{uuid.uuid4()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="held", daemon=True)
        self._next: datetime | None = None
        self._failures = 0
        self._failed_at: Counter[str] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.turn()
            except StoreUnavailable as error:
                log.warning("held.paused", error=type(error).__name__)
            except Exception as error:
                log.exception("held.failed", error=type(error).__name__)
            self._stop.wait(1.0)

    def turn(self) -> int:
        """Scan what is held, if it is time. How many were let on or put before a person. Raises StoreUnavailable."""
        now = self._gateway.clock()
        if not is_due(self._next, now, timedelta(seconds=PAUSES[-1])):
            return 0
        self._next = now + timedelta(seconds=PAUSES[0])
        if not self._gateway.store.acquire_lease("held", self._holder, LEASE_SECONDS).result():
            return 0
        waiting = self._gateway.store.held(BATCH)
        if not waiting:
            self._failed_at.clear()
            return 0
        return self._scan(waiting)

    def _scan(self, waiting: list[HeldSubmission]) -> int:
        done = 0
        for one in waiting:
            if self._stop.is_set():
                break
            try:
                done += self._one(one)
            except ScannerUnavailable as error:
                if not self._answers():
                    self._back_off(str(error), len(waiting) - done)
                    return done
                self._failed_at[one.submission_id] += 1
                log.warning("held.scan_failed", submission=one.submission_id, why=str(error))
            except ContentDamaged as error:
                log.error("held.content_damaged", submission=one.submission_id, error=type(error).__name__)
        self._failures = 0
        if done:
            log.info("held.let_on", submissions=done)
        return done

    def _one(self, one: HeldSubmission) -> bool:
        """Whether it is held no longer. Raises ScannerUnavailable, ContentDamaged, StoreUnavailable."""
        service = self._gateway.packages.services.get(one.service)
        if service is None:
            log.error("held.no_service", submission=one.submission_id, service=one.service)
            return False
        store = self._gateway.store
        submission, checked = store.submission(one.submission_id)
        later: list[Finding]
        if self._gateway.examiner.scanner is None:  # switched off since: nobody will ever scan it
            later = [attachment_finding("attachment.not_scannable", None, found="no scanner")]
        elif self._failed_at[one.submission_id] >= GIVES_UP_AFTER:
            later = [attachment_finding("attachment.not_scannable", None, found="failed")]
        else:
            later = self._gateway.examiner.scan(
                submission.attachments, lambda name: store.read_part(one.submission_id, name)
            )
        findings = [*checked.findings, *later]
        try:
            if decide(service, one.channel, findings) == "accept":
                store.release(one.submission_id, service.targets, actor=SYSTEM, reason="attachments scanned").result()
            else:  # also where the service rejects: the sender has its receipt
                errors = [finding for finding in findings if finding.severity == "error"]
                store.clarify(one.submission_id, later, errors).result()
                notices.dead_letter("clarify", errors[0].code, submission=one.submission_id, service=one.service)
        except IllegalTransition:
            return False  # another process was first
        del self._failed_at[one.submission_id]
        return True

    def _answers(self) -> bool:
        scanner = self._gateway.examiner.scanner
        try:
            if scanner is not None:
                scanner.ping()
        except GatewayError:
            return False
        return scanner is not None

    def _back_off(self, why: str, waiting: int) -> None:
        seconds = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self._next = self._gateway.clock() + timedelta(seconds=seconds)
        log.warning("held.scanner_away", why=why, submissions=waiting, again_in=seconds)
