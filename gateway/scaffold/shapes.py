"""What a mapping makes, as it is drafted: written as YAML with a comment per field, and described as a JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from gateway.mapping.reader import ESCAPE, WORDS

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LONGEST_NOTE = 110


@dataclass(frozen=True, slots=True)
class Value:
    """`from`: the first path that has something. kind: `as`. note: the comment behind it. title: for the schema."""

    paths: tuple[str, ...]
    kind: str = "text"
    note: str = ""
    title: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    value: str


@dataclass(frozen=True, slots=True)
class Members:
    """An object. comments: lines about what is not mapped, written before the members."""

    members: Mapping[str, Shape]
    note: str = ""
    comments: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Many:
    """`each` … `make`."""

    path: str
    make: Shape
    note: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Several:
    """A list of entries, each of its own form."""

    entries: tuple[Shape, ...] = field(default_factory=tuple)


Shape: TypeAlias = Value | Constant | Members | Many | Several


def write(root: str, shape: Members) -> str:
    """The mapping file."""
    head = f"{root}:" if shape.members else f"{root}: {{}}"
    return "\n".join([head, *_block(shape, "  ")]) + "\n"


def _member(name: str, shape: Shape, indent: str) -> Iterator[str]:
    key = (
        ESCAPE + name if name in WORDS else name if _PLAIN_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    )
    match shape:
        case Members() | Several():
            yield f"{indent}{key}:{_comment(shape.note if isinstance(shape, Members) else '')}"
            yield from _block(shape, indent + "  ")
        case Many() if isinstance(shape.make, Members):
            yield f"{indent}{key}:{_comment(shape.note)}"
            yield from _block(shape, indent + "  ")
        case Many():
            yield f"{indent}{key}: {_inline(shape)}{_comment(shape.note)}"
        case Value():
            yield f"{indent}{key}: {_inline(shape)}{_comment(shape.note)}"
        case _:
            yield f"{indent}{key}: {_inline(shape)}"


def _block(shape: Shape, indent: str) -> Iterator[str]:
    match shape:
        case Members():
            yield from (f"{indent}# {line}" for line in shape.comments)
            for name, member in shape.members.items():
                yield from _member(name, member, indent)
        case Many():
            yield f"{indent}each: {_text(shape.path)}"
            yield f"{indent}make:"
            yield from _block(shape.make, indent + "  ")
        case Several():
            for entry in shape.entries:
                first, *rest = _block(entry, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
        case _:
            yield f"{indent}{_inline(shape)}"


def _inline(shape: Shape) -> str:
    match shape:
        case Value():
            paths = [_text(path) for path in shape.paths]
            source = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
            kind = "" if shape.kind == "text" else f", as: {shape.kind}"
            return f"{{from: {source}{kind}{', required: true' if shape.required else ''}}}"
        case Many():
            return f"{{each: {_text(shape.path)}, make: {_inline(shape.make)}}}"
        case Constant():
            return _text(shape.value)
        case _:
            raise TypeError("objects and lists take lines of their own")


def _text(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _comment(note: str) -> str:
    return f"  # {shortened(note)}" if note else ""


def shortened(note: str) -> str:
    return note if len(note) <= _LONGEST_NOTE else note[: _LONGEST_NOTE - 1].rstrip() + "…"


# --- the schema of what is made ------------------------------------------------------------------------------------

_MONEY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "currency"],
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "money": _MONEY,
}


def data_schema(data: Members, title: str) -> dict[str, Any]:
    """`data.schema.json`: the form of what the mapping makes. Nothing in it is required: only the message's own schema
    says what must be there.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema(replace(data, title=title))}


def _schema(shape: Shape) -> dict[str, Any]:
    match shape:
        case Value():
            return {**_title(shape.title), **_SCHEMAS.get(shape.kind, {"type": "string"})}
        case Members():
            properties = {name: _schema(member) for name, member in shape.members.items()}
            return {
                **_title(shape.title), "type": "object", "additionalProperties": False, "properties": properties,
            }  # fmt: skip
        case Many():
            return {**_title(shape.title), "type": "array", "items": _schema(shape.make)}
        case _:
            return {}


def _title(title: str) -> dict[str, Any]:
    return {"title": title} if title else {}


# --- the request that hands a case on as it is ---------------------------------------------------------------------


def mirrored(shape: Shape, path: str) -> Shape:
    """What reads, from a case, that which `shape` made there, in the same form."""
    match shape:
        case Value() if shape.kind == "money":
            return Members({name: Value((f"{path}/{name}",)) for name in ("amount", "currency")})
        case Value():
            return Value((path,), shape.kind if shape.kind in ("integer", "boolean") else "text")
        case Members():
            below = "" if path == "." else f"{path}/"
            return Members({name: mirrored(member, f"{below}{name}") for name, member in shape.members.items()})
        case Many():
            return Many(path, mirrored(shape.make, "."))
        case Several():
            return Many(path, mirrored(_united(shape.entries), "."))
        case _:
            return Value((path,))


def _united(entries: tuple[Shape, ...]) -> Members:
    """One object with the members of all: the entries of a list of people differ in what they know."""
    members: dict[str, Shape] = {}
    for entry in entries:
        made = entry.make if isinstance(entry, Many) else entry
        if isinstance(made, Members):
            for name, member in made.members.items():
                known = members.get(name)
                both = isinstance(known, Members) and isinstance(member, Members)
                members[name] = _united((known, member)) if both and known is not None else known or member
    return Members(members)
