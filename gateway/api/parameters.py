"""Query parameters: an unknown one is refused, because it would do nothing, and a wrong one is told what is allowed.

Only names and rules that this interface declares are told, never what was sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Depends
from starlette.requests import Request

from gateway.errors import Refused
from gateway.intake.refusals import finding, refused
from gateway.mapping.problems import did_you_mean
from xoev_schemas.findings import Finding
from xoev_schemas.places import Names


def check_names(request: Request, known: Iterable[str]) -> None:
    """Raises Refused 400 `parameter_unknown`, or `parameter_invalid` for one that is there twice."""
    counted = Counter(name for name, _ in request.query_params.multi_items())
    names = list(known)
    unknown = [_unknown(name, names) for name in counted if name not in names]
    if unknown:
        raise refused("parameter_unknown", findings=unknown)
    twice = [finding("parameter_invalid", path=name, allowed="1 ×") for name, count in counted.items() if count > 1]
    if twice:
        raise refused("parameter_invalid", findings=twice)


def _unknown(name: str, known: Sequence[str]) -> Finding:
    told = finding("parameter_unknown", path=Names(known).shown(name), allowed=", ".join(known) or None)
    return replace(told, remedy=did_you_mean(name, known) or told.remedy)


def _declared_only(request: Request) -> None:
    route: Any = request.scope["route"]
    check_names(request, [field.alias for field in route.dependant.query_params])


DECLARED_ONLY = Depends(_declared_only)
"""For routes whose parameters the framework reads: no other may be there."""


def refusal_of(errors: Iterable[Mapping[str, Any]]) -> Refused:
    """errors: pydantic's; the last step of `loc` is the parameter's name."""
    faults = [(str(error["loc"][-1]), error) for error in errors if error["loc"]]
    code = "parameter_missing" if all(e["type"] == "missing" for _, e in faults) else "parameter_invalid"
    return refused(code, findings=[finding(_code(e), path=name, allowed=_allowed(e)) for name, e in faults])


def _code(error: Mapping[str, Any]) -> str:
    return "parameter_missing" if error["type"] == "missing" else "parameter_invalid"


_RULES = (
    ("pattern", "pattern {}"),
    ("max_length", "maxLength {}"),
    ("ge", "≥ {}"),
    ("le", "≤ {}"),
)


def _allowed(error: Mapping[str, Any]) -> str | None:
    """The rule in the words of findings (`pattern …`, `maxLength …`, a list of values)."""
    context = error.get("ctx", {})
    if "expected" in context:
        return ", ".join(re.findall(r"'([^']*)'", str(context["expected"])))
    if error["type"].startswith("int_"):
        return "integer"
    return next((form.format(context[rule]) for rule, form in _RULES if rule in context), None)
