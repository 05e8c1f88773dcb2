"""How much of lxml's own speed is left of the check: parse and validate one XBau message, against the bare loop.

Both run in this process, alternating, on the same bytes of about 10 KiB. The bare loop is `etree.fromstring` and
`XMLSchema.validate` on a schema compiled from the same files. Aim: 0.8, code lists included. The data is third-party
(`GATEWAY_TEST_DATA`); the two lists that the message uses and the collection lacks are made up from the message.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from xoev_schemas.codelists import codelist_findings
from xoev_schemas.documents import XmlDocument, parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry, SchemaRef

DATA = Path(os.environ.get("GATEWAY_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
ROUNDS, CALLS = 9, 200
Checks = dict[str, dict[str, float]]
"""What → `us`, `bare_us` and their `ratio`."""


def message(size: int) -> bytes:
    """The constructed XBau message with its attachment repeated until it has about `size` bytes."""
    data = (DATA / "xoev/xbau-2.6/instances/constructed-valid_baugenehmigung.antrag.0200.xml").read_bytes()
    start, end = data.index(b"    <anlage>"), data.index(b"</anlage>") + 10
    return data[:start] + data[start:end] * max(1, (size - len(data)) // (end - start) + 1) + data[end:]


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS


def measure() -> Checks:
    """Empty without the third-party data."""
    if not DATA.is_dir():
        return {}
    data = message(10 * 1024)
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder))
        [standard] = registry.import_path(DATA / "xoev/xbau-2.6").standards
        ref = registry.find(f"{standard.ref}#baugenehmigung.antrag.0200")
        assert ref
        bare_schema = etree.XMLSchema(etree.parse(Path(folder) / standard.folder / "driver.xsd"))
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        document = parse(data, "application/xml")
        assert isinstance(document, XmlDocument)
        assert registry.validate(document, ref).valid
        registry.import_path(DATA / "codelists")
        _make_up_lists(registry, document.root, Path(folder, "made-up"))
        assert not _checked(registry, ref, data)
        pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "parse": (lambda: parse(data, "application/xml"), lambda: etree.fromstring(data, parser)),
            "parse and validate": (
                lambda: registry.validate(parse(data, "application/xml"), ref),
                lambda: bare_schema.validate(etree.fromstring(data, parser)),
            ),
            "parse, XSD and code lists": (
                lambda: _checked(registry, ref, data),
                lambda: bare_schema.validate(etree.fromstring(data, parser)),
            ),
        }
        return {name: _compared(*pair) for name, pair in pairs.items()}


def _checked(registry: Registry, ref: SchemaRef, data: bytes) -> list[Finding]:
    document = parse(data, "application/xml")
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
    """Medians of alternating rounds, so that a busy machine slows both."""
    rounds = [(seconds(ours), seconds(bare)) for _ in range(ROUNDS)]
    one, other = statistics.median(r[0] for r in rounds), statistics.median(r[1] for r in rounds)
    return {"us": round(one * 1e6, 1), "bare_us": round(other * 1e6, 1), "ratio": round(other / one, 2)}
