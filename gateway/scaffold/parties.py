"""People and organisations recognised in a message, and which of their fields are which of the case.

FIM: by the ids of the building blocks, as `case.schema.json` names them (`x-fim`). Everything else: by the words that
XÖV core components and most other schemas use for them. What is only likely is left to a person: it goes into `data`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from gateway.case import case_schema
from gateway.scaffold.shapes import Constant, Many, Members, Shape, Value
from gateway.scaffold.source import Field, Trail, leaves

Place = tuple[str, str]
"""Part and member of a party in the case: `("person", "familyName")`."""

WORDS: Mapping[Place, frozenset[str]] = {
    ("person", "familyName"): frozenset({"familienname", "nachname", "familyname", "lastname"}),
    ("person", "givenNames"): frozenset({"vorname", "vornamen", "givenname", "givennames", "firstname"}),
    ("person", "title"): frozenset({"titel"}),
    ("person", "doctoralDegree"): frozenset({"doktorgrad", "doktorgrade"}),
    ("person", "birthName"): frozenset({"geburtsname"}),
    ("person", "birthDate"): frozenset({"geburtsdatum", "birthdate", "dateofbirth"}),
    ("person", "birthPlace"): frozenset({"geburtsort"}),
    ("person", "gender"): frozenset({"geschlecht"}),
    ("person", "maritalStatus"): frozenset({"familienstand"}),
    ("organisation", "name"): frozenset({"organisation", "firma", "firmenname", "organisationsname"}),
    ("organisation", "legalForm"): frozenset({"rechtsform"}),
    ("organisation", "registerNumber"): frozenset({"eintragungnr", "registernummer"}),
    ("address", "street"): frozenset({"strasse", "street"}),
    ("address", "houseNumber"): frozenset({"hausnummer", "housenumber"}),
    ("address", "postOfficeBox"): frozenset({"postfach"}),
    ("address", "postalCode"): frozenset({"postleitzahl", "plz", "postalcode", "zipcode"}),
    ("address", "city"): frozenset({"ort", "wohnort", "city"}),
    ("address", "district"): frozenset({"ortsteil"}),
    ("address", "country"): frozenset({"staat", "land", "country"}),
    ("contact", "phone"): frozenset({"telefon", "telefonnummer", "phone"}),
    ("contact", "email"): frozenset({"email", "emailadresse"}),
    ("contact", "fax"): frozenset({"telefax", "fax"}),
}  # fmt: skip
_TELLS_NOTHING = frozenset({"name", "code", "wert", "value"})
_FAMILY, _ORGANISATION, _STREET = ("person", "familyName"), ("organisation", "name"), ("address", "street")
_PARTS = ("person", "organisation", "address", "contact")
_ROLES = {
    "applicant": ("antragstell", "anmelde", "anzeige", "applicant"),
    "representative": ("vertret", "bevollmaecht"),
}
_NO_ROLE = frozenset(
    {"natuerliche-person", "natuerlicheperson", "juristische-person", "organisation", "person", "personendaten", "name",
     "angaben-zur-person", "personalien"}
)  # fmt: skip
_FEW = 3
"""Fields that a group of people may have besides: an id, a status."""
_UMLAUTS = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"}
_CHANNELS = {"email": "01", "phone": "02", "mobile": "03"}
"""Codes of urn:de:xoev:codeliste:erreichbarkeit, with which XÖV's `kommunikation` says what it is."""


@dataclass(frozen=True, slots=True)
class Party:
    """trail: where it stands; empty = the message itself. fields: the leaves that are its own, by place in the case."""

    trail: Trail
    role: str
    fields: Mapping[Place, Sequence[Trail]]


def find_parties(source: Field) -> list[Party]:
    """In the order of the message; one of them at least is the applicant, if there is any."""
    placed = {trail: place for trail in leaves(source) if (place := _place(trail)) is not None}
    roots = dict.fromkeys(_root(trail, placed) for trail, place in placed.items() if place in (_FAMILY, _ORGANISATION))
    parties = [Party(root, _role(root), _own(root, roots, placed)) for root in roots]
    if parties and not any(party.role == "applicant" for party in parties):
        parties[0] = Party(parties[0].trail, "applicant", parties[0].fields)
    return parties


def party_shape(party: Party) -> tuple[Shape, set[Trail]]:
    """What the mapping makes of it, and the fields that are wholly in there."""
    depth, used = len(party.trail), set[Trail]()
    parts: dict[str, dict[str, Shape]] = {}
    for part in _PARTS:
        made = {member: trails for (owner, member), trails in party.fields.items() if owner == part}
        for member, trails in made.items():
            parts.setdefault(part, {})[member] = _member(member, trails, depth, used)
        if part == "contact" and (channels := _channels(party.trail)):
            parts["contact"] = channels | parts.get("contact", {})
    if "nationality" in parts.get("person", {}) and isinstance(parts["person"]["nationality"], Many):
        parts["person"]["nationalities"] = parts["person"].pop("nationality")
    members: dict[str, Shape] = {"role": Constant(party.role), **{name: Members(made) for name, made in parts.items()}}
    if all(field.min == 1 and not field.repeated for field in party.trail):
        return Members({name: _below(shape, party.trail) for name, shape in members.items()}), used
    return Many(path_of(party.trail), Members(members)), used


def path_of(trail: Trail, after: int = 0) -> str:
    return "/".join(field.name for field in trail[after:])


def slug(text: str, words: int = 4) -> str:
    """Lower-case words with hyphens, without umlauts; empty where nothing is left."""
    folded = text.lower().translate(_UMLAUTS)
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain)[:words])


def telling(trail: Trail) -> str:
    """The nearest name on the way up that says what a leaf is: `familienname/name` is a family name."""
    for field in reversed(trail):
        if field.name.lower() not in _TELLS_NOTHING:
            return squeezed(field.name)
    return ""


def squeezed(name: str) -> str:
    """For comparing names however they are written: `Haus-Nummer`, `hausnummer`."""
    return re.sub(r"[^a-z]", "", slug(name))


def _place(trail: Trail) -> Place | None:
    field = trail[-1]
    if field.id:
        return _by_fim_id().get(field.id)
    if field.name.lower() == "name" and len(trail) > 1 and any(f.name == "code" for f in trail[-2].members):
        return None  # the name of a code
    word = telling(trail)
    return next((place for place, words in WORDS.items() if word in words), None)


@cache
def _by_fim_id() -> Mapping[str, Place]:
    """From the published schema of the case: id of a building block → place."""
    found: dict[str, Place] = {}
    for part in _PARTS:
        for name, member in case_schema()["$defs"][part]["properties"].items():
            if "x-fim" in member:
                found.setdefault(member["x-fim"], (part, name))
    return found


def _root(trail: Trail, placed: Mapping[Trail, Place]) -> Trail:
    """As high as it takes to reach an address, but only as long as it is about this one person or organisation."""
    identity, root = placed[trail], trail[:-1]
    while len(root) > 1 and not root[-1].repeated and not _has_address(root, placed):
        above = root[:-1]
        below = {other: place for other, place in placed.items() if other[: len(above)] == above}
        streets = {other[:-1] for other, place in below.items() if place == _STREET}
        one = Counter(below.values())[identity] == 1 and len(streets) <= 1
        if not one or _is_something_else(above, placed):
            break
        root = above
    return root


def _has_address(root: Trail, placed: Mapping[Trail, Place]) -> bool:
    return any(part == "address" and trail[: len(root)] == root for trail, (part, _) in placed.items())


def _is_something_else(group: Trail, placed: Mapping[Trail, Place]) -> bool:
    """A dog that has a former keeper: most of what is said there directly is not about people."""
    own = [(*group, member) for member in group[-1].members if not member.is_group]
    people = sum(trail in placed for trail in own)
    return len(own) - people > people + _FEW


def _own(root: Trail, roots: Mapping[Trail, None], placed: Mapping[Trail, Place]) -> dict[Place, list[Trail]]:
    """What stands below this party, below no other one inside it, and not with a second address: whose that is, nobody
    can tell, and two of them must never be mixed.
    """
    inner = [other for other in roots if len(other) > len(root) and other[: len(root)] == root]
    inner += _other_addresses(root, [trail[:-1] for trail, place in placed.items() if place == _STREET])
    own: dict[Place, list[Trail]] = {}
    for trail, place in placed.items():
        if trail[: len(root)] == root and not any(trail[: len(other)] == other for other in inner):
            own.setdefault(place, []).append(trail)
    return own


def _other_addresses(root: Trail, addresses: Sequence[Trail]) -> list[Trail]:
    """Where all but the first address below `root` stand: the widest group around each that the first is not in."""
    first, *others = [address for address in addresses if address[: len(root)] == root] or [()]
    found = []
    for other in others:
        shared = next(
            (step for step, pair in enumerate(zip(first, other, strict=False)) if pair[0] is not pair[1]), None
        )
        found.append(other if shared is None else other[: shared + 1])
    return found


def _role(root: Trail) -> str:
    for field in reversed(root):
        name = slug(field.label)
        for role, words in _ROLES.items():
            if any(word in name for word in words):
                return role
        if name and name[0].isalpha() and name not in _NO_ROLE:
            return name
    return "applicant"


def _member(member: str, trails: Sequence[Trail], depth: int, used: set[Trail]) -> Shape:
    """A repeated field gives its first value here, and stays in `data` with all of them."""
    last = trails[0][-1]
    cut = [trail for trail in trails if any(field.repeated for field in trail[depth:])]
    used.update(trail for trail in trails if trail not in cut)
    if member in ("nationality", "lines") and (last.repeated or member == "lines"):
        used.add(trails[0])
        return Many(path_of(trails[0], depth), Value((".",)), last.note)
    paths = tuple("/".join(f"{f.name}[1]" if f.repeated else f.name for f in trail[depth:]) for trail in trails)
    return Value(paths, "partial-date" if member == "birthDate" else "text", last.note)


def _channels(root: Trail) -> dict[str, Shape]:
    """XÖV core component Kommunikation: any number of channels, told apart by a code."""
    for field in root[-1].members if root else ():
        names = {member.name for member in field.members}
        if field.name == "kommunikation" and {"kanal", "kennung"} <= names:
            path = "kommunikation[kanal/code='{}'][1]/kennung"
            return {name: Value((path.format(code),)) for name, code in _CHANNELS.items()}
    return {}


def _below(shape: Shape, trail: Trail) -> Shape:
    """The same, read from the top of the message."""
    prefix = f"{path_of(trail)}/" if trail else ""
    match shape:
        case Value():
            return Value(tuple(prefix + path for path in shape.paths), shape.kind, shape.note)
        case Many():
            return Many(prefix + shape.path, shape.make, shape.note)
        case Members():
            return Members({name: _below(member, trail) for name, member in shape.members.items()})
        case _:
            return shape
