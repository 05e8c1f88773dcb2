"""The form that a target wants a text in: `characters`, `upper`, `pad`, `cut`, in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.mapping.values import Json, WrongValue

SHAPES = ("characters", "upper", "pad", "cut")


@dataclass(frozen=True, slots=True)
class Shaping:
    """rewrite: what `characters` makes of a text; raises WrongValue. pad: filled with zeros in front to this length, 0
    = not. cut: no longer than this, None = any length.
    """

    rewrite: Callable[[str], str] | None = None
    upper: bool = False
    pad: int = 0
    cut: int | None = None

    def shaped(self, value: Json) -> Json:
        """Everything but the cut, which the caller has to tell. Raises WrongValue."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise WrongValue("a text")
        text = self.rewrite(value) if self.rewrite else value
        return (text.upper() if self.upper else text).zfill(self.pad)
