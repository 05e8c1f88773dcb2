"""What a compiled schema answers, and the findings that become of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from lxml import etree

from xoev_schemas.documents import text_of
from xoev_schemas.findings import Finding, Severity, Text, mask
from xoev_schemas.places import Places
from xoev_schemas.words import MOST_FINDINGS

_STEP = re.compile(r"/Q\{([^}]*)\}([^\[/]+)\[(\d+)\]")
_ELLIPSIS = "[…]"
_NONE = b'<failures count="0"/>'


@dataclass(frozen=True, slots=True)
class SchematronFailure:
    """An assertion that failed, or that could not be evaluated.

    rule: its id; empty where no rule at all could be evaluated. path: as XPath 3.1 `path()` writes it
    (`/Q{uri}name[1]/…`). sentence: of the standard's author, with `[…]` for values of the message. found: those values,
    masked. remedy: the diagnostics. error: code of the dynamic error if it could not be evaluated, else empty. more: on
    the last one, how many others are not listed.
    """

    rule: str
    severity: Severity
    path: str
    sentence: str
    found: str | None = None
    remedy: str = ""
    error: str = ""
    more: int = 0


def read_failures(answer: bytes) -> list[SchematronFailure]:
    """Read what a stylesheet of `compile_schematron` answered."""
    if answer == _NONE:
        return []
    root = etree.fromstring(answer, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    if error := root.get("error"):
        return [SchematronFailure(rule="", severity="error", path="/", sentence="", error=str(error))]
    failures = [_failure(at) for at in root]
    more = int(root.get("count", "0")) - len(failures)
    if more > 0:
        failures[-1] = replace(failures[-1], more=more)
    return failures


def _failure(at: etree._Element) -> SchematronFailure:
    element = at[0]
    values = [mask(text_of(value)) for value in element.iter("value")]
    for value in element.iter("value"):
        value.text = _ELLIPSIS
    remedies = element.findall("diagnostic")
    remedy = " ".join(_one_line(text_of(diagnostic)) for diagnostic in remedies)
    for diagnostic in remedies:
        element.remove(diagnostic)
    severity: Severity = {"warning": "warning", "info": "info"}.get(str(element.get("severity")), "error")  # type: ignore[assignment]
    return SchematronFailure(
        rule=str(element.get("id")),
        severity=severity,
        path=str(at.get("path")),
        sentence=_one_line(text_of(element)),
        found="; ".join(values) or None,
        remedy=remedy,
        error=str(element.get("error") or "") if element.get("kind") == "broken" else "",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def schematron_findings(failures: Sequence[SchematronFailure], source: str, root: etree._Element) -> list[Finding]:
    """Findings of layer `schematron`, with the places of `root`: the tree of the message that was checked.

    source: the standard and its version; the rule's id is added.
    """
    if not failures:
        return []
    places = Places(root)
    findings = [_finding(failure, source, places, root) for failure in failures[:MOST_FINDINGS]]
    if more := sum(failure.more for failure in failures) + len(failures) - len(findings):
        findings.append(_more(more, source))
    return findings


def _finding(failure: SchematronFailure, source: str, places: Places, root: etree._Element) -> Finding:
    element = _element(root, failure.path)
    found = failure.found
    if found is None and len(element) == 0:
        found = mask(text_of(element))
    common = Finding(
        code="schematron.failed",
        severity=failure.severity,
        layer="schematron",
        text=Text(failure.sentence, f"Rule {failure.rule}, in the words of the standard: {failure.sentence}"),
        path=places.path(element) + _rest(failure.path),
        line=cast("int | None", element.sourceline),
        found=found,
        remedy=_remedy(failure),
        source=f"{source}, {failure.rule}" if failure.rule else source,
    )
    if not failure.error:
        return common
    return replace(common, code="schematron.not_evaluated", severity="error", text=_not_evaluated(failure))


def _not_evaluated(failure: SchematronFailure) -> Text:
    what = (
        (f"Die Regel {failure.rule} lässt", f"Rule {failure.rule}")
        if failure.rule
        else ("Die Geschäftsregeln lassen", "The business rules")
    )
    return Text(
        f"{what[0]} sich hier nicht anwenden ({failure.error}); vermutlich hat ein Wert nicht die vorausgesetzte Form.",
        f"{what[1]} cannot be applied here ({failure.error}); a value probably does not have the form presupposed.",
    )


def _remedy(failure: SchematronFailure) -> Text:
    if failure.remedy:
        return Text(failure.remedy, f"In the words of the standard: {failure.remedy}")
    return Text(
        "Berichtigen Sie die Angaben so, dass sie die Regel des Standards erfüllen.",
        "Correct the data so that they meet the rule of the standard.",
    )


def _element(root: etree._Element, path: str) -> etree._Element:
    """The element that a path means; the nearest ancestor found where it leads to something else (an attribute)."""
    element = root
    for uri, name, position in _STEP.findall(path)[1:]:
        tag = f"{{{uri}}}{name}" if uri else name
        following = element.findall(tag)[int(position) - 1 : int(position)]
        if not following:
            return element
        element = following[0]
    return element


def _rest(path: str) -> str:
    """The attribute at the end of a path, where the failure is about one: `/@listURI`."""
    attribute = re.search(r"/@(?:Q\{[^}]*\})?([A-Za-z_][\w.\-]{0,99})$", path)
    return f"/@{attribute[1]}" if attribute else ""


def _more(count: int, source: str) -> Finding:
    return Finding(
        code="schematron.more",
        severity="info",
        layer="schematron",
        text=Text(f"{count} weitere Beanstandungen sind nicht aufgeführt.", f"{count} more findings are not listed."),
        remedy=Text("Beheben Sie zuerst die aufgeführten.", "Mend those listed first."),
        source=source,
    )


def exhausted(reason: Literal["memory", "time", "crash"], source: str) -> Finding:
    """The message could not be judged: its check took more than it may, or brought down the process that ran it."""
    de, en = {
        "memory": ("braucht mehr Arbeitsspeicher, als erlaubt ist", "takes more memory than is allowed"),
        "time": ("dauert länger, als erlaubt ist", "takes longer than is allowed"),
        "crash": ("ist abgebrochen", "broke off"),
    }[reason]
    return Finding(
        code="schematron.exhausted",
        severity="error",
        layer="schematron",
        text=Text(
            f"Die Prüfung der Geschäftsregeln {de}. Ob die Nachricht sie einhält, ist offen.",
            f"The check of the business rules {en}. Whether the message keeps them is open.",
        ),
        remedy=Text(
            "Senden Sie eine kleinere Nachricht, oder lassen Sie die Grenze anheben.",
            "Send a smaller message, or have the limit raised.",
        ),
        source=source,
    )
