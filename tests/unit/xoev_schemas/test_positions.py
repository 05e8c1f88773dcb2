"""Where in the bytes the path of a finding leads."""

from __future__ import annotations

import pytest

from xoev_schemas.findings import Finding, Text
from xoev_schemas.positions import located, positions_in_json, positions_in_xml

XML = """<?xml version='1.0'?>
<a xmlns='u' xmlns:p='v'>
  <b/><b x='1'
   nr='2'><c>ä</c><c/></b>
 <p:b/>é<d/></a>"""


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("/a", (2, 1)),
        ("/a/b[1]", (3, 3)),
        ("/a/b[2]", (3, 7)),
        ("/a/b[2]/@x", (3, 10)),
        ("/a/b[2]/@nr", (4, 4)),
        ("/a/b[2]/c[2]", (4, 19)),
        ("/a/d", (5, 9)),
        ("/a/b[3]", None),
        ("/a/*", None),
        ("/x", None),
        ("/", None),
    ],
)
def test_a_path_leads_to_the_start_of_its_tag_or_attribute(path: str, position: tuple[int, int] | None) -> None:
    assert positions_in_xml(XML.encode(), {path}).get(path) == position


def test_all_places_are_found_in_one_pass_also_in_a_message_that_is_cut_off() -> None:
    assert positions_in_xml(b"<a><b/><c>", {"/a/b", "/a/c", "/a/d"}) == {"/a/b": (1, 4), "/a/c": (1, 8)}


@pytest.mark.parametrize(
    ("pointer", "position"),
    [
        ("", (1, 1)),
        ("/a", (1, 2)),
        ("/a/1", (2, 2)),
        ("/a/1/b~1c", (2, 3)),
        ("/a/1/d", (2, 17)),
        ("/e", (3, 2)),
        ("/f/1/g/0", (3, 24)),
        ("/a/2", None),
        ("/g", None),
    ],
)
def test_a_pointer_leads_to_the_name_of_its_member_or_to_the_entry(
    pointer: str, position: tuple[int, int] | None
) -> None:
    text = '{"a": [1,\n {"b/c": "x,]", "d": {}}],\n "e": 2, "f":[[],{"g":[{}]}]}'
    assert positions_in_json(text.encode(), {pointer}).get(pointer) == position


def test_findings_get_line_and_column_where_their_path_leads_somewhere() -> None:
    def finding(path: str, line: int | None = None, column: int | None = None) -> Finding:
        return Finding("a.b", "error", "schema", Text("", ""), path, line, column)

    found = located(
        [finding("/a/d", 4), finding("/a/*", 3), finding("", 1, 7)], XML.encode(), "text/xml; charset=utf-8"
    )
    assert [(f.line, f.column) for f in found] == [(5, 9), (3, None), (1, 7)]
