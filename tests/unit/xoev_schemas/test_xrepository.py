"""Getting standards and code lists from a local server that behaves like the XRepository's interface.

It knows files by their ids only, answers metadata as JSON where that is asked for, and says why something is not there
in the words of the original.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from muster_standard import MUSTER
from test_package_manager import LIST, RULES

from xoev_schemas.registry import Registry
from xoev_schemas.xrepository import NotFetched, XRepository

STANDARD = "urn:xoev-de:beispiel:standard:xmuster"
VERSION = f"{STANDARD}_1.0"
LIST_URN = "urn:beispiel:codeliste:art"


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def document(category: str, name: str, *files: str) -> dict[str, Any]:
    return {
        "dokumentenkategorie": category,
        "kennung": f"{VERSION}:{category.lower()}",
        "name": name,
        "datei": [{"kennung": file, "mimeType": "application/octet-stream"} for file in files],
    }


class Place:
    """What the server has. metadata: URN → answer. files: id → bytes. absent: id → `fehler`. seen: paths asked for."""

    def __init__(self) -> None:
        published = dict(MUSTER)
        published["xmuster-nachrichten-a.xsd"] = published["xmuster-nachrichten-a.xsd"].replace("parts/", "")
        self.metadata: dict[str, Any] = {
            STANDARD: {"kennung": STANDARD, "version": None, "alleVersionsKennungen": [VERSION], "dokumente": []},
            VERSION: {
                "kennung": VERSION,
                "version": "1.0",
                "alleVersionsKennungen": [VERSION],
                "dokumente": [
                    document("XSD", "XSD-Schemata", f"{VERSION}:xmlschema:datei:xsd.zip"),
                    document("XSD", "XSD-Schemata (dev)", f"{VERSION}:xmlschema:datei:xsd_dev.zip"),
                    document("SPEZIFIKATION", "Handbuch", f"{VERSION}:spezifikation:datei:xmuster.pdf"),
                    document(
                        "WEITERER_TECHNISCHER_BESTANDTEIL", "Schematron-Regeln", f"{VERSION}:weitere:datei:regeln.zip"
                    ),
                ],
                "referenzen": [
                    {"typ": "VERSION_CODELISTE", "kennung": f"{LIST_URN}_2", "version": "2"},
                    {"typ": "CODELISTE", "kennung": "urn:beispiel:codeliste:platzhalter", "version": None},
                    {"typ": "VERSION_STANDARD", "kennung": "urn:xoev-de:beispiel:standard:anderer_1", "version": "1"},
                ],
            },
            LIST_URN: {"kennung": LIST_URN, "alleVersionsKennungen": [f"{LIST_URN}_2", f"{LIST_URN}_1"]},
            f"{LIST_URN}_2": {"kennung": f"{LIST_URN}_2", "alleVersionsKennungen": [f"{LIST_URN}_2", f"{LIST_URN}_1"]},
            "urn:beispiel:codeliste:platzhalter": {
                "kennung": "urn:beispiel:codeliste:platzhalter",
                "alleVersionsKennungen": ["urn:beispiel:codeliste:platzhalter_1"],
            },
        }
        self.files = {
            f"{VERSION}:xmlschema:datei:xsd.zip": zipped({"a.xsd": "<not-the-one-to-take/>"}),
            f"{VERSION}:xmlschema:datei:xsd_dev.zip": zipped(published),
            f"{VERSION}:weitere:datei:regeln.zip": zipped({"muster.sch": RULES}),
            f"{LIST_URN}_2:technischerBestandteilGenericode": LIST.encode(),
            f"{LIST_URN}_1:technischerBestandteilGenericode": LIST.replace(">2<", ">1<").replace("_2<", "_1<").encode(),
        }
        self.absent = {
            "urn:beispiel:codeliste:platzhalter_1:technischerBestandteilGenericode": "NUR PLATZHALTER GEFUNDEN"
        }
        self.seen: list[str] = []
        self.broken = 0  # connections to cut before answering again

    def answer(self, path: str, accept: str | None) -> tuple[int, bytes]:
        self.seen.append(path)
        urn, _, what = path.rpartition("/")
        if what == "metadaten" and urn in self.metadata:
            return (200, json.dumps(self.metadata[urn]).encode()) if accept == "application/json" else (200, b"<xml/>")
        if path in self.files:
            return 200, self.files[path]
        return 404, json.dumps({"fehler": self.absent.get(path, "NICHT GEFUNDEN")}).encode()


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def url(place: Place) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if place.broken:
                place.broken -= 1
                self.connection.close()
                return
            prefix = "/api/xrepository/"
            assert self.path.startswith(prefix)
            status, body = place.answer(unquote(self.path.removeprefix(prefix)), self.headers["Accept"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/xrepository"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_standard_comes_with_its_rules_and_code_lists(tmp_path: Path, url: str) -> None:
    told: list[str] = []
    with XRepository(url) as xrepository:
        fetched = xrepository.fetch(VERSION, tmp_path / "new", progress=told.append)
    registry = Registry(tmp_path / "home")
    imported = registry.import_path(tmp_path / "new")

    assert [s.ref for s in imported.standards] == ["xoev:xmuster/1.0"]
    assert imported.standards[0].schematron
    assert [(one.uri, one.version) for one in imported.lists] == [(LIST_URN, "2")]
    assert fetched.absent == {"urn:beispiel:codeliste:platzhalter_1": "only a placeholder: reserved, not published"}
    assert f"{VERSION}:xmlschema:datei:xsd_dev.zip" in told


def test_of_two_published_forms_the_one_with_relative_imports_is_taken(tmp_path: Path, url: str, place: Place) -> None:
    with XRepository(url) as xrepository:
        xrepository.fetch(VERSION, tmp_path / "new", code_lists=False)

    assert place.seen == [
        f"{VERSION}/metadaten",
        f"{VERSION}:xmlschema:datei:xsd_dev.zip",
        f"{VERSION}:weitere:datei:regeln.zip",
    ]


@pytest.mark.parametrize(("urn", "versions"), [(f"{LIST_URN}_2", {"2"}), (LIST_URN, {"1", "2"})])
def test_a_code_list_comes_in_the_version_named_or_in_all(
    tmp_path: Path, url: str, urn: str, versions: set[str]
) -> None:
    with XRepository(url) as xrepository:
        xrepository.fetch(urn, tmp_path / "new")

    assert {one.version for one in Registry(tmp_path / "home").import_path(tmp_path / "new").lists} == versions


@pytest.mark.parametrize(
    ("urn", "sentence", "remedy"),
    [
        (STANDARD, "names no version", VERSION),
        (f"{STANDARD}_9", "NICHT GEFUNDEN", "URN"),
        ("urn:beispiel:codeliste:platzhalter", "placeholder", "publisher"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(
    tmp_path: Path, url: str, urn: str, sentence: str, remedy: str
) -> None:
    with XRepository(url) as xrepository, pytest.raises(NotFetched) as refusal:
        xrepository.fetch(urn, tmp_path / "new")

    assert sentence in str(refusal.value)
    assert remedy in refusal.value.remedy


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path, url: str, place: Place) -> None:
    place.broken = 1
    with XRepository(url) as xrepository:
        assert xrepository.fetch(f"{LIST_URN}_2", tmp_path / "new").files


def test_a_place_that_is_away_is_said_without_a_traceback(tmp_path: Path, url: str, place: Place) -> None:
    place.broken = 99
    with XRepository(url) as xrepository, pytest.raises(NotFetched, match=r"127\.0\.0\.1 could not be reached"):
        xrepository.fetch(VERSION, tmp_path / "new")


def test_an_address_that_is_no_xrepository_is_said(tmp_path: Path, url: str, place: Place) -> None:
    place.metadata[VERSION] = "hello"
    with XRepository(url) as xrepository, pytest.raises(NotFetched, match="something else than metadata"):
        xrepository.fetch(VERSION, tmp_path / "new")


def test_a_file_id_never_becomes_a_path(tmp_path: Path, url: str, place: Place) -> None:
    evil = f"{VERSION}:xmlschema:datei:../../../evil.xsd"
    place.metadata[VERSION]["dokumente"] = [document("XSD", "x", evil)]
    place.files[evil] = b"<x/>"
    with XRepository(url) as xrepository:
        xrepository.fetch(VERSION, tmp_path / "a/b/new", code_lists=False)

    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.xsd")] == ["a/b/new/xsd/evil.xsd"]
