"""What packages say, read and resolved. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from adapters import paths
from adapters.base import TargetConfig
from adapters.periods import Period
from gateway.attachments.rules import AttachmentRules
from gateway.mapping.conditions import Condition
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Place
from gateway.mapping.rules import RuleSet
from gateway.mapping.yaml_nodes import Members, find
from gateway.submission import Kind

if TYPE_CHECKING:
    from xoev_schemas.registry import SchemaRef

OnInvalid = Literal["reject", "clarify", "deliver_with_findings"]
TestMessages = Literal["accept", "refuse"]
Regime = Literal["vwvfg", "ao", "sgb", "wahlrecht"]
Stage = Literal["test", "acceptance", "production"]


@dataclass(frozen=True, slots=True)
class Accepts:
    """One schema that a service takes. mapping: file name in the folder. ref: None if the schema is not installed.

    line: where it stands in `service.yaml`. rules: None = the service has none of its own. kind: of a later submission
    of its matter with this schema; None = as the sender says.
    """

    schema: str
    mapping: str
    from_date: date | None
    compiled: CompiledMapping = field(repr=False)
    ref: SchemaRef | None = None
    line: int | None = None
    rules: RuleSet | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Requires:
    """What a submission must bring along; below it, it becomes a dead letter."""

    trust_level: Literal["none", "low", "substantial", "high"] = "none"
    payment: Literal["none", "required"] = "none"


@dataclass(frozen=True, slots=True)
class Law:
    """regime: which procedure law applies. secrecy: which special secrecy protects the content (`steuer`, `sozial`)."""

    regime: Regime
    secrecy: str = "none"


@dataclass(frozen=True, slots=True)
class Statutory:
    """The department's own time limit. basis: the rule it follows from, for the screen."""

    duration: Period
    starts: Literal["received", "complete"]
    basis: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Who answers for a service when something is stuck. An office, not a person by name."""

    name: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """How long content stays, counted from the end of the submission."""

    delivered: Period
    discarded: Period


@dataclass(frozen=True, slots=True)
class Service:
    """A service package. Names of targets are resolved by `Packages`.

    regions: normalised (see `regions.normalise_region`); empty = everywhere. addressees: channel → destination ids.
    on_invalid: channel → what errors lead to, defaults filled in.
    version: first 12 hex digits of SHA-256 over the package's files and its targets' request mappings.
    test_messages: what becomes of messages that mark themselves as tests; None = what the installation's stage says.
    cutoff: aware; what is received later is too late.
    inactive: why it takes nothing at present (none of its schemas is installed), else None.
    data_schema: JSON Schema of the case's `data`; data_validator: the same, compiled.
    """

    name: str
    title: str
    identifiers: tuple[str, ...]
    department: str
    regions: tuple[str, ...]
    addressees: Mapping[str, tuple[str, ...]]
    accepts: tuple[Accepts, ...]
    on_invalid: Mapping[str, OnInvalid]
    requires: Requires
    law: Law
    transport_within: timedelta | None
    statutory: Statutory | None
    targets: tuple[str, ...]
    keep: Keep
    folder: Path
    version: str
    cutoff: datetime | None = None
    contact: Contact | None = None
    inactive: str | None = None
    test_messages: TestMessages | None = None
    attachments: AttachmentRules = field(default_factory=AttachmentRules)
    data_schema: Mapping[str, Any] | None = field(default=None, repr=False)
    data_validator: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """delays: seconds before the second, third … attempt; the last one repeats. give_up_after: seconds.

    per_second, parallel: None = no limit of its own.
    """

    delays: tuple[float, ...] = (30.0, 120.0, 600.0, 3600.0, 21600.0)
    give_up_after: float = 3 * 86400.0
    per_second: float | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One of the calls that a delivery takes. tells: names of what its answer says. before: those in front of it.

    each: it is made once for every attachment. number: of the attachment, from 1; 0 = not for a single one.
    references: those of `tells` that are the department's names for the case.
    """

    name: str
    each: bool
    tells: tuple[str, ...]
    references: tuple[str, ...]
    before: tuple[Step, ...] = ()
    number: int = 0

    @property
    def call(self) -> str:
        """What a single call is kept under: `find-file`, `attach.2`."""
        return f"{self.name}.{self.number}" if self.number else self.name


@dataclass(frozen=True, slots=True)
class Target:
    """A department system. requests: service name → its request mapping; `""` = for every other service.

    when: condition on the case; None = always. hours: as written; `gateway.delivery.hours` reads it.
    kind: of submission that these settings are for. kinds: its settings for other kinds, None = it skips them; a kind
    that is not there has no request.
    source: the file with the installation's settings laid over it: where each setting stands; None = no file.
    steps: the target as it is for each of the calls that a delivery takes, in order; empty = it takes one. step: which
    of them this is.
    """

    name: str
    adapter: str
    config: TargetConfig
    retry: RetryPolicy
    hours: str | None
    repeatable: bool
    has_probe: bool
    accepts_test: bool
    department: str
    when: Condition | None
    folder: Path
    requests: Mapping[str, CompiledMapping] = field(repr=False)
    source: Members | None = field(default=None, repr=False, compare=False)
    kind: Kind = "new"
    kinds: Mapping[Kind, Target | None] = field(default_factory=dict, repr=False)
    steps: tuple[Target, ...] = ()
    step: Step | None = None

    def for_kind(self, kind: Kind) -> Target | None:
        """As it is for submissions of this kind. None: it skips them (`skips`), or has no request for them."""
        return self.kinds.get(kind, self if kind == self.kind else None)

    def skips(self, kind: Kind) -> bool:
        """It says of itself that it wants nothing of this kind."""
        return kind in self.kinds and self.kinds[kind] is None

    def variants(self) -> list[Target]:
        """What is called: this one, and what it is for other kinds; of each its steps, where a delivery takes several
        calls.
        """
        return [call for one in (self, *self.kinds.values()) if one is not None for call in one.calls()]

    def calls(self) -> tuple[Target, ...]:
        return self.steps or (self,)

    def serves(self, service: str) -> bool:
        """There is a request mapping for this service."""
        return any(call.request_for(service) is not None for call in self.calls())

    @property
    def label(self) -> str:
        """Its name for people, with that of the step."""
        return f"{self.name}/{self.step.name}" if self.step else self.name

    @property
    def references(self) -> tuple[str, ...]:
        """Names of what it calls a case."""
        told = (call.step.references if call.step else tuple(call.config.references) for call in self.calls())
        return tuple(dict.fromkeys(name for names in told for name in names))

    def place(self, *location: str | int) -> Place:
        """Where a setting stands: in its file, or in the installation's settings that lie over it."""
        return find(self.source, location) if self.source else Place(self.folder / "target.yaml")

    @property
    def filled_by_adapter(self) -> Mapping[str, str]:
        """Fields that the adapter puts in → the setting that says so: `key: $.Vorgang.FremdId`, `repeat_mark: …`."""
        named = {"key": self.config.key, "repeat_mark": self.config.settings.get("repeat_mark")}
        return {paths.dotted(path): setting for setting, path in named.items() if isinstance(path, str)}

    def request_for(self, service: str) -> CompiledMapping | None:
        return self.requests.get(service) or self.requests.get("")


@dataclass(frozen=True, slots=True)
class Client:
    """Who may talk to the gateway.

    services: what a portal may send; None = all; empty for a department. department: whose cases it may fetch.
    certificate_sha256: of the DER form, lower-case hex. secret_scrypt: only for the installation's own token issuer.
    source: its file, for the place of a fault.
    """

    name: str
    kind: Literal["portal", "department"]
    issuer: str | None
    client_id: str | None
    certificate_sha256: str | None
    services: tuple[str, ...] | None
    department: str | None
    secret_scrypt: str | None = field(default=None, repr=False)
    source: Members | None = field(default=None, repr=False, compare=False)

    def place(self, *location: str | int) -> Place:
        """Where a setting stands in its file."""
        return find(self.source, location) if self.source else Place(Path("clients") / f"{self.name}.yaml")
