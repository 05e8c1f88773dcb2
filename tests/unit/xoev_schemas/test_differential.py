"""Two libraries that know nothing of each other judge the same messages: libxml2, which decides here, and xmlschema.

On every message that has a schema, as it is and broken in one place (an element left out, doubled, emptied, renamed,
moved to the front, its text changed), the verdicts agree. `DISAGREEMENTS` would list the files where they do not, with
the reason.
"""

from __future__ import annotations

import copy
import csv
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from xoev_schemas.documents import Unreadable, XmlDocument, parse
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry, SchemaRef

DISAGREEMENTS: dict[str, str] = {}
"""File and way of breaking → why the libraries differ. None is known."""

Break = Callable[[etree._Element, etree._Element], None]


def _doubled(parent: etree._Element, element: etree._Element) -> None:
    parent.insert(parent.index(element), copy.deepcopy(element))


def _emptied(parent: etree._Element, element: etree._Element) -> None:
    del element[:]
    element.text = None


def _renamed(parent: etree._Element, element: etree._Element) -> None:
    element.tag = f"{element.tag}-neu"


def _first(parent: etree._Element, element: etree._Element) -> None:
    parent.insert(0, element)


def _rewritten(parent: etree._Element, element: etree._Element) -> None:
    element.text = "\u2013 x \u2013"


def _attributes_gone(parent: etree._Element, element: etree._Element) -> None:
    element.attrib.clear()


BREAKS: dict[str, Break] = {
    "left out": lambda parent, element: parent.remove(element),
    "doubled": _doubled,
    "emptied": _emptied,
    "renamed": _renamed,
    "first": _first,
    "rewritten": _rewritten,
    "without attributes": _attributes_gone,
}


@cache
def second_opinion(folder: Path, entry: str, catalog: tuple[tuple[str, str], ...]) -> xmlschema.XMLSchema10:
    published = {url: (folder / path).as_uri() for url, path in catalog}
    return xmlschema.XMLSchema10(str(folder / entry), allow="local", defuse="never", uri_mapper=published)


def verdicts(registry: Registry, ref: SchemaRef, data: bytes) -> tuple[bool | None, bool]:
    """(libxml2's, xmlschema's), each on a tree of its own: libxml2 writes into the one that it judges."""
    ours, theirs = parse(data, "text/xml"), parse(data, "text/xml")
    assert isinstance(theirs, XmlDocument)
    standard = registry.standard(ref.standard)
    tag = etree.QName(theirs.root)
    schema = next(s for s in standard.schemas if s.kind == "xsd" and (tag.namespace or "", tag.localname) in s.messages)
    opinion = second_opinion(registry.folder / standard.folder, schema.entry, tuple(sorted(standard.catalog.items())))
    return registry.validate(ours, ref).valid, opinion.is_valid(theirs.root, use_location_hints=False)


def messages(test_data: Path, registry: Registry) -> Iterator[tuple[str, SchemaRef, bytes]]:
    """Every message that can be read and has a schema: the collection's, and the constructed ones of FIM."""
    with (test_data / "xoev/INSTANCES.tsv").open(encoding="utf-8") as lines:
        names = [row["file"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    files = [test_data / "xoev" / name for name in names] + sorted((test_data / "fim/instances").glob("*.xml"))
    for file in files:
        data = file.read_bytes()
        try:
            ref = registry.recognise(parse(data, "text/xml"))
        except Unreadable:
            continue
        if ref is not None:
            yield file.name, ref, data


def broken(data: bytes, count: int, seed: str) -> Iterator[tuple[str, bytes]]:
    """`count` copies of a message, each broken in one place, the same ones in every run."""
    chance = random.Random(seed)
    document = parse(data, "text/xml")
    assert isinstance(document, XmlDocument)
    places = len(list(document.root.iter())) - 1
    for _ in range(count):
        root = copy.deepcopy(document.root)
        name = chance.choice(list(BREAKS))
        element = list(root.iter())[1 + chance.randrange(places)]
        parent = element.getparent()
        assert parent is not None
        BREAKS[name](parent, element)
        yield name, etree.tostring(root)


def test_both_libraries_judge_every_message_alike(everything: Checker, test_data: Path) -> None:
    found = list(messages(test_data, everything.registry))
    assert len(found) == 58

    for name, ref, data in found:
        ours, theirs = verdicts(everything.registry, ref, data)
        assert (ours == theirs) is (name not in DISAGREEMENTS), (name, ours, theirs)


def test_both_libraries_judge_a_sample_of_broken_messages_alike(everything: Checker, test_data: Path) -> None:
    """One message of each standard."""
    by_standard = {ref.standard: (name, ref, data) for name, ref, data in messages(test_data, everything.registry)}
    assert len(by_standard) == 9

    tried = compared(everything, list(by_standard.values()), 40)

    assert min(tried.values()) > 20


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_both_libraries_judge_every_message_broken_in_many_ways_alike(everything: Checker, test_data: Path) -> None:
    compared(everything, list(messages(test_data, everything.registry)), 200)


def compared(everything: Checker, found: list[tuple[str, SchemaRef, bytes]], count: int) -> dict[bool, int]:
    """How many broken messages got which verdict; fails at the first on which the libraries differ."""
    tried = {True: 0, False: 0}
    for name, ref, data in found:
        for number, (how, changed) in enumerate(broken(data, count, name)):
            ours, theirs = verdicts(everything.registry, ref, changed)
            key = f"{name} {number} {how}"
            assert (ours == theirs) is (key not in DISAGREEMENTS), (key, ours, theirs)
            tried[theirs] += 1
    return tried
