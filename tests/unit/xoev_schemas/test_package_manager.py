"""Standards as packages: variants side by side, imports among installed ones, rules, code lists, FIM, taking away."""

from __future__ import annotations

from pathlib import Path

import pytest
from muster_standard import METADATA, MUSTER, write

from xoev_schemas.documents import parse
from xoev_schemas.registry import ImportRefused, Registry

STRICT = MUSTER["xmuster-baukasten.xsd"].replace('maxLength value="10"', 'maxLength value="5"')

RULES = """<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">
  <sch:ns prefix="m" uri="urn:muster"/>
  <sch:pattern><sch:rule context="m:name">
    <sch:assert id="M-1" test="string-length(.) gt 1">Ein Name hat mehr als einen Buchstaben.</sch:assert>
  </sch:rule></sch:pattern></sch:schema>"""

LIST = """<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/">
  <Identification><ShortName>arten</ShortName><LongName>Arten</LongName><Version>2</Version>
    <CanonicalUri>urn:beispiel:codeliste:art</CanonicalUri>
    <CanonicalVersionUri>urn:beispiel:codeliste:art_2</CanonicalVersionUri></Identification>
  <ColumnSet><Column Id="code" Use="required"><ShortName>code</ShortName><Data Type="string"/></Column>
    <Column Id="name" Use="optional"><ShortName>name</ShortName><Data Type="string"/></Column>
    <Key Id="k"><ShortName>k</ShortName><ColumnRef Ref="code"/></Key></ColumnSet>
  <SimpleCodeList><Row><Value ColumnRef="code"><SimpleValue>01</SimpleValue></Value>
    <Value ColumnRef="name"><SimpleValue>neu</SimpleValue></Value></Row></SimpleCodeList></gc:CodeList>"""


def codes(refusal: pytest.ExceptionInfo[ImportRefused]) -> set[str]:
    return {finding.code for finding in refusal.value.findings}


def message(name: str) -> bytes:
    return (
        f'<antrag.neu.0001 xmlns="urn:muster"><name>{name}</name><geburt>2000-01-01</geburt><ja>true</ja>'
        "</antrag.neu.0001>"
    ).encode()


# --- variants ------------------------------------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A folder with the standard and a second set for the same messages, which allows less."""
    write(tmp_path / "all/xmuster-1.0", MUSTER)
    write(tmp_path / "all/xmuster-1.0-streng", {**MUSTER, "xmuster-baukasten.xsd": STRICT})
    return tmp_path / "all"


def test_two_sets_for_the_same_messages_stand_side_by_side(tmp_path: Path, both: Path) -> None:
    imported = Registry(tmp_path / "home").import_path(both)

    assert [(s.ref, s.variant) for s in imported.standards] == [
        ("xoev:xmuster/1.0", ""),
        ("xoev:xmuster/1.0-streng", "streng"),
    ]


def test_the_normative_set_decides_unless_the_other_is_named(tmp_path: Path, both: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(both)
    document = parse(message("Friederike"), "text/xml")

    recognised = registry.recognise(document)
    by_namespace = registry.find("urn:muster#antrag.neu.0001")
    named = registry.find("xoev:xmuster/1.0-streng#antrag.neu.0001")

    assert recognised
    assert by_namespace
    assert named
    assert recognised == by_namespace
    assert registry.validate(document, recognised).valid is True
    assert registry.validate(document, named).valid is False


def test_a_set_is_named_at_import_where_its_folder_says_nothing(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(muster)
    (muster / "xmuster-baukasten.xsd").write_text(STRICT)

    with pytest.raises(ImportRefused) as refusal:
        registry.import_path(muster)
    [standard] = registry.import_path(muster, variant="streng").standards

    assert "--variant" in refusal.value.findings[0].remedy.en
    assert standard.ref == "xoev:xmuster/1.0-streng"


def test_two_sets_that_nothing_tells_apart_are_refused_with_both_places(tmp_path: Path) -> None:
    write(tmp_path / "all/a", MUSTER)
    write(tmp_path / "all/b", {**MUSTER, "xmuster-baukasten.xsd": STRICT})

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(tmp_path / "all")

    assert codes(refusal) == {"schemas.twice"}
    assert "'a'" in refusal.value.findings[0].text.en
    assert "'b'" in refusal.value.findings[0].text.en


# --- imports among what is installed -------------------------------------------------------------------------------


@pytest.fixture
def component(tmp_path: Path) -> Path:
    """The component that the standard imports, as a standard of its own."""
    text = MUSTER["parts/component.xsd"].replace(
        "<xs:simpleType", METADATA.replace("xmuster", "xteile") + '<xs:element name="teil.0001"/><xs:simpleType', 1
    )
    return write(tmp_path / "component", {"teile.xsd": text})


def test_an_import_is_resolved_by_its_namespace_among_what_is_installed(
    tmp_path: Path, muster: Path, component: Path
) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(component)
    (muster / "catalog.xml").unlink()
    (muster / "parts/component.xsd").unlink()

    [standard] = registry.import_path(muster).standards

    assert standard.catalog == {"https://example.org/component.xsd": "installed/xoev-xteile-1.0/teile.xsd"}
    ref = Registry(tmp_path / "home").find("xoev:xmuster/1.0")
    assert ref
    wrong = message("Ute").replace(b"<ja>", b"<art>3</art><ja>")
    assert [f.code for f in registry.validate(parse(wrong, "text/xml"), ref).findings] == ["schema.enumeration"]


def test_a_standard_stays_whole_when_its_neighbour_goes(tmp_path: Path, muster: Path, component: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(component)
    (muster / "catalog.xml").unlink()
    registry.import_path(muster)

    registry.remove("xoev:xteile/1.0")

    fresh = Registry(tmp_path / "home")
    ref = fresh.find("xoev:xmuster/1.0")
    assert ref
    assert fresh.validate(parse(message("Ute"), "text/xml"), ref).valid is True


def test_an_import_that_names_only_a_namespace_is_resolved_beside_the_file(tmp_path: Path) -> None:
    files = {
        **MUSTER,
        "xmuster-nachrichten-a.xsd": MUSTER["xmuster-nachrichten-a.xsd"].replace(
            ' schemaLocation="https://example.org/component.xsd"', ""
        ),
        "component.xsd": MUSTER["parts/component.xsd"],
    }

    [standard] = Registry(tmp_path / "home").import_path(write(tmp_path / "in", files)).standards

    assert "component.xsd" in standard.files


# --- Schematron ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["rules.sch", "schematron/rules.sch"])
def test_rules_beside_or_below_the_schemas_belong_to_the_standard(tmp_path: Path, muster: Path, place: str) -> None:
    write(muster, {place: RULES})
    registry = Registry(tmp_path / "home")

    [standard] = registry.import_path(muster).standards

    assert standard.schematron == [place]
    rules = registry.schematron("xoev:xmuster/1.0")
    assert rules
    assert b"M-1" in rules.each[0]


def test_rules_that_come_alone_are_added_to_the_installed_standard(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    before = registry.import_path(muster).standards[0]

    [standard] = registry.import_path(write(tmp_path / "rules", {"muster.sch": RULES})).standards

    assert standard.schematron == ["schematron/muster.sch"]
    assert standard.schemas == before.schemas
    assert registry.import_path(muster).new == frozenset()


def test_rules_without_a_standard_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(write(tmp_path / "rules", {"muster.sch": RULES}))

    assert codes(refusal) == {"schemas.schematron_alone"}


def test_rules_that_do_not_compile_are_refused_with_the_file(tmp_path: Path, muster: Path) -> None:
    write(muster, {"rules.sch": RULES.replace('test="string-length(.) gt 1"', "")})

    with pytest.raises(ImportRefused) as refusal:
        Registry(tmp_path / "home").import_path(muster)

    assert codes(refusal) == {"schemas.not_compiled"}
    assert "rules.sch" in refusal.value.findings[0].path


# --- code lists ----------------------------------------------------------------------------------------------------


def test_code_lists_are_installed_with_what_messages_call_them(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")

    imported = registry.import_path(write(tmp_path / "lists", {"art.xml": LIST, "other.xml": "<r/>"}))

    [one] = imported.lists
    assert (one.uri, one.version, one.title, one.codes) == ("urn:beispiel:codeliste:art", "2", "Arten", 1)
    assert imported.new == {"urn:beispiel:codeliste:art_2"}
    found = Registry(tmp_path / "home").code_lists().get("urn:beispiel:codeliste:art", "2")
    assert found is not None
    assert found.label("01") == "neu"


def test_a_list_whose_descriptions_were_edited_is_the_same_list(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(write(tmp_path / "one", {"art.xml": LIST}))

    again = registry.import_path(write(tmp_path / "two", {"art.xml": LIST.replace("neu", "erneut")}))

    assert again.new == frozenset()


def test_a_list_of_the_same_version_with_other_codes_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(write(tmp_path / "one", {"art.xml": LIST}))

    with pytest.raises(ImportRefused) as refusal:
        registry.import_path(write(tmp_path / "two", {"art.xml": LIST.replace(">01<", ">02<")}))

    assert codes(refusal) == {"schemas.codelist_differs"}


def test_a_list_that_was_changed_afterwards_is_never_used(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    [one] = registry.import_path(write(tmp_path / "one", {"art.xml": LIST})).lists
    (tmp_path / "home" / one.file).write_text(LIST.replace(">01<", ">02<"))

    with pytest.raises(Exception, match="import it again"):
        Registry(tmp_path / "home").code_lists().get(one.uri, one.version)


# --- FIM -----------------------------------------------------------------------------------------------------------


def test_an_xdatenfelder_file_alone_makes_a_standard_for_xml_and_json(tmp_path: Path, test_data: Path) -> None:
    registry = Registry(tmp_path / "home")

    [standard] = registry.import_path(test_data / "fim/xdf3/S00000000364V1.0.0.xdf3.xml").standards

    assert standard.ref == "fim:S00000000364V1.0.0"
    assert {schema.kind for schema in standard.schemas} == {"xsd", "json"}
    instances = test_data / "fim/instances"
    for kind, media_type in (("xml", "text/xml"), ("json", "application/json")):
        document = parse((instances / f"valid_S00000000364V1.0.0.{kind}").read_bytes(), media_type)
        ref = registry.recognise(document)
        assert ref is not None
        assert registry.validate(document, ref).valid is True
    model = registry.fim(standard.ref)
    assert model is not None
    assert model.title == standard.title


@pytest.mark.parametrize("first", ["xdf", "published"])
def test_a_published_schema_decides_before_one_made_here(tmp_path: Path, test_data: Path, first: str) -> None:
    sources = {
        "xdf": test_data / "fim/xdf3/S00000000364V1.0.0.xdf3.xml",
        "published": test_data / "fim/generated/xsd/S00000000364V1.0.0.xfall.xsd",
    }
    registry = Registry(tmp_path / "home")
    for name in (first, *(sources.keys() - {first})):
        [standard] = registry.import_path(sources[name]).standards

    assert [schema.entry for schema in standard.schemas] == [
        "made-plain.schema.json",
        "made-plain.xsd",
        "made-versioned.schema.json",
        "versioned.xsd",
    ]
    assert registry.fim(standard.ref) is not None


# --- taking away ---------------------------------------------------------------------------------------------------


def test_what_is_removed_is_gone_for_every_process(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    [standard] = registry.import_path(muster).standards
    [one] = registry.import_path(write(tmp_path / "one", {"art.xml": LIST})).lists

    assert registry.remove(standard.ref) == standard
    assert registry.remove("urn:beispiel:codeliste:art_2") == one
    assert registry.remove("xoev:xmuster/1.0") is None

    fresh = Registry(tmp_path / "home")
    assert (fresh.standards(), fresh.lists()) == ([], [])
    assert not (tmp_path / "home" / standard.folder).exists()
    assert not (tmp_path / "home" / one.file).exists()


def test_a_dry_run_says_what_would_come_and_writes_nothing(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")

    imported = registry.import_path(muster, dry_run=True)

    assert imported.new == {"xoev:xmuster/1.0"}
    assert not (tmp_path / "home").exists()
    assert registry.standards() == []


def test_an_older_lock_file_is_read(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    standards = registry.import_path(muster).standards
    lock = tmp_path / "home/schemas.lock"
    lock.write_text(lock.read_text().replace('"format": 2', '"format": 1').replace('"code_lists": [],', ""))

    assert Registry(tmp_path / "home").standards() == standards


def test_the_same_standard_from_another_layout_of_folders_changes_nothing(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(muster)
    moved = write(tmp_path / "moved", {f"std/{n}" if n.startswith("x") else n: text for n, text in MUSTER.items()})

    assert registry.import_path(moved).new == frozenset()


def test_licences_are_kept_as_the_files_say_them(tmp_path: Path, muster: Path) -> None:
    file = muster / "xmuster-baukasten.xsd"
    file.write_text(file.read_text().replace("</versionStandard>", "<lizenz>CC BY-ND 4.0</lizenz></versionStandard>"))

    [standard] = Registry(tmp_path / "home").import_path(muster).standards

    assert standard.licences == ["CC BY-ND 4.0"]


def test_a_folder_is_held_when_each_of_its_files_is_installed_as_it_is(tmp_path: Path, muster: Path) -> None:
    registry = Registry(tmp_path / "home")
    (muster / "catalog.xml").unlink()
    before = registry.holds(muster)
    (muster / "catalog.xml").write_text(MUSTER["catalog.xml"])
    registry.import_path(muster)
    (muster / "catalog.xml").unlink()

    assert not before
    assert registry.holds(muster)
    file = muster / "xmuster-baukasten.xsd"
    file.write_text(file.read_text() + "<!-- changed -->")
    assert not registry.holds(muster)


def test_schema_files_that_nobody_needs_are_named(tmp_path: Path, muster: Path) -> None:
    write(muster, {"stray/left.xsd": MUSTER["parts/component.xsd"].replace("urn:component", "urn:stray")})

    imported = Registry(tmp_path / "home").import_path(muster)

    assert [(note.code, note.path) for note in imported.notes] == [("schemas.not_used", "stray")]


def test_a_json_document_with_an_unknown_field_is_still_recognised(tmp_path: Path, test_data: Path) -> None:
    registry = Registry(tmp_path / "home")
    registry.import_path(test_data / "fim/xdf3")
    for name in ("invalid-unknown-field", "invalid-plz", "valid"):
        data = (test_data / f"fim/instances/{name}_S00000000364V1.0.0.json").read_bytes()
        ref = registry.recognise(parse(data, "application/json"))
        assert ref is not None
        assert ref.standard == "fim:S00000000364V1.0.0"
