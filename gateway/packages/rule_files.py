"""`rules*.yaml` of a service → its rules. Every fault at once, with its line."""

from __future__ import annotations

from pathlib import Path

from gateway.mapping.condition_reader import read_condition
from gateway.mapping.pieces import read_paths
from gateway.mapping.problems import Problems
from gateway.mapping.rules import Rule, RuleSet
from gateway.mapping.yaml_nodes import Items, Members, YamlNode, read_yaml
from gateway.packages.forms import RuleForm, read_form
from xoev_schemas.findings import Text

CONDITIONS = ("each", "when", "require")
"""Keys of a rule in the words of the mapping language."""


def read_rules(file: Path, problems: Problems) -> RuleSet | None:
    """None if the file is unusable; then `problems` says why."""
    node = read_yaml(file, problems)
    if node is None:
        return None
    if not isinstance(node, Members) or not isinstance(node.nodes.get("rules"), Items):
        text = Text(
            "Auf der obersten Ebene muss „rules:“ mit einer Liste stehen.", "the top level must be 'rules: […]'."
        )
        problems.add(node.place, "mapping.top_level", text)
        return None
    for name, place in node.keys.items():
        if name != "rules":
            problems.unknown(place, "mapping.unknown_key", Text("Den Schlüssel", "key"), name, ["rules"])
    entries = node.nodes["rules"]
    assert isinstance(entries, Items)
    rules = tuple(rule for entry in entries.nodes if (rule := _rule(entry, problems)) is not None)
    _check_ids(rules, problems)
    return RuleSet(file, rules)


def _rule(node: YamlNode, problems: Problems) -> Rule | None:
    form = read_form(RuleForm, node, problems, without=CONDITIONS)
    if not isinstance(node, Members):
        return None
    if "require" not in node.nodes:
        problems.add(node.place, "config.missing_key", Text("„require“ fehlt.", "'require' is missing."))
        return None
    each = read_paths(node.nodes["each"], problems) if "each" in node.nodes else ()
    if len(each) != ("each" in node.nodes):
        text = Text("„each“ nimmt genau einen Pfad.", "'each' takes exactly one path.")
        problems.add(node.keys["each"], "mapping.each_path", text)
    when = read_condition(node.nodes["when"], problems) if "when" in node.nodes else None
    require = read_condition(node.nodes["require"], problems)
    if form is None or require is None:
        return None
    return Rule(
        place=node.place,
        id=form.id,
        each=each[0] if each else None,
        when=when,
        require=require,
        text=Text(form.text.de, form.text.en),
        remedy=Text(form.remedy.de, form.remedy.en),
        severity=form.severity,
        source=form.source,
        covers=tuple(form.covers),
    )


def _check_ids(rules: tuple[Rule, ...], problems: Problems) -> None:
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in first:
            line = first[rule.id].place.line
            text = Text(
                f"Die Regel „{rule.id}“ gibt es schon, in Zeile {line}.",
                f"there is a rule '{rule.id}' already, in line {line}.",
            )
            problems.add(rule.place, "config.duplicate_rule", text)
        first.setdefault(rule.id, rule)
