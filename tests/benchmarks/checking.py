"""How much of lxml's own speed is left of the check: parse and validate one message, against the bare loop.

Both run in this process, alternating, on the same bytes of about 10 KiB. The bare loop is `etree.fromstring` and
`XMLSchema.validate` on a schema compiled from the same files. Aim: 0.8, code lists included. The whole check is all of
`Checker.check`, without business rules: conventions, characters and normal form besides. XBau's data is third-party
(`GATEWAY_TEST_DATA`); the two lists that the message uses and the collection lacks are made up from the message. The
other message is the shipped service's, by a schema of FIM.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from gateway.services import shipped_folder
from tests.benchmarks.message import SERVICE
from tests.benchmarks.message import message as shipped_message
from xoev_schemas.codelists import codelist_findings
from xoev_schemas.documents import Limits, XmlDocument, parse
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Judgement, Registry, SchemaRef
from xoev_schemas.workers import Workers

DATA = Path(os.environ.get("GATEWAY_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
ROUNDS, CALLS = 300, 10
Checks = dict[str, dict[str, float]]
"""What → `us`, `bare_us` and their `ratio`."""


def message(size: int) -> bytes:
    """The constructed XBau message, not marked as a test, with as many attachments as make about `size` bytes."""
    data = (DATA / "xoev/xbau-2.6/instances/constructed-valid_baugenehmigung.antrag.0200.xml").read_bytes()
    data = data.replace(b' test="true"', b"")
    start, end = data.index(b"    <anlage>"), data.index(b"</anlage>") + 10
    count = max(1, (size - len(data)) // (end - start) + 1)
    one = data[start:end]
    each = (one.replace(b"lageplan", b"plan-%d" % n).replace(b"urn_uuid_", b"_%d-" % n) for n in range(count))
    return data[:start] + b"".join(each) + data[end:]


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS


def measure() -> Checks:
    """XBau only with the third-party data."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(folder / "registry")
        pairs = _xbau(registry, folder) if DATA.is_dir() else {}
        pairs["whole check, FIM"] = _fim(registry)
        return {what: _compared(*pair) for what, pair in pairs.items()}


Pair = tuple[Callable[[], object], Callable[[], object]]
"""Ours, and the bare loop."""


def _fim(registry: Registry) -> Pair:
    data, schema = shipped_message(), shipped_folder() / "services" / SERVICE / "schema"
    registry.import_path(schema)
    checker = _checker(registry)
    ref = registry.find(checker.check(data, "application/xml").standard)
    assert checker.check(data, "application/xml", ref).valid
    [xsd] = schema.glob("*.xsd")
    return lambda: checker.check(data, "application/xml", ref), _bare(xsd, data)


def _xbau(registry: Registry, folder: Path) -> dict[str, Pair]:
    data = message(10 * 1024)
    [standard] = registry.import_path(without_rules(DATA / "xoev/xbau-2.6", folder)).standards
    ref = registry.find(f"{standard.ref}#baugenehmigung.antrag.0200")
    assert ref
    document = parse(data, "application/xml")
    assert isinstance(document, XmlDocument)
    assert registry.validate(document, ref).valid
    registry.import_path(DATA / "codelists")
    _make_up_lists(registry, document.root, folder / "made-up")
    checker = _checker(registry)
    assert not _checked(registry, ref, data)
    assert checker.check(data, "application/xml", ref) == Judgement(True, ref.standard, ref.message, [])
    bare = _bare(registry.folder / standard.folder / "driver.xsd", data)
    return {
        "parse": (lambda: parse(data, "application/xml", to_judge=True), lambda: etree.fromstring(data, PARSER)),
        "parse and validate": (lambda: registry.validate(parse(data, "application/xml", to_judge=True), ref), bare),
        "parse, XSD and code lists": (lambda: _checked(registry, ref, data), bare),
        "whole check, XBau": (lambda: checker.check(data, "application/xml", ref), bare),
    }


def without_rules(source: Path, folder: Path) -> Path:
    """The standard's schemas alone."""
    return shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("schematron", "instances"))


def _checker(registry: Registry) -> Checker:
    """Starts no process here: no message is large, no standard has rules."""
    return Checker(registry, Workers(1, 2 << 30, 60.0), Limits())


PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


def _bare(xsd: Path, data: bytes) -> Callable[[], object]:
    schema = etree.XMLSchema(etree.parse(xsd))
    assert schema.validate(etree.fromstring(data, PARSER))
    return lambda: schema.validate(etree.fromstring(data, PARSER))


def _checked(registry: Registry, ref: SchemaRef, data: bytes) -> list[Finding]:
    document = parse(data, "application/xml", to_judge=True)
    assert isinstance(document, XmlDocument)
    judgement = registry.validate(document, ref)
    enumerated = registry.enumerated_lists(ref.standard)
    found = codelist_findings(document.root, registry.code_lists(), ref.standard, enumerated, judgement.findings)
    return [*judgement.findings, *found]


def _make_up_lists(registry: Registry, root: etree._Element, folder: Path) -> None:
    """Install the lists that a message names and nobody publishes here, each with the code that the message uses."""
    folder.mkdir()
    for number, code in enumerate(root.iter("code")):
        holder = code.getparent()
        assert holder is not None
        uri, version = str(holder.get("listURI")), str(holder.get("listVersionID"))
        if registry.code_lists().get(uri, version) is None:
            (folder / f"{number}.xml").write_text(
                '<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/"><Identification>'
                f"<ShortName>list</ShortName><LongName>List</LongName><Version>{version}</Version>"
                f"<CanonicalUri>{uri}</CanonicalUri></Identification><ColumnSet><Column Id='code' Use='required'/>"
                "<Key Id='k'><ShortName>k</ShortName><ColumnRef Ref='code'/></Key></ColumnSet><SimpleCodeList><Row>"
                f"<Value ColumnRef='code'><SimpleValue>{code.text}</SimpleValue></Value></Row></SimpleCodeList>"
                "</gc:CodeList>",
                encoding="utf-8",
            )
            registry.import_path(folder / f"{number}.xml")


def _compared(ours: Callable[[], object], bare: Callable[[], object]) -> dict[str, float]:
    """The fastest of many short turns, by turns: whatever else uses the machine only ever adds."""
    rounds = [(seconds(ours), seconds(bare)) for _ in range(ROUNDS)]
    one, other = (min(side) for side in zip(*rounds, strict=True))
    return {"us": round(one * 1e6, 1), "bare_us": round(other * 1e6, 1), "ratio": round(other / one, 2)}
