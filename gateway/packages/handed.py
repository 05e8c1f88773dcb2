"""Which attachments a target gets, by its request mapping; and which nobody gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gateway.mapping.conditions import Condition, OneOf
from gateway.mapping.language import Attachments, Each, Read, Template, children
from gateway.mapping.making import is_content, written
from gateway.mapping.paths import Equals, Path, Step
from gateway.packages.kinds import KINDS
from gateway.packages.model import Service, Target
from gateway.packages.recipients import hands_out_whole_case
from xoev_schemas.findings import Finding, Text

PURPOSES = ("form", "attachment", "report", "data")
"""What an attachment can be for, by FIT-Connect's metadata (2.1.0)."""
CODE = "config.attachments_to_nobody"

Share = Literal["content", "about"]
"""The attachment itself, or only that it exists and what it is called."""


@dataclass(frozen=True, slots=True)
class Handed:
    """purposes: None = every one. field: the attachments that this field of the case refers to, of any purpose; nth:
    only the one at that place. Empty: not limited so.
    """

    share: Share
    purposes: frozenset[str] | None = None
    field: str = ""
    nth: int = 0

    @property
    def what(self) -> Text:
        if self.field:
            return Text(f"Anlagen, auf die {self.field} verweist", f"attachments that {self.field} refers to")
        if self.nth:
            return Text(f"nur die Anlage Nr. {self.nth}", f"only attachment no. {self.nth}")
        if self.purposes is None:
            return Text("alle Anlagen", "all attachments")
        names = ", ".join(sorted(self.purposes))
        return Text(f"Anlagen mit Zweck {names}", f"attachments for the purpose {names}")


def handed_to(target: Target, service: str) -> list[Handed]:
    """By the request of this one kind of submission."""
    mapping = target.request_for(service)
    if hands_out_whole_case(target):
        return [Handed("content")]
    purposes = _limited(None, target.when) if target.step is not None and target.when is not None else None
    found = list(dict.fromkeys(_handed(mapping.root, (), purposes))) if mapping is not None else []
    whole = {(one.purposes, one.field, one.nth) for one in found if one.share == "content"}
    return [one for one in found if one.share == "content" or (one.purposes, one.field, one.nth) not in whole]


def attachments_to_nobody(service: Service, targets: Sequence[Target]) -> Iterator[Finding]:
    """Warnings, if the service takes attachments that no target hands on."""
    if service.attachments.max_count == 0:
        return
    lost: dict[tuple[str, ...], list[str]] = {}
    for kind in KINDS:
        takers = [call for target in targets if (taker := target.for_kind(kind)) for call in taker.calls()]
        if takers and (purposes := _missing(takers, service.name)):
            lost.setdefault(purposes, []).append(kind)
    for purposes, kinds in lost.items():
        yield _finding(service, purposes, kinds)


def _missing(targets: Iterable[Target], service: str) -> tuple[str, ...]:
    """Purposes whose attachments may go to nobody."""
    covered: set[str] = set()
    for target in targets:
        for one in handed_to(target, service):
            if one.share == "content" and not one.field and not one.nth:
                covered.update(PURPOSES if one.purposes is None else one.purposes)
    return tuple(purpose for purpose in PURPOSES if purpose not in covered)


def _finding(service: Service, purposes: Sequence[str], kinds: Sequence[str]) -> Finding:
    some = len(purposes) < len(PURPOSES)
    named, of_kinds = ", ".join(purposes), ", ".join(kinds)
    which = Text(f" mit Zweck {named}", f" for the purpose {named}") if some else Text("", "")
    return Finding(
        CODE,
        "warning",
        "service",
        Text(
            f"Leistung „{service.name}“: Anlagen{which.de} bekommt niemand (Art der Einreichung: {of_kinds}).",
            f"service {service.name}: attachments{which.en} go to nobody (kind of submission: {of_kinds}).",
        ),
        path=str(service.folder / "service.yaml"),
        remedy=Text(
            "Geben Sie die Anlagen in der Anfrage eines Ziels weiter, oder nehmen Sie keine an: "
            "„attachments: {max_count: 0}“.",
            "Hand the attachments on in the request of a target, or take none: 'attachments: {max_count: 0}'.",
        ),
    )


def _handed(template: Template, here: tuple[Step, ...], purposes: frozenset[str] | None) -> Iterator[Handed]:
    """here: the path of the `each` around it. purposes: as conditions around it limit them."""
    if template.common.when is not None:
        purposes = _limited(purposes, template.common.when)
    if isinstance(template, Attachments):
        yield Handed("content", _both(purposes, template.purposes))
    elif is_content(template):
        for part in (inner for inner in children(template) if isinstance(inner, Read)):
            yield from (_at(path, here, purposes, "content") for path in part.paths)
    elif isinstance(template, Read):
        for path in template.paths:
            if _steps(path, here)[:1] and _steps(path, here)[0].name == "attachments":
                yield _at(path, here, purposes, "about")
    elif isinstance(template, Each):
        yield from _handed(template.make, _steps(template.path, here), purposes)
    else:
        for child in children(template):
            yield from _handed(child, here, purposes)


def _steps(path: Path, here: tuple[Step, ...]) -> tuple[Step, ...]:
    steps = () if path.absolute else here
    for step in path.steps:
        steps = steps[:-1] if step.axis == "parent" else steps if step.axis == "self" else (*steps, step)
    # The one that a step is for stands for all of which this holds.
    return (replace(steps[0], name="attachments"), *steps[1:]) if steps and steps[0].name == "attachment" else steps


def _at(path: Path, here: tuple[Step, ...], purposes: frozenset[str] | None, share: Share) -> Handed:
    steps = _steps(path, here)
    if not steps or steps[0].name != "attachments":
        return Handed(share, field="/".join(written((), Path("", steps))))
    nth = 0
    for rule in steps[0].filters:
        if isinstance(rule, Equals):
            purposes = _both(purposes, (rule.value,)) if rule.path.source == "purpose" else purposes
        else:
            nth = rule
    return Handed(share, purposes, nth=nth)


def _limited(purposes: frozenset[str] | None, condition: Condition) -> frozenset[str] | None:
    match condition:
        case OneOf(paths=(Path(source="purpose" | "attachment/purpose"),), allowed=allowed):
            return _both(purposes, [str(value) for value in allowed])
        case _:
            return purposes


def _both(one: frozenset[str] | None, other: Iterable[str] | None) -> frozenset[str] | None:
    if other is None:
        return one
    return frozenset(other) if one is None else one & frozenset(other)
