"""What adapters share in reading their part of `target.yaml`: strict models, conditions on answers, the table of
faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from adapters import paths
from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Retryable, TargetConfig
from adapters.periods import NotADuration
from xoev_schemas.findings import Finding, Severity, Text

_FAULT_TEXT = 64 * 1024
"""Characters of a foreign text that the table of faults looks at: bounds what a bad pattern can cost."""


def _is_path(value: str) -> str:
    paths.parse(value)
    return value


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


PathText = Annotated[str, AfterValidator(_is_path)]
Pattern = Annotated[str, AfterValidator(_is_pattern)]


class AdapterSettings(BaseModel):
    """Base of every adapter's settings. Unknown names are refused, because a misspelt one would be ignored silently.

    repeatable: may the same request be sent twice? The gateway decides with it what follows an unknown outcome; here
    it only decides whether connections are kept open (a kept one that the target has just closed makes an outcome
    unknown).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=False)

    repeatable: bool = False


class Condition(BaseModel):
    """A value in the answer and what it must be: `{path: $.status, equals: 0}` or a list of allowed values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: PathText
    equals: str | int | bool | list[str | int | bool]

    def judge(self, read: Callable[[str], Any]) -> bool | None:
        """Does it hold? None = the answer has no such value. `read` gives the value at a path, or None."""
        found = read(self.path)
        if found is None:
            return None
        wanted = self.equals if isinstance(self.equals, list) else [self.equals]
        return _plain(found) in {_plain(value) for value in wanted}


def _plain(value: Any) -> str:
    """As text, so that XML's `true` and `0` equal YAML's."""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


class FaultRule(BaseModel):
    """One row of a target's table of faults, asked before the general rules: detail beats code.

    match: regular expression, searched in `STATUS CODE TEXT` of the fault or problem, as the target sent it.
    outcome: `already_there` = the target has it under our key, which is success.
    code: normalised code of the attempt, without personal data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Pattern
    outcome: Literal["retryable", "permanent", "unknown", "already_there"]
    code: str = "target.fault"

    def error(self, detail: str) -> DeliveryError | None:
        """The error this row stands for; None for `already_there`."""
        if self.outcome == "retryable":
            return Retryable(self.code, detail=detail)
        if self.outcome == "permanent":
            return Permanent(self.code, detail=detail)
        if self.outcome == "unknown":
            return OutcomeUnknown(self.code, detail=detail)
        return None


def first_match(rules: list[FaultRule], text: str) -> FaultRule | None:
    """The first row whose pattern is found in the text, or None."""
    return next((rule for rule in rules if re.search(rule.match, text[:_FAULT_TEXT], re.IGNORECASE | re.DOTALL)), None)


Model = TypeVar("Model", bound=BaseModel)


def read_settings(model: type[Model], config: TargetConfig) -> tuple[Model | None, list[Finding]]:
    """A target's settings as `model`; (None, findings) when they are wrong, all faults at once."""
    return _read(model, config.settings, config, "")


Probe = TypeVar("Probe", bound=BaseModel)


def read_settings_and_probe(
    model: type[Model], probe_model: type[Probe], config: TargetConfig
) -> tuple[Model | None, Probe | None, list[Finding]]:
    """A target's settings and its `probe:` (None where it has none), and what is wrong with either."""
    settings, wrong = read_settings(model, config)
    if config.probe is None:
        return settings, None, wrong
    probe, wrong_probe = _read(probe_model, config.probe, config, "probe.")
    return settings, probe, wrong + wrong_probe


def _read(
    model: type[Model], values: Mapping[str, Any], config: TargetConfig, prefix: str
) -> tuple[Model | None, list[Finding]]:
    try:
        return model.model_validate(dict(values)), []
    except ValidationError as error:
        return None, [_setting_finding(model, dict(e), config, prefix) for e in error.errors(include_input=False)]


def _setting_finding(model: type[BaseModel], error: Mapping[str, Any], config: TargetConfig, prefix: str) -> Finding:
    """found, or allowed for what is missing, is the setting's name: by it the gateway finds the line."""
    name = prefix + ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = keys_at(model, error["loc"][:-1])
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        return config_finding(
            config,
            f"{name}: Diese Einstellung gibt es hier nicht.",
            f"{name}: there is no such setting here.",
            remedy=Text(f"Meinten Sie „{near[0]}“?", f"Did you mean '{near[0]}'?")
            if near
            else Text("Entfernen Sie sie.", "Remove it."),
            found=name,
            allowed=", ".join(sorted(known)),
        )
    if error["type"] == "missing":
        return config_finding(
            config,
            f"{name}: Diese Einstellung fehlt.",
            f"{name}: this setting is missing.",
            remedy=Text("Ergänzen Sie sie in der Datei.", "Add it to the file."),
            allowed=name,
        )
    reason, allowed = expected_in(error)
    return config_finding(
        config,
        f"{name}: Der Wert ist nicht zulässig.",
        f"{name}: {reason}",
        remedy=remedy_in(error) or Text("Berichtigen Sie den Wert.", "Correct the value."),
        found=name,
        allowed=allowed,
    )


def expected_in(error: Mapping[str, Any]) -> tuple[str, str | None]:
    """What one of pydantic's errors says: a sentence, and what may stand there where that can be said without words.
    Neither repeats the value.
    """
    said = re.sub(r"^(Value error|Assertion failed), ", "", str(error["msg"]))
    allowed = said.removeprefix("Input should be ")
    return (said, None) if allowed == said else (f"the value should be {allowed}", allowed)


def remedy_in(error: Mapping[str, Any]) -> Text | None:
    """What the type that refused a value says to write instead (`NotADuration`, `NotAPath`)."""
    reason = (error.get("ctx") or {}).get("error")
    if not isinstance(reason, NotADuration | paths.NotAPath):
        return None
    return Text(*(f"{text[0].upper()}{text[1:].removesuffix('.')}." for text in (reason.remedy.de, reason.remedy.en)))


def keys_of(model: type[BaseModel]) -> list[str]:
    """The names that a file may use at the top of `model`."""
    return [field.alias or name for name, field in model.model_fields.items()]


def keys_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The names that may stand at a place inside `model`; of alternatives (`auth`) those of all."""
    current: list[type[BaseModel]] = [model]
    for step in location:
        fields = [field for form in current for name, field in form.model_fields.items() if step in (name, field.alias)]
        inner = [t for field in fields for t in _types(field.annotation) if isinstance(t, type)]
        current = [t for t in inner if issubclass(t, BaseModel)] or current
    return list(dict.fromkeys(key for form in current for key in keys_of(form)))


def _types(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [annotation, *(found for argument in arguments for found in _types(argument))]


def config_finding(
    config: TargetConfig,
    de: str,
    en: str,
    *,
    remedy: Text | None = None,
    found: str | None = None,
    allowed: str | None = None,
    code: str = "config.invalid",
    severity: Severity = "error",
) -> Finding:
    """Something about a target's configuration, placed at its file. Without values: they may be secrets."""
    return Finding(
        code,
        severity,
        "service",
        Text(de, en),
        path=str(Path(config.folder) / "target.yaml"),
        found=found,
        allowed=allowed,
        remedy=remedy or Text("", ""),
    )
