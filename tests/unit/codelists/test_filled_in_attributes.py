"""The schema fills in what it fixes, and judges no differently for it."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from code_list_files import XBAU, sample, xsd_source
from lxml import etree

from xoev_schemas.documents import parse_xml
from xoev_schemas.xsd import compile_xsd


def test_fixed_list_attributes_are_in_the_tree_after_validation(xbau: etree.XMLSchema, test_data: Path) -> None:
    root = parse_xml(sample(test_data)).root
    [kind] = root.iter("anlageart")
    assert kind.get("listURI") is None

    assert xbau.validate(root)

    assert kind.get("listURI") == "urn:xoev-de:xbau:codeliste:anlagen"
    assert kind.get("listVersionID") == "3.0"


def test_a_wrong_list_in_place_of_the_fixed_one_is_still_an_error(xbau: etree.XMLSchema, test_data: Path) -> None:
    root = parse_xml(sample(test_data).replace(b"<anlageart ", b'<anlageart listURI="urn:other" ')).root

    assert not xbau.validate(root)


def broken(root: etree._Element) -> Iterator[etree._Element]:
    """The message without each of its elements in turn, with each twice, without and with another of each attribute."""
    for number, element in enumerate(root.iter()):
        if element is not root:
            for change in ("remove", "repeat"):
                copy = deepcopy(root)
                victim = list(copy.iter())[number]
                parent = victim.getparent()
                assert parent is not None
                if change == "remove":
                    parent.remove(victim)
                else:
                    victim.addnext(deepcopy(victim))
                yield copy
        for name in element.attrib:
            for value in (None, "other"):
                copy = deepcopy(root)
                victim = list(copy.iter())[number]
                del victim.attrib[name]
                if value:
                    victim.set(name, value)
                yield copy


def verdict(schema: etree.XMLSchema, root: etree._Element) -> list[tuple[str, str]]:
    schema.validate(root)
    return [(entry.type_name, entry.path) for entry in schema.error_log]  # type: ignore[attr-defined]


def test_filling_in_changes_no_verdict_on_messages_broken_in_one_place(xbau: etree.XMLSchema, test_data: Path) -> None:
    plain = etree.XMLSchema(file=str(test_data / "xoev" / XBAU))
    verdicts = set()

    for number, root in enumerate(broken(parse_xml(sample(test_data)).root)):
        expected = verdict(plain, deepcopy(root))
        assert verdict(xbau, root) == expected, number
        verdicts.add(bool(expected))

    assert verdicts == {True, False}


def test_filling_in_changes_no_verdict_on_the_published_messages(test_data: Path) -> None:
    with (test_data / "xoev" / "INSTANCES.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["xsd_result"].startswith("xsd-")]
    by_schema = defaultdict(list)
    for row in rows:
        by_schema[row["schema"]].append(row)

    for entry, messages in by_schema.items():
        schema = compile_xsd(xsd_source(test_data, entry))
        for row in messages:
            valid = schema.validate(etree.parse(test_data / "xoev" / row["file"]).getroot())
            assert valid == (row["xsd_result"] == "xsd-valid"), row["file"]
    assert len(rows) > 40
