"""What a mapping translates with: tables, installed code lists, characters, functions; and the forms of a target."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mapping_world import URN, with_list

from gateway.mapping.characters import to_ascii, to_latin_1, to_search_form
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Problems
from gateway.mapping.reader import read_mapping
from gateway.mapping.run import MappingOutcome, run_on_case
from gateway.mapping.values import WrongCharacters
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry

DISTRICTS = "plz;office;name\n01067;A;Altstadt\n44135;B;Mitte\n44137;;West\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "codelists").mkdir()
    (tmp_path / "codelists" / "districts.csv").write_text(DISTRICTS, encoding="utf-8")
    return tmp_path


def read(folder: Path, rule: str, registry: Registry | None = None) -> tuple[CompiledMapping, list[Finding]]:
    """A request with one member `out`."""
    file, problems = folder / "request.yaml", Problems()
    file.write_text(f"request:\n  out: {rule}\n", encoding="utf-8")
    mapping = read_mapping(file, "request", problems, registry)
    assert mapping is not None
    return mapping, problems.findings


def mapped(folder: Path, rule: str, value: Any, registry: Registry | None = None) -> MappingOutcome:
    mapping, findings = read(folder, rule, registry)
    assert findings == []
    return run_on_case(mapping, {"in": value})


def out(folder: Path, rule: str, value: Any) -> Any:
    return (mapped(folder, rule, value).value or {}).get("out")


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_table_of_csv_gives_one_column_or_all(package: Path) -> None:
    assert out(package, "{from: in, codelist: districts}", "44135") == {"office": "B", "name": "Mitte"}
    assert out(package, "{from: in, codelist: districts#name}", "01067") == "Altstadt"


def test_a_code_that_the_table_lacks_is_a_finding_unless_the_rule_says_what_then(package: Path) -> None:
    unknown = mapped(package, "{from: in, codelist: districts#name}", "99999")

    assert [finding.code for finding in unknown.findings] == ["mapping.code_unknown"]
    assert out(package, "{from: in, codelist: districts#name, otherwise: other}", "99999") == "other"


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("plz;office\n44135;A\n44135;B\n", "config.duplicate_key", 3),
        ("plz;office\n44135;A;too much\n", "mapping.csv", 2),
        ("plz;office\n;A\n", "mapping.csv", 2),
        ("plz\n44135\n", "mapping.csv", 1),
        ('plz;office\n44135;"A\n', "mapping.csv", 2),
        ("plz;office\n44135;A\n44137;B\n1067;C\n", "mapping.code_shortened", 4),
    ],
)
def test_a_fault_in_a_csv_names_its_line(package: Path, content: str, code: str, line: int) -> None:
    (package / "codelists" / "districts.csv").write_text(content, encoding="utf-8")

    _, findings = read(package, "{from: in, codelist: districts}")

    assert [(Path(f.path).name, f.code, f.line) for f in findings] == [("districts.csv", code, line)]


def test_a_column_that_is_not_there_or_not_filled_is_told(package: Path) -> None:
    _, misspelt = read(package, "{from: in, codelist: 'districts#nane'}")
    _, empty = read(package, "{from: in, codelist: 'districts#office'}")

    assert [(f.code, f.line, f.remedy.en) for f in misspelt] == [("mapping.unknown_column", 2, "Did you mean 'name'?")]
    assert [f.code for f in empty] == ["mapping.code_value"]
    assert "'44137'" in empty[0].text.en


def test_an_installed_code_list_gives_the_name_or_another_column(package: Path) -> None:
    registry = with_list(package, "3")

    assert mapped(package, f"{{from: in, codelist: '{URN}'}}", "01", registry).value == {"out": "E-Mail"}
    assert mapped(package, f"{{from: in, codelist: '{URN}_3#kurz'}}", "01", registry).value == {"out": "M"}


def test_what_a_mapping_uses_of_an_installed_list_is_said_with_its_version(package: Path) -> None:
    mapping, _ = read(package, f"{{from: in, codelist: '{URN}'}}", with_list(package, "3"))

    assert [used.partition(" ")[0] for used in mapping.uses] == [f"{URN}_3"]


def test_a_list_that_is_not_installed_is_an_error_and_one_of_several_versions_has_to_be_named(package: Path) -> None:
    registry = with_list(package, "3", "4")

    _, missing = read(package, "{from: in, codelist: 'urn:example:codeliste:kanaal'}", registry)
    _, several = read(package, f"{{from: in, codelist: '{URN}'}}", registry)
    _, column = read(package, f"{{from: in, codelist: '{URN}_4#kruz'}}", registry)

    assert [(f.code, f.remedy.en) for f in missing] == [("mapping.unknown_codelist", f"Did you mean '{URN}'?")]
    assert [(f.code, f.allowed) for f in several] == [("mapping.codelist_version", f"{URN}_3, {URN}_4")]
    assert [(f.code, f.remedy.en) for f in column] == [("mapping.unknown_column", "Did you mean 'kurz'?")]


def test_where_no_schema_is_installed_no_code_list_is_asked_for(package: Path) -> None:
    assert read(package, f"{{from: in, codelist: '{URN}'}}", None)[1] == []


# --- characters and the form of a text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "latin", "plain", "search"),
    [
        ("Müller", "Müller", "Mueller", "MUELLER"),
        ("ÅSTRÖM", "ÅSTRÖM", "AASTROEM", "AASTROEM"),
        ("Đặng-Řezníček", "Dang-Reznícek", "Dang-Reznicek", "DANG-REZNICEK"),
        ("Groß’ Ǘ", "Groß' Ü", "Gross' UE", "GROSS' UE"),
    ],
)
def test_names_are_written_as_the_target_takes_them(name: str, latin: str, plain: str, search: str) -> None:
    assert (to_latin_1(name), to_ascii(name), to_search_form(name)) == (latin, plain, search)


def test_the_search_form_is_the_one_of_the_norm(test_data: Path) -> None:
    lines = (test_data / "xoev/din-91379-characters/latin_list_search_form_1.3.txt").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split(";")] for line in lines if line.strip()]
    letters = {"".join(chr(int(point, 16)) for point in row[2].split()): row[6] for row in cells}

    assert len(letters) > 600
    assert {letter: to_search_form(letter) for letter in letters} == letters


def test_no_letter_is_replaced_by_a_guess() -> None:
    with pytest.raises(WrongCharacters, match=r"U\+0416"):
        to_ascii("Жуков")


def test_what_a_target_cannot_represent_is_a_finding_that_names_no_name(package: Path) -> None:
    outcome = mapped(package, "{from: in, characters: latin-1}", "Жуков")

    assert [f.code for f in outcome.findings] == ["mapping.characters"]
    assert "Жуков" not in str(outcome.findings[0].as_dict())


def test_a_datatype_of_din_91379_is_that_of_an_installed_standard(package: Path, test_data: Path) -> None:
    registry = Registry(package / "registry")
    registry.import_path(test_data / "xoev" / "xbau-kernmodul-1.3.0")
    rule = "{from: in, characters: din-91379-a}"

    assert mapped(package, rule, "Đặng", registry).value == {"out": "Đặng"}
    assert [f.code for f in mapped(package, rule, "A – B", registry).findings] == ["mapping.characters"]
    _, findings = read(package, rule, with_list(package / "codelists", "1"))
    assert [f.code for f in findings] == ["mapping.characters_not_installed"]


def test_text_is_rewritten_then_filled_then_cut_with_a_warning(package: Path) -> None:
    outcome = mapped(package, "{from: in, characters: ascii, upper: true, cut: 5}", "Müller")

    assert outcome.value == {"out": "MUELL"}
    assert [(f.code, f.severity) for f in outcome.findings] == [("mapping.cut", "warning")]
    assert out(package, "{from: in, pad: 5}", "1067") == "01067"
    assert out(package, "{concat: [{from: in}, x], separator: ' ', cut: 4}", "ab") == "ab x"


def test_only_text_has_a_form(package: Path) -> None:
    _, findings = read(package, "{from: in, as: integer, pad: 5}")

    assert [(f.code, f.line) for f in findings] == [("mapping.shape_without_text", 2)]


# --- numbers, money, dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("{from: in, as: decimal, decimals: 2}", "1.234,5", "1234.50"),
        ("{from: in, as: german-decimal}", "1234.50", "1234,5"),
        ("{from: in, as: german-decimal, decimals: 2}", 12, "12,00"),
        ("{from: in, as: cents}", "1.234,50 €", 123450),
        ("{from: in, as: cents}", "-0.01", -1),
        ("{from: in, as: german-date}", "1990-05-07", "07.05.1990"),
        ("{from: in, as: date}", "2026-03-02T23:30:00Z", "2026-03-03"),
        ("{from: in, as: date}", "2026-03-02T23:30:00", "2026-03-02"),
        ("{from: in, as: xoev-date}", "1990", {"jahr": "1990"}),
        ("{from: in, as: xoev-date}", "1990-05", {"jahrMonat": "1990-05"}),
        ("{from: in, as: xoev-date}", "17.05.1990", {"jahrMonatTag": "1990-05-17"}),
    ],
)
def test_numbers_and_dates_take_the_form_of_the_target(package: Path, rule: str, value: Any, expected: Any) -> None:
    assert out(package, rule, value) == expected


@pytest.mark.parametrize("rule", ["{from: in, as: cents}", "{from: in, as: decimal, decimals: 2}"])
def test_nothing_is_rounded(package: Path, rule: str) -> None:
    assert [f.code for f in mapped(package, rule, "0.005").findings] == ["mapping.type"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("{from: in, as: integer, decimals: 2}", "mapping.option_without_rule"),
        ("{from: in, as: decimal, decimals: many}", "mapping.number"),
        ("{from: in, otherwise: x}", "mapping.option_without_rule"),
        ("{from: in, characters: latin1}", "mapping.unknown_kind"),
        ("{from: in, codes: {1: a}, codelist: districts}", "mapping.two_tables"),
        ("{from: in, call: nothing-like-it}", "mapping.unknown_function"),
    ],
)
def test_what_does_not_go_together_is_told_with_its_place(package: Path, rule: str, code: str) -> None:
    _, findings = read(package, rule)

    assert [(f.code, f.line) for f in findings] == [(code, 2)]


# --- functions --------------------------------------------------------------------------------------------------------

FUNCTIONS = """
def school(number: str) -> dict[str, str]:
    return {"number": number.zfill(6)}

def broken(text: str) -> str:
    raise ValueError(text)

def no_json(text: str) -> object:
    return object()

def of_two(one: str, other: str) -> str:
    return one
"""
ENTRY_POINTS = "[ozg_gateway.functions]\n" + "".join(
    f"{name.replace('_', '-')} = city_functions:{name}\n" for name in ("school", "broken", "no_json", "of_two")
)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with functions, installed from a wheel."""
    wheel = tmp_path / "city_functions-1.2-py3-none-any.whl"
    about = "city_functions-1.2.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("city_functions.py", FUNCTIONS)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: city-functions\nVersion: 1.2\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/entry_points.txt", ENTRY_POINTS)
        archive.writestr(f"{about}/RECORD", "")
    installed = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(installed)]
    subprocess.run([*command, str(wheel)], check=True, timeout=120)
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()


@pytest.mark.usefixtures("distribution")
def test_a_function_of_an_installed_distribution_is_called(package: Path) -> None:
    mapping, findings = read(package, "{from: in, call: school}")

    assert findings == []
    assert mapping.uses == ("city_functions:school city-functions 1.2",)
    outcome = run_on_case(mapping, {"in": "123"})
    assert outcome.value == {"out": {"number": "000123"}}
    assert [(line.source, line.target) for line in outcome.trace] == [("in", "out")]


@pytest.mark.usefixtures("distribution")
def test_a_function_that_fails_is_a_finding_without_what_it_said(package: Path) -> None:
    broken, no_json = (mapped(package, f"{{from: in, call: {name}}}", "secret") for name in ("broken", "no-json"))

    assert [f.code for f in (*broken.findings, *no_json.findings)] == ["mapping.function", "mapping.function"]
    assert "ValueError" in broken.findings[0].text.en
    assert "secret" not in str(broken.findings[0].as_dict())


@pytest.mark.usefixtures("distribution")
def test_a_function_that_is_none_or_misspelt_is_told_before_it_runs(package: Path) -> None:
    _, misspelt = read(package, "{from: in, call: schol}")
    _, unusable = read(package, "{from: in, call: of-two}")

    assert [(f.code, f.remedy.en) for f in misspelt] == [("mapping.unknown_function", "Did you mean 'school'?")]
    assert [f.code for f in unusable] == ["mapping.function_unusable"]
