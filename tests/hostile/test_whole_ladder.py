"""Hostile messages through every layer of checking, not the parser alone: nothing but a judgement or a refusal comes
out, nothing is fetched or opened, nothing of a message stands in a finding, and time and memory stay bounded.

The messages are of the schema that ships with the dog tax; they need no third-party data. Collections are read by path.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock
from xml.sax.saxutils import escape

import pytest
from checking_support import install_published
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from xoev_schemas import ladder
from xoev_schemas.documents import Limits, Unreadable
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker
from xoev_schemas.positions import positions_in_xml
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers

XML, JSON = "application/xml", "application/json"
SERVICE = Path(__file__).resolve().parents[2] / "services/hundesteuer-anmeldung"
DOG = (SERVICE / "samples/one-dog-xml/data.xml").read_bytes()
DOG_JSON = (SERVICE / "samples/one-dog-json/data.json").read_bytes()
ROOT = b"<S99000000001V1.0.0 "
NAME = b"Muster-01"
LARGE_STANDARD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:beispiel:akte"
    elementFormDefault="qualified" version="1.0"><xs:annotation><xs:appinfo>
  <standard><nameLang>Akte</nameLang><nameKurz>XAkte</nameKurz><nameTechnisch>xakte</nameTechnisch>
  <kennung>urn:xoev-de:beispiel:standard:xakte</kennung></standard>
  <versionStandard><version>1.0</version></versionStandard></xs:appinfo></xs:annotation>
  <xs:element name="akte.0001"><xs:complexType><xs:sequence>
    <xs:element name="blatt" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="nummer" type="xs:positiveInteger"/><xs:element name="inhalt" type="xs:string"/>
    </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>"""


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    folder = tmp_path_factory.mktemp("standards")
    (folder / "xakte.xsd").write_text(LARGE_STANDARD, encoding="utf-8")
    registry = Registry(folder / "home")
    registry.import_path(SERVICE / "schema")
    registry.import_path(folder / "xakte.xsd")
    workers = Workers(1, 2 << 30, 120.0)
    yield Checker(registry, workers, Limits())
    workers.close()


@pytest.fixture(scope="module")
def published(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """With everything published installed."""
    workers = Workers(1, 2 << 30, 120.0)
    yield Checker(install_published(test_data, tmp_path_factory.mktemp("published") / "schemas"), workers, Limits())
    workers.close()


@pytest.fixture(scope="module")
def building(test_data: Path) -> bytes:
    """A valid application for a building permit."""
    file = "xoev/xbau-2.6/instances/constructed-valid_baugenehmigung.antrag.0200.xml"
    return (test_data / file).read_bytes()


def outcome(checker: Checker, data: bytes, media_type: str = XML) -> tuple[object, list[Finding]]:
    """(verdict or `unreadable`, findings). Anything else than these two ends the test."""
    try:
        judgement = checker.check(data, media_type)
    except Unreadable as refusal:
        return "unreadable", refusal.findings
    return judgement.valid, judgement.findings


def in_a_process(checker: Checker, data: bytes, media_type: str = XML) -> tuple[object, list[Finding]]:
    """The same, judged as a large message is."""
    with mock.patch.object(ladder, "LARGE", -1):
        return outcome(checker, data, media_type)


def test_the_messages_that_are_made_hostile_are_valid(checker: Checker) -> None:
    assert outcome(checker, DOG)[0] is True
    assert outcome(checker, DOG_JSON, JSON)[0] is True


# --- collections ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_every_file_of_the_xml_collections_is_judged_or_refused(
    checker: Checker, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    folder = test_data / "hostile/xml"
    files = [file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix != ".zip"]
    with zipfile.ZipFile(folder / "w3c-xmlconf/xmlts20130923.zip") as archive:
        files += [archive.read(name) for name in archive.namelist()]
    assert len(files) > 4_000

    # None of them is a message that is installed: what can be read is not judged
    assert {outcome(checker, data)[0] for data in files} == {"unreadable", None}


def test_json_that_must_be_refused_is_and_json_that_must_be_read_is_not_judged(
    checker: Checker, test_data: Path
) -> None:
    files = sorted((test_data / "hostile/json/JSONTestSuite").rglob("*.json"))
    assert len(files) > 300

    for file in files:
        verdict, findings = outcome(checker, file.read_bytes(), JSON)
        duplicate = [finding.code for finding in findings] == ["json.duplicate_key"]
        expected = {"n": ("unreadable",), "y": (None, "unreadable") if duplicate else (None,)}
        assert verdict in expected.get(file.name.partition("_")[0], (None, "unreadable")), file.name


def test_naughty_strings_are_values_like_any_other_and_never_repeated(checker: Checker, test_data: Path) -> None:
    strings = json.loads((test_data / "hostile/strings/blns/blns.json").read_text(encoding="utf-8"))
    assert len(strings) > 500

    for text in strings:
        as_json = json.loads(DOG_JSON)
        as_json["G99000000001V1.0.0"]["F60000000227V1.1.0"] = text
        as_json["G99000000002V1.0.0"][0]["F99000000007V1.0.0"] = text
        as_xml = DOG.replace(NAME, escape(text).encode()).replace(b"2026-10-02", escape(text).encode())
        for data, media_type in ((as_xml, XML), (json.dumps(as_json).encode(), JSON)):
            verdict, findings = outcome(checker, data, media_type)
            assert verdict in (False, "unreadable"), text
            told = json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False)
            assert len(text) < 12 or text not in told


# --- reaching out --------------------------------------------------------------------------------------------------

REACHING = {
    "external subset": '<!DOCTYPE r SYSTEM "{url}">',
    "external entity": '<!DOCTYPE r [<!ENTITY e SYSTEM "{url}">]>',
    "parameter entity": '<!DOCTYPE r [<!ENTITY % e SYSTEM "{url}"> %e;]>',
    "stylesheet": '<?xml-stylesheet type="text/xsl" href="{url}"?>',
    "model": '<?xml-model href="{url}" schematypens="http://purl.oclc.org/dsdl/schematron"?>',
}
POINTING = {
    "schema": 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="urn:fim-de:xfall:datenschema:xdf3 {url}" ',
    "schema without namespace": 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:noNamespaceSchemaLocation="{url}" ',
    "base": 'xml:base="{url}" ',
    "namespace": 'xmlns:x="{url}" ',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("judge", [outcome, in_a_process])
def test_no_way_of_pointing_out_of_a_message_is_followed(checker: Checker, tmp_path: Path, judge) -> None:  # type: ignore[no-untyped-def]
    # Given a file whose opening would never end, a server that counts, and messages that point to both
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        urls = [pipe.as_uri(), str(pipe), f"http://127.0.0.1:{server.getsockname()[1]}/x"]
        messages = [
            DOG.replace(b"?>\n", b"?>\n" + prolog.format(url=url).encode(), 1)
            for url in urls
            for prolog in REACHING.values()
        ]
        messages += [
            DOG.replace(ROOT, ROOT + attribute.format(url=url).encode())
            for url in urls
            for attribute in POINTING.values()
        ]
        include = '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{url}" parse="text"/>'
        messages += [DOG.replace(NAME, include.format(url=url).encode()) for url in urls]
        assert all(message != DOG for message in messages)

        # When they are judged
        verdicts = [judge(checker, message)[0] for message in messages]

        # Then all came to an end, and nobody called
        assert set(verdicts) <= {True, False, "unreadable"}
        with pytest.raises(BlockingIOError):
            server.accept()


# --- structure -----------------------------------------------------------------------------------------------------


@st.composite
def damaged_trees(draw: st.DrawFn, whole: bytes = DOG) -> bytes:
    """A valid message with up to three elements removed, doubled, renamed, moved, emptied, rewritten or given an
    attribute."""
    root = etree.fromstring(whole)
    for _ in range(draw(st.integers(1, 3))):
        elements = list(root.iter())[1:]
        if not elements:
            break
        element = draw(st.sampled_from(elements))
        parent = element.getparent()
        assert parent is not None
        match draw(st.sampled_from(["remove", "double", "rename", "move", "empty", "write", "attribute"])):
            case "remove":
                parent.remove(element)
            case "double":
                parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
            case "rename":
                element.tag = draw(st.sampled_from(["x", "{urn:x}y", "F60000000227V1.1.0", "{urn:fim}F9"]))
            case "move":
                root.insert(draw(st.integers(0, 5)), element)
            case "empty":
                element.clear()
            case "write":
                element.text = draw(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=30))
            case _:
                element.set(draw(st.sampled_from(["a", "{urn:x}b"])), "c")
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def judged_alike(checker: Checker, data: bytes) -> None:
    """In the thread and in a process, with places that lead somewhere."""
    in_thread, elsewhere = outcome(checker, data), in_a_process(checker, data)

    assert in_thread[0] == elsewhere[0]
    assert [finding.as_dict() for finding in in_thread[1]] == [finding.as_dict() for finding in elsewhere[1]]
    assert_places(data, in_thread[1])


def assert_places(data: bytes, findings: list[Finding]) -> None:
    """Every path that hides no name and asks for no attribute leads to a place in the message."""
    shown = {finding.path for finding in findings if "*" not in finding.path and "@" not in finding.path} - {""}
    assert set(positions_in_xml(data, shown)) == shown


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_trees())
def test_a_damaged_message_is_judged_alike_in_the_thread_and_in_a_process_and_its_findings_have_places(
    checker: Checker, data: bytes
) -> None:
    judged_alike(checker, data)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_trees())
@pytest.mark.timeout(1_800)
def test_many_damaged_messages_are_judged_and_their_findings_have_places(checker: Checker, data: bytes) -> None:
    assert_places(data, outcome(checker, data)[1])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_message_of_a_published_standard_is_judged_alike_in_the_thread_and_in_a_process(
    published: Checker, building: bytes, data: st.DataObject
) -> None:
    """Code lists, conventions and business rules included."""
    judged_alike(published, data.draw(damaged_trees(building)))


# --- amount --------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes that this process really holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(checker: Checker, count: int) -> int:
    """By how many bytes this process grows over `count` messages, right and wrong ones, XML and JSON."""
    messages = [
        (DOG, XML),
        (DOG.replace(b"2026-10-02", b"gestern"), XML),
        (DOG.replace(b"<F99000000009V1.0.0>", b"<F9>").replace(b"</F99000000009V1.0.0>", b"</F9>"), XML),
        (DOG[:-20], XML),
        (DOG_JSON, JSON),
        (DOG_JSON.replace(b'"001"', b'"x"'), JSON),
    ]
    before = 0
    for number in range(count + count // 4):
        if number == count // 4:  # caches and the allocator have what they need
            gc.collect()
            before = resident()
        outcome(checker, *messages[number % len(messages)])
    gc.collect()
    return resident() - before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat_over_thousands_of_messages(checker: Checker) -> None:
    """A leak of 4 KiB per message would be 40 MiB."""
    assert growth(checker, 10_000) < 16 << 20


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat_over_a_hundred_thousand_messages(checker: Checker) -> None:
    """A leak of 200 bytes per message would be 20 MiB."""
    assert growth(checker, 100_000) < 16 << 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("number", "codes"), [("500", []), ("fünfhundert", ["schema.value"])])
def test_a_message_of_fifty_megabytes_is_judged_to_its_last_line(
    checker: Checker, number: str, codes: list[str]
) -> None:
    # Given a thousand sheets of 50 kB each, one of them wrong
    sheet = "<blatt><nummer>{}</nummer><inhalt>{}</inhalt></blatt>\n"
    sheets = [sheet.format(number if n == 999 else n, "Größe " * 6_500) for n in range(1, 1_000)]
    data = f'<akte.0001 xmlns="urn:beispiel:akte">\n{"".join(sheets)}</akte.0001>'.encode()
    assert 48 << 20 < len(data) <= 50 << 20

    # When it is judged
    verdict, findings = outcome(checker, data)

    # Then like a small one
    assert verdict is (not codes)
    assert [finding.code for finding in findings] == codes
    assert all((finding.path, finding.line) == ("/akte.0001/blatt[999]/nummer", 1_000) for finding in findings)
