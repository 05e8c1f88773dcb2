"""FIM: Stammdatenschemas in XDatenfelder 2 and 3.0.0, what is made of them, and findings in their own words."""

from xoev_schemas.fim.breaking import Broken, example
from xoev_schemas.fim.codes import codelist_findings
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.fim.explain import explain
from xoev_schemas.fim.json_form import to_json_schema
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
from xoev_schemas.fim.rules import unevaluated_rules
from xoev_schemas.fim.xsd_form import to_xsd, xsd_namespace

__all__ = [
    "Basis",
    "Broken",
    "DataSchema",
    "Field",
    "Group",
    "Limits",
    "ListRef",
    "NoExample",
    "NotAnXdf",
    "Position",
    "Rule",
    "Value",
    "codelist_findings",
    "element_name",
    "example",
    "explain",
    "read_xdf",
    "to_json_schema",
    "to_xsd",
    "trails",
    "unevaluated_rules",
    "xsd_namespace",
]
