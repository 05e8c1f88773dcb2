"""The folder adapter on this machine: what a department finds, and what it never finds."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from lxml import etree

from adapters.base import OutcomeUnknown, Permanent, Previews, Request, RequestAttachment, Retryable, TargetConfig
from adapters.folder import FolderAdapter
from adapters.folder.names import file_names

XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" xmlns="urn:t"
  elementFormDefault="{form}"><xs:element name="Antrag"><xs:complexType><xs:sequence>
  <xs:element name="Art"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="NEU"/></xs:restriction>
  </xs:simpleType></xs:element><xs:element name="Name" type="xs:string" maxOccurs="3"/>
  <xs:element name="Betrag" type="xs:decimal" minOccurs="0"/>
  <xs:element name="Ort" minOccurs="0"><xs:complexType><xs:simpleContent><xs:extension base="xs:string">
  <xs:attribute name="plz" type="xs:int"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
  </xs:sequence><xs:attribute name="version" use="required"/></xs:complexType></xs:element></xs:schema>"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "eingang"
    folder.mkdir()
    (folder / ".ozg-gateway").touch()
    return folder


def adapter(root: Path, *, probe: Any = None, timeout: float = 10.0, **settings: Any) -> FolderAdapter:
    values = {"url": root.as_uri()} | settings
    return FolderAdapter(TargetConfig("t", str(root.parent), values, probe=probe, timeout=timeout))


def attachment(
    name: str = "Plan für Haus.pdf", pieces: Callable[[], Iterator[bytes]] = lambda: iter([b"ab", b"c"])
) -> RequestAttachment:
    return RequestAttachment("a1", name, "application/pdf", 3, "", pieces)


def request(body: Any = None, *, key: str = "k1", repeat: bool = False, **changed: Any) -> Request:
    chosen = {"attachments": [attachment()]} | changed
    return Request(
        key, "s1", body or {"name": "A"}, "hund", "2026-01-02T03:04:05Z", case_id="c1", possible_repeat=repeat, **chosen
    )


def everything(folder: Path) -> set[str]:
    """Files below a folder, but the marker."""
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}
    return found - {".ozg-gateway"}


def failing(code: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise OSError(code, os.strerror(code))

    return pieces


def test_the_department_finds_request_attachments_and_a_manifest_that_keeps_its_schema(root: Path) -> None:
    adapter(root).deliver(request({"name": "Jürgen", "plan": {"$attachment": "a1"}, "betrag": Decimal("12.50")}))
    assert everything(root) == {"k1/request.json", "k1/a1-Plan_fuer_Haus.pdf", "k1/manifest.json"}
    body = (root / "k1/request.json").read_bytes()
    assert json.loads(body) == {"name": "Jürgen", "plan": "a1-Plan_fuer_Haus.pdf", "betrag": 12.5}
    assert (root / "k1/a1-Plan_fuer_Haus.pdf").read_bytes() == b"abc"
    manifest = json.loads((root / "k1/manifest.json").read_bytes())
    schema = json.loads(files("adapters.folder").joinpath("manifest.schema.json").read_text())
    jsonschema_rs.validate(schema, manifest, validate_formats=True)
    assert (manifest["key"], manifest["caseId"], manifest["possibleRepeat"]) == ("k1", "c1", False)
    assert manifest["files"][0]["sha512"] == hashlib.sha512(body).hexdigest()
    assert manifest["files"][1] == {
        "name": "a1-Plan_fuer_Haus.pdf",
        "mediaType": "application/pdf",
        "size": 3,
        "sha512": hashlib.sha512(b"abc").hexdigest(),
        "attachmentId": "a1",
        "originalName": "Plan für Haus.pdf",
    }


def test_others_on_the_machine_cannot_read_what_is_written(root: Path) -> None:
    adapter(root).deliver(request())
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (root / "k1", *(root / "k1").iterdir())]
    assert all(mode & 0o007 == 0 for mode in modes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plan.pdf", "a1-plan.pdf"),
        ("../../etc/passwd", "a1-etc_passwd"),
        ("C:\\Windows\\x.pdf", "a1-C_Windows_x.pdf"),
        ("Größe\x00\n.pdf", "a1-Groesse_.pdf"),
        ("Größe.pdf", "a1-Groesse.pdf"),
        ("Łódź.txt", "a1-odz.txt"),
        (".ready", "a1-ready"),
        ("...", "a1-file"),
        ("x. ", "a1-x"),
        ("n" * 300 + ".pdf", "a1-" + "n" * 96 + ".pdf"),
    ],
)
def test_a_name_of_a_file_is_safe_whatever_the_applicant_called_it(name: str, expected: str) -> None:
    assert file_names([attachment(name)]) == [expected]


def test_names_that_a_windows_share_takes_for_one_are_told_apart() -> None:
    first, second = file_names([attachment("Plan.pdf"), attachment("PLAN.PDF")])
    assert first.casefold() != second.casefold()


@pytest.mark.parametrize("form", ["qualified", "unqualified"])
def test_xml_has_the_order_and_the_namespaces_of_the_schema(root: Path, form: str) -> None:
    (root.parent / "antrag.xsd").write_text(XSD.format(form=form))
    target = adapter(root, format="xml", schema="antrag.xsd")
    ort = {"_value_1": "Dortmund", "plz": 44137}
    target.deliver(request({"Ort": ort, "Betrag": Decimal("12.50"), "Name": ["A", "B"], "Art": "NEU", "version": "1"}))
    written = etree.parse(str(root / "k1/request.xml"))
    assert etree.XMLSchema(etree.parse(str(root.parent / "antrag.xsd"))).validate(written)
    assert [child.text for child in written.getroot()] == ["NEU", "A", "B", "12.50", "Dortmund"]
    fields = {field.path: field for field in target.required_fields() or ()}
    assert (fields["Art"].required, fields["Art"].allowed, fields["Name"].repeated) == (True, ("NEU",), True)
    assert fields["version"].required
    assert not fields["Betrag"].required


@pytest.mark.parametrize(
    "body",
    [
        {"Art": "ALT", "Name": "A", "version": "1"},
        {"Art": "NEU", "version": "1"},
        {"Art": "NEU", "Name": "A"},
        {"Art": "NEU", "Name": "A", "version": "1", "Nmae": "B"},
        {"Art": "NEU", "Name": "A\x01", "version": "1"},
    ],
)
def test_xml_that_does_not_fit_is_not_written(root: Path, body: Any) -> None:
    (root.parent / "antrag.xsd").write_text(XSD.format(form="qualified"))
    with pytest.raises(Permanent) as caught:
        adapter(root, format="xml", schema="antrag.xsd").deliver(request(body))
    assert (caught.value.failure, caught.value.code) == ("mapping", "folder.request_invalid")
    assert everything(root) == set()


def test_nobody_sees_a_folder_before_it_is_whole(root: Path) -> None:
    seen: list[bool] = []

    def pieces() -> Iterator[bytes]:
        yield b"ab"
        seen.append((root / "k1").exists())

    adapter(root).deliver(request(attachments=[attachment(pieces=pieces)]))
    assert seen == [False]
    assert (root / "k1").is_dir()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errno.ENOSPC, "folder.full"),
        (errno.EDQUOT, "folder.full"),
        (errno.EACCES, "folder.not_allowed"),
        (errno.EROFS, "folder.not_allowed"),
        (errno.EIO, "folder.unreachable"),
    ],
)
def test_what_fails_while_writing_leaves_nothing_and_is_tried_again(root: Path, error: int, code: str) -> None:
    with pytest.raises(Retryable) as caught:
        adapter(root).deliver(request(attachments=[attachment(pieces=failing(error))]))
    assert (caught.value.failure, caught.value.code) == ("unavailable", code)
    assert everything(root) == set()
    assert not adapter(root).deliver(request()).already_there


def test_what_a_crash_left_of_an_attempt_goes_with_the_next_and_only_of_that_key(root: Path) -> None:
    for name in ("k1.0123", "k10.0123"):
        (root / ".ozg-part" / name).mkdir(parents=True)
        (root / ".ozg-part" / name / "request.json").write_text("{")
    adapter(root).deliver(request(attachments=[]))
    assert everything(root) == {"k1/request.json", "k1/manifest.json", ".ozg-part/k10.0123/request.json"}


def test_a_share_that_is_not_mounted_gets_nothing(root: Path) -> None:
    (root / ".ozg-gateway").unlink()
    for action in (lambda: adapter(root).deliver(request()), adapter(root).ping):
        with pytest.raises(Retryable) as caught:
            action()
        assert (caught.value.failure, caught.value.code) == ("unavailable", "folder.no_marker")
    assert list(root.iterdir()) == []
    root.rmdir()
    with pytest.raises(Retryable) as caught:
        adapter(root).deliver(request())
    assert caught.value.code == "folder.unreachable"


def test_a_ping_writes_and_leaves_nothing(root: Path) -> None:
    adapter(root).ping()
    assert everything(root) == set()
    assert list((root / ".ozg-part").iterdir()) == []


def test_the_same_key_with_the_same_files_is_success_wherever_the_department_moved_it(root: Path) -> None:
    target = adapter(root, probe={"done": ["archiv/*/{key}-fertig"]})
    target.deliver(request())
    before = (root / "k1/manifest.json").read_bytes()
    assert target.deliver(request(repeat=True)).already_there
    assert (root / "k1/manifest.json").read_bytes() == before
    (root / "archiv/2026").mkdir(parents=True)
    (root / "k1").rename(root / "archiv/2026/k1-fertig")
    assert target.deliver(request(repeat=True)).already_there
    assert not (root / "k1").exists()


@pytest.mark.parametrize(
    "other",
    [
        request({"name": "B"}),
        request(attachments=[attachment(pieces=lambda: iter([b"abd"]))]),
        request(attachments=[]),
    ],
    ids=["body", "attachment", "no attachment"],
)
def test_the_same_key_with_other_files_is_a_contract_error_and_overwrites_nothing(root: Path, other: Request) -> None:
    adapter(root).deliver(request())
    before = {name: (root / name).read_bytes() for name in everything(root)}
    with pytest.raises(Permanent) as caught:
        adapter(root).deliver(other)
    assert (caught.value.failure, caught.value.code) == ("contract", "folder.key_reused")
    assert {name: (root / name).read_bytes() for name in everything(root)} == before


def test_a_key_that_could_lead_elsewhere_is_refused(root: Path) -> None:
    for key in ("../k1", "a/b", ".ozg-part", "", "k" * 101, "k1.ok"):
        with pytest.raises(Permanent) as caught:
            adapter(root).deliver(request(key=key))
        assert caught.value.code == "folder.key_unsafe"
    assert everything(root) == set()


@pytest.mark.parametrize("name", ["k1", ".ozg-part"])
def test_a_link_in_the_folder_leads_nowhere(root: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises((Permanent, Retryable)):
        adapter(root).deliver(request())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_probe_follows_no_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/k1").mkdir(parents=True)
    (tmp_path / "secret.json").write_text('{"az": "1"}')
    (root / "erledigt").symlink_to(tmp_path / "elsewhere")
    (root / "k1.json").symlink_to(tmp_path / "secret.json")
    receipt = {"glob": "{key}*.json", "references": {"az": "$.az"}}
    assert adapter(root, probe={"done": ["erledigt/{key}"], "receipt": receipt}).probe("k1") is None


def test_a_probe_finds_it_in_its_place_or_where_the_department_moves_it(root: Path) -> None:
    target = adapter(root, probe={"done": ["erledigt/{key}"]})
    assert target.probe("k1") is None
    target.deliver(request())
    found = target.probe("k1")
    assert found is not None
    assert found.already_there
    (root / "erledigt").mkdir()
    (root / "k1").rename(root / "erledigt/k1")
    assert target.probe("k1") is not None
    assert target.probe("k") is None


def test_without_a_word_on_what_becomes_of_folders_a_probe_says_nothing(root: Path) -> None:
    with pytest.raises(Permanent) as caught:
        adapter(root).probe("k1")
    assert caught.value.code == "probe.unsupported"


@pytest.mark.parametrize(
    ("name", "content", "references"),
    [
        ("k1-antwort.json", '{"akte": {"az": "12/3"}}', {"az": "12/3"}),
        ("k1-antwort.xml", '<a xmlns="urn:a"><akte><az>12/3</az></akte></a>', {"az": "12/3"}),
        ("k1.json", "{", {}),
    ],
)
def test_a_probe_reads_what_the_department_wrote_back(root: Path, name: str, content: str, references: Any) -> None:
    receipt = {"glob": "antwort/{key}*", "references": {"az": "$.akte.az"}}
    target = adapter(root, probe={"receipt": receipt})
    (root / "antwort").mkdir()
    (root / "antwort" / name).write_text(content)
    found = target.probe("k1")
    assert found is not None
    assert (found.references, found.evidence, found.already_there) == (references, content.encode(), True)


def test_a_folder_is_announced_once_however_often_an_attempt_comes_back(root: Path) -> None:
    target = adapter(root, ready=".ok", probe={})
    target.deliver(request())
    assert (root / "k1.ok").read_bytes() == b""
    assert target.probe("k1") is not None
    (root / "k1.ok").unlink()  # the department has taken it, and still works on the folder
    assert target.deliver(request(repeat=True)).already_there
    assert not (root / "k1.ok").exists()


def test_a_folder_that_a_crash_left_unannounced_is_announced_by_the_next_attempt(root: Path) -> None:
    target = adapter(root, ready=".ok", probe={})
    target.deliver(request())
    (root / "k1.ok").rename(root / "k1/.ready")  # as it is between the two moves
    assert target.probe("k1") is None
    assert target.deliver(request(repeat=True)).already_there
    assert (root / "k1.ok").exists()
    assert not (root / "k1/.ready").exists()


def test_a_move_of_which_the_share_does_not_say_whether_it_was_done_is_unknown(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def done_and_lost(*args: Any, **named: Any) -> None:
        rename(*args, **named)
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "rename", done_and_lost)
    target = adapter(root, probe={})
    with pytest.raises(OutcomeUnknown):
        target.deliver(request())
    assert target.probe("k1") is not None


def test_an_attempt_whose_time_is_over_ends_and_leaves_nothing(root: Path) -> None:
    with pytest.raises(Retryable) as caught:
        adapter(root, timeout=0.0).deliver(request())
    assert caught.value.code == "folder.too_slow"
    assert everything(root) == set()


def test_a_preview_shows_what_is_written_and_writes_nothing(root: Path) -> None:
    target = adapter(root)
    assert isinstance(target, Previews)
    shown = target.preview(request(repeat=True))
    assert everything(root) == set()
    assert (shown.action, shown.address) == ("write", f"{root.as_uri()}/k1/request.json")
    assert set(shown.headers) == {"request.json", "a1-Plan_fuer_Haus.pdf", "manifest.json"}
    target.deliver(request(repeat=True))
    assert (root / "k1/request.json").read_bytes() == shown.body


@pytest.mark.parametrize(
    ("settings", "probe", "named"),
    [
        ({"url": "/mnt/eingang"}, None, "url"),
        ({"url": "file://server/eingang"}, None, "url"),
        ({"url": "sftp://amt:geheim@host/eingang"}, None, "url"),
        ({"url": "sftp://host/eingang"}, None, "url"),
        ({"url": "file:///mnt/../etc"}, None, "url"),
        ({"url": "sftp://amt@host/eingang", "password": "x"}, None, "host_keys"),
        ({"url": "sftp://amt@host/eingang", "host_keys": ["ssh-ed25519 AAAA"], "password": "x"}, None, "host_keys"),
        ({"url": "sftp://amt@host/eingang", "host_keys": []}, None, "password"),
        ({"marker": "../x"}, None, "marker"),
        ({"marker": ".."}, None, "marker"),
        ({"ready": "ok"}, None, "ready"),
        ({"format": "xml"}, None, "schema"),
        ({"schema": "none.json"}, None, "schema"),
        ({"formt": "xml"}, None, "formt"),
        ({}, {"done": ["../{key}"]}, "probe.done.0"),
        ({}, {"done": ["erledigt"]}, "probe.done.0"),
        ({}, {"receipt": {"glob": "/tmp/{key}"}}, "probe.receipt.glob"),
    ],
)
def test_check_names_the_setting_that_is_wrong(root: Path, settings: Any, probe: Any, named: str) -> None:
    target = adapter(root, probe=probe, **settings)
    findings = target.check()
    assert named in {finding.found for finding in findings}
    assert all(finding.text.de and finding.text.en and "geheim" not in str(finding) for finding in findings)
    with pytest.raises(Permanent):
        target.deliver(request())
    assert everything(root) == set()
