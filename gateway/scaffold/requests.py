"""`request.yaml` for a target whose interface is described: obvious fields from the case, the others as comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.base import FieldSpec
from gateway.scaffold.parties import WORDS, squeezed
from gateway.scaffold.shapes import Members, Shape, Value, shortened

_MOST_LINES = 1500
_OF_CASE: Mapping[str, tuple[str, str]] = {
    "submissionid": ("submissionId", "text"),
    "eingangsnummer": ("submissionId", "text"),
    "caseid": ("caseId", "text"),
    "receivedat": ("receivedAt", "datetime"),
    "eingangszeitpunkt": ("receivedAt", "datetime"),
    "eingang": ("receivedAt", "datetime"),
}
"""Names of fields that are the gateway's own statement → where it stands in the case, and `as`."""
_TEXTS = ("string", "dateTime", "date-time", "date", "token", "normalizedString")
_APPLICANT = "applicants[1]"


@dataclass(slots=True)
class _Branch:
    """A field of the target with what is below it."""

    spec: FieldSpec | None
    below: dict[str, _Branch] = field(default_factory=dict)


def draft_request(fields: Sequence[FieldSpec]) -> tuple[Members, int]:
    """What can be filled by name, every other field as a comment; and how many required ones are left to do."""
    root = _tree(fields)
    depth = next((deepest for deepest in range(40, 1, -1) if _size(root, deepest) <= _MOST_LINES), 1)
    shape = _members(root, depth)
    return shape, sum(1 for line in _comments(shape) if "REQUIRED" in line)


def _tree(fields: Sequence[FieldSpec]) -> _Branch:
    root = _Branch(None)
    for spec in fields:
        branch = root
        *above, name = spec.path.split(".")
        for step in above:
            branch = branch.below.setdefault(step, _Branch(None))
        branch.below.setdefault(name, _Branch(spec)).spec = spec
    return root


def _size(branch: _Branch, depth: int) -> int:
    return 1 + sum(_size(child, depth - 1) for child in branch.below.values()) if depth else 1


def _members(branch: _Branch, depth: int) -> Members:
    members: dict[str, Shape] = {}
    comments: list[str] = []
    for name, child in branch.below.items():
        shape = _shape(name, child, depth)
        if shape is None:
            comments += _told(name, child, depth)
        else:
            members[name] = shape
    return Members(members, "", tuple(comments))


def _shape(name: str, branch: _Branch, depth: int) -> Shape | None:
    """None where no name says what belongs there."""
    if branch.spec is not None and branch.spec.repeated:
        return None
    if not branch.below:
        return _value(name, branch.spec)
    made = _members(branch, depth - 1)
    return Members(made.members, _note(branch.spec), made.comments) if made.members else None


def _value(name: str, spec: FieldSpec | None) -> Value | None:
    word = squeezed(name)
    place = next((f"{_APPLICANT}/{part}/{member}" for (part, member), words in WORDS.items() if word in words), None)
    path, kind = (place, "text") if place else _OF_CASE.get(word, (None, "text"))
    if path is None or spec is None or spec.type not in _TEXTS or (kind == "datetime" and spec.type == "date"):
        return None
    return Value((path,), kind, _note(spec), required=spec.required)


def _told(name: str, branch: _Branch, depth: int, indent: str = "") -> Iterator[str]:
    """The field and those below it, as they would be written."""
    note, repeated = _note(branch.spec), branch.spec is not None and branch.spec.repeated
    if not branch.below or depth <= 1:
        yield f"{indent}{name}: {'{each: …, make: {from: .}}' if repeated else '{from: …}'}  # {note}"
        return
    yield f"{indent}{name}:  # {note}"
    if repeated:
        yield f"{indent}  each: …"
        yield f"{indent}  make:"
        indent += "  "
    for inner, child in branch.below.items():
        yield from _told(inner, child, depth - 1, indent=f"{indent}  ")


def _note(spec: FieldSpec | None) -> str:
    if spec is None:
        return ""
    codes = ", ".join(spec.allowed[:8])
    parts = [
        "REQUIRED" if spec.required else "",
        "list" if spec.repeated else "",
        spec.type,
        f"at most {spec.max_length} characters" if spec.max_length else "",
        codes,
    ]
    return shortened(" · ".join(part for part in parts if part))


def _comments(shape: Shape) -> Iterator[str]:
    if isinstance(shape, Members):
        yield from shape.comments
        for member in shape.members.values():
            yield from _comments(member)
