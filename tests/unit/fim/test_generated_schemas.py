"""The schemas made here judge as the published ones do.

Published: made from the same 12 Stammdatenschemas by FIM's own generator. Two proofs. The schemas are the same, element
by element, but for three differences that a decision page explains. And what they accept and refuse is the same, on
data made from the model: valid, and broken in one place in each way that fits the schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
from lxml import etree
from xdf_files import SCHEMAS, at, field, group, limits, name_of, published, schema, source_of, values

from xoev_schemas.documents import parse_json, parse_xml
from xoev_schemas.fim import Broken, DataSchema, Group, example, read_xdf, to_json_schema, to_xsd, trails
from xoev_schemas.json_schema import CompiledJsonSchema, with_anchored_patterns
from xoev_schemas.xsd import XS, compile_xsd, without_anchors

FORMS = (True, False)
"""With versions in the names (form A), without (form B)."""
WITHOUT_VERSIONS = (
    "S00000000364V1.0.0", "S00000000374V1.0.0", "S00000000380V1.0.0", "S05000001299V1.0.0", "S07000000248V1.2.0",
)  # fmt: skip
PUBLISHED = [(name, True) for name in SCHEMAS] + [(name, False) for name in WITHOUT_VERSIONS]


def published_xsd(test_data: Path, name: str, versioned: bool) -> bytes | None:
    folder = test_data / "fim" / "generated" / ("xsd" if versioned else "xsd-id-only")
    file = folder / f"{name}.xfall.xsd"
    return file.read_bytes() if file.is_file() else None


def published_json(test_data: Path, name: str, versioned: bool) -> Any:
    """As the registry installs it: patterns anchored."""
    folder = test_data / "fim" / "generated" / ("json-schema" if versioned else "json-schema-id-only")
    file = folder / f"{name}.schema.json"
    return with_anchored_patterns(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


# --- the same schemas ----------------------------------------------------------------------------------------------


def xsd_tree(data: bytes) -> Any:
    """Everything that decides: no annotations, and no labels, which the published ones declare and then forbid."""
    root = etree.fromstring(without_anchors(data), etree.XMLParser(remove_comments=True, remove_blank_text=True))
    forbidden = [element for element in root.iter(f"{XS}element") if element.get("maxOccurs") == "0"]
    names = {element.get("ref") for element in forbidden}
    unused = [element for element in root.iterchildren(f"{XS}element") if element.get("name") in names]
    for element in (*root.iter(f"{XS}annotation"), *forbidden, *unused):
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)
    return as_tree(root)


def as_tree(element: etree._Element) -> Any:
    return element.tag, dict(element.attrib), [as_tree(child) for child in element]


@pytest.mark.parametrize(("name", "versioned"), PUBLISHED)
def test_the_xsd_is_the_published_one(test_data: Path, name: str, versioned: bool) -> None:
    theirs = published_xsd(test_data, name, versioned)
    assert theirs is not None
    assert xsd_tree(to_xsd(published(test_data, name), versioned_names=versioned)) == xsd_tree(theirs)


def decisive(schema: Any) -> Any:
    """A JSON Schema without what is only read by people."""
    if isinstance(schema, list):
        return [decisive(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    texts = ("title", "description", "$id")
    return {key: decisive(value) for key, value in schema.items() if not (key in texts and isinstance(value, str))}


def with_known_differences(theirs: Any, dates: set[str]) -> Any:
    """The published schema after the three differences of docs/decisions/0010, and nothing else.

    dates: the names of fields of type date.
    """
    if isinstance(theirs, list):
        return [with_known_differences(item, dates) for item in theirs]
    if not isinstance(theirs, dict):
        return theirs
    changed = {key: with_known_differences(value, dates) for key, value in theirs.items()}
    if "properties" in changed:
        changed.setdefault("type", "object")  # items of a repeated group have no type in form B
    for holder in (changed.get("properties"), changed.get("$defs")):
        for name, value in (holder or {}).items():
            field = value.get("items", value)
            if name in dates and field.get("type") == "string":
                field["format"] = "date"  # dates are any text
    if "$defs" in changed:
        changed["$defs"] = {name: value for name, value in changed["$defs"].items() if value}  # labels, never used
    return changed


@pytest.mark.parametrize(("name", "versioned"), PUBLISHED)
def test_the_json_schema_is_the_published_one_but_for_what_is_explained(
    test_data: Path, name: str, versioned: bool
) -> None:
    theirs = published_json(test_data, name, versioned)
    assert theirs is not None
    read = published(test_data, name)
    fields = [trail[-1].element for trail in trails(read)]
    dates = {f"{f.id}V{f.version}" if versioned else f.id for f in fields if getattr(f, "type", "") == "date"}
    ours = decisive(to_json_schema(read, versioned_names=versioned))
    assert ours == with_known_differences(decisive(theirs), dates)


# --- the same verdicts ---------------------------------------------------------------------------------------------

Accepts = Callable[[bytes], bool]


def judges(test_data: Path, read: DataSchema, as_json: bool, versioned: bool) -> tuple[Accepts, Accepts] | None:
    """Ours, and the published one if there is one."""
    name = name_of(read)
    if as_json:
        schema = published_json(test_data, name, versioned)
        mine = to_json_schema(read, versioned_names=versioned)
        return None if schema is None else (json_judge(mine), json_judge(schema))
    theirs = published_xsd(test_data, name, versioned)
    mine_xsd = to_xsd(read, versioned_names=versioned)
    return None if theirs is None else (xsd_judge(mine_xsd), xsd_judge(theirs))


def xsd_judge(xsd: bytes) -> Accepts:
    compiled = compile_xsd(source_of(xsd))
    return lambda data: compiled.validate(parse_xml(data).root)


def json_judge(schema: Any) -> Accepts:
    compiled = CompiledJsonSchema(schema, "test")
    return lambda data: not compiled.findings(parse_json(data).value)


def explained(read: DataSchema, broken: str | None, as_json: bool, versioned: bool) -> bool:
    """Whether the published schema may accept what ours refuses: docs/decisions/0010."""
    return as_json and (broken == "date" or (broken == "structure" and not versioned and has_repeated_groups(read)))


def has_repeated_groups(read: DataSchema) -> bool:
    return any(isinstance(trail[-1].element, Group) and trail[-1].max != 1 for trail in trails(read))


def compare(test_data: Path, name: str, seeds: range) -> int:
    """How many instances were judged the same by ours and by the published schemas."""
    read, count = published(test_data, name), 0
    for as_json in (False, True):
        for versioned in FORMS:
            both = judges(test_data, read, as_json, versioned)
            if both is None:
                continue
            for broken, data in instances(read, seeds, as_json, versioned):
                ours, theirs = (accepts(data) for accepts in both)
                assert ours == (broken is None), (broken, data.decode())
                assert theirs == ours or explained(read, broken, as_json, versioned), (broken, data.decode())
                count += 1
    return count


def instances(read: DataSchema, seeds: range, as_json: bool, versioned: bool) -> Iterator[tuple[Broken | None, bytes]]:
    for seed in seeds:
        for broken in (None, *get_args(Broken)):
            made = example(read, Random(seed), json=as_json, versioned_names=versioned, broken=broken)
            if made is not None:
                yield broken, made


@pytest.mark.parametrize("name", SCHEMAS)
def test_ours_and_the_published_schemas_judge_alike(test_data: Path, name: str) -> None:
    assert compare(test_data, name, range(3)) > 50


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SCHEMAS)
def test_ours_and_the_published_schemas_judge_hundreds_of_instances_alike(test_data: Path, name: str) -> None:
    assert compare(test_data, name, range(100, 200)) > 1000


def test_every_way_of_breaking_is_tried_on_some_schema(test_data: Path) -> None:
    tried = {
        broken
        for name in SCHEMAS
        for as_json in (False, True)
        for broken, _ in instances(published(test_data, name), range(1), as_json, True)
    }
    assert set(get_args(Broken)) - tried == {"chosen_twice"}, "no published schema has a choice"


@pytest.mark.parametrize(
    "file", ["valid", "invalid-boolean", "invalid-missing-ort", "invalid-plz", "invalid-unknown-field"]
)
def test_the_instances_among_the_test_data_are_judged_as_named(test_data: Path, file: str) -> None:
    read = published(test_data, "S00000000364V1.0.0")
    accepts = {
        ".xml": xsd_judge(to_xsd(read, versioned_names=True)),
        ".json": json_judge(to_json_schema(read, versioned_names=True)),
    }
    found = list((test_data / "fim" / "instances").glob(f"{file}_*"))
    assert found
    for path in found:
        assert accepts[path.suffix](path.read_bytes()) == (file == "valid"), path.name


# --- what the published schemas do not show ------------------------------------------------------------------------

CHOICE = schema(
    at("1:1", group(1, "Weg", at("1:1", field(1, "Mail")), at("0:1", field(2, "Fax")), choice=True)),
    at("1:1", field(3, "Hinweis", kind="label")),
)


@pytest.mark.parametrize("versioned", FORMS)
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("broken", [None, "missing", "chosen_twice", "label"])
def test_of_a_choice_exactly_one_is_accepted(versioned: bool, as_json: bool, broken: Broken | None) -> None:
    accepts = (
        json_judge(to_json_schema(CHOICE, versioned_names=versioned))
        if as_json
        else xsd_judge(to_xsd(CHOICE, versioned_names=versioned))
    )
    for seed in range(5):
        made = example(CHOICE, Random(seed), json=as_json, versioned_names=versioned, broken=broken)
        assert made is not None
        assert accepts(made) == (broken is None), made.decode()


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        ("date", '"2024-02-29"', '"2023-02-29"'),
        ("time", '"09:30:00"', '"9 Uhr"'),
        ("time", '"09:30:00+01:00"', '"09:30"'),
        ("datetime", '"2024-02-29T09:30:00"', '"2024-02-29"'),
        ("datetime", '"2024-02-29T09:30:00Z"', '"29.02.2024 09:30:00"'),
        ("bool", "true", '"ja"'),
        ("num", "1.5", '"1,5"'),
        ("num_int", "7", "7.5"),
        ("num_currency", "9.99", '"9,99 €"'),
    ],
)
def test_values_mean_the_same_in_json_and_in_xml(datatype: str, good: str, bad: str) -> None:
    read = schema(at("1:1", field(1, "Wert", datatype)))
    in_json = json_judge(to_json_schema(read, versioned_names=False))
    in_xml = xsd_judge(to_xsd(read, versioned_names=False))
    name = name_of(read)
    for value, expected in ((good, True), (bad, False)):
        text = value.strip('"')
        assert in_json(f'{{"F99000000001": {value}}}'.encode()) is expected
        element = f"<F99000000001>{text}</F99000000001>"
        assert in_xml(f'<{name} xmlns="urn:fim-de:xfall:xdf3:{name}">{element}</{name}>'.encode()) is expected


def test_a_pattern_means_the_whole_value_however_its_author_ended_it() -> None:
    read = schema(at("1:1", field(1, "Zahl", more=limits(pattern="^[0-9]+$"))))
    in_json = json_judge(to_json_schema(read, versioned_names=False))
    in_xml = xsd_judge(to_xsd(read, versioned_names=False))
    name = name_of(read)
    for value, expected in (("123", True), ("123$", False), ("x123", False)):
        assert in_json(json.dumps({"F99000000001": value}).encode()) is expected
        element = f"<F99000000001>{value}</F99000000001>"
        assert in_xml(f'<{name} xmlns="urn:fim-de:xfall:xdf3:{name}">{element}</{name}>'.encode()) is expected


def test_a_file_of_version_2_gives_schemas_that_accept_their_own_examples(test_data: Path) -> None:
    read = read_xdf((test_data / "fim" / "xdf2" / "BlaueKarte.xdf2.xml").read_bytes())
    for versioned in FORMS:
        in_xml = xsd_judge(to_xsd(read, versioned_names=versioned))
        in_json = json_judge(to_json_schema(read, versioned_names=versioned))
        for broken in (None, "missing", "too_long"):
            for accepts, as_json in ((in_xml, False), (in_json, True)):
                made = example(read, Random(1), json=as_json, versioned_names=versioned, broken=broken)
                assert made is not None
                assert accepts(made) == (broken is None)


def test_listed_values_keep_their_leading_zeros() -> None:
    read = schema(at("1:1", field(1, "Wahl", kind="select", more=values(_001="Ja", _002="Nein"))))
    accepts = json_judge(to_json_schema(read, versioned_names=False))
    assert accepts(b'{"F99000000001": "001"}')
    assert not accepts(b'{"F99000000001": "1"}')
