"""Every layer in one verdict, in the thread and in watched processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from muster_standard import MUSTER, write
from test_package_manager import LIST, RULES

from xoev_schemas.documents import Limits, Unreadable
from xoev_schemas.ladder import LARGE, Checker
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers

# The standard of the other tests with a code (type 3: the version is the message's) in it.
CODED = {
    **MUSTER,
    "xmuster-nachrichten-a.xsd": MUSTER["xmuster-nachrichten-a.xsd"].replace(
        '<xs:element name="kopf"',
        """<xs:element name="weg" minOccurs="0"><xs:complexType><xs:sequence>
          <xs:element name="code" type="xs:token" form="unqualified"/></xs:sequence>
          <xs:attribute name="listURI" type="xs:anyURI" fixed="urn:beispiel:codeliste:art"/>
          <xs:attribute name="listVersionID" type="xs:token" use="required"/></xs:complexType></xs:element>
        <xs:element name="kopf\"""",
    ),
    "rules.sch": RULES,
    "art.xml": LIST,
}


def message(name: str = "Friederike", code: str = "01", born: str = "2000-01-01", filling: str = "") -> bytes:
    return (
        f'<m:antrag.neu.0001 xmlns:m="urn:muster"><m:name>{name}</m:name><m:geburt>{born}</m:geburt>'
        f"{filling}<m:ja>true</m:ja>"
        f'<m:weg listVersionID="2"><code>{code}</code></m:weg></m:antrag.neu.0001>'
    ).encode()


def large(**changes: str) -> bytes:
    entry = '<m:anlage nr="1"><m:datei>' + "x" * 1000 + "</m:datei></m:anlage>"
    return message(filling=entry * (LARGE // 1000 + 10), **changes)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(1, 1 << 30, 60.0)
    yield pool
    pool.close()


@pytest.fixture
def checker(tmp_path: Path, workers: Workers) -> Checker:
    registry = Registry(tmp_path / "home")
    registry.import_path(write(tmp_path / "muster", CODED))
    return Checker(registry, workers, Limits())


def codes(checker: Checker, data: bytes) -> list[str]:
    return [finding.code for finding in checker.check(data, "text/xml").findings]


@pytest.mark.parametrize("make", [message, large])
def test_a_message_that_keeps_everything_is_valid(checker: Checker, make: type[bytes]) -> None:
    judgement = checker.check(make(), "text/xml")

    assert (judgement.valid, judgement.findings) == (True, [])
    assert (judgement.standard, judgement.message) == ("xoev:xmuster/1.0", "antrag.neu.0001")


@pytest.mark.parametrize("make", [message, large])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"born": "gestern"}, ["schema.value", "schematron.not_run"]),
        ({"code": "99"}, ["codelist.code_unknown"]),
        ({"born": "gestern", "code": "99"}, ["schema.value", "codelist.code_unknown", "schematron.not_run"]),
        ({"name": "F"}, ["schematron.failed"]),
        ({"name": "F", "code": "99"}, ["codelist.code_unknown", "schematron.failed"]),
    ],
)
def test_each_layer_says_what_is_wrong_and_all_in_one_answer(
    checker: Checker, make: type[bytes], changes: dict[str, str], expected: list[str]
) -> None:
    judgement = checker.check(make(**changes), "text/xml")  # type: ignore[call-arg]

    assert judgement.valid is False
    assert [finding.code for finding in judgement.findings] == expected
    assert all(finding.path for finding in judgement.findings if finding.severity == "error")


@pytest.mark.parametrize("data", [b"<a", b"<a>" + b"x" * (LARGE + 1)])
def test_what_cannot_be_read_is_unreadable_wherever_it_is_read(checker: Checker, data: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        checker.check(data, "text/xml")

    assert [finding.code for finding in refusal.value.findings] == ["xml.not_well_formed"]


@pytest.mark.parametrize("data", [b"<a/>", b"<a>" + b"x" * (LARGE + 1) + b"</a>"])
def test_what_no_standard_knows_is_not_judged(checker: Checker, data: bytes) -> None:
    judgement = checker.check(data, "text/xml")

    assert (judgement.valid, judgement.standard, judgement.findings) == (None, "", [])


@pytest.mark.parametrize("make", [message, large])
def test_a_message_that_takes_too_long_gets_a_finding_and_the_next_one_is_judged(
    tmp_path: Path, make: type[bytes]
) -> None:
    registry = Registry(tmp_path / "home")
    endless = RULES.replace("string-length(.) gt 1", "count(for $a in 1 to 100000, $b in 1 to 100000 return $a) gt 1")
    registry.import_path(write(tmp_path / "muster", {**CODED, "rules.sch": endless}))
    workers = Workers(1, 1 << 30, 3.0)
    checker = Checker(registry, workers, Limits())

    judgement = checker.check(make(), "text/xml")
    after = checker.check(message(born="gestern"), "text/xml")
    workers.close()

    assert [finding.code for finding in judgement.findings] == ["schematron.exhausted"]
    assert judgement.valid is False
    assert after.findings[0].code == "schema.value"


def test_an_import_shows_in_the_processes_too(tmp_path: Path, workers: Workers) -> None:
    registry = Registry(tmp_path / "home")
    checker = Checker(registry, workers, Limits())
    assert checker.check(large(), "text/xml").valid is None

    registry.import_path(write(tmp_path / "muster", CODED))

    assert checker.check(large(), "text/xml").valid is True
