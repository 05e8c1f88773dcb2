"""What the compiler has to know of an XPath expression, token by token; Saxon understands the rest.

Comments and string literals are told apart from code, so that a word in a sentence is never taken for a function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

_NAME = r"[^\W\d][\w.\-]*"
_TOKEN = re.compile(
    rf"""
    (?P<literal> "(?:[^"]|"")*" | '(?:[^']|'')*' )
  | (?P<braced> Q\{{[^{{}}]*\}} )
  | (?P<variable> \$ \s* {_NAME}(?: : {_NAME})? )
  | (?P<name> {_NAME} )
  | (?P<other> \s+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)

# What reads a file, the network, the environment or a document hidden in text (whose DOCTYPE nobody has refused), and
# what finds such a function by a name that only exists at run time. XPath and XQuery Functions 3.1, XSLT 3.0 §20.
FORBIDDEN_FUNCTIONS = frozenset(
    {
        "available-environment-variables", "collection", "doc", "doc-available", "document", "environment-variable",
        "function-lookup", "json-doc", "load-xquery-module", "parse-xml", "parse-xml-fragment", "stream-available",
        "system-property", "transform", "unparsed-entity-public-id", "unparsed-entity-uri", "unparsed-text",
        "unparsed-text-available", "unparsed-text-lines", "uri-collection",
    }
)  # fmt: skip


def forbidden_functions(expression: str) -> list[str]:
    """Names of functions called or referred to that would reach outside the message, in order."""
    tokens = [(kind, text) for kind, text in _tokens(_without_comments(expression)) if text.strip()]
    return [
        text
        for (kind, text), (_, after) in pairwise(tokens)
        if kind == "name" and after in ("(", "#") and text in FORBIDDEN_FUNCTIONS
    ]


def rename_variables(expression: str, names: Mapping[str, str]) -> str:
    """`$old` → `$new` outside literals. A local binding of that name is renamed with its uses, so nothing changes."""
    return "".join(
        f"${names[text[1:].strip()]}" if kind == "variable" and text[1:].strip() in names else text
        for kind, text in _tokens(expression)
    )


def insert_parameters(expression: str, values: Mapping[str, str]) -> str:
    """Replace the parameters of an abstract pattern. They are macros: text for text, in literals too."""
    return re.sub(rf"\$({_NAME})", lambda found: values.get(found[1], found[0]), expression)


def matches_more_than_elements(context: str) -> bool:
    """Whether a rule's context may mean attributes, text or comments. In doubt yes: it only costs time."""
    names = ("attribute", "text", "comment", "processing-instruction", "node", "item")
    return any(text == "@" or text in names for kind, text in _tokens(context) if kind in ("name", "other"))


def is_about_names(select: str) -> bool:
    """Whether the result can only be a name, a count or a position in the message, never something a citizen wrote."""
    select = select.strip()
    return bool(
        re.fullmatch(r"(?:[\w:*\-./@\[\]]+[/!]\s*)?(?:local-)?name\((?:\.|\.\.|)\)", select)
        or re.fullmatch(r"(?:count|position|last)\([\w:*\-./@]*\)", select)
    )


def string_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(expression):
        yield found.lastgroup or "other", found[0]


_LITERAL = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")


def _without_comments(expression: str) -> str:
    """`(: … :)` nests, so it takes counting; literals are kept whole."""
    kept: list[str] = []
    depth = position = 0
    while position < len(expression):
        pair = expression[position : position + 2]
        if pair == "(:":
            depth += 1
            position += 2
        elif pair == ":)" and depth:
            depth -= 1
            position += 2
            kept.append(" ")
        else:
            literal = None if depth else _LITERAL.match(expression, position)
            text = literal[0] if literal else expression[position]
            position += len(text)
            if not depth:
                kept.append(text)
    return "".join(kept)
