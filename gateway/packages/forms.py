"""The form of package files (pydantic), and its errors as findings with file, line, column and the nearest key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from adapters.periods import Period, Seconds, parse_period
from adapters.settings import PathText, expected_in, keys_at, keys_of, remedy_in
from gateway.attachments.kinds import normalise
from gateway.attachments.rules import DEFAULT_ALLOWED
from gateway.delivery.hours import BERLIN, parse_hours
from gateway.mapping.problems import Problems, did_you_mean, nearest
from gateway.mapping.yaml_nodes import Members, YamlNode, find, plain
from gateway.packages.model import OnInvalid, Regime, TestMessages
from gateway.packages.regions import normalise_region
from gateway.submission import Kind
from xoev_schemas.findings import Severity, Text

CHANNELS = ("rest", "fit-connect", "xta")
Channel = Literal["rest", "fit-connect", "xta"]
Form = TypeVar("Form", bound=BaseModel)
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+_-]*")


def _text(value: object) -> object:
    """YAML reads `16` as a number; keys and codes are text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _period(value: object) -> Period:
    return parse_period(str(value))


def _fixed(period: Period) -> Period:
    _ = period.fixed
    return period


def _hours(value: str) -> str:
    parse_hours(value)
    return value


def _moment(value: object) -> datetime:
    """A clock time in the city, unless an offset is written."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("is no day and time; write them like 2029-02-23T15:00 (Europe/Berlin)")
    return moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)


def _media_type(value: str) -> str:
    bare = normalise(value)
    if not _MEDIA_TYPE.fullmatch(bare):
        raise ValueError("is no media type; write one like application/pdf")
    return bare


def _per_channel(value: object) -> object:
    return dict.fromkeys(CHANNELS, value) if isinstance(value, str) else value


def _certificate(value: object) -> object:
    return value.replace(":", "").lower() if isinstance(value, str) else value


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Line = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Duration = Annotated[Period, BeforeValidator(_period)]
FixedDuration = Annotated[Duration, AfterValidator(_fixed)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Region = Annotated[str, BeforeValidator(_text), AfterValidator(normalise_region)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class AcceptsForm(_Form):
    schema_: Line = Field(alias="schema")
    mapping: Line = "mapping.yaml"
    rules: Line | None = None
    kind: Kind | None = None
    from_: date | None = Field(default=None, alias="from")


class RequiresForm(_Form):
    trust_level: Literal["none", "low", "substantial", "high"] = "none"
    payment: Literal["none", "required"] = "none"


class LawForm(_Form):
    regime: Regime
    secrecy: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")] = "none"


class StatutoryForm(_Form):
    duration: Duration
    starts: Literal["received", "complete"] = "received"
    basis: Line


class ContactForm(_Form):
    name: Line
    email: Line | None = None
    phone: Line | None = None


class KeepForm(_Form):
    delivered: Duration = parse_period("P30D")
    discarded: Duration = parse_period("P6M")


class AttachmentsForm(_Form):
    allow: list[Annotated[Line, AfterValidator(_media_type)]] = list(DEFAULT_ALLOWED)
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    max_count: Annotated[int, Field(ge=0)] | None = None


class ServiceForm(_Form):
    """`services/NAME/service.yaml`."""

    title: Line
    identifiers: list[Line] = []
    department: Name
    regions: list[Region] = []
    addressees: dict[Channel, list[Line]] = {}
    accepts: Annotated[list[AcceptsForm], Field(min_length=1)]
    on_invalid: Annotated[dict[Channel, OnInvalid], BeforeValidator(_per_channel)] = {}
    requires: RequiresForm = RequiresForm()
    law: LawForm
    transport_within: FixedDuration | None = None
    statutory: StatutoryForm | None = None
    cutoff: Moment | None = None
    contact: ContactForm | None = None
    targets: Annotated[list[Name], Field(min_length=1)]
    keep: KeepForm = KeepForm()
    attachments: AttachmentsForm = AttachmentsForm()
    test_messages: TestMessages | None = None


class TextForm(_Form):
    """A sentence in both languages."""

    de: Line
    en: Line


class RuleForm(_Form):
    """One of `rules:` in a file of rules. Its paths and conditions are read by the mapping language."""

    id: Name
    text: TextForm
    remedy: TextForm
    severity: Severity = "error"
    source: Line | None = None
    covers: list[Line] = []


class RetryForm(_Form):
    delays: Annotated[list[Seconds], Field(min_length=1)]
    give_up_after: Seconds = 3 * 86400.0
    per_second: Annotated[float, Field(gt=0)] | None = None
    parallel: Annotated[int, Field(ge=1, le=64)] | None = None


class TargetForm(_Form):
    """`targets/NAME/target.yaml`: what the gateway itself reads. Everything else in the file belongs to the adapter."""

    adapter: Line
    department: Name
    request: Line = "request.yaml"
    references: dict[str, PathText] = {}
    key: PathText | None = None
    repeatable: bool = False
    probe: dict[str, Any] | None = None
    retry: RetryForm | None = None
    hours: Annotated[str, AfterValidator(_hours)] | None = None
    accepts_test: bool = False
    timeout: Annotated[Seconds, Field(le=3600)] = 30.0
    kinds: dict[Kind, Literal["skip"] | dict[str, Any]] = {}
    steps: list[dict[str, Any]] = []


class StepForm(_Form):
    """One of `steps` in `target.yaml`: what is said of the step itself. Everything else is laid over the target."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
    each: Literal["attachments"] | None = None
    result: dict[str, PathText] = {}


class CertificateForm(_Form):
    sha256: Annotated[str, BeforeValidator(_certificate), Field(pattern=r"^[0-9a-f]{64}$")]


class ClientForm(_Form):
    """`clients/NAME.yaml`."""

    kind: Literal["portal", "department"]
    issuer: Line | None = None
    client_id: Line | None = None
    certificate: CertificateForm | None = None
    services: list[Name] | Literal["*"] | None = None
    department: Name | None = None
    secret_scrypt: Line | None = None

    @model_validator(mode="after")
    def _complete(self) -> ClientForm:
        if (self.client_id is None) != (self.issuer is None):
            raise ValueError("client_id and issuer belong together")
        if self.client_id is None and self.certificate is None:
            raise ValueError("this client needs issuer and client_id, or certificate")
        if self.kind == "portal" and (self.services is None or self.department is not None):
            raise ValueError('a portal needs services (a list, or "*") and no department')
        if self.kind == "department" and (self.department is None or self.services is not None):
            raise ValueError("a department needs department and no services")
        return self


def read_form(form: type[Form], node: YamlNode, problems: Problems, *, without: Iterable[str] = ()) -> Form | None:
    """The file's content in its form, or None with every fault added to `problems`. without: keys read elsewhere."""
    if not isinstance(node, Members):
        text = Text("Hier müssen benannte Angaben stehen.", "named settings must stand here.")
        problems.add(node.place, "config.form", text)
        return None
    values = plain(node)
    assert isinstance(values, dict)
    try:
        return form.model_validate({key: value for key, value in values.items() if key not in without})
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            _explain(form, node, fault, problems)
        return None


def suspicious(name: str) -> str | None:
    """A key of `target.yaml` that `name` is probably a slip of; None = a setting of the adapter."""
    return nearest(name, [*keys_of(TargetForm), "when"], cutoff=0.8)


def _explain(form: type[BaseModel], node: Members, fault: ErrorDetails, problems: Problems) -> None:
    location = fault["loc"]
    place = find(node, location)
    where = ".".join(str(step) for step in location)
    if fault["type"] == "missing":
        problems.add(place, "config.missing_key", Text(f"„{where}“ fehlt.", f"'{where}' is missing."))
    elif fault["type"] == "extra_forbidden":
        known = keys_at(form, location[:-1])
        text = Text(f"„{where}“ gibt es hier nicht.", f"there is no '{where}' here.")
        remedy = did_you_mean(str(location[-1]), known)
        problems.add(place, "config.unknown_key", text, remedy=remedy, allowed=", ".join(sorted(known)))
    else:
        reason, allowed = expected_in(fault)
        german = f"Der Wert von „{where}“ ist hier nicht möglich." if where else "Die Angaben passen nicht zusammen."
        text = Text(german, f"{where or 'this file'}: {reason}.")
        problems.add(place, "config.value", text, allowed=allowed, remedy=remedy_in(fault))
