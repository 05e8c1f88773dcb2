"""Examines the attachments of one submission: number, size, kind, malware. Each is read once, from end to end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gateway.attachments import kinds
from gateway.attachments.findings import attachment_finding, types_allowed
from gateway.attachments.kinds import Kind, Sniffer
from gateway.attachments.rules import AttachmentRules
from gateway.attachments.scanning import Infected, Scanner, ScannerUnavailable, Unscannable, Verdict
from gateway.submission import Attachment
from xoev_schemas.findings import Finding, mask

AWAY = timedelta(seconds=10)
"""After a failure intake does not ask the scanner for this long: senders would wait for nothing."""

Read = Callable[[str], Iterable[bytes]]
"""A stored part's name → its bytes."""
Result = Literal["clean", "infected", "not_scannable", "unavailable"]


@dataclass(frozen=True, slots=True)
class Examined:
    """waits: at least one attachment could not be scanned now, so nobody may get it yet."""

    findings: Sequence[Finding]
    waits: bool = False


class Examiner:
    """Thread-safe. scanner: None = this installation scans nothing. told: counts what scans came to."""

    def __init__(self, scanner: Scanner | None, clock: Callable[[], datetime], told: Callable[[Result], None]) -> None:
        self.scanner = scanner
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._away_until: datetime | None = None

    def examine(self, attachments: Sequence[Attachment], rules: AttachmentRules, read: Read) -> Examined:
        """At receipt: everything that can be said. Raises what `read` raises."""
        findings: list[Finding] = []
        if rules.max_count is not None and len(attachments) > rules.max_count:
            count = str(len(attachments))
            findings.append(
                attachment_finding("attachment.too_many", None, found=count, allowed=f"≤ {rules.max_count}")
            )
        waits = False
        for attachment in attachments:
            sniffer = Sniffer()
            chunks = _watched(read(attachment.part.name), sniffer)
            verdict = self._verdict(attachment, chunks, sniffer)
            for _ in chunks:  # the kind is wanted also where nobody, or nobody to the end, read it
                pass
            findings += _on_kind(attachment, sniffer.kind(), rules)
            findings += _on_verdict(attachment, verdict)
            waits = waits or verdict == "waits"
        if waits:
            findings.append(attachment_finding("attachment.scan_delayed", None))
        return Examined(findings, waits)

    def scan(self, attachments: Sequence[Attachment], read: Read) -> list[Finding]:
        """Later, what was held: malware only; the rest was said at receipt.

        Raises ScannerUnavailable at the first attachment without a verdict, ValueError where there is no scanner, and
        what `read` raises.
        """
        if self.scanner is None:
            raise ValueError("there is no scanner")
        findings: list[Finding] = []
        for attachment in attachments:
            sniffer = Sniffer()
            chunks = _watched(read(attachment.part.name), sniffer)
            findings += _on_verdict(attachment, self._ask(self.scanner, attachment, chunks, sniffer))
        return findings

    def _verdict(
        self, attachment: Attachment, chunks: Iterator[bytes], sniffer: Sniffer
    ) -> Verdict | Literal["waits"] | None:
        if self.scanner is None:
            return None
        with self._lock:
            if self._away_until is not None and self._clock() < self._away_until:
                return "waits"
        try:
            return self._ask(self.scanner, attachment, chunks, sniffer)
        except ScannerUnavailable:
            return "waits"

    def _ask(self, scanner: Scanner, attachment: Attachment, chunks: Iterator[bytes], sniffer: Sniffer) -> Verdict:
        """Raises ScannerUnavailable. "Clean" counts only where the scanner was given every byte."""
        try:
            verdict = scanner.scan(chunks)
            if not isinstance(verdict, Infected | Unscannable) and sniffer.size != attachment.part.size:
                raise ScannerUnavailable("the scanner answered before it had every byte")
        except ScannerUnavailable:
            self._told("unavailable")
            self._away(self._clock() + AWAY)
            raise
        self._away(None)
        self._told(_result(verdict))
        return verdict

    def _away(self, until: datetime | None) -> None:
        with self._lock:
            self._away_until = until


def _watched(chunks: Iterable[bytes], sniffer: Sniffer) -> Iterator[bytes]:
    for chunk in chunks:
        sniffer.feed(chunk)
        yield chunk


def _result(verdict: Verdict) -> Result:
    if isinstance(verdict, Infected):
        return "infected"
    return "not_scannable" if isinstance(verdict, Unscannable) else "clean"


def _on_verdict(attachment: Attachment, verdict: Verdict | Literal["waits"] | None) -> Iterator[Finding]:
    if isinstance(verdict, Infected):
        yield attachment_finding("attachment.infected", attachment.attachment_id, found=verdict.name)
    elif isinstance(verdict, Unscannable):
        yield attachment_finding("attachment.not_scannable", attachment.attachment_id, found=verdict.why)


def _on_kind(attachment: Attachment, kind: Kind, rules: AttachmentRules) -> Iterator[Finding]:
    identity = attachment.attachment_id
    if rules.max_bytes is not None and attachment.part.size > rules.max_bytes:
        allowed = f"≤ {rules.max_bytes} bytes"
        yield attachment_finding(
            "attachment.too_large", identity, found=f"{attachment.part.size} bytes", allowed=allowed
        )
    declared = kinds.normalise(attachment.media_type)
    ending = kinds.type_by_ending(attachment.filename)
    if not kinds.agrees(declared, kind.media_type):
        yield attachment_finding(
            "attachment.type_mismatch", identity, found=kind.media_type, allowed=_shown(declared, rules)
        )
    elif ending is not None and not kinds.agrees(ending[1], kind.media_type):
        yield attachment_finding("attachment.type_mismatch", identity, found=kind.media_type, allowed=ending[0])
    meant = declared if declared != kinds.UNKNOWN else ending[1] if ending else kind.media_type
    if meant not in rules.allow:
        allowed = types_allowed(rules)
        yield attachment_finding("attachment.type_not_allowed", identity, found=_shown(meant, rules), allowed=allowed)
    if kind.active:
        yield attachment_finding("attachment.active_content", identity, found=kind.media_type)


def _shown(media_type: str, rules: AttachmentRules) -> str:
    """Declared types are the sender's text: only those that we know are repeated."""
    return media_type if media_type in rules.allow or kinds.is_known(media_type) else mask(media_type)
