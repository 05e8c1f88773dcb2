"""The smallest message that keeps the schema and its rules, and yet does not become a case or a request.

A directed search: what the mapping looks at says what to leave out, which branch of a choice to take, which code or
extreme value to put (`Ground.plans`). Nothing is concluded: every message is really mapped, made into the request of
every target, and judged by all layers of checking. What breaks is made smaller until nothing more can be left out.

White space where a text should be is not tried: it breaks everything that is `required`, and everybody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from adapters.base import RequestAttachment
from adapters.content import MARKER
from gateway.mapping.language import CompiledMapping, Object, parts
from gateway.mapping.problems import Place
from gateway.packages.ground import Ground, grounds
from gateway.packages.model import Accepts, Service
from gateway.packages.ruling import judged_by_service
from gateway.packages.samples import sample_envelope
from gateway.packages.steps import examples_of
from gateway.packages.trials import Trial, rule_at
from gateway.services import applies, map_case, map_request
from xoev_schemas.documents import parse
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.ladder import Checker
from xoev_schemas.planned import Edit, Plan

_PROOFS = 12
"""Messages that break one rule and are judged, before the search gives that rule up: other layers refuse them all."""
_SHORT = 40

Key = tuple[str, Place]
"""Target (empty = the case) and rule."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A valid message that breaks a mapping. target: empty = it makes no case. text: what is said then.

    place: the rule. plan: what the message has beyond the smallest that is valid. attached: whether it had attachments.
    """

    service: str
    target: str
    accepts: Accepts
    place: Place
    text: Text
    plan: Plan
    media_type: str
    data: bytes = field(repr=False)
    attached: bool = True


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found. complete: everything planned was tried before the time was up."""

    found: tuple[Counterexample, ...]
    complete: bool


def search(service: Service, checker: Checker, trials: Sequence[Trial], *, until: Callable[[], bool]) -> Search:
    """For every schema that an active service accepts. trials: its targets. until: says when the time is up."""
    found: dict[Key, Counterexample] = {}
    complete = True
    for accepts in service.accepts:
        for ground in grounds(service, accepts, checker):
            looking = _Looking(service, ground, checker, trials, until)
            complete &= looking.run(found)
    return Search(tuple(found.values()), complete)


class _Looking:
    def __init__(
        self, service: Service, ground: Ground, checker: Checker, trials: Sequence[Trial], until: Callable[[], bool]
    ) -> None:
        self._service = service
        self._ground = ground
        self._checker = checker
        self._trials = trials
        self._until = until
        self._accepted = _accepted_risks(ground.accepts.compiled, *(t.target.request_for(service.name) for t in trials))
        self._attachments = _attachments(trials, service)
        self._referring = [trial.target for trial in trials if _refers(trial.target.request_for(service.name))]
        self._tried: set[bytes] = set()
        self._proofs: dict[Key, int] = {}

    def run(self, found: dict[Key, Counterexample]) -> bool:
        """Adds what it finds to `found`; False where time did not suffice."""
        for attached in (True, False):
            for plan in self._ground.plans():
                if self._until():
                    return False
                self._try(plan, found, attached=attached)
                if not attached and plan:  # nothing and everything is enough to see whether attachments are needed
                    break
            self._tried.clear()
        return True

    def _try(self, plan: Plan, found: dict[Key, Counterexample], *, attached: bool) -> None:
        try:
            data = self._ground.message(plan)
        except NoExample:
            return
        digest = sha256(data).digest()
        if digest in self._tried:
            return
        self._tried.add(digest)
        for key in self._faults(data, attached=attached):
            if key in found or self._proofs.get(key, 0) >= _PROOFS:
                continue
            self._proofs[key] = self._proofs.get(key, 0) + 1
            if self._valid(data):
                found[key] = self._smallest(key, plan, attached=attached)

    def _smallest(self, key: Key, plan: Plan, *, attached: bool) -> Counterexample:
        """Leaves out half of the edits, a quarter … down to single ones, as long as the message still breaks there."""

        def breaks(other: Plan) -> bool:
            try:
                data = self._ground.message(other)
            except NoExample:
                return False
            return key in self._faults(data, attached=attached) and self._valid(data)

        size = len(plan)
        while size and not self._until():
            start = 0
            while start < len(plan):
                shorter = plan[:start] + plan[start + size :]
                if breaks(shorter):
                    plan = shorter
                else:
                    start += size
            size //= 2
        plan = self._shortened(plan, breaks)
        data = self._ground.message(plan)
        text = self._faults(data, attached=attached)[key]
        ground = self._ground
        return Counterexample(
            self._service.name, key[0], ground.accepts, key[1], text, plan, ground.media_type, data, attached
        )

    def _shortened(self, plan: Plan, breaks: Callable[[Plan], bool]) -> Plan:
        """Long texts as short, and numbers as small, as still break."""
        for index, edit in enumerate(plan):
            low, high = (0, len(edit.text)) if edit.text and len(edit.text) > _SHORT else (1, edit.times)
            while high - low > 1 and not self._until():
                middle = (low + high) // 2
                shorter = (*plan[:index], _sized(plan[index], middle), *plan[index + 1 :])
                if breaks(shorter):
                    plan, high = shorter, middle
                else:
                    low = middle
        return plan

    def _valid(self, data: bytes) -> bool:
        """Whether intake would take it: by every layer of checking, and by the service's own rules."""
        accepts, media_type = self._ground.accepts, self._ground.media_type
        judgement = self._checker.check(data, media_type, accepts.ref)
        if not judgement.valid:
            return False
        ruled = judged_by_service(self._service, accepts, self._checker, data, media_type, judgement, stage="test")
        return not has_errors(ruled.findings)

    def _faults(self, data: bytes, *, attached: bool) -> dict[Key, Text]:
        faults: dict[Key, Text] = {}
        for target, place, text in self._told(data, attached=attached):
            if (place.file, place.line) not in self._accepted:
                faults.setdefault((target, place), text)
        return faults

    def _told(self, data: bytes, *, attached: bool) -> Iterator[tuple[str, Place, Text]]:
        """Every rule that gives no value that can be used: target, where, what is said."""
        accepts = self._ground.accepts
        assert accepts.ref is not None
        attachments = self._attachments if attached else []
        envelope = sample_envelope(self._service, accepts.ref, attachments)
        made = map_case(self._service, accepts, parse(data, self._ground.media_type), envelope)
        if made.value is None:
            for finding in (one for one in made.findings if one.severity == "error"):
                yield "", _place_of(finding, accepts.compiled), finding.text
            return
        for trial in self._trials:
            for fault in trial.faults(self._service, made.value, self._files(made.value)):
                yield trial.target.label, fault.place, fault.text

    def _files(self, case: Mapping[str, Any]) -> list[RequestAttachment]:
        """The attachments of the case, and one for each reference in it that a request would put content for."""
        wanted = [one["attachmentId"] for one in case["attachments"]]
        for target in self._referring:
            for call, seen in examples_of(target, case):
                if applies(call, seen):
                    wanted += map_request(call, self._service.name, seen).attachment_ids
        return [_file(identifier) for identifier in dict.fromkeys(wanted)]


def _sized(edit: Edit, size: int) -> Edit:
    """The text, or the number of times, cut to `size`."""
    return replace(edit, text=edit.text[:size]) if edit.text and edit.times == 1 else replace(edit, times=size)


def _place_of(finding: Finding, mapping: CompiledMapping) -> Place:
    """The rule that a finding of `map_case` is about: the mapping's own have a line, the schema's a JSON pointer."""
    if finding.line is not None:
        return Place(mapping.file, finding.line)
    place = rule_at(mapping, finding.path.split("/"))
    return Place(place.file, place.line)


def _refers(mapping: CompiledMapping | None) -> bool:
    """Whether a request puts the content of attachments that the message itself names."""
    return mapping is not None and any(
        isinstance(template, Object) and MARKER in template.members for template in parts(mapping.root)
    )


def _accepted_risks(*mappings: CompiledMapping | None) -> set[tuple[Any, int | None]]:
    """Rules with `required: stop`: that there may be nothing usable, and a person has to look then, is meant."""
    return {
        (template.common.place.file, template.common.place.line)
        for mapping in mappings
        if mapping is not None
        for template in parts(mapping.root)
        if template.common.stops
    }


def _attachments(trials: Sequence[Trial], service: Service) -> list[dict[str, Any]]:
    """As a case lists them: one for every purpose that a request names, and one more."""
    purposes = {"attachment": None}
    for mapping in (trial.target.request_for(service.name) for trial in trials):
        for template in parts(mapping.root) if mapping is not None else ():
            purposes.update(dict.fromkeys(getattr(template, "purposes", None) or ()))
    return [
        {
            "attachmentId": f"00000000-0000-4000-8000-{number:012d}",
            "filename": f"anlage-{number}.pdf",
            "mediaType": "application/pdf",
            "purpose": purpose,
            "size": len(_CONTENT),
            "sha512": "0" * 128,
        }
        for number, purpose in enumerate(purposes, start=1)
    ]


_CONTENT = b"%PDF-1.4"


def _file(identifier: str) -> RequestAttachment:
    return RequestAttachment(
        identifier, "anlage.pdf", "application/pdf", len(_CONTENT), "0" * 128, chunks=lambda: iter((_CONTENT,))
    )
