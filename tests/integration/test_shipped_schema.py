"""The schemas that services bring along: what is derived from the XDatenfelder file says the same as the file.

A schema is seen as positions: (path of ids, cardinality), and as rules per field (limits, patterns, values). Both are
read from all three files with the plain means of each format.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.services import shipped_folder

FILES = sorted((shipped_folder() / "services").glob("*/schema/*.xdf3.xml"))
over_all = pytest.mark.parametrize("file", FILES, ids=[file.parent.parent.name for file in FILES])
XDF = "{urn:xoev-de:fim:standard:xdatenfelder_3.0.0}"
XSD = "{http://www.w3.org/2001/XMLSchema}"

Position = tuple[tuple[str, ...], str]
Rules = dict[str, dict[str, Any]]


def schema_name(file: Path) -> str:
    return file.name.removesuffix(".xdf3.xml")


def xdf(file: Path) -> etree._Element:
    return etree.parse(file).getroot()[1]


def xsd_elements(file: Path) -> dict[str, etree._Element]:
    root = etree.parse(file.with_name(f"{schema_name(file)}.xfall.xsd")).getroot()
    return {e.get("name", ""): e for e in root.iterchildren(f"{XSD}element")}


def json_schema(file: Path) -> dict[str, Any]:
    text = file.with_name(f"{schema_name(file)}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def named(element: etree._Element) -> str:
    return f"{element.findtext(f'{XDF}identifikation/{XDF}id')}V{element.findtext(f'{XDF}identifikation/{XDF}version')}"


def xdf_positions(group: etree._Element, path: tuple[str, ...] = ()) -> Iterator[Position]:
    for place in group.iterchildren(f"{XDF}struktur"):
        child = place.find(f"{XDF}enthaelt")[0]
        here = (*path, named(child))
        yield here, str(place.findtext(f"{XDF}anzahl"))
        yield from xdf_positions(child, here)


def xsd_positions(elements: dict[str, etree._Element], name: str, path: tuple[str, ...] = ()) -> Iterator[Position]:
    for ref in elements[name].iter(f"{XSD}element"):
        if child := ref.get("ref"):
            most = ref.get("maxOccurs", "1").replace("unbounded", "*")
            yield (*path, child), f"{ref.get('minOccurs', '1')}:{most}"
            yield from xsd_positions(elements, child, (*path, child))


def json_positions(schema: dict[str, Any], node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Position]:
    for name, member in node.get("properties", {}).items():
        is_list = member.get("type") == "array"
        least = str(member["minItems"]) if is_list else "1" if name in node.get("required", ()) else "0"
        yield (*path, name), f"{least}:{member.get('maxItems', '*') if is_list else 1}"
        yield from json_positions(schema, schema["$defs"][name], (*path, name))


def xdf_rules(file: Path) -> Rules:
    rules: Rules = {}
    for field in xdf(file).iter(f"{XDF}datenfeld"):
        limits = field.find(f"{XDF}praezisierung")
        values = [value.text for value in field.iterfind(f"{XDF}werte/{XDF}wert/{XDF}code")]
        rule: dict[str, Any] = {
            key: value.removesuffix("$") for key, value in (limits.attrib if limits is not None else {}).items()
        }
        rules[named(field)] = rule | ({"values": values} if values else {})
    return rules


def xsd_rules(file: Path) -> Rules:
    words = {"minInclusive": "minValue", "maxInclusive": "maxValue"}
    rules: Rules = {}
    for name, element in xsd_elements(file).items():
        facets = [facet for facet in element.iter() if facet.get("value") is not None]
        values = [facet.get("value") for facet in facets if facet.tag == f"{XSD}enumeration"]
        plain = {etree.QName(f).localname: f.get("value") for f in facets if f.tag != f"{XSD}enumeration"}
        rules[name] = {words.get(key, key): value for key, value in plain.items()} | (
            {"values": values} if values else {}
        )
    return {name: rule for name, rule in rules.items() if name.startswith("F")}


def json_rules(file: Path) -> Rules:
    words = {"minimum": "minValue", "maximum": "maxValue", "minLength": "minLength", "maxLength": "maxLength"}
    rules: Rules = {}
    for name, field in json_schema(file)["$defs"].items():
        rule: dict[str, Any] = {words[key]: str(value) for key, value in field.items() if key in words}
        if "pattern" in field:
            rule["pattern"] = field["pattern"].removeprefix("^(?:").removesuffix(")$")
        if "oneOf" in field:
            rule["values"] = [value["const"] for value in field["oneOf"]]
        rules[name] = rule
    return {name: rule for name, rule in rules.items() if name.startswith("F")}


@over_all
def test_the_derived_schemas_have_the_positions_of_the_xdatenfelder_file(file: Path) -> None:
    wanted = list(xdf_positions(xdf(file)))

    assert len(wanted) > 20
    assert list(xsd_positions(xsd_elements(file), schema_name(file))) == wanted
    assert list(json_positions(json_schema(file), json_schema(file))) == wanted


@over_all
def test_the_derived_schemas_have_the_limits_and_values_of_the_xdatenfelder_file(file: Path) -> None:
    wanted = xdf_rules(file)

    assert xsd_rules(file) == wanted
    assert json_rules(file) == wanted


@over_all
def test_the_schema_says_that_it_is_an_example(file: Path) -> None:
    assert "(Beispiel)" in str(xdf(file).findtext(f"{XDF}name"))
    assert "(Beispiel)" in json_schema(file)["title"]


@over_all
@pytest.mark.parametrize("kind", ["fields", "groups"])
def test_standard_building_blocks_are_used_as_published(test_data: Path, kind: str, file: Path) -> None:
    with (test_data / "fim" / f"baukasten-{kind}.tsv").open(encoding="utf-8", newline="") as table:
        published = {row["id"] + "V" + row["version"]: row for row in csv.DictReader(table, delimiter="\t")}
    letter = kind[0].upper()
    used = {
        named(e): e
        for e in xdf(file).iter(f"{XDF}datenfeld", f"{XDF}datenfeldgruppe")
        if named(e).startswith(f"{letter}60")
    }

    assert used
    for name, element in used.items():
        row = published[name]
        assert element.findtext(f"{XDF}name") == row["name"]
        if kind == "fields":
            limits = element.find(f"{XDF}praezisierung")
            attributes = limits.attrib.items() if limits is not None else ()
            assert " ".join(f"{key}={value}" for key, value in attributes) == row["constraints"]
        else:
            children = [f"{path[0].split('V')[0]}[{count}]" for path, count in xdf_positions(element) if len(path) == 1]
            assert " ".join(children) == row["children"]
