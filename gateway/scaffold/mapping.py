"""`mapping.yaml` of a new service: people where they are recognised, everything else field by field into `data`."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.scaffold.parties import find_parties, party_shape, path_of, slug
from gateway.scaffold.shapes import Many, Members, Several, Shape, Value, shortened
from gateway.scaffold.source import Field, Trail

_NAME_WORDS = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """case: what the mapping makes. parties: how many people and organisations were recognised."""

    case: Members
    data: Members
    parties: int


def draft_mapping(source: Field) -> Draft:
    """Every leaf of the message is read by a rule, or named in a comment."""
    lists: dict[str, list[Shape]] = {}
    used: set[Trail] = set()
    parties = find_parties(source)
    for party in parties:
        shape, fields = party_shape(party)
        lists.setdefault("applicants" if party.role == "applicant" else "parties", []).append(shape)
        used |= fields
    data = _members(source, (), 0, used)
    members: dict[str, Shape] = {
        name: Several(tuple(lists[name])) for name in ("applicants", "parties") if name in lists
    }
    if data.members:
        members["data"] = data
    return Draft(Members(members), data, len(parties))


def _members(group: Field, trail: Trail, after: int, used: set[Trail]) -> Members:
    """after: how many steps of the trail an `each` above has gone already."""
    members: dict[str, Shape] = {}
    comments = [f"attribute {name}" for name in group.attributes]
    for field in group.members:
        below = (*trail, field)
        shape = _shape(field, below, after, used)
        if isinstance(shape, str):
            comments.append(shape)
        elif shape is not None:
            members[_name(field, members)] = shape
    return Members(members, group.note if trail else "", tuple(comments), group.label)


def _shape(field: Field, trail: Trail, after: int, used: set[Trail]) -> Shape | str | None:
    """A line of comment where nothing can be read; None where a party has it already."""
    if trail in used:
        return None
    path = path_of(trail, after)
    if not field.is_group or field.kind == "partial-date":
        value = Value((path,), field.kind, _note(field), field.label)
        return value if not field.repeated else Many(path, Value((".",), field.kind), _note(field), field.label)
    if not field.members:
        return shortened(f"{path}: {field.note} (not drafted: of any kind, the same again, or too deep)")
    if field.repeated:
        made = _members(field, trail, len(trail), used)
        return Many(path, Members(made.members, "", made.comments, field.label), field.note) if made.members else None
    only = field.members[0]
    if len(field.members) == 1 and not only.is_group and not only.repeated:
        below = (*trail, only)
        note = f"{field.note} · {_note(only)}" if field.id else _note(only)
        return None if below in used else Value((path_of(below, after),), only.kind, note, field.label)
    made = _members(field, trail, after, used)
    return made if made.members else None


def _note(field: Field) -> str:
    attributes = ", ".join(field.attributes)
    return f"{field.note} · {attributes}" if attributes else field.note


def _name(field: Field, taken: dict[str, Shape]) -> str:
    """Readable, in the words of the source: `datumDerAnschaffung`."""
    if field.id:
        first, *others = slug(field.label, _NAME_WORDS).split("-") if slug(field.label) else [field.id.lower()]
        name = first + "".join(word.capitalize() for word in others)
    else:
        plain = "".join(letter for letter in field.name if letter.isascii() and (letter.isalnum() or letter == "_"))
        name = plain[:1].lower() + plain[1:]
    if not name[:1].isalpha():
        name = f"field{name[:1].upper()}{name[1:]}"
    number = 2
    while (free := name if number == 2 and name not in taken else f"{name}{number}") in taken:
        number += 1
    return free
