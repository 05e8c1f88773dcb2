"""Check the codes of an XML message against their lists (XÖV code types 1–4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from lxml import etree

from xoev_schemas.codelists.lookup import CodeLists
from xoev_schemas.codelists.model import CodeList, token, visible
from xoev_schemas.codelists.words import (
    At,
    code_invisible,
    code_unknown,
    list_unknown,
    more_code_findings,
    version_unknown,
)
from xoev_schemas.documents import text_of
from xoev_schemas.findings import Finding
from xoev_schemas.places import Places
from xoev_schemas.words import MOST_FINDINGS

# Different wrong codes of a message for which what was meant is looked for: with a list of 11,000 that takes 30 ms.
MOST_SUGGESTIONS = 10

_Key = tuple[str, str]  # listURI, listVersionID
_NONE: Mapping[_Key, CodeList] = MappingProxyType({})


def codelist_findings(
    root: etree._Element,
    lists: CodeLists,
    source: str,
    enumerated: Mapping[_Key, CodeList] = _NONE,
    judged: Iterable[Finding] = (),
    places: Places | None = None,
) -> list[Finding]:
    """What is wrong with the codes of a message, in document order; at most MOST_FINDINGS and a note.

    A code that its list does not have is an error. A list, or a version of it, that is not there is a warning of its
    own, once with the number of codes that went unchecked.

    root: validated by a schema from `xoev_schemas.xsd`, which fills in `listURI` and `listVersionID` where it fixes
    them. Where one is missing all the same, the message has broken its schema before: such codes are left alone.
    source: the standard. enumerated: the lists in the standard's own schema (`needed.enumerated_lists`), which need
    not be installed. judged: findings of the schema; a code that it has refused is not refused again. places: of this
    tree, as the schema's findings were placed; to be given for a message that broke its schema, whose names may be
    anything.

    Raises what `lists` raises when a list cannot be read.
    """
    suspects = _suspects(root, lists, enumerated)
    if not suspects:
        return []
    return _Check(places or Places(root), lists, source, enumerated).findings(
        suspects, {finding.path for finding in judged}
    )


_Use = tuple[str | None, str | None, str | None]  # listURI, listVersionID, code


_Suspect = tuple[etree._Element, _Key]
"""An element `code`, and which list it names."""


def _suspects(root: etree._Element, lists: CodeLists, enumerated: Mapping[_Key, CodeList]) -> list[_Suspect]:
    """The elements `code` (always unqualified: XÖV Code 1.0) that are not plainly in their list.

    Nearly every code of nearly every message is, so collecting what is used, once each, is all that most messages pay.
    """
    used = {
        (holder.get("listURI"), holder.get("listVersionID"), code.text)
        for code in root.iter("code")
        if (holder := code.getparent()) is not None
    }
    wrong = {use for use in used if not _is_plain(use, lists, enumerated)}
    if not wrong:
        return []
    keys = {use: (token(str(use[0])), token(str(use[1]))) for use in wrong}
    return [(code, keys[use]) for code in root.iterdescendants("code") if (use := _use(code)) in wrong]


def _use(code: etree._Element) -> _Use:
    holder = _holder(code)
    return holder.get("listURI"), holder.get("listVersionID"), code.text


def _is_plain(use: _Use, lists: CodeLists, enumerated: Mapping[_Key, CodeList]) -> bool:
    uri, version, code = use
    if uri is None or version is None:
        return True  # another element of that name, or the schema did not get so far
    known = lists.get(uri, version)
    if known is None:
        known = _resolved((uri, version), lists, enumerated)
    return known is not None and code in known.labels


def _resolved(key: _Key, lists: CodeLists, enumerated: Mapping[_Key, CodeList]) -> CodeList | None:
    key = token(key[0]), token(key[1])
    return lists.get(*key) or enumerated.get(key)


class _Check:
    """Turns suspects into findings."""

    def __init__(self, places: Places, lists: CodeLists, source: str, enumerated: Mapping[_Key, CodeList]) -> None:
        self._places = places
        self._lists = lists
        self._source = source
        self._enumerated = enumerated
        self._suggestions: dict[_Key, tuple[list[str], str | None]] = {}

    def findings(self, suspects: list[_Suspect], judged: set[str]) -> list[Finding]:
        wrong: list[tuple[etree._Element, CodeList | None]] = []
        unchecked: dict[_Key, int] = {}
        resolved: dict[_Key, CodeList | None] = {}
        for code, key in suspects:
            if key not in resolved:
                resolved[key] = _resolved(key, self._lists, self._enumerated)
            known = resolved[key]
            if known is None:
                unchecked[key] = unchecked.get(key, 0) + 1
                if unchecked[key] == 1:
                    wrong.append((code, None))
            elif not known.has(text_of(code)) and not (judged and self._places.path(code) in judged):
                wrong.append((code, known))
        findings = list(self._worded(wrong[:MOST_FINDINGS], unchecked))
        if len(wrong) > MOST_FINDINGS:
            findings.append(more_code_findings(len(wrong) - MOST_FINDINGS, self._source))
        return findings

    def _worded(
        self, wrong: list[tuple[etree._Element, CodeList | None]], unchecked: Mapping[_Key, int]
    ) -> Iterator[Finding]:
        for code, known in wrong:
            if known is not None:
                yield self._wrong_code(code, known)
                continue
            uri, version = key = _key(_holder(code))
            at = self._at(_holder(code))
            installed = dict.fromkeys([*self._lists.versions(uri), *(v for u, v in self._enumerated if u == uri)])
            if installed:
                yield version_unknown(uri, version, list(installed), unchecked[key], at)
            else:
                yield list_unknown(uri, version, unchecked[key], at)

    def _wrong_code(self, element: etree._Element, known: CodeList) -> Finding:
        code, at = token(text_of(element)), self._at(element)
        seen = token(visible(code))
        if seen != code and known.has(seen):
            return code_invisible(code, seen, known, at)
        near, elsewhere = self._suggested(code, known)
        return code_unknown(code, known, near, elsewhere, at)

    def _suggested(self, code: str, known: CodeList) -> tuple[list[str], str | None]:
        """(codes that may have been meant, another installed version that has the code)."""
        key = known.version_uri, code
        if key not in self._suggestions:
            if not code or len(self._suggestions) >= MOST_SUGGESTIONS:
                return [], None
            others = (v for v in self._lists.versions(known.uri) if v != known.version)
            elsewhere = next((v for v in others if (other := self._lists.get(known.uri, v)) and other.has(code)), None)
            self._suggestions[key] = known.nearest(code), elsewhere
        return self._suggestions[key]

    def _at(self, element: etree._Element) -> At:
        return At(self._places.path(element), cast("int | None", element.sourceline), self._source)


def _holder(code: etree._Element) -> etree._Element:
    """The element of type `Code` around an element `code`."""
    return cast(etree._Element, code.getparent())


def _key(holder: etree._Element) -> _Key:
    return token(str(holder.get("listURI"))), token(str(holder.get("listVersionID")))
