"""Read a Schematron schema into the model: ISO/IEC 19757-3 with the query binding of XSLT 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from xoev_schemas.findings import Severity
from xoev_schemas.schematron.expressions import insert_parameters, rename_variables
from xoev_schemas.schematron.files import SCH, XSL, Files, Node
from xoev_schemas.schematron.model import Assertion, Let, Pattern, Rule, Schema, Sentence, Value
from xoev_schemas.xsd import NotCompiled

_BINDINGS = ("xslt2", "xslt3")
# Words that authors use in `role` and `flag`; the standard names none. What is not known stays an error.
_SEVERITIES: Mapping[str, Severity] = {
    "fatal": "error",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "information": "info",
    "info": "info",
}


def read_schema(data: bytes, resolve: Callable[[str], bytes] | None, file: str) -> Schema:
    """Raises NotCompiled with every problem found, each with file and line."""
    files = Files(resolve)
    root = files.read(data, file)
    if root is not None and root.element.tag != f"{SCH}schema":
        files.problem(root, "this is no ISO Schematron schema (http://purl.oclc.org/dsdl/schematron)")
    elif root is not None:
        files.check(root)
    if root is None or files.problems:
        raise _not_compiled(files)
    schema = _Reader(files, root).schema()
    if files.problems:
        raise _not_compiled(files)
    return schema


def _not_compiled(files: Files) -> NotCompiled:
    return NotCompiled([(str(place), sentence) for place, sentence in dict.fromkeys(files.problems)])


class _Reader:
    def __init__(self, files: Files, root: Node) -> None:
        self._files = files
        self._root = root
        self._children = list(files.children(root))
        self._patterns = [child for child in self._children if child.name == "pattern"]
        self._diagnostics = {
            diagnostic.need("id"): diagnostic
            for child in self._children
            if child.name == "diagnostics"
            for diagnostic in files.children(child)
        }

    def schema(self) -> Schema:
        binding = self._root.get("queryBinding") or "xslt"
        if binding not in _BINDINGS:
            self._files.problem(self._root, f"the query binding {binding} is not supported, only xslt2 and xslt3")
        phase = self._phase()
        return Schema(
            namespaces=self._namespaces(),
            lets=tuple(self._let(child, {}) for owner in (self._root, phase) for child in self._lets_of(owner)),
            xslt=tuple((child.element, child.place) for child in self._children if child.name.startswith(XSL)),
            patterns=tuple(
                self._pattern(node, number)
                for number, node in enumerate(self._active(phase), 1)
                if node.get("abstract") != "true"
            ),
        )

    def _namespaces(self) -> dict[str, str]:
        """Prefixes by `ns`; those of the root element too, because authors rely on `xs` being known."""
        declared = {prefix: uri for prefix, uri in self._root.element.nsmap.items() if prefix}
        named = {child.need("prefix"): child.need("uri") for child in self._children if child.name == "ns"}
        return {prefix: str(uri) for prefix, uri in {**declared, **named}.items() if prefix != "xml"}

    # --- phases ------------------------------------------------------------------------------------------------

    def _phase(self) -> Node | None:
        """The phase that the schema itself names as its default; without one, every pattern is active."""
        wanted = self._root.get("defaultPhase") or "#ALL"
        if wanted == "#ALL":
            return None
        for child in self._children:
            if child.name == "phase" and child.get("id") == wanted:
                return child
        self._files.problem(self._root, f"the default phase {wanted} is not there")
        return None

    def _active(self, phase: Node | None) -> list[Node]:
        if phase is None:
            return self._patterns
        by_id = {node.get("id"): node for node in self._patterns}
        active = [child for child in self._files.children(phase) if child.name == "active"]
        for child in active:
            if child.get("pattern") not in by_id:
                self._files.problem(child, f"the pattern {child.get('pattern')} is not there")
        return [by_id[child.get("pattern")] for child in active if child.get("pattern") in by_id]

    # --- patterns ----------------------------------------------------------------------------------------------

    def _pattern(self, node: Node, number: int) -> Pattern:
        """`number` keeps the variables of one pattern apart from those of another: in XSLT both are global."""
        body, parameters = node, dict[str, str]()
        if (abstract := node.get("is-a")) is not None:
            parameters = {
                child.need("name"): child.need("value") for child in self._files.children(node) if child.name == "param"
            }
            found = [p for p in self._patterns if p.get("id") == abstract and p.get("abstract") == "true"]
            if not found:
                self._files.problem(node, f"the abstract pattern {abstract} is not there")
                return Pattern((), ())
            body = found[0]
        lets = [self._let(child, parameters) for child in self._lets_of(body)]
        rules = [
            self._rule(child, body, parameters)
            for child in self._files.children(body)
            if child.name == "rule" and child.get("abstract") != "true"
        ]
        names = {let.name: f"{let.name}.in-pattern-{number}" for let in lets}
        return _renamed(Pattern(tuple(lets), tuple(rules)), names)

    def _rule(self, node: Node, pattern: Node, parameters: Mapping[str, str]) -> Rule:
        if not (node.get("context") or "").strip():
            self._files.problem(node, "rule lacks the attribute context")
        context = insert_parameters(node.get("context") or "", parameters)
        return Rule(context, tuple(self._parts(node, node, pattern, parameters, ())), node.place)

    def _parts(
        self, node: Node, rule: Node, pattern: Node, parameters: Mapping[str, str], within: tuple[str, ...]
    ) -> list[Let | Assertion]:
        """Variables and assertions of a rule; `extends` is replaced by those of the abstract rule."""
        parts: list[Let | Assertion] = []
        for child in self._files.children(node):
            if child.name == "let":
                parts.append(self._let(child, parameters))
            elif child.name in ("assert", "report"):
                parts.append(self._assertion(child, rule, parameters))
            elif child.name == "extends":
                wanted = child.need("rule")
                abstract = self._abstract_rule(wanted, pattern)
                if abstract is None:
                    self._files.problem(child, f"the abstract rule {wanted} is not there")
                elif wanted in within:
                    self._files.problem(child, f"the abstract rule {wanted} extends itself")
                else:
                    parts += self._parts(abstract, rule, pattern, parameters, (*within, wanted))
        return parts

    def _abstract_rule(self, wanted: str, pattern: Node) -> Node | None:
        """Of the same pattern, as the standard says; else of any other, because XHochschule 1.1 does so."""
        for owner in (pattern, *self._patterns):
            for child in self._files.children(owner):
                if child.name == "rule" and child.get("abstract") == "true" and child.get("id") == wanted:
                    return child
        return None

    # --- assertions --------------------------------------------------------------------------------------------

    def _assertion(self, node: Node, rule: Node, parameters: Mapping[str, str]) -> Assertion:
        subject = node.get("subject") or rule.get("subject")
        names = (node.get("diagnostics") or "").split()
        for name in names:
            if name not in self._diagnostics:
                self._files.problem(node, f"the diagnostic {name} is not there")
        return Assertion(
            id=node.get("id") or rule.get("id") or str(node.place),
            test=insert_parameters(node.need("test"), parameters),
            when=node.name == "report",
            severity=_severity(node.get("flag"), node.get("role"), rule.get("flag"), rule.get("role")),
            subject=insert_parameters(subject, parameters) if subject else None,
            sentence=self._sentence(node, parameters),
            diagnostics=tuple(
                self._sentence(self._diagnostics[name], parameters) for name in names if name in self._diagnostics
            ),
            place=node.place,
        )

    def _sentence(self, node: Node, parameters: Mapping[str, str]) -> Sentence:
        parts: list[str | Value] = [str(node.element.text or "")]
        for child in node.element:
            if isinstance(child.tag, str):
                inner = Node(child, node.file)
                if inner.name == "value-of":
                    parts.append(Value(insert_parameters(inner.need("select"), parameters)))
                elif inner.name == "name":
                    path = insert_parameters(inner.get("path") or ".", parameters)
                    parts.append(Value(f"{path}/name()" if path != "." else "name()"))
                else:
                    parts.append("".join(map(str, child.itertext())))
            parts.append(str(child.tail or ""))
        return tuple(part for part in parts if part)

    def _lets_of(self, node: Node | None) -> list[Node]:
        return [] if node is None else [child for child in self._files.children(node) if child.name == "let"]

    def _let(self, node: Node, parameters: Mapping[str, str]) -> Let:
        return Let(node.need("name"), insert_parameters(node.need("value"), parameters), node.get("as"), node.place)


def _severity(*words: str | None) -> Severity:
    """By the first word that is known; an assertion that says nothing, or something unknown, is an error."""
    for word in words:
        if word is not None and word.strip().lower() in _SEVERITIES:
            return _SEVERITIES[word.strip().lower()]
    return "error"


def _renamed(pattern: Pattern, names: Mapping[str, str]) -> Pattern:
    """The pattern with its variables called otherwise, wherever an expression uses them."""
    if not names:
        return pattern

    def expression(text: str) -> str:
        return rename_variables(text, names)

    def sentence(parts: Sentence) -> Sentence:
        return tuple(Value(expression(part.select)) if isinstance(part, Value) else part for part in parts)

    def part(item: Let | Assertion) -> Let | Assertion:
        if isinstance(item, Let):
            return replace(item, name=names.get(item.name, item.name), value=expression(item.value))
        return replace(
            item,
            test=expression(item.test),
            subject=expression(item.subject) if item.subject else None,
            sentence=sentence(item.sentence),
            diagnostics=tuple(map(sentence, item.diagnostics)),
        )

    return Pattern(
        lets=tuple(replace(let, name=names[let.name], value=expression(let.value)) for let in pattern.lets),
        rules=tuple(
            replace(rule, context=expression(rule.context), parts=tuple(map(part, rule.parts)))
            for rule in pattern.rules
        ),
    )
