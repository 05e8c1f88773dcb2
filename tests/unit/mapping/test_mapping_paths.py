from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.mapping.nodes import JsonNode, Node, XmlNode, location
from gateway.mapping.paths import PathError, finder, parse_path, reader
from xoev_schemas.documents import XmlDocument, parse

XML = """
<n:antrag xmlns:n="urn:n" version="2.6">
  <n:person rolle="a"><n:name>Muster</n:name><F60000000227V1.1.0>Beispiel</F60000000227V1.1.0></n:person>
  <person rolle="b"><name>Zwei</name><kennung><code>01</code></kennung></person>
  <nachrichtenkopf.g2g><datum>2026-01-01</datum></nachrichtenkopf.g2g>
  <leer/>
  <gemischt>Anfang <b>Mitte</b> Ende</gemischt>
</n:antrag>"""

JSON = {
    "person": [
        {"name": "Muster", "F60000000227V1.1.0": "Beispiel"},
        {"name": "Zwei", "kennung": {"code": "01"}},
    ],
    "nachrichtenkopf.g2g": {"datum": "2026-01-01"},
    "leer": None,
}


def xml_root() -> Node:
    document = parse(XML.encode(), "application/xml")
    assert isinstance(document, XmlDocument)
    return XmlNode(document.root)


BOTH = pytest.mark.parametrize("root", [xml_root(), JsonNode(JSON)], ids=["xml", "json"])


def texts(path: str, root: Node) -> list[str]:
    return [text for found in finder(parse_path(path))(root) if (text := found.text())]


@BOTH
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("person/name", ["Muster", "Zwei"]),
        ("person[2]/name", ["Zwei"]),
        ("n:person[1]/name", ["Muster"]),
        ("person[name='Zwei']/kennung/code", ["01"]),
        ('person[kennung/code="01"]/name', ["Zwei"]),
        ("person/F60000000227", ["Beispiel"]),
        ("person/F60000000227V2.0.0", ["Beispiel"]),
        ("//code", ["01"]),
        ("person//code/../../name", ["Zwei"]),
        ("./person/name[1]", ["Muster", "Zwei"]),
        ("/nachrichtenkopf.g2g/datum", ["2026-01-01"]),
        ("leer", []),
        ("missing/name", []),
        ("person[3]/name", []),
    ],
)
def test_a_path_finds_the_same_in_xml_and_in_json(root: Node, path: str, found: list[str]) -> None:
    assert texts(path, root) == found


def test_attributes_are_found_in_xml() -> None:
    assert texts("@version", xml_root()) == ["2.6"]
    assert texts("person[@rolle='b']/name", xml_root()) == ["Zwei"]
    assert texts("person/@rolle", xml_root()) == ["a", "b"]


def test_the_text_of_an_element_is_all_text_in_it() -> None:
    assert texts("gemischt", xml_root()) == ["Anfang Mitte Ende"]


def test_text_is_trimmed_and_composed() -> None:
    assert texts("name", JsonNode({"name": "  Mu\u0308ller \n"})) == ["Müller"]


def test_an_absolute_path_starts_at_the_root_wherever_it_is_used() -> None:
    [inner] = finder(parse_path("person[2]"))(xml_root())

    assert texts("/person[1]/name", inner) == ["Muster"]
    assert texts("name", inner) == ["Zwei"]


def test_a_place_can_name_itself_with_positions_where_there_are_several() -> None:
    [found] = finder(parse_path("person[2]/kennung/code"))(xml_root())

    assert location(found) == "person[2]/kennung/code"
    assert texts(location(found), xml_root()) == ["01"]
    assert [location(place) for place in finder(parse_path("person/@rolle"))(xml_root())] == [
        "person[1]/@rolle",
        "person[2]/@rolle",
    ]


@pytest.mark.parametrize(
    "source",
    "|␠|/|//|a/|a//|a///b|a b|[1]|a[|a[0]|a[x]|a[x=y]|@a/b|a//@b|a//..|a[1|///a".replace("␠", " ").split("|"),
)
def test_what_is_no_path_is_refused(source: str) -> None:
    with pytest.raises(PathError):
        parse_path(source)


@given(st.text(alphabet="ab/[].@'=1 *", max_size=20))
def test_any_text_is_a_path_or_refused(source: str) -> None:
    try:
        path = parse_path(source)
    except PathError:
        return
    finder(path)(JsonNode({"a": {"b": ["x"]}}))


json_values = st.recursive(
    st.text(max_size=5) | st.integers() | st.booleans() | st.none(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_every_place_that_is_found_is_found_again_by_its_location(value: object) -> None:
    root = JsonNode(value)

    for found in finder(parse_path("//a"))(root):
        assert finder(parse_path(location(found)))(root) == [found]


_TREES = st.recursive(
    st.sampled_from(["x", "", " y ", None, 1.5, True]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "F60000000227V1.1.0"]), inner)
    ),
    max_leaves=12,
)


def _in_xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_in_xml(name, item) for item in value)
    inner = "".join(_in_xml(*member) for member in value.items()) if isinstance(value, dict) else str(value or "")
    return f"<{name}>{inner}</{name}>"


@given(_TREES, st.sampled_from(["a", "a/b", "a[1]/b", "a[2]/F60000000227", "a/b/a", "b/F60000000227"]), st.booleans())
def test_a_path_read_straight_gives_what_it_gives_when_it_is_followed(value: Any, source: str, as_xml: bool) -> None:
    start: Node = XmlNode(etree.fromstring(_in_xml("root", {"a": value, "b": value})))
    if not as_xml:
        start = JsonNode({"a": value, "b": value})
    path = parse_path(source)
    followed = next((text for node in finder(path)(start) if (text := node.text())), "")

    assert path.chain is not None
    assert start.leaf(*path.chain) in (followed, None)
    assert reader(path)(start) == followed
