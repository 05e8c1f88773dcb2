"""From a mapping file to its template. Finds every fault at once; never stops at the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from gateway.mapping.condition_reader import read_condition
from gateway.mapping.functions import Function, read_function
from gateway.mapping.language import (
    Attachments,
    Common,
    CompiledMapping,
    Concat,
    Const,
    Each,
    First,
    List,
    Object,
    Read,
    Template,
)
from gateway.mapping.paths import parse_path
from gateway.mapping.pieces import read_boolean, read_constant, read_number, read_paths
from gateway.mapping.problems import Place, Problems
from gateway.mapping.run import compiled
from gateway.mapping.shaping import SHAPES
from gateway.mapping.shaping_reader import ShapingReader
from gateway.mapping.tables import Tables, code_table
from gateway.mapping.values import KINDS, WITH_DECIMALS, Json, WrongValue, convert_constant
from gateway.mapping.yaml_nodes import Items, Members, Scalar, YamlNode, plain, read_yaml
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

OPTIONS: dict[str, frozenset[str]] = {
    "from": frozenset(
        {"as", "decimals", "call", "codes", "codelist", "otherwise", "required", "default", "when", *SHAPES}
    ),
    "concat": frozenset({"separator", "required", "default", "when", *SHAPES}),
    "const": frozenset({"when"}),
    "each": frozenset({"make", "required", "when"}),
    "first": frozenset({"required", "default", "when"}),
    "attachments": frozenset({"required", "when"}),
}
"""Directive → what may stand beside it."""

WORDS = frozenset(OPTIONS) | frozenset().union(*OPTIONS.values())
PURPOSES = ("attachment", "data", "form", "report")
"""What an attachment can be announced as (FIT-Connect's metadata)."""
STOP = "stop"
"""`required: stop`: as `required: true`, and that there may be nothing is no news to who wrote it."""
ESCAPE = "="
"""`=from: …` makes a member that is really called `from`."""


def read_mapping(
    file: FilePath, kind: str, problems: Problems, registry: Registry | None = None
) -> CompiledMapping | None:
    """kind: `case` or `request`, the file's one top-level key. registry: see `Tables`. None if it is unusable; then
    `problems` says why.
    """
    node = read_yaml(file, problems)
    return None if node is None else compile_mapping(node, file, kind, problems, registry)


def compile_mapping(
    node: YamlNode, file: FilePath, kind: str, problems: Problems, registry: Registry | None = None
) -> CompiledMapping | None:
    if not isinstance(node, Members) or kind not in node.nodes:
        text = Text(f"Auf der obersten Ebene muss „{kind}:“ stehen.", f"the top level must be '{kind}:'.")
        problems.add(node.place, "mapping.top_level", text)
        return None
    for name, place in node.keys.items():
        if name != kind:
            problems.unknown(place, "mapping.unknown_key", Text("Den Schlüssel", "key"), name, [kind])
    reader = _Reader(file.parent, problems, kind, registry)
    template = reader.template(node.nodes[kind])
    if isinstance(template, Object):
        return CompiledMapping(kind, file, template, compiled(template), tuple(sorted(reader.uses)))
    text = Text(f"„{kind}:“ muss ein Objekt beschreiben.", f"'{kind}:' must describe an object.")
    problems.add(node.keys[kind], "mapping.top_level", text)
    return None


class _Reader:
    """uses: see `CompiledMapping`."""

    def __init__(self, folder: FilePath, problems: Problems, kind: str, registry: Registry | None) -> None:
        self.uses: set[str] = set()
        self._problems = problems
        self._kind = kind
        self._tables = Tables(folder, registry, problems)
        self._shapings = ShapingReader(registry, problems)
        self._directives: dict[str, Callable[[Members, Common], Template]] = {
            "from": self._read,
            "concat": self._concat,
            "const": lambda node, common: Const(common, read_constant(node.nodes["const"], self._problems)),
            "each": self._each,
            "first": lambda node, common: First(common, self._list(node, "first")),
            "attachments": self._attachments,
        }

    def template(self, node: YamlNode) -> Template:
        if isinstance(node, Scalar):
            return Const(Common(node.place), read_constant(node, self._problems))
        if isinstance(node, Items):
            return List(Common(node.place), tuple(self.template(item) for item in node.nodes))
        present = [word for word in OPTIONS if _is_directive(node, word)]
        if len(present) > 1:
            names = " + ".join(present)
            text = Text(f"Nur eine dieser Angaben ist möglich: {names}.", f"only one of these can stand here: {names}.")
            self._problems.add(node.place, "mapping.two_directives", text)
        if present:
            return self._rule(node, present[0])
        return self._object(node)

    def _rule(self, node: Members, directive: str) -> Template:
        for name, place in node.keys.items():
            if name != directive and name not in OPTIONS[directive]:
                what = Text(f"Neben „{directive}“ die Angabe", f"option of '{directive}' named")
                self._problems.unknown(place, "mapping.unknown_option", what, name, OPTIONS[directive])
        options = node.nodes
        stops = "required" in options and plain(options["required"]) == STOP
        common = Common(
            node.place,
            when=read_condition(options["when"], self._problems) if "when" in options else None,
            required=stops or ("required" in options and read_boolean(options["required"], self._problems)),
            stops=stops,
            default=read_constant(options["default"], self._problems) if "default" in options else None,
        )
        return self._directives[directive](node, common)

    def _object(self, node: Members) -> Object:
        members: dict[str, Template] = {}
        for name, value in node.nodes.items():
            if name == "when":
                continue
            if name in WORDS and name != "attachments":
                text = Text(
                    f"„{name}“ gehört zu einer Regel, hier fehlt aber „from“ oder eine andere Quelle.",
                    f"'{name}' belongs to a rule, but there is no 'from' or other source beside it.",
                )
                remedy = Text(
                    f"Für ein Feld, das so heißt, schreiben Sie „{ESCAPE}{name}“.",
                    f"For a member of that name write '{ESCAPE}{name}'.",
                )
                self._problems.add(node.keys[name], "mapping.option_without_rule", text, remedy=remedy)
                continue
            members[name.removeprefix(ESCAPE)] = self.template(value)
        when = read_condition(node.nodes["when"], self._problems) if "when" in node.nodes else None
        return Object(Common(node.place, when), members)

    def _read(self, node: Members, common: Common) -> Read:
        options = node.nodes
        self._one_of(node, "codes", "codelist", "call")
        self._one_of(node, "call", "as")
        kind = self._word(options["as"], KINDS) if "as" in options else "text"
        decimals = self._decimals(node, kind) if "decimals" in options else None
        codes = self._codes(node)
        if codes is not None and "as" in options:
            codes = self._converted(codes, kind, decimals, node.keys["as"])
        if "otherwise" in options and codes is None:
            text = Text("„otherwise“ gehört zu einer Codetabelle.", "'otherwise' belongs to a table of codes.")
            self._problems.add(node.keys["otherwise"], "mapping.option_without_rule", text)
        return Read(
            common,
            read_paths(options["from"], self._problems),
            kind,
            decimals,
            codes,
            str(plain(options["codelist"])) if "codelist" in options else "",
            read_constant(options["otherwise"], self._problems) if "otherwise" in options else None,
            self._function(options["call"]) if "call" in options else None,
            self._shapings.read(node, kind),
        )

    def _one_of(self, node: Members, *words: str) -> None:
        found = [word for word in words if word in node.nodes]
        if len(found) > 1:
            names = " + ".join(found)
            text = Text(f"Nur eine dieser Angaben ist möglich: {names}.", f"only one of these can stand here: {names}.")
            self._problems.add(node.keys[found[-1]], "mapping.two_tables", text)

    def _codes(self, node: Members) -> Mapping[str, Json] | None:
        if "codelist" in node.nodes:
            name = str(plain(node.nodes["codelist"]))
            table = self._tables.get(name, node.nodes["codelist"].place)
            self.uses.update(filter(None, [table.origin]))
            return table.values
        return code_table(node.nodes["codes"], self._problems) if "codes" in node.nodes else None

    def _function(self, node: YamlNode) -> Function | None:
        function = read_function(str(plain(node)), node.place, self._problems)
        self.uses.update([function.origin] if function else [])
        return function

    def _decimals(self, node: Members, kind: str) -> int:
        if kind not in WITH_DECIMALS:
            text = Text("„decimals“ gehört zu „as: decimal“.", "'decimals' belongs to 'as: decimal'.")
            allowed = ", ".join(WITH_DECIMALS)
            self._problems.add(node.keys["decimals"], "mapping.option_without_rule", text, allowed=allowed)
        return read_number(node.nodes["decimals"], 10, self._problems)

    def _converted(
        self, codes: Mapping[str, Json], kind: str, decimals: int | None, place: Place
    ) -> Mapping[str, Json]:
        """What the table gives, as the rule's kind: decided here, once, so that it cannot fail at run time."""
        converted = dict(codes)
        for code, value in codes.items():
            try:
                converted[code] = convert_constant(kind, value, decimals)
            except WrongValue as error:
                text = Text(
                    f"Der Wert zum Code „{code}“ ist kein gültiges „{kind}“.",
                    f"the value for code '{code}' is not {error}.",
                )
                self._problems.add(place, "mapping.code_value", text)
        return converted

    def _concat(self, node: Members, common: Common) -> Concat:
        separator = read_constant(node.nodes["separator"], self._problems) if "separator" in node.nodes else ""
        shaping = self._shapings.read(node, "text")
        return Concat(common, self._list(node, "concat"), str(separator if separator is not None else ""), shaping)

    def _each(self, node: Members, common: Common) -> Each:
        paths = read_paths(node.nodes["each"], self._problems)
        if "make" not in node.nodes:
            text = Text(
                "„each“ braucht „make“: was aus jedem entsteht.", "'each' needs 'make': what becomes of each one."
            )
            self._problems.add(node.place, "mapping.each_without_make", text)
        if len(paths) != 1:
            text = Text("„each“ nimmt genau einen Pfad.", "'each' takes exactly one path.")
            self._problems.add(node.keys["each"], "mapping.each_path", text)
        make = self.template(node.nodes["make"]) if "make" in node.nodes else Const(Common(node.place), "")
        return Each(common, paths[0] if paths else parse_path("."), make)

    def _attachments(self, node: Members, common: Common) -> Attachments:
        if self._kind != "request":
            text = Text("Die Anlagen des Falls füllt das Gateway.", "the gateway itself fills a case's attachments.")
            self._problems.add(node.place, "mapping.attachments_in_case", text)
        value = node.nodes["attachments"]
        if not isinstance(value, Members):
            return Attachments(common)
        purpose = value.nodes["purpose"]
        wanted = purpose.nodes if isinstance(purpose, Items) else (purpose,)
        return Attachments(common, tuple(self._word(item, PURPOSES) for item in wanted))

    def _list(self, node: Members, directive: str) -> tuple[Template, ...]:
        value = node.nodes[directive]
        if isinstance(value, Items) and value.nodes:
            return tuple(self.template(item) for item in value.nodes)
        text = Text(f"„{directive}“ braucht eine Liste.", f"'{directive}' takes a list.")
        self._problems.add(node.keys[directive], "mapping.list", text)
        return ()

    def _word(self, node: YamlNode, known: Collection[str]) -> str:
        word = str(plain(node))
        if word not in known:
            self._problems.unknown(node.place, "mapping.unknown_kind", Text("Die Angabe", "kind"), word, known)
            return "text"
        return word


def _is_directive(node: Members, word: str) -> bool:
    """`attachments` is a common member name, so it counts only with a value that makes it a directive."""
    value = node.nodes.get(word)
    if word != "attachments" or value is None:
        return value is not None
    if isinstance(value, Members):
        return set(value.nodes) == {"purpose"}
    return isinstance(value, Scalar) and value.value == "all"
