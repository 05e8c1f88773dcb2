"""From the model to XSLT 3.0: one mode per pattern, one template per rule.

What the stylesheet answers with is read by `xoev_schemas.schematron.failures`:

    <failures count="7"><at path="/Q{ns}antrag[1]/Q{}name[2]"><failure id="…" severity="error" kind="failed">
        Das Element <value>…</value> … <diagnostic>…</diagnostic></failure></at> … </failures>

Every test stands in its own `xsl:try`: a value of the wrong form, on which one test breaks, hides no other rule.
"""

from __future__ import annotations

from copy import deepcopy
from typing import cast

from lxml import etree

from xoev_schemas.schematron.expressions import is_about_names, matches_more_than_elements
from xoev_schemas.schematron.files import XSL
from xoev_schemas.schematron.model import Assertion, Let, Pattern, Place, Rule, Schema, Sentence, Value
from xoev_schemas.words import MOST_FINDINGS

_PLACE = "{urn:xoev-schemas:schematron:place}at"
_ERROR_CODE = "{local-name-from-QName($Q{http://www.w3.org/2005/xqt-errors}code)}"


def to_stylesheet(schema: Schema) -> bytes:
    """The XSLT for a schema. Its lines can be traced back by `place_of_line`."""
    prefixes = {"xsl": XSL[1:-1], "place": _PLACE[1:-3], **schema.namespaces}
    root = etree.Element(f"{XSL}stylesheet", {"version": "3.0", "exclude-result-prefixes": "#all"}, nsmap=prefixes)
    _xsl(root, "output", method="xml", encoding="UTF-8", **{"omit-xml-declaration": "yes"})
    for let in schema.lets:
        _variable(root, let)
    for element, place in schema.xslt:
        root.append(deepcopy(element))
        root[-1].tail = None
        root[-1].set(_PLACE, str(place))
    _start(root, schema.patterns)
    for number, pattern in enumerate(schema.patterns, 1):
        _pattern(root, pattern, f"pattern-{number}")
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


def place_of_line(stylesheet: bytes, line: int) -> str:
    """The place in the Schematron files that line `line` of a stylesheet was made from; empty if from none."""
    place = ""
    for element in etree.fromstring(stylesheet).iter():
        if cast(int, element.sourceline) > line:
            break
        place = str(element.get(_PLACE) or place)
    return place


def _start(root: etree._Element, patterns: tuple[Pattern, ...]) -> None:
    """Look at every node in every mode, then answer with the first failures and the number of all.

    Finding out where a node stands means counting its siblings, so it is done for those only that are answered.
    """
    template = _xsl(root, "template", match="/", priority="1")
    found = _xsl(template, "variable", name="found", **{"as": "map(*)*"})
    for number, pattern in enumerate(patterns, 1):
        _xsl(found, "apply-templates", select=_looked_at(pattern), mode=f"pattern-{number}")
    failures = etree.SubElement(template, "failures", count="{count($found)}")
    each = _xsl(failures, "for-each", select=f"subsequence($found, 1, {MOST_FINDINGS})")
    _xsl(etree.SubElement(each, "at", path="{path(?node)}"), "sequence", select="?failure")
    _xsl(root, "template", match="/", mode="#all", priority="-1")


def _looked_at(pattern: Pattern) -> str:
    if any(matches_more_than_elements(rule.context) for rule in pattern.rules):
        return "/descendant-or-self::node()/(., @*)"
    return "/, /descendant::*"


def _pattern(root: etree._Element, pattern: Pattern, mode: str) -> None:
    _xsl(root, "mode", name=mode, **{"on-no-match": "deep-skip"})
    for let in pattern.lets:
        _variable(root, let)
    for before, rule in enumerate(pattern.rules):
        # The first rule that fits a node judges it.
        _rule(root, rule, mode, str(len(pattern.rules) - before))


def _rule(root: etree._Element, rule: Rule, mode: str, priority: str) -> None:
    template = _xsl(root, "template", rule.place, match=rule.context, mode=mode, priority=priority)
    parent = template
    assertions = [part for part in rule.parts if isinstance(part, Assertion)]
    variables = len(assertions) < len(rule.parts)
    if variables and assertions:
        parent = _xsl(template, "try")
    for part in rule.parts:
        if isinstance(part, Let):
            _variable(parent, part)
        else:
            _assertion(parent, part)
    if parent is not template:
        _broken(parent, assertions[0])


def _assertion(parent: etree._Element, assertion: Assertion) -> None:
    attempt = _xsl(parent, "try")
    choice = _xsl(attempt, "choose")
    met = _xsl(choice, "when", assertion.place, test=assertion.test)
    failed = _entry(met if assertion.when else _xsl(choice, "otherwise"), assertion, "failed")
    _sentence(failed, assertion.sentence, assertion.place)
    for diagnostic in assertion.diagnostics:
        _sentence(etree.SubElement(failed, "diagnostic"), diagnostic, assertion.place)
    _broken(attempt, assertion)


def _broken(attempt: etree._Element, assertion: Assertion) -> None:
    _entry(_xsl(attempt, "catch", errors="*"), assertion, "broken").set("error", _ERROR_CODE)


def _entry(parent: etree._Element, assertion: Assertion, kind: str) -> etree._Element:
    """The map of a failure and the node that it is about; gives back the failure's element."""
    entries = _xsl(parent, "map")
    node = "."
    if assertion.subject and kind == "failed":
        node = f"(({assertion.subject})[. instance of node()], .)[1]"
    _xsl(entries, "map-entry", assertion.place, key="'node'", select=node)
    return etree.SubElement(
        _xsl(entries, "map-entry", key="'failure'"),
        "failure",
        id=assertion.id.replace("{", "{{").replace("}", "}}"),
        severity=assertion.severity,
        kind=kind,
    )


def _sentence(parent: etree._Element, sentence: Sentence, place: Place) -> None:
    """Values of the message are marked, so that the reader can mask them; names of elements are not."""
    for part in sentence:
        if isinstance(part, Value):
            holder = parent if is_about_names(part.select) else etree.SubElement(parent, "value")
            _xsl(holder, "value-of", place, select=part.select, separator=" ")
        else:
            _xsl(parent, "text").text = part


def _variable(parent: etree._Element, let: Let) -> None:
    variable = _xsl(parent, "variable", let.place, name=let.name, select=let.value)
    if let.type:
        variable.set("as", let.type)


def _xsl(parent: etree._Element, name: str, place: Place | None = None, /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{XSL}{name}", attributes)
    if place is not None:
        element.set(_PLACE, str(place))
    return element
