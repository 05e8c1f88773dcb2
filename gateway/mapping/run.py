"""Run a mapping: template + document → value, findings, trace. Pure: the same in gives the same out.

A template is compiled once, into nested functions in its own shape; what is known beforehand (paths, conversions,
places in the result) is not worked out again for every document.

Faults are findings, all of them at once. They name the rule (`folder/file.yaml:12`) and the place in the result, never
a value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.content import MARKER
from gateway.mapping import faults
from gateway.mapping.conditions import Condition, compiled_condition
from gateway.mapping.language import (
    Attachments,
    Common,
    CompiledMapping,
    Concat,
    Const,
    Each,
    First,
    List,
    Object,
    Read,
    Template,
)
from gateway.mapping.nodes import JsonNode, Node, XmlNode, location, scalar_text
from gateway.mapping.paths import finder
from gateway.mapping.problems import Place
from gateway.mapping.shaping import Shaping
from gateway.mapping.values import OF_GROUPS, Json, UnknownCode, WrongValue, conversion, text_conversion
from xoev_schemas.documents import Document, XmlDocument
from xoev_schemas.findings import Finding, has_errors, mask


@dataclass(frozen=True, slots=True)
class TraceLine:
    """Where one value came from.

    target: place in the result (`applicants[1]/person/familyName`). rule: `folder/file.yaml:12`.
    value: the value itself, personal: only for those who may see the content; `masked` for everybody else.
    """

    target: str
    place: Place = field(repr=False)
    node: Node = field(repr=False)
    value: Json = field(repr=False)

    @property
    def rule(self) -> str:
        return self.place.label

    @property
    def source(self) -> str:
        """Place in the document, `antragsteller/name[2]`."""
        return location(self.node)

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
    attachment_ids: tuple[str, ...] = ()
    again: Callable[[], Sequence[Reading]] = field(default=tuple, repr=False, compare=False)

    @property
    def trace(self) -> list[TraceLine]:
        """The mapping run once more, noting what it reads: somebody asks for it rarely."""
        return [TraceLine(_target(place, own), rule, node, value) for place, own, rule, node, value in self.again()]


Reading = tuple[str, str, Place, Node, Json]
"""What one `from` read: place and own place in the result, rule, node, value."""


def document_node(document: Document) -> Node:
    return XmlNode(document.root) if isinstance(document, XmlDocument) else JsonNode(document.value)


def run(mapping: CompiledMapping, document: Document) -> MappingOutcome:
    """submission → case. The value lacks the envelope."""
    return _outcome(mapping, document_node(document), ())


def run_on_case(mapping: CompiledMapping, case: Mapping[str, Any]) -> MappingOutcome:
    """case → request."""
    return _outcome(mapping, JsonNode(case), case.get("attachments", ()))


def holds(condition: Condition | None, current: Node) -> bool:
    """True without a condition."""
    return compiled_condition(condition)(current)


class _Run:
    """What one run gathers besides the value. reads: None = nobody wants to know."""

    __slots__ = ("attachments", "chosen", "findings", "reads")

    def __init__(self, attachments: Sequence[Mapping[str, Any]], reads: list[Reading] | None = None) -> None:
        self.attachments = attachments
        self.chosen: dict[str, None] = {}
        self.findings: list[Finding] = []
        self.reads = reads


def _outcome(mapping: CompiledMapping, root: Node, attachments: Sequence[Mapping[str, Any]]) -> MappingOutcome:
    def again() -> Sequence[Reading]:
        reads: list[Reading] = []
        mapping.make(_Run(attachments, reads), root, "", 0)
        return reads

    run = _Run(attachments)
    value = mapping.make(run, root, "", 0)
    made = value if isinstance(value, dict) else {}
    return MappingOutcome(None if has_errors(run.findings) else made, run.findings, tuple(run.chosen), again)


# --- Compiling --------------------------------------------------------------------------------------------------------

Make = Callable[[_Run, Node, str, int], Json]
"""(run, current node, place, before) → value, absent is None throughout: no rule can make a JSON null.

place: where in the result the innermost entry of a list stands, `/dogs[2]`; what a template's own place adds to it is
known beforehand. before: how many entries the list already has that an `each` adds to; only for naming places.
"""


def compiled(template: Template, own: str = "") -> Make:
    """The template as a function. own: its place below the innermost entry of a list, `/person/familyName`."""
    make = _making(template, own)
    common = template.common
    if common.when is None and common.default is None and not common.required:
        return make
    test = compiled_condition(common.when) if common.when else None

    def make_if(run: _Run, node: Node, place: str, before: int) -> Json:
        if test is not None and not test(node):
            return None
        before_it = len(run.findings)
        value = make(run, node, place, before)
        if value is None:
            value = common.default
            # A value that was there and could not be used has its own finding; "missing" would mislead.
            if value is None and common.required and len(run.findings) == before_it:
                run.findings.append(faults.required(common, _target(place, own)))
        return value

    return make_if


def _target(place: str, own: str) -> str:
    return (place + own).removeprefix("/")


def _making(template: Template, own: str) -> Make:
    match template:
        case Const():
            constant = template.value
            return lambda run, node, place, before: constant
        case Read():
            return _read(template, own)
        case Object():
            return _object(template, own)
        case List():
            return _list(template, own)
        case Each():
            return _each(template, own)
        case First():
            return _first([compiled(choice, own) for choice in template.choices])
        case Concat():
            return _concat(template, own)
        case Attachments():
            return _attachments(template.purposes)


def _read(rule: Read, own: str) -> Make:
    look, use = _follow(rule, own), _use(rule, own)
    chains = [chain for path in rule.paths if (chain := path.chain) is not None]
    if rule.kind in OF_GROUPS or len(chains) < len(rule.paths):
        return look

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        if run.reads is not None:
            return look(run, node, place, before)
        for above, name in chains:
            text = node.leaf(above, name)
            if text:
                return text if use is None else use(run, text, place)
            if text is None:
                return look(run, node, place, before)
        return None

    return make


def _follow(rule: Read, own: str) -> Make:
    """The general way, for every path and everything that can stand at its end."""
    ways = [(path, finder(path)) for path in rule.paths]
    use = _use(rule, own)

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        for path, find in ways:
            found = [spot for spot in find(node) if spot.filled()]
            if not found:
                continue
            if len(found) > 1 and not path.picks_one:
                run.findings.append(faults.several(rule.common, path, _target(place, own), len(found)))
            value = found[0].text() if use is None else use(run, found[0], place)
            if run.reads is not None:
                run.reads.append((place, own, rule.common.place, found[0], value))
            return value
        return None

    return make


def _use(rule: Read, own: str) -> Callable[[_Run, Node | str, str], Json] | None:
    """(run, place or the text there, place in the result) → the value; None if it is the text itself. Faults become
    findings.
    """
    if rule.is_plain:
        return None
    of_group = conversion(rule.kind) if rule.kind in OF_GROUPS and rule.codes is None else None
    convert, shape = _converting(rule), _shaping(rule.common, rule.shaping, own)

    def use(run: _Run, found: Node | str, place: str) -> Json:
        try:
            if of_group is not None and not isinstance(found, str):
                value = of_group(found)
            else:
                value = convert(_text(found))
            return value if shape is None else shape(run, value, place)
        except WrongValue as error:
            run.findings.append(faults.unusable(rule, _target(place, own), error, _text(found)))
            return None

    return use


def _text(found: Node | str) -> str:
    return found if isinstance(found, str) else found.text()


def _converting(rule: Read) -> Callable[[str], Json]:
    """Of OF_GROUPS only tables come here. Raises WrongValue."""
    if rule.function is not None:
        return rule.function
    if rule.codes is None:
        return str if rule.kind in OF_GROUPS else text_conversion(rule.kind, rule.decimals)
    codes, otherwise = rule.codes, rule.otherwise

    def decode(text: str) -> Json:
        value = codes.get(text, otherwise)
        if value is None:
            raise UnknownCode(f"{len(codes)} known codes")
        return value

    return decode


def _shaping(common: Common, shaping: Shaping | None, own: str) -> Callable[[_Run, Json, str], Json] | None:
    """(run, value, place) → the value in the form that is wanted. Raises WrongValue."""
    if shaping is None:
        return None
    longest = shaping.cut

    def shape(run: _Run, value: Json, place: str) -> Json:
        shaped = shaping.shaped(value)
        if longest is None or not isinstance(shaped, str) or len(shaped) <= longest:
            return shaped
        run.findings.append(faults.cut(common, _target(place, own), longest))
        return shaped[:longest].rstrip() or None

    return shape


def _object(template: Object, own: str) -> Make:
    members = [(name, compiled(member, f"{own}/{name}")) for name, member in template.members.items()]
    is_marker = set(template.members) == {MARKER}

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        made: dict[str, Json] = {}
        for name, member in members:
            value = member(run, node, place, 0)
            if value is not None:
                made[name] = value
        if is_marker and made:  # the content of this attachment stands here, see `adapters.content`
            run.chosen[str(made[MARKER])] = None
        return made or None

    return make


def _list(template: List, own: str) -> Make:
    """Rules that make lists (`each`, `attachments`) are joined into the list they stand in."""
    entries = [
        (joined, compiled(entry, own if joined else ""))
        for entry in template.entries
        for joined in (isinstance(entry, Each | Attachments),)
    ]

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        made: list[Json] = []
        for joined, entry in entries:
            value = entry(run, node, place if joined else f"{place}{own}[{len(made) + 1}]", len(made))
            if joined and isinstance(value, list):
                made += value
            elif value is not None:
                made.append(value)
        return made or None

    return make


def _each(template: Each, own: str) -> Make:
    find, entry = finder(template.path), compiled(template.make)

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        made: list[Json] = []
        for found in find(node):
            value = entry(run, found, f"{place}{own}[{before + len(made) + 1}]", 0)
            if value is not None:
                made.append(value)
        return made or None

    return make


def _first(choices: Sequence[Make]) -> Make:
    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        made = (choice(run, node, place, before) for choice in choices)
        return next((value for value in made if value is not None), None)

    return make


def _concat(template: Concat, own: str) -> Make:
    pieces = [compiled(piece, own) for piece in template.pieces]
    separator, shape = template.separator, _shaping(template.common, template.shaping, own)

    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        made = [piece(run, node, place, 0) for piece in pieces]
        text = separator.join(scalar_text(piece) for piece in made if piece is not None) or None
        if shape is None:
            return text
        try:
            return shape(run, text, place)
        except WrongValue as error:
            run.findings.append(faults.unusable(template, _target(place, own), error, text or ""))
            return None

    return make


def _attachments(purposes: Collection[str] | None) -> Make:
    def make(run: _Run, node: Node, place: str, before: int) -> Json:
        wanted = [a for a in run.attachments if purposes is None or a.get("purpose") in purposes]
        run.chosen.update((str(a["attachmentId"]), None) for a in wanted)
        return [{name: a[name] for name in _ATTACHMENT if a.get(name) is not None} for a in wanted] or None

    return make


_ATTACHMENT = ("attachmentId", "filename", "mediaType", "purpose", "size", "sha512")
