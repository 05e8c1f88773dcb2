"""`call: NAME`, the one way out of the language: a Python function that an installed distribution offers.

    [project.entry-points."ozg_gateway.functions"]
    school-number = "my_city.functions:school_number"

A function takes the text at one place and gives what JSON knows (None = nothing). It has to be pure: the same text
gives the same value, always and everywhere; a delivery that is tried again maps again. Whatever it raises becomes a
finding.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from gateway.mapping.problems import Place, Problems
from gateway.mapping.values import FunctionFailed, Json
from xoev_schemas.findings import Text

GROUP = "ozg_gateway.functions"


@dataclass(frozen=True, slots=True)
class Function:
    """name: of the entry point. origin: `module:attribute` and the distribution with its version; part of a package's
    version.
    """

    name: str
    origin: str
    of: Callable[[str], object]

    def __call__(self, text: str) -> Json:
        """Raises FunctionFailed, which names the kind of what was raised: its words may repeat the text."""
        try:
            value = self.of(text)
        except Exception as error:
            raise FunctionFailed(f"{self.name}: {type(error).__name__}") from None
        if not _is_json(value):
            raise FunctionFailed(f"{self.name}: {type(value).__name__} is nothing that JSON knows")
        return value  # type: ignore[return-value]


def read_function(name: str, place: Place, problems: Problems) -> Function | None:
    """The function of that name, or None with the reason added to `problems`."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        known = [entry.name for entry in entry_points(group=GROUP)]
        problems.unknown(place, "mapping.unknown_function", Text("Die Funktion", "function"), name, known)
        return None
    try:
        function = found.load()
        inspect.signature(function).bind("text")
    except Exception as error:
        text = Text(
            f"Die Funktion „{name}“ ist nicht zu gebrauchen: {type(error).__name__}.",
            f"the function '{name}' ({found.value}) cannot be used: {type(error).__name__}.",
        )
        problems.add(place, "mapping.function_unusable", text, allowed="(str) -> JSON")
        return None
    return Function(name, _origin(found), function)


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value} {entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _is_json(value: object) -> bool:
    match value:
        case None | str() | bool() | int():
            return True
        case float():
            return value - value == 0  # neither infinite nor NaN
        case list():
            return all(map(_is_json, value))
        case dict():
            return all(isinstance(name, str) and _is_json(one) for name, one in value.items())
        case _:
            return False
