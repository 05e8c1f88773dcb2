"""Run a mapping: template + document → value, findings, trace. Pure: the same in gives the same out.

Faults are findings, all of them at once. They name the rule (`folder/file.yaml:12`) and the place in the result, never
a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.content import MARKER
from gateway.mapping.language import (
    Attachments,
    Common,
    CompiledMapping,
    Concat,
    Condition,
    Const,
    Each,
    First,
    List,
    Object,
    Read,
    Template,
)
from gateway.mapping.nodes import JsonNode, Node, XmlNode, location, scalar_text
from gateway.mapping.paths import Hit, Path, hits
from gateway.mapping.problems import Place
from gateway.mapping.values import Json, WrongValue, convert, to_boolean
from xoev_schemas.documents import Document, XmlDocument
from xoev_schemas.findings import Finding, Severity, Text, has_errors, mask


@dataclass(frozen=True, slots=True)
class TraceLine:
    """Where one value came from.

    target: place in the result (`applicants[1]/person/familyName`). rule: `folder/file.yaml:12`.
    value: the value itself, personal: only for those who may see the content; `masked` for everybody else.
    """

    target: str
    place: Place = field(repr=False)
    hit: Hit = field(repr=False)
    value: Json = field(repr=False)

    @property
    def rule(self) -> str:
        return self.place.label

    @property
    def source(self) -> str:
        """Place in the document, `antragsteller/name[2]`."""
        place = location(self.hit.node)
        return f"{place}/@{self.hit.attribute}" if self.hit.attribute else place

    @property
    def masked(self) -> str:
        return mask(scalar_text(self.value) if not isinstance(self.value, dict | list) else str(self.value))


@dataclass(frozen=True, slots=True)
class MappingOutcome:
    """value: None if there are errors, so that nothing half right can be sent by mistake.

    attachment_ids: those that a request names and its target therefore gets.
    """

    value: dict[str, Any] | None = field(repr=False)
    findings: list[Finding] = field(default_factory=list)
    trace: list[TraceLine] = field(default_factory=list, repr=False)
    attachment_ids: tuple[str, ...] = ()


def document_node(document: Document) -> Node:
    return XmlNode(document.root) if isinstance(document, XmlDocument) else JsonNode(document.value)


def run(mapping: CompiledMapping, document: Document) -> MappingOutcome:
    """submission → case. The value lacks the envelope."""
    return _Run(mapping).outcome(document_node(document))


def run_on_case(mapping: CompiledMapping, case: Mapping[str, Any]) -> MappingOutcome:
    """case → request."""
    return _Run(mapping, attachments=case.get("attachments", ())).outcome(JsonNode(case))


def holds(condition: Condition | None, current: Node) -> bool:
    """True without a condition."""
    if condition is None:
        return True
    texts = (hit.text() for path in condition.paths for hit in hits(path, current))
    first = next((text for text in texts if text), None)
    if condition.allowed is None:
        return (first is not None) is condition.present
    return first is not None and any(_equal(first, allowed) for allowed in condition.allowed)


def _marked(value: Json) -> Iterator[str]:
    """Attachments whose content a request wants in its body: `{"$attachment": ID}`, see `adapters.content`."""
    if isinstance(value, list):
        for item in value:
            yield from _marked(item)
    elif isinstance(value, dict):
        if set(value) == {MARKER}:
            yield str(value[MARKER])
        for member in value.values():
            yield from _marked(member)


def _equal(text: str, allowed: str | bool) -> bool:
    if isinstance(allowed, str):
        return text == allowed
    try:
        return to_boolean(text) is allowed
    except WrongValue:
        return False


class _Run:
    """One run. Absent is None throughout: no rule can make a JSON null."""

    def __init__(self, mapping: CompiledMapping, attachments: Sequence[Mapping[str, Any]] = ()) -> None:
        self._mapping = mapping
        self._attachments = attachments
        self._chosen: dict[str, None] = {}
        self._findings: list[Finding] = []
        self._trace: list[TraceLine] = []

    def outcome(self, root: Node) -> MappingOutcome:
        value = self._make(self._mapping.root, root, "")
        made = value if isinstance(value, dict) else {}
        self._chosen.update((marked, None) for marked in _marked(made))
        usable = None if has_errors(self._findings) else made
        return MappingOutcome(usable, self._findings, self._trace, tuple(self._chosen))

    def _make(self, template: Template, current: Node, target: str, before: int = 0) -> Json:
        """before: how many entries the list already has that an `each` adds to; only for naming places."""
        common = template.common
        if not holds(common.when, current):
            return None
        faults = len(self._findings)
        value = self._value(template, current, target, before)
        if value is None:
            value = common.default
        # A value that was there and could not be used has its own finding; "missing" would mislead.
        if value is None and common.required and len(self._findings) == faults:
            self._required(common, target)
        return value

    def _value(self, template: Template, current: Node, target: str, before: int) -> Json:
        match template:
            case Const():
                return template.value
            case Read():
                return self._read(template, current, target)
            case Object():
                return self._object(template, current, target)
            case List():
                return self._list(template, current, target)
            case Each():
                return self._each(template, current, target, before)
            case First():
                made = (self._make(choice, current, target) for choice in template.choices)
                return next((value for value in made if value is not None), None)
            case Concat():
                pieces = [self._make(piece, current, target) for piece in template.pieces]
                return template.separator.join(scalar_text(piece) for piece in pieces if piece is not None) or None
            case Attachments():
                return self._attached(template)

    def _object(self, template: Object, current: Node, target: str) -> Json:
        made: dict[str, Json] = {}
        for name, member in template.members.items():
            value = self._make(member, current, f"{target}/{name}" if target else name)
            if value is not None:
                made[name] = value
        return made or None

    def _list(self, template: List, current: Node, target: str) -> Json:
        """Rules that make lists (`each`, `attachments`) are joined into the list they stand in."""
        made: list[Json] = []
        for entry in template.entries:
            joined = isinstance(entry, Each | Attachments)
            place = target if joined else f"{target}[{len(made) + 1}]"
            value = self._make(entry, current, place, before=len(made))
            if isinstance(value, list) and joined:
                made += value
            elif value is not None:
                made.append(value)
        return made or None

    def _each(self, template: Each, current: Node, target: str, before: int) -> Json:
        made: list[Json] = []
        for hit in hits(template.path, current):
            value = self._make(template.make, hit.node, f"{target}[{before + len(made) + 1}]")
            if value is not None:
                made.append(value)
        return made or None

    def _read(self, rule: Read, current: Node, target: str) -> Json:
        for path in rule.paths:
            found = [hit for hit in hits(path, current) if hit.text()]
            if not found:
                continue
            if len(found) > 1 and not path.picks_one:
                self._several(rule.common, path, target, len(found))
            value = self._converted(rule, found[0], target)
            self._trace.append(TraceLine(target, rule.common.place, found[0], value))
            return value
        return None

    def _converted(self, rule: Read, hit: Hit, target: str) -> Json:
        if rule.codes is not None:
            text = hit.text()
            if text not in rule.codes:
                self._unknown_code(rule.common, target, len(rule.codes))
                return None
            return rule.codes[text]
        try:
            return convert(rule.kind, hit)
        except WrongValue as error:
            self._wrong_type(rule, target, str(error), hit)
            return None

    def _attached(self, rule: Attachments) -> Json:
        wanted = [a for a in self._attachments if rule.purposes is None or a.get("purpose") in rule.purposes]
        self._chosen.update((str(a["attachmentId"]), None) for a in wanted)
        members = ("attachmentId", "filename", "mediaType", "purpose", "size", "sha512")
        return [{name: a[name] for name in members if a.get(name) is not None} for a in wanted] or None

    # Findings

    def _add(
        self,
        code: str,
        common: Common,
        target: str,
        text: Text,
        remedy: Text,
        *,
        severity: Severity = "error",
        allowed: str | None = None,
        found: str | None = None,
    ) -> None:
        path = f"{common.place.label} {target}".rstrip()
        line = common.place.line
        self._findings.append(
            Finding(code, severity, "service", text, path, line, remedy=remedy, allowed=allowed, found=found)
        )

    def _required(self, common: Common, target: str) -> None:
        text = Text(f"Für „{target}“ fehlt eine Angabe.", f"there is no value for '{target}', which is required.")
        remedy = Text(
            "Ergänzen Sie die Angabe, oder machen Sie die Zuordnung bedingt.",
            "Provide the value, or make the rule conditional.",
        )
        self._add("mapping.required_missing", common, target, text, remedy)

    def _unknown_code(self, common: Common, target: str, size: int) -> None:
        text = Text(
            f"Der Code für „{target}“ steht nicht in der Codetabelle der Zuordnung.",
            f"the code for '{target}' is not in the mapping's table of codes.",
        )
        remedy = Text("Ergänzen Sie die Tabelle um diesen Code.", "Add the code to the table.")
        self._add("mapping.code_unknown", common, target, text, remedy, allowed=f"{size} known codes")

    def _wrong_type(self, rule: Read, target: str, expected: str, hit: Hit) -> None:
        text = Text(
            f"Der Wert für „{target}“ hat nicht die Form „{rule.kind}“.",
            f"the value for '{target}' is not of the form '{rule.kind}'.",
        )
        remedy = Text("Prüfen Sie die Angabe und die Zuordnung.", "Check the value and the rule's 'as'.")
        self._add("mapping.type", rule.common, target, text, remedy, allowed=expected, found=mask(hit.text()))

    def _several(self, common: Common, path: Path, target: str, count: int) -> None:
        text = Text(
            f"Für „{target}“ gibt es {count} Werte; übernommen wird nur der erste.",
            f"there are {count} values for '{target}'; only the first is taken.",
        )
        remedy = Text(
            f"Legen Sie mit „each“ oder mit „{path}[1]“ fest, was gemeint ist.",
            f"Say what is meant: 'each', or '{path}[1]'.",
        )
        self._add("mapping.more_than_one", common, target, text, remedy, severity="warning")
