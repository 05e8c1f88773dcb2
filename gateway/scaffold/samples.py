"""Samples of a new service: messages made from its schema, one that is valid and one that is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import Any

from lxml import etree

from xoev_schemas.codelists import CodeLists
from xoev_schemas.documents import XmlDocument, parse
from xoev_schemas.examples import ANYTHING
from xoev_schemas.examples import example as xsd_example
from xoev_schemas.fim import example as fim_example
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import SchemaRef

_TRIES = 12
_MOST_BROKEN = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """media_type decides the name of its file. codes: of the errors that checking finds; empty = valid."""

    data: bytes
    media_type: str
    codes: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return f"data.{self.media_type.rpartition('/')[2]}"


def valid_samples(checker: Checker, ref: SchemaRef) -> Iterator[Sample]:
    """Messages that every layer of checking takes, the fuller ones first; the same in every run. May be none."""
    for candidate in _candidates(checker, ref):
        sample = _with_codes(candidate, checker, ref) if candidate.media_type == "application/xml" else candidate
        if checker.check(sample.data, sample.media_type, ref).valid:
            yield sample


def broken_sample(checker: Checker, ref: SchemaRef, valid: Sample) -> Sample | None:
    """The valid one with the first field left out that must be there; None where nothing that was tried is an error."""
    broken = _broken_xml(valid.data) if valid.media_type.endswith("xml") else _broken_json(valid.data)
    for data in islice(broken, _MOST_BROKEN):
        judgement = checker.check(data, valid.media_type, ref)
        codes = sorted({finding.code for finding in judgement.findings if finding.severity == "error"})
        if judgement.valid is False and codes:
            return Sample(data, valid.media_type, tuple(codes))
    return None


def _candidates(checker: Checker, ref: SchemaRef) -> Iterator[Sample]:
    """From the XDatenfelder file where there is one: its values are those that people would write."""
    fim = checker.registry.fim(ref.standard)
    xml = "application/xml" in ref.media_types
    for attempt in range(_TRIES):
        random = Random(attempt)  # noqa: S311 - invented data, not secrets
        try:
            if fim is not None:
                for versioned in (False, True):
                    data = fim_example(fim, random, json=not xml, versioned_names=versioned)
                    yield Sample(data or b"", "application/xml" if xml else "application/json")
            elif xml:
                fullness = max(0.0, 0.9 - attempt * 0.3)
                yield Sample(
                    xsd_example(checker.registry.model(ref).root, random, fullness=fullness), "application/xml"
                )
        except NoExample:
            continue


def _with_codes(sample: Sample, checker: Checker, ref: SchemaRef) -> Sample:
    """With what the schema alone does not know: codes of the lists that are installed, the standard's own version."""
    document = parse(sample.data, sample.media_type)
    assert isinstance(document, XmlDocument)
    fim, lists = checker.registry.fim(ref.standard), checker.registry.code_lists()
    if document.root.get("version") == ANYTHING:
        document.root.set("version", checker.registry.standard(ref.standard).version)
    for element in document.root.iter(etree.Element):
        # FIM names the list at the field, XÖV in the message: `<art listURI listVersionID><code/></art>`.
        if fim is not None and (named := fim.coded.get(etree.QName(element).localname)):
            element.text = _a_code(lists, named[0].uri, named[0].version, element.text) or element.text
        elif (uri := element.get("listURI")) and (code := element.find("{*}code")) is not None:
            version = element.get("listVersionID")
            if version == ANYTHING and lists.versions(uri):
                version = lists.versions(uri)[-1]
                element.set("listVersionID", version)
            code.text = _a_code(lists, uri, version, code.text) or code.text
    return replace(sample, data=_as_xml(document.root))


def _a_code(lists: CodeLists, uri: str, version: str | None, written: str | None) -> str | None:
    """One of an installed list; the one that is written, if it is in there. None = the list is not installed."""
    version = version or next(reversed(lists.versions(uri)), None)
    found = lists.get(uri, version) if version else None
    known = found.labels if found is not None else {}
    return written if written in known else next(iter(known), None)


def _broken_xml(data: bytes) -> Iterator[bytes]:
    root = etree.fromstring(data)
    for index, element in enumerate(root.iter(etree.Element)):
        if index and not len(element):
            yield _without(root, index)
    etree.SubElement(root, etree.QName(etree.QName(root).namespace, "unbekannt")).text = "Beispiel"
    yield _as_xml(root)


def _without(root: etree._Element, index: int) -> bytes:
    other = copy.deepcopy(root)
    element = next(islice(other.iter(etree.Element), index, None))
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)
    return _as_xml(other)


def _as_xml(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _broken_json(data: bytes) -> Iterator[bytes]:
    value: dict[str, Any] = json.loads(data)
    for name in value:
        yield as_json({key: member for key, member in value.items() if key != name})
    yield as_json({**value, "unbekannt": "Beispiel"})


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
