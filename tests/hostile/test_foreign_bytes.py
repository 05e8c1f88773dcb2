"""Foreign bytes: published attack and conformance collections, read by path, against the one module that parses."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xoev_schemas.documents import JsonDocument, Limits, Unreadable, XmlDocument, parse, text_of

XML = "application/xml"
JSON = "application/json"


def code_of(data: bytes, media_type: str, limits: Limits | None = None) -> str:
    """The finding's code, or `ok`."""
    try:
        parse(data, media_type, limits or Limits())
    except Unreadable as refusal:
        [finding] = refusal.findings
        return finding.code if finding.layer == "parse" else "not of the parser"
    return "ok"


# --- XML: collections ----------------------------------------------------------------------------------------------


def conformance_tests(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes, str]]:
    """(type, bytes, description) of every test in the W3C suite."""
    names = set(archive.namelist())
    for catalogue in sorted(name for name in names if name.endswith(".xml")):
        for match in re.finditer(rb"<TEST\s[^>]*>", archive.read(catalogue)):
            test = match[0].decode("latin-1")
            kind, uri = (re.search(rf"{key}=[\"']([^\"']*)", test) for key in ("TYPE", "URI"))
            path = posixpath.join(posixpath.dirname(catalogue), uri[1]) if uri else ""
            if kind and path in names:
                yield kind[1], archive.read(path), test


def test_nothing_that_w3c_calls_not_well_formed_is_accepted(test_data: Path) -> None:
    # Given the suite of 2013
    with zipfile.ZipFile(test_data / "hostile/xml/w3c-xmlconf/xmlts20130923.zip") as archive:
        cases = [(data, test) for kind, data, test in conformance_tests(archive) if kind == "not-wf"]
    assert len(cases) > 1_400

    # When each is parsed
    accepted = [test for data, test in cases if code_of(data, XML) == "ok"]

    # Then only names that the fifth edition of XML 1.0 allows are left
    assert [test for test in accepted if 'EDITION="1 2 3 4"' not in test] == []


def test_what_w3c_calls_valid_is_accepted_unless_it_needs_what_we_refuse(test_data: Path) -> None:
    with zipfile.ZipFile(test_data / "hostile/xml/w3c-xmlconf/xmlts20130923.zip") as archive:
        codes = {code_of(data, XML) for kind, data, _test in conformance_tests(archive) if kind == "valid"}

    assert codes <= {"ok", "xml.doctype", "xml.version", "xml.encoding"}


@pytest.mark.parametrize("folder", ["hostile/xml/defusedxml", "hostile/xml/libxml2/test/recurse"])
def test_every_entity_bomb_is_refused_for_its_doctype(test_data: Path, folder: str) -> None:
    files = [file for file in sorted((test_data / folder).rglob("*.xml")) if b"<!DOCTYPE" in file.read_bytes()]
    assert len(files) > 5

    assert {file.name: code_of(file.read_bytes(), XML) for file in files} == {f.name: "xml.doctype" for f in files}


def test_every_published_xxe_string_is_refused_or_harmless(test_data: Path) -> None:
    # Given every line of the attack lists
    lines = [
        line for file in (test_data / "hostile/xml/xxe-lists").glob("*.txt") for line in file.read_bytes().split(b"\n")
    ]

    for line in lines:
        # When it is read; then it is refused, or nothing was resolved or included in it
        try:
            document = parse(line, XML)
        except Unreadable:
            continue
        assert isinstance(document, XmlDocument)
        assert b"root:" not in text_of(document.root).encode()
        assert b"<!ENTITY" not in line


def test_every_xinclude_of_the_collection_is_refused(test_data: Path) -> None:
    files = sorted((test_data / "hostile/xml/libxml2/test/XInclude/docs").glob("*.xml"))
    including = [
        f for f in files if re.search(rb"xmlns(:\w+)?\s*=\s*['\"]http://www.w3.org/2001/XInclude", f.read_bytes())
    ]
    assert including

    assert "ok" not in {code_of(file.read_bytes(), XML) for file in including}


# --- XML: single traps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml.not_well_formed"),
        (b"not xml", "xml.not_well_formed"),
        (b"<a><b></a>", "xml.not_well_formed"),
        (b"<a>cut o", "xml.not_well_formed"),
        (b"\x1f\x8b\x08\x00compressed", "xml.not_well_formed"),
        (b"<!DOCTYPE r><r/>", "xml.doctype"),
        (b"<?x y?><!--c--><!DOCTYPE r><r/>", "xml.doctype"),
        (b'<!DOCTYPE r [<!ENTITY e "x">]><r a="&e;"/>', "xml.doctype"),
        (b'<r xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="f"/></r>', "xml.xinclude"),
        (b'<r xmlns:x="http://www.w3.org/2001/XIncl&#117;de"><x:include href="f"/></r>', "xml.xinclude"),
        ("<r/>".encode("utf-16"), "xml.encoding"),
        ("<r/>".encode("utf-16-le"), "xml.encoding"),
        ("<r/>".encode("utf-32"), "xml.encoding"),
        (b'<?xml version="1.0" encoding="UTF-7"?><r>+ADw-</r>', "xml.encoding"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><r/>', "xml.encoding"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><r/>', "xml.encoding"),
        (b"<r>\xe4</r>", "xml.encoding"),
        (b'<?xml version="1.1"?><r/>', "xml.version"),
        (b'<?xml version="1.7"?><r/>', "xml.version"),
        (b"<?xml" + b" " * 5_000 + b'version="1.1"?><r/>', "xml.version"),
    ],
)  # fmt: skip
def test_what_lxml_would_take_and_we_do_not(data: bytes, code: str) -> None:
    assert code_of(data, XML) == code


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf<r/>",
        b'<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<r/>',
        b"<r><![CDATA[<!DOCTYPE html> & <more>]]></r>",
        b"<r><!-- <!DOCTYPE r> --></r>",
    ],
)
def test_what_is_harmless_is_accepted(data: bytes) -> None:
    assert code_of(data, XML) == "ok"


@pytest.mark.parametrize("inside", [b"a<!--x-->b", b"a<?p x?>b", b"a<![CDATA[b]]>", b"a<!--x--><?y?>b", b"&#97;b"])
def test_nothing_invisible_splits_a_value(inside: bytes) -> None:
    document = parse(b"<n>" + inside + b"</n>", XML)

    assert isinstance(document, XmlDocument)
    assert document.root.text == text_of(document.root) == "ab"


@pytest.mark.parametrize(
    ("make", "limit", "code"),
    [
        (lambda n: b"<a>" * n + b"</a>" * n, Limits(depth=20).depth, "xml.too_deep"),
        (lambda n: b"<r>" + b"<a/>" * (n - 1) + b"</r>", 20, "xml.too_many_elements"),
        (lambda n: b"<r %s/>" % b" ".join(b'a%d="x"' % i for i in range(n)), 20, "xml.too_many_attributes"),
        (lambda n: b"<r %s/>" % b" ".join(b'xmlns:a%d="x"' % i for i in range(n)), 20, "xml.too_many_attributes"),
        (lambda n: b"<r>" + b"x" * n + b"</r>", 20, "xml.too_large"),
    ],
)
def test_each_limit_may_be_reached_and_not_passed(make, limit: int, code: str) -> None:  # type: ignore[no-untyped-def]
    limits = Limits(depth=20, elements=20, attributes=20, text_bytes=20)

    assert code_of(make(limit), XML, limits) == "ok"
    assert code_of(make(limit + 1), XML, limits) == code


@pytest.mark.parametrize("form", [b"<%s/>", b'<r %s="x"/>', b'<r><b c="d" %s="x"/></r>'])
def test_names_may_have_256_characters_and_no_more(form: bytes) -> None:
    assert code_of(form % (b"n" * 256), XML) == "ok"
    assert code_of(form % (b"n" * 257), XML) == "xml.name_too_long"


@pytest.mark.parametrize("offset", range(8))
def test_a_long_name_is_found_wherever_it_begins(offset: int) -> None:
    before = b"<r>" + b"<b c='d'>e f</b>" * 500 + b" " * offset

    assert code_of(before + b"<" + b"n" * 256 + b"/></r>", XML) == "ok"
    assert code_of(before + b"<" + b"n" * 257 + b"/></r>", XML) == "xml.name_too_long"


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (b"<!--" + b"-c" * 3_000 + b"-->", "xml.doctype"),
        (b"\n<?p q?>" * 1_000, "xml.doctype"),
        (b"<!-- <r> -->", "xml.doctype"),
        (b"<!--c", "xml.not_well_formed"),
        (b"<?p " + b"?" * 5_000, "xml.not_well_formed"),
    ],
)
def test_a_doctype_is_found_however_much_stands_before_it(before: bytes, code: str) -> None:
    bomb = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><r a="&b;"/>'

    assert code_of(before + bomb, XML) == code
    assert code_of(before + b"<r/>", XML) == ("ok" if code == "xml.doctype" else code)


@pytest.mark.parametrize("levels", [16, 17, 100, 101, 256, 257])
def test_a_hundred_levels_are_allowed_and_no_more(levels: int) -> None:
    data = b"<r>" + b"<b/>" * 1_000 + b"<a>" * (levels - 1) + b"</a>" * (levels - 1) + b"</r>"

    assert code_of(data, XML) == ("ok" if levels <= 100 else "xml.too_deep")


def test_a_limit_below_the_usual_depth_holds() -> None:
    assert code_of(b"<a><a><a/></a></a>", XML, Limits(depth=3)) == "ok"
    assert code_of(b"<a><a><a><a/></a></a></a>", XML, Limits(depth=3)) == "xml.too_deep"


def test_attributes_are_counted_per_element_and_not_in_text() -> None:
    few = b"<b " + b" ".join(b'a%d="x=y"' % i for i in range(256)) + b"/>"
    many = few.replace(b"/>", b' z=""/>')

    assert code_of(b"<r>" + few * 3 + b"a = b, " * 5_000 + b"</r>", XML) == "ok"
    assert code_of(b"<r>" + few * 3 + many + b"</r>", XML) == "xml.too_many_attributes"


def test_base64_in_an_element_is_no_long_name() -> None:
    assert code_of(b"<r><d>" + b"QUJD" * 10_000 + b"</d></r>", XML) == "ok"


@pytest.mark.timeout(20)
def test_attachments_of_fifty_megabytes_are_read() -> None:
    attachment = b"<anlage>" + b"QUJD" * 2_499_000 + b"</anlage>"

    assert code_of(b"<antrag>" + attachment * 5 + b"</antrag>", XML) == "ok"


def test_size_is_checked_before_anything_is_read() -> None:
    assert code_of(b"\xff" * 11, XML, Limits(max_bytes=10)) == "xml.too_large"
    assert code_of(b"\xff" * 11, JSON, Limits(max_bytes=10)) == "json.too_large"


@pytest.mark.timeout(20)
def test_a_hundred_megabytes_of_nesting_cost_next_to_nothing() -> None:
    wide_open = Limits(max_bytes=200_000_000)

    assert code_of(b"<a>" * 33_000_000, XML, wide_open) == "xml.too_deep"
    assert code_of(b"[" * 100_000_000, JSON, wide_open) == "json.too_deep"


def test_findings_say_where_and_never_what() -> None:
    with pytest.raises(Unreadable) as refusal:
        parse("<antrag>\n  <name>Müller-Łukasz</nam></antrag>".encode(), XML)

    finding = refusal.value.findings[0]
    assert finding.line == 2
    assert "Müller" not in str(finding.as_dict()) + str(refusal.value)
    assert finding.text.de
    assert finding.text.en


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for media_type in (XML, JSON, "image/png"):
        code_of(data, media_type)


@given(st.data())
def test_a_damaged_message_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    message = '<?xml version="1.0"?><a xmlns="urn:x" b="c"><d>ä</d><!--e--><f/></a>'.encode()
    position = data.draw(st.integers(0, len(message)))
    inserted = data.draw(st.binary(max_size=8))

    code_of(message[:position] + inserted + message[position + data.draw(st.integers(0, 8)) :], XML)


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_the_json_test_suite_is_judged_as_it_says_except_for_duplicate_keys(test_data: Path) -> None:
    files = sorted((test_data / "hostile/json/JSONTestSuite/test_parsing").glob("*.json"))
    codes = {file.name: code_of(file.read_bytes(), JSON) for file in files}
    assert len(codes) > 300

    assert [name for name, code in codes.items() if name.startswith("n_") and code == "ok"] == []
    refused = {name: code for name, code in codes.items() if name.startswith("y_") and code != "ok"}
    assert refused == {
        "y_object_duplicated_key.json": "json.duplicate_key",
        "y_object_duplicated_key_and_value.json": "json.duplicate_key",
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json.not_well_formed"),
        (b"{} {}", "json.not_well_formed"),
        (b'{"a": 1, "\\u0061": 2}', "json.duplicate_key"),
        (b"[NaN]", "json.not_a_number"),
        (b"[-Infinity]", "json.not_a_number"),
        (b"[1e400]", "json.not_a_number"),
        (b"[1e99999999999999999999]", "json.not_a_number"),
        (b"[" + b"9" * 31 + b"]", "json.not_a_number"),
        (b'["\\ud800"]', "json.encoding"),
        (b'{"\\ud800": 1}', "json.encoding"),
        (b'["\xe4"]', "json.encoding"),
        (b"\xef\xbb\xbf{}", "json.encoding"),
        ("{}".encode("utf-16"), "json.encoding"),
        (b"[" * 65 + b"]" * 65, "json.too_deep"),
        (b"[" * 5_000 + b"]" * 5_000, "json.too_deep"),
    ],
)
def test_json_that_readers_disagree_about_is_refused(data: bytes, code: str) -> None:
    assert code_of(data, JSON) == code


def test_json_at_its_limits_is_accepted_and_amounts_keep_their_digits() -> None:
    document = parse(
        b'{"a": 12.10, "b": ' + b"9" * 30 + b', "c": "\\ud83d\\ude00"}', "application/vnd.x+json; charset=utf-8"
    )

    assert isinstance(document, JsonDocument)
    assert str(document.value["a"]) == "12.10"
    assert document.value["b"] == int("9" * 30)
    assert document.value["c"] == "😀"
    assert code_of(b"[" * 64 + b"]" * 64, JSON) == "ok"


# --- Unicode, media types ------------------------------------------------------------------------------------------


def test_every_letter_and_sequence_of_din_91379_arrives_unchanged(test_data: Path) -> None:
    # Given the list of letters, as text
    listed = (test_data / "hostile/unicode/din-91379/latin_letters_1.3.txt").read_text(encoding="utf-8")
    text = "".join(character for character in listed if character not in "<&>\r")
    assert len(set(text)) > 500

    document = parse(f"<n>{text}</n>".encode(), XML)

    assert isinstance(document, XmlDocument)
    assert text_of(document.root) == text


@pytest.mark.parametrize("media_type", ["application/pdf", "", "xml", "application/xml-dtd", "text/html"])
def test_other_media_types_are_not_guessed_at(media_type: str) -> None:
    assert code_of(b"<r/>", media_type) == "media_type.unsupported"
