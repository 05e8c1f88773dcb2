"""FIM: Stammdatenschemas in XDatenfelder 2 and 3.0.0, what is made of them, and findings in their own words."""

from xoev_schemas.fim.model import (
    Basis,
    DataSchema,
    Field,
    Group,
    Limits,
    ListRef,
    Position,
    Rule,
    Value,
    element_name,
    trails,
)
from xoev_schemas.fim.reading import read_xdf
from xoev_schemas.fim.refusals import NotAnXdf

__all__ = [
    "Basis", "DataSchema", "Field", "Group", "Limits", "ListRef", "NotAnXdf", "Position", "Rule", "Value",
    "element_name", "read_xdf", "trails",
]  # fmt: skip
