"""Rules of a service: what its messages must keep beyond their schema. Pure; read by `gateway.packages.rule_files`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path as FilePath

from gateway.mapping.conditions import Condition, Test, blamed, compiled_condition
from gateway.mapping.nodes import JsonNode, Node, XmlNode, json_steps
from gateway.mapping.paths import Find, Path, finder
from gateway.mapping.problems import Place
from xoev_schemas.findings import Finding, Severity, Text, mask
from xoev_schemas.places import Names, Places

RULE = "service.rule"
"""Code of what breaks a rule."""
MOST = 100
"""Findings of one rule that are listed; that there are more is said."""

_DOT = " · "
"""Between package, rule and basis in a finding's source."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. each: it is judged for every place there; None = once, for the whole message.

    when: where it does not hold, there is nothing to judge. source: a legal basis, or whatever else the rule follows
    from. covers: ids of FIM rules that this one evaluates.
    """

    place: Place
    id: str
    each: Path | None
    when: Condition | None
    require: Condition
    text: Text
    remedy: Text
    severity: Severity = "error"
    source: str | None = None
    covers: tuple[str, ...] = ()
    _find: Find = field(init=False, repr=False, compare=False)
    _applies: Test = field(init=False, repr=False, compare=False)
    _holds: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_find", finder(self.each) if self.each else lambda root: [root])
        object.__setattr__(self, "_applies", compiled_condition(self.when))
        object.__setattr__(self, "_holds", compiled_condition(self.require))

    def broken(self, root: Node) -> Iterator[Node]:
        """Every place for which the rule should hold, and does not."""
        return (node for node in self._find(root) if self._applies(node) and not self._holds(node))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A file of rules."""

    file: FilePath
    rules: tuple[Rule, ...]

    @property
    def covers(self) -> frozenset[str]:
        """Ids of the FIM rules that these evaluate."""
        return frozenset(fim for rule in self.rules for fim in rule.covers)


def rule_findings(rules: RuleSet, root: Node, package: str, names: Names) -> Iterator[Finding]:
    """What of the rules a message breaks, rule by rule, in document order. root: of the parsed message.

    package: name of the service, for the source. names: which names of the message may be shown.
    """
    places = Places(root.element, names) if isinstance(root, XmlNode) else None
    for rule in rules.rules:
        source = _DOT.join(part for part in (package, rule.id, rule.source or ", ".join(rule.covers)) if part)
        broken = rule.broken(root)
        for node in islice(broken, MOST):
            yield _finding(rule, node, source, names, places)
        if next(broken, None) is not None:
            yield _more(rule, source)


def rule_of(finding: Finding) -> str:
    """The id of the rule that a finding with the code `RULE` is about."""
    return (finding.source or "").split(_DOT)[1]


def _finding(rule: Rule, node: Node, source: str, names: Names, places: Places | None) -> Finding:
    there, allowed = blamed(rule.require, node)
    text = there.text() if not there.names() else ""
    element = there if isinstance(there, XmlNode) else there.parent
    return Finding(
        RULE,
        rule.severity,
        "service",
        rule.text,
        path=_path(there, names, places),
        line=element.element.sourceline if isinstance(element, XmlNode) else None,
        found=mask(text) if text else None,
        allowed=allowed,
        remedy=rule.remedy,
        source=source,
    )


def _path(node: Node, names: Names, places: Places | None) -> str:
    if places is None:
        assert isinstance(node, JsonNode)
        return names.pointer(json_steps(node))
    if isinstance(node, XmlNode):
        return places.path(node.element)
    assert isinstance(node.parent, XmlNode)  # in XML only attributes are something else
    return f"{places.path(node.parent.element)}/@{names.shown(node.name.removeprefix('@'))}"


def _more(rule: Rule, source: str) -> Finding:
    return Finding(
        "service.more",
        "info",
        "service",
        Text(
            f"Die Regel „{rule.id}“ ist an weiteren Stellen verletzt; aufgeführt sind {MOST}.",
            f"The rule '{rule.id}' is broken in more places; {MOST} are listed.",
        ),
        remedy=Text("Beheben Sie diese und prüfen Sie erneut.", "Mend these, then check again."),
        source=source,
    )
