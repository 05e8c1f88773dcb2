"""The portals' side: what was sent under which key, every answer, and nothing that a portal could not know."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import httpx

from gateway.demo.samples import Sample
from gateway.portal import Answer, Portal
from tests.torture.history import History
from tests.torture.plan import PORTALS, Order, Plan

SENDERS = 12
AGAIN_SECONDS = 0.15
TIMEOUT = 6.0
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_PLACEHOLDER = b"Muster-"
_LETTERS = "abcdefghijklmnop"


@dataclass
class Sent:
    """One message of one portal under one key. canary: the family name in it, which stands nowhere else in the world.

    ids: what it was told it is called, in the order of the answers. refused: the status of a final no.
    """

    order: Order
    portal: str
    key: str
    sample: Sample
    canary: str
    ids: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    case_id: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def accepted(self) -> bool:
        return bool(self.ids)


class Portals:
    """Carries out a plan's orders against `urls` (one is chosen by each request), until told to stop."""

    def __init__(
        self, plan: Plan, urls: Sequence[str], tokens: Mapping[str, str], samples: Sequence[Sample], history: History
    ) -> None:
        self._plan = plan
        self._history = history
        self._good = [s for s in samples if s.expected == "accepted" and _PLACEHOLDER in s.data.content]
        self._wrong = [s for s in samples if s.expected == "rejected"]
        self._clients = {name: [Portal(url, tokens[name], timeout=TIMEOUT) for url in urls] for name in PORTALS}
        self._turn = 0
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self.sent: list[Sent] = []
        self.by_order: dict[int, Sent] = {}
        self.answers = 0
        self.surprises: list[str] = []
        """Answers that no gateway gives to what was sent."""
        self.quoted: list[str] = []
        """Refusals that repeat a name they were sent."""

    def run(self) -> None:
        """Every order at its time; returns when each has its final answer, or after `give_up`."""
        begun = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            for order in self._plan.orders:
                if self._given_up.wait(max(0.0, begun + order.at - time.monotonic())):
                    break
                pool.submit(self._carry_out, order).add_done_callback(self._report)

    def give_up(self) -> None:
        self._given_up.set()

    def close(self) -> None:
        for clients in self._clients.values():
            for client in clients:
                client.close()

    def asked_by(self, portal: str, submission_id: str) -> int:
        """Status of the answer to who asks for a submission."""
        return self._clients[portal][0].status(submission_id).status

    # -- one order

    def _carry_out(self, order: Order) -> None:
        if order.style == "wrong":
            self._send(self._new(order, self._wrong[order.sample % len(self._wrong)]), wrong=True)
            return
        first = self.by_order.get(order.of) if order.of is not None else None
        if first is not None:
            first.done.wait(120)
        if order.style == "reused" and first is not None:
            self._send(self._new(order, self._sample(order), key=first.key), reused=True)
            return
        case_id = first.case_id if order.style == "follows" and first is not None else ""
        key = self._key_of_the_other(order) if order.style == "shared key" else None
        sent = self._new(order, self._sample(order), key=key)
        if order.style == "at once":
            other = threading.Thread(target=self._send, args=(sent,))
            other.start()
            self._send(sent, case_id=case_id)
            other.join()
        else:
            self._send(sent, case_id=case_id)
        if order.style == "again" and sent.accepted:
            self._send(sent, case_id=case_id)

    def _sample(self, order: Order) -> Sample:
        return self._good[order.sample % len(self._good)]

    def _new(self, order: Order, sample: Sample, key: str | None = None) -> Sent:
        canary = canary_of(self._plan.seed, order.number)
        data = replace(sample.data, content=_planted(sample.data.content, canary))
        sent = Sent(order, order.portal, key or str(uuid.uuid4()), replace(sample, data=data), canary)
        with self._lock:
            self.sent.append(sent)
            self.by_order[order.number] = sent
        return sent

    def _key_of_the_other(self, order: Order) -> str | None:
        """One that this portal has not used itself."""
        with self._lock:
            own = {sent.key for sent in self.sent if sent.portal == order.portal}
            others = (sent.key for sent in reversed(self.sent) if sent.portal != order.portal and sent.accepted)
            return next((key for key in others if key not in own), None)

    def _send(self, sent: Sent, *, case_id: str = "", wrong: bool = False, reused: bool = False) -> None:
        """The same key again until the answer is final."""
        try:
            while not self._given_up.is_set():
                answer = self._try(sent, case_id)
                if answer is not None and self._final(sent, answer, wrong=wrong, reused=reused):
                    return
                time.sleep(AGAIN_SECONDS)
            self._history.note("gave up", order=sent.order.number)
        finally:
            sent.done.set()

    def _try(self, sent: Sent, case_id: str) -> Answer | None:
        sample = sent.sample
        with self._lock:
            self._turn += 1
            clients = self._clients[sent.portal]
            client = clients[self._turn % len(clients)]
        try:
            return client.send(
                sample.data, sample.schema_uri, sample.attachments, key=sent.key, case_id=case_id or None
            )
        except httpx.HTTPError as error:
            self._history.note("no answer", order=sent.order.number, error=type(error).__name__)
            return None

    def _final(self, sent: Sent, answer: Answer, *, wrong: bool, reused: bool) -> bool:
        code = str(answer.body.get("type", "")).rpartition(":")[2]
        self._history.note("answer", order=sent.order.number, status=answer.status, code=code or None)
        with self._lock:
            self.answers += 1
            if answer.accepted:
                sent.ids.append(str(answer.body["submissionId"]))
                sent.case_id = str(answer.body["caseId"])
        if not answer.accepted and sent.canary in str(answer.body):
            self.quoted.append(f"the answer {answer.status} {code} quotes a name")
        if answer.status in _TRANSIENT or code == "key_in_progress":
            return False
        if not answer.accepted:
            sent.refused.append(answer.status)
        expected = answer.status in (400, 422) if wrong else code == "key_reused" if reused else answer.accepted
        # Whom the first never reached may use its key.
        if not expected and not (reused and answer.accepted):
            self.surprises.append(f"order {sent.order.number} ({sent.order.style}): {answer.status} {code}")
        return True

    def _report(self, done: Future[None]) -> None:
        if error := done.exception():
            self.surprises.append(f"the portal itself failed: {error!r}")


def canary_of(seed: int, number: int) -> str:
    """A name that is in no other message, in letters that every schema takes."""
    return "Kanarie" + "".join(_LETTERS[int(d, 16)] for d in f"{seed & 0xFFFF:04x}{number:06x}")


def _planted(content: bytes, canary: str) -> bytes:
    """Every family name of a sample (`Muster-NN`) becomes the canary."""
    before, *after = content.split(_PLACEHOLDER)
    return before + b"".join(canary.encode() + piece[2:] for piece in after)


@contextlib.contextmanager
def running(portals: Portals) -> Iterator[threading.Thread]:
    """The portals at work in a thread of their own; given up and joined at the end."""
    thread = threading.Thread(target=portals.run, name="portals")
    thread.start()
    try:
        yield thread
    finally:
        portals.give_up()
        thread.join(60)
