"""What a department may do to an adapter, what the adapter has to make of it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapters.base import FailureClass
from adapters.http import RETRY_AFTER_CAP
from adapters.testkit.behaviour import Behaviour, Kind

Said = Literal["receipt", "in progress", "retryable", "permanent", "unknown", "broke its promise", "nothing in time"]

A_DAY = RETRY_AFTER_CAP


@dataclass(frozen=True, slots=True)
class Lesson:
    """right: what an adapter may say, with the class that a retryable or permanent error then has (empty: any)."""

    right: Mapping[Said, frozenset[FailureClass]]
    why: str
    remedy: str

    def __str__(self) -> str:
        classes = {said: " or ".join(sorted(failures)) for said, failures in self.right.items()}
        names = [f"{said} ({failures})" if failures else said for said, failures in classes.items()]
        return ", or ".join(names)


@dataclass(frozen=True, slots=True)
class Trial:
    """One misbehaviour.

    does: the department, in words. secure: over https. after: a case was delivered before, which went well.
    wait: bounds of the pause that a retryable error passes on; None: any within a day, or none.
    """

    name: str
    does: str
    behaviour: Behaviour
    lesson: Lesson
    secure: bool = False
    after: bool = False
    wait: tuple[float, float] | None = None


def _right(*said: Said, failures: set[FailureClass] | None = None) -> dict[Said, frozenset[FailureClass]]:
    return {name: frozenset(failures or ()) if name in ("retryable", "permanent") else frozenset() for name in said}


LOST = Lesson(
    _right("unknown"),
    "The department may have acted. Taken for a failure, this makes a second case; taken for a success, there is no "
    "proof.",
    "Raise OutcomeUnknown for whatever happens after the first byte was sent and is no whole, valid answer. Bound the "
    "whole exchange, not single reads. Do not repeat: the gateway does, and asks first.",
)
UNREADABLE = Lesson(
    _right("unknown", "receipt"),
    "A case number with wrong letters finds nothing, at the department or here.",
    "Read strictly (no errors='replace'); JSON and XML say themselves how they are written. What cannot be read is "
    "OutcomeUnknown: the department acted.",
)
BOUNDED = Lesson(
    _right("unknown"),
    "One answer takes the memory of a process that works for every department. It acted all the same.",
    "Read in pieces up to a bound, decompressing in pieces too; past it raise OutcomeUnknown.",
)
UNFOLDED = Lesson(
    _right("unknown"),
    "Unfolded, entities fill the memory, or make us fetch an address inside our own network. It acted all the same.",
    "Parse XML without DTDs (xoev_schemas.documents.parse does); raise OutcomeUnknown.",
)
NOT_ARRIVED = Lesson(
    _right("retryable", "unknown", failures={"unavailable"}),
    "Nothing arrived. A permanent error needs a person for what passes by itself.",
    "Retryable when no byte was sent; OutcomeUnknown when one was and you cannot tell.",
)
NOT_NOW = Lesson(
    _right("retryable", failures={"throttled", "unavailable"}),
    "The department says when. Ignored, we are what keeps it down; believed blindly, a case waits for years.",
    "Raise Retryable with retry_after in seconds, from seconds or a date, between 0 and a day; None when it is "
    "nonsense (adapters.http.retry_after does this).",
)
STRANGER = Lesson(
    _right("permanent", failures={"contract"}),
    "A proxy or a login page answered, not the department. As a success the case is lost, and nobody knows; followed, "
    "the application and our password go where it says.",
    "Never follow redirects. An HTML page is no success, whatever its status: Permanent, failure='contract'.",
)
NOT_US = Lesson(
    _right("permanent", failures={"auth"}),
    "The credentials are not good. Repeating locks the account, waiting hides it.",
    "Permanent, failure='auth'; at most one more request, with a fresh token.",
)
NOT_US_EARLY = Lesson(
    _right("permanent", "unknown", failures={"auth"}), NOT_US.why, NOT_US.remedy + " Unknown where the answer got lost."
)
NOT_THEM = Lesson(
    _right("permanent", failures={"auth"}),
    "Whoever answers is not the department. Sent all the same, an application is in foreign hands.",
    "Verify certificate and host name always. A failed verification is Permanent, failure='auth': nothing was sent.",
)
REFUSED = Lesson(
    _right("permanent", failures={"rejected_by_target"}),
    "Repeating cannot help; a person can, if it is told.",
    "Permanent, failure='rejected_by_target', with what the department said in detail, never in the code.",
)
REFUSED_IN_200 = Lesson(
    _right("permanent", "unknown", failures={"rejected_by_target"}),
    "A 200 says that the transport worked. As a success the case is lost, and nobody knows.",
    "Look into the answer: a fault or a problem is none; nor is what does not fit the description.",
)
INCOMPLETE = Lesson(
    _right("unknown"),
    "A success that says nothing is no proof: there is no case number, and nobody can ask for it.",
    "Where the description promises an answer, its absence is OutcomeUnknown.",
)
LATER = Lesson(
    _right("in progress", "unknown"),
    "202 says: taken, not done. As a success a refusal later is never seen; waited for, it holds a worker for ever.",
    "Raise InProgress with a ticket, and return from `follow` at once with InProgress while it is not done.",
)
AS_TOLD = Lesson(
    _right("receipt"),
    "Two cases of one number are the department's fault, which people must be able to see: it is not a repeat.",
    "A receipt with what was told. `already_there` only where the answer says that the key was known.",
)
CROSSED = Lesson(
    _right("unknown"),
    "The citizen would be told the number of somebody else's case.",
    "Where answers repeat the key, compare it (`echo` of soap and rest, wsa:RelatesTo); another one is OutcomeUnknown.",
)
NOT_WAITED_FOR = Lesson(
    _right("receipt"),
    "A department that reads in its own time has the case as soon as it lies there.",
    "Return the receipt when it lies there; what becomes of it is for `probe`.",
)


def _trial(kind: Kind, does: str, lesson: Lesson, *, seconds: float = 0.0, secure: bool = False) -> Trial:
    return Trial(kind.replace("_", "-"), does, Behaviour(kind, seconds), lesson, secure=secure)


def _not_now(name: str, header: str | None, wait: tuple[float, float] | None, status: int = 503) -> Trial:
    does = f"answers {status}" + (f" with Retry-After: {header}" if header is not None else "")
    return Trial(name, does, Behaviour("down", retry_after=header, status=status), NOT_NOW, wait=wait)


HTTP_TRIALS: tuple[Trial, ...] = (
    _trial("slow", "acts, and answers in half a minute", LOST, seconds=30),
    _trial("slow_middle", "acts, and stops in the middle of its answer for half a minute", LOST, seconds=30),
    _trial("trickle", "acts, and answers a byte at a time", LOST, seconds=0.1),
    _trial("fail_after_commit", "acts, and answers 500", LOST),
    _trial("commit_then_hang_up", "acts, and closes without an answer", LOST),
    _trial("reset", "acts, and resets the connection before the answer", LOST),
    _trial("hang_up", "reads, does not act, and closes without an answer", LOST),
    _trial("reset_before_send", "resets the connection before anything was sent", NOT_ARRIVED),
    _trial("cut", "acts, and sends less than its Content-Length says", LOST),
    _trial("cut_chunk", "acts, and ends inside a chunk", LOST),
    _trial("broken", "acts, and sends half of its answer as if it were the whole", LOST),
    _trial("wrong_charset", "acts, and answers in ISO-8859-1 that it calls UTF-8", UNREADABLE),
    _trial("wrong_label", "acts, and answers in UTF-8 that it calls ISO-8859-1", UNREADABLE),
    _trial("huge", "acts, and answers without end", BOUNDED),
    _trial("gzip_bomb", "acts, and answers a little gzip that is 192 MB", BOUNDED),
    _trial("doctype", "acts, and answers XML with a DTD whose entities grow, or lie elsewhere", UNFOLDED),
    _trial("empty", "acts, and answers 200 with nothing", INCOMPLETE),
    _trial("never_finishes", "takes it with 202, and is never done", LATER),
    Trial("duplicate-reference", "gives two cases one number", Behaviour("duplicate_reference"), AS_TOLD, after=True),
    Trial("crossed", "acts, and sends the answer of another case", Behaviour("crossed"), CROSSED, after=True),
    _trial("refuse", "refuses in its own words", REFUSED),
    _trial("fault_in_200", "refuses under status 200", REFUSED_IN_200),
    _trial("html", "does not see it: a login page answers 200", STRANGER),
    _trial("redirect", "does not see it: somebody answers 302 to a login page", STRANGER),
    Trial("unauthorised", "knows us, and then answers 401", Behaviour("unauthorised"), NOT_US, after=True),
    _trial("unauthorised_early", "answers 401 while we send, and closes", NOT_US_EARLY),
    _trial("expired_certificate", "shows a certificate of last year", NOT_THEM, secure=True),
    _trial("wrong_host", "shows the certificate of another host", NOT_THEM, secure=True),
    _trial("unknown_authority", "shows a certificate that nobody vouches for", NOT_THEM, secure=True),
    _not_now("503", None, None),
    _not_now("429-seconds", "7", (7.0, 7.0), 429),
    _not_now("503-seconds", "7", (7.0, 7.0)),
    _not_now("503-date-far", "Fri, 31 Dec 9999 23:59:59 GMT", (1.0, A_DAY)),
    _not_now("503-date-past", "Sun, 06 Nov 1994 08:49:37 GMT", (0.0, 0.0)),
    _not_now("503-date-absurd", "Fri, 31 Dec 99999999999 23:59:59 GMT", None),
    _not_now("503-seconds-far", "9" * 30, (1.0, A_DAY)),
    _not_now("503-seconds-negative", "-5", None),
    _not_now("503-words", "bald", None),
    _not_now("503-no-number", "²", None),
)

READING_TRIALS: tuple[Trial, ...] = (
    Trial("reads-slowly", "reads it, and takes half a minute", Behaviour("slow", 30), NOT_WAITED_FOR),
    Trial("reads-and-refuses", "reads it, and does not act", Behaviour("refuse"), NOT_WAITED_FOR),
)
"""For departments that read what was left for them."""
