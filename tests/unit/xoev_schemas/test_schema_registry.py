"""Importing standards, and finding what is installed."""

from __future__ import annotations

import io
import socket
import zipfile
from pathlib import Path

import pytest
from muster_standard import FIM_XSD, MUSTER, write

from xoev_schemas.documents import parse
from xoev_schemas.registry import ImportRefused, Registry, RegistryDamaged


def zipped(path: Path, entries: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def codes(refusal: pytest.ExceptionInfo[ImportRefused]) -> set[str]:
    return {finding.code for finding in refusal.value.findings}


def test_a_missing_folder_is_an_empty_registry(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "none")

    assert registry.standards() == []
    assert registry.find("xoev:xbau/2.6") is None
    assert registry.recognise(parse(b"<r/>", "text/xml")) is None
    assert not (tmp_path / "none").exists()


def test_a_folder_without_a_root_schema_becomes_one_standard(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")

    [standard] = registry.import_path(muster).standards

    assert standard.ref == "xoev:xmuster/1.0"
    assert standard.title == "Musterstandard"
    assert standard.publisher == "beispiel"
    assert standard.messages == ["antrag.neu.0001", "antrag.zurueck.0002"]
    assert standard.schema_uris == ["urn:muster", "urn:xoev-de:beispiel:standard:xmuster_1.0"]
    assert set(MUSTER) - {"catalog.xml"} < set(standard.files)


def test_published_files_are_stored_as_they_are(tmp_path: Path, muster: Path, fim: Path) -> None:
    registry = Registry(tmp_path / "home")
    [standard] = registry.import_path(muster).standards
    registry.import_path(fim)

    stored = tmp_path / "home" / standard.folder / "xmuster-baukasten.xsd"
    assert stored.read_bytes() == (muster / "xmuster-baukasten.xsd").read_bytes()
    assert (tmp_path / "home/fim-S99000000001V1.0.0/versioned.xsd").read_text() == FIM_XSD


def test_importing_again_changes_nothing(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    first = registry.import_path(muster).standards
    lock = (tmp_path / "home/schemas.lock").stat().st_mtime_ns

    assert registry.import_path(muster).standards == first
    assert Registry(tmp_path / "home").import_path(muster).standards == first
    assert (tmp_path / "home/schemas.lock").stat().st_mtime_ns == lock


def test_another_process_sees_what_was_imported(tmp_path: Path, muster: Path) -> None:
    installed = Registry(tmp_path / "home").import_path(muster).standards

    assert Registry(tmp_path / "home").standards() == installed


def test_other_content_of_an_installed_version_is_refused_until_its_folder_is_deleted(
    tmp_path: Path, muster: Path
) -> None:
    registry = Registry(tmp_path / "home")
    [standard] = registry.import_path(muster).standards
    baukasten = muster / "xmuster-baukasten.xsd"
    baukasten.write_text(baukasten.read_text().replace('maxLength value="10"', 'maxLength value="20"'))

    with pytest.raises(ImportRefused) as refusal:
        registry.import_path(muster)
    assert codes(refusal) == {"schemas.already_installed"}

    for file in sorted((tmp_path / "home" / standard.folder).rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (tmp_path / "home" / standard.folder).rmdir()
    assert registry.import_path(muster).standards[0].files != standard.files


def test_nothing_touches_the_network(tmp_path: Path, muster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("somebody opened a socket")

    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    registry = Registry(tmp_path / "home")
    registry.import_path(muster)
    ref = registry.find("xoev:xmuster/1.0#antrag.neu.0001")
    assert ref
    assert registry.model(ref).children(())

    (muster / "catalog.xml").unlink()
    with pytest.raises(ImportRefused):
        Registry(tmp_path / "other").import_path(muster)


def test_an_import_that_leads_nowhere_is_refused_with_the_address(tmp_path: Path, muster: Path) -> None:
    # libxml2 only warns here, and accepts everything of the missing namespace
    (muster / "catalog.xml").unlink()

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(muster)

    assert codes(refusal) == {"schemas.import_unresolved"}
    assert "https://example.org/component.xsd" in refusal.value.findings[0].text.en
    assert refusal.value.findings[0].path == "xmuster-nachrichten-a.xsd"
    assert not (tmp_path / "home/schemas.lock").exists()


def test_a_missing_included_file_is_refused(tmp_path: Path, muster: Path) -> None:
    (muster / "xmuster-baukasten.xsd").unlink()

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(muster)

    assert codes(refusal) == {"schemas.import_unresolved"}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("<xs:schema", "schemas.not_well_formed"),
        (MUSTER["xmuster-nachrichten-b.xsd"].replace("m:Baum", "m:Strauch"), "schemas.not_compiled"),
    ],
)
def test_what_does_not_compile_is_refused_as_a_whole(tmp_path: Path, muster: Path, broken: str, code: str) -> None:
    (muster / "xmuster-nachrichten-b.xsd").write_text(broken)

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(muster)

    assert code in codes(refusal)
    assert Registry(tmp_path / "home").standards() == []


def test_a_file_outside_the_imported_folder_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"secret.xsd": MUSTER["xmuster-baukasten.xsd"]})
    inside = write(
        tmp_path / "in",
        {"a.xsd": MUSTER["xmuster-nachrichten-b.xsd"].replace("xmuster-baukasten.xsd", "../secret.xsd")},
    )

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(inside)

    assert codes(refusal) == {"schemas.import_unresolved"}


def test_a_sub_folder_is_imported_with_the_catalog_above_it(tmp_path: Path, muster: Path) -> None:
    (muster / "std").mkdir()
    for file in muster.glob("xmuster*.xsd"):
        file.rename(muster / "std" / file.name)

    [standard] = Registry(tmp_path / "home").import_path(muster / "std").standards

    assert standard.catalog == {"https://example.org/component.xsd": "parts/component.xsd"}
    assert {"std/xmuster-baukasten.xsd", "parts/component.xsd"} < set(standard.files)


def test_an_archive_is_imported_like_its_folder(tmp_path: Path, muster: Path) -> None:
    archive = zipped(tmp_path / "m.zip", {f"top/{name}": content for name, content in MUSTER.items()})

    from_archive = Registry(tmp_path / "one").import_path(archive).standards

    assert from_archive == Registry(tmp_path / "two").import_path(muster).standards


@pytest.mark.parametrize("name", ["../a.xsd", "/tmp/a.xsd", "x/../../a.xsd", "C:\\a.xsd", "..\\a.xsd"])
def test_an_archive_that_points_out_of_itself_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(zipped(tmp_path / "x.zip", {name: FIM_XSD}))

    assert codes(refusal) == {"schemas.archive"}


def test_an_archive_that_unpacks_to_a_multiple_of_itself_is_refused(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "x.zip", {"a.xsd": b" " * 30_000_000})
    assert bomb.stat().st_size < 100_000

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(bomb)

    assert codes(refusal) == {"schemas.archive"}


def test_every_hostile_archive_is_refused_cleanly(tmp_path: Path, test_data: Path) -> None:
    archives = sorted((test_data / "hostile/zip").rglob("*.zip"))
    assert len(archives) > 20

    for archive in archives:
        with pytest.raises(ImportRefused):
            Registry(tmp_path / "home").import_path(archive)


def test_a_truncated_archive_is_refused_cleanly(tmp_path: Path) -> None:
    buffer = io.BytesIO(zipped(tmp_path / "m.zip", dict(MUSTER)).read_bytes())
    data = bytearray(buffer.getvalue())
    data[60:90] = b"\0" * 30
    (tmp_path / "t.zip").write_bytes(data)

    with pytest.raises(ImportRefused):
        Registry(tmp_path / "home").import_path(tmp_path / "t.zip")


@pytest.mark.parametrize("name", ["nothing.txt", "missing", "empty"])
def test_what_is_no_standard_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing.txt").write_text("x")
    (tmp_path / "empty").mkdir()

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(tmp_path / name)

    assert refusal.value.findings[0].remedy.de


def test_a_file_that_was_changed_afterwards_is_never_used(tmp_path: Path, fim: Path) -> None:
    Registry(tmp_path / "home").import_path(fim)
    stored = tmp_path / "home/fim-S99000000001V1.0.0/versioned.xsd"
    stored.write_text(stored.read_text().replace("{2,9}", "{2,99}"))
    registry = Registry(tmp_path / "home")
    ref = registry.find("fim:S99000000001V1.0.0")
    assert ref

    with pytest.raises(RegistryDamaged):
        registry.validate(parse(b'<S99000000001V1.0.0 xmlns="urn:fim-de:xfall:datenschema:xdf3"/>', "text/xml"), ref)


def test_a_damaged_lock_is_said_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "schemas.lock").write_text('{"format": 1, "standards": {"x": {}}}')

    with pytest.raises(RegistryDamaged):
        Registry(tmp_path)


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "fim:S99000000001V1.0.0",
        "https://schema.fitko.de/fim/s99000000001_1.0.0.schema.json",
        "https://schema.fitko.de/fim/s99000000001_1.0.0.xfall.xsd",
        "urn:fim-de:xfall:xdf3:S99000000001V1.0.0",
        "S99000000001V1.0.0.xfall.xsd",
    ],
)
def test_every_name_of_a_fim_schema_finds_it(registry: Registry, name: str) -> None:
    ref = registry.find(name)

    assert ref
    assert ref.standard == "fim:S99000000001V1.0.0"
    assert ref.media_types == ("application/xml", "text/xml", "application/json")
    assert ref == registry.find("fim:S99000000001V1.0.0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xoev:xmuster/1.0", ""),
        ("urn:muster", ""),
        ("urn:xoev-de:beispiel:standard:xmuster_1.0", ""),
        ("xoev:xmuster/1.0#antrag.neu.0001", "antrag.neu.0001"),
        ("urn:muster#antrag.zurueck.0002", "antrag.zurueck.0002"),
    ],
)
def test_every_name_of_an_xoev_message_finds_it(registry: Registry, name: str, message: str) -> None:
    ref = registry.find(name)

    assert ref
    assert (ref.standard, ref.message) == ("xoev:xmuster/1.0", message)


@pytest.mark.parametrize(
    "name",
    [
        "fim:S99000000001V1.0.1",
        "fim:S99000000001V1.0",
        "https://schema.fitko.de/fim/s99000000002_1.0.0.schema.json",
        "urn:fim-de:xfall:datenschema:xdf3",
        "xoev:xmuster/1.1",
        "xoev:xmuster/1.0#antrag.neu.0009",
        "URN:MUSTER",
        "",
    ],
)
def test_what_is_not_installed_is_not_found(registry: Registry, name: str) -> None:
    assert registry.find(name) is None


def test_documents_say_what_they_are(registry: Registry) -> None:
    def recognised(data: bytes, media_type: str) -> str | None:
        ref = registry.recognise(parse(data, media_type))
        return f"{ref.standard}#{ref.message}" if ref else None

    assert (
        recognised(b'<antrag.zurueck.0002 xmlns="urn:muster"/>', "text/xml") == "xoev:xmuster/1.0#antrag.zurueck.0002"
    )
    assert recognised(b'<ast xmlns="urn:muster"/>', "text/xml") is None
    assert recognised(b'<antrag.zurueck.0002 xmlns="urn:other"/>', "text/xml") is None
    fim = "fim:S99000000001V1.0.0#S99000000001V1.0.0"
    assert recognised(b'<S99000000001V1.0.0 xmlns="urn:fim-de:xfall:datenschema:xdf3"/>', "text/xml") == fim
    assert recognised(b'{"F60000000242V1.0.0": "a@b.de"}', "application/json") == fim
    assert recognised(b'{"other": 1}', "application/json") is None
    assert recognised(b"[]", "application/json") is None


# --- the real ones -------------------------------------------------------------------------------------------------


def test_the_published_collection_imports_whole(real: Registry) -> None:
    standards = {standard.ref: standard for standard in real.standards()}

    assert len(standards["xoev:xbau/2.6"].messages) == 139
    assert {"xoev:xbau-kernmodul/1.3.0", "xoev:xdomea/3.1.0", "xoev:xschule/1.2", "fim:S07000000248V1.2.0"} < set(
        standards
    )
    assert len([ref for ref in standards if ref.startswith("fim:")]) == 12


def test_xbau_alone_is_the_same_standard_as_in_the_collection(real: Registry, test_data: Path, tmp_path: Path) -> None:
    [alone] = Registry(tmp_path).import_path(test_data / "xoev/xbau-2.6").standards

    assert alone == next(standard for standard in real.standards() if standard.ref == "xoev:xbau/2.6")


def test_one_fim_id_in_four_files_is_one_standard(real: Registry) -> None:
    standard = next(standard for standard in real.standards() if standard.ref == "fim:S00000000364V1.0.0")

    assert sorted(standard.files) == ["plain.schema.json", "plain.xsd", "versioned.schema.json", "versioned.xsd"]
    assert standard.messages == ["S00000000364V1.0.0"]
