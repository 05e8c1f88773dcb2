"""Settings of an installation: `gateway.yaml`, or environment variables `GATEWAY_…` (they win). Read once, at start.

Secrets never stand in the file: values may be `${file:/run/secrets/x}` or `${env:NAME}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from gateway.errors import ConfigurationError
from xoev_schemas.findings import Finding, Text

_REFERENCE = re.compile(r"\$\{(file|env):([^}]+)\}")


def _absolute(path: Path) -> Path:
    """Whole, so that messages show where something is, and a later change of the folder changes nothing."""
    return path.expanduser().absolute()


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError("is no address; write HOST:PORT, like 127.0.0.1:8080 or [::1]:8080")
    return text


def _scanner(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError with the reason
    by_clamd = parts.scheme == "clamd" and bool(parts.hostname) != bool(parts.path)
    by_icap = parts.scheme == "icap" and bool(parts.hostname) and bool(parts.path.strip("/"))
    if text and not by_clamd and not by_icap:
        raise ValueError(
            "is no scanner; write clamd://HOST:PORT, clamd:/PATH/OF/SOCKET or icap://HOST:PORT/SERVICE, or nothing"
        )
    return text


def _key_service(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError with the reason
    there = parts.scheme in ("https", "http") and parts.hostname and parts.path.strip("/").count("/") >= 1
    if text and (not there or parts.query or parts.fragment or parts.username):
        raise ValueError("is no key service; write https://HOST:PORT/MOUNT/KEY, or nothing for key files")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError("is not encrypted: a key service on another machine needs https://")
    return text


class Issuer(BaseModel):
    """Who may issue bearer tokens. jwks: a URL, or a file path; `local` = the installation's own small issuer."""

    model_config = ConfigDict(extra="forbid")

    issuer: str
    """The `iss` claim of its tokens."""
    jwks: str = "local"
    """Where its public keys are: a URL, a file, or `local`."""
    audience: str = "ozg-gateway"
    """The `aud` claim that tokens for us carry."""
    algorithms: list[str] = Field(default_factory=lambda: ["ES256", "PS512", "RS256"])
    """Signature algorithms accepted from it."""


class Limits(BaseModel):
    """Bounds on what a sender may cost us. Bytes and seconds; enforced while reading."""

    model_config = ConfigDict(extra="forbid")

    body_bytes: int = 200 * 1024 * 1024
    """Whole request (413)."""
    data_bytes: int = 50 * 1024 * 1024
    """The data part (413)."""
    metadata_bytes: int = 1024 * 1024
    """The metadata part (413)."""
    attachment_bytes: int = 100 * 1024 * 1024
    """One attachment (413)."""
    attachments: int = 100
    """How many attachments."""
    header_bytes: int = 32 * 1024
    """All header fields together (431)."""
    headers: int = 100
    """How many header fields (431)."""
    header_seconds: float = 10.0
    """A header must be complete within this time (408)."""
    body_idle_seconds: float = 20.0
    """A sender that sends nothing for this long is cut off (408)."""
    body_bytes_per_second: int = 1024
    """Slower than this on average after the first `body_idle_seconds` is cut off (408)."""
    xml_depth: int = 100
    """Elements inside each other."""
    xml_elements: int = 200_000
    """Elements in one message."""
    xml_attributes: int = 256
    """Attributes of one element."""
    json_depth: int = 64
    """Objects and arrays inside each other."""
    backlog: int = 50_000
    """Open deliveries not yet delivered; above it intake answers 503 before reading a body."""
    free_disk_bytes: int = Field(default=512 * 1024 * 1024, ge=0)
    """What the disk of a SQLite database must have left (small disks: a twentieth); below it intake answers 503."""
    retry_after_seconds: int = 30
    """What a 503 tells senders to wait."""
    connections: int = 1000
    """Open connections at a time."""


class Settings(BaseSettings):
    """Everything about the installation that is not a service, target or client."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid", validate_assignment=True
    )

    home: Annotated[Path, AfterValidator(_absolute)] = Field(default=Path("var"), validate_default=True)
    """Holds schemas, lock file, database and keys."""
    stage: Literal["test", "acceptance", "production"] = "test"
    """In production keys are never made, test messages are refused unless a service takes them, and the description of
    the interface is not served."""
    database_url: str = ""
    """Empty = SQLite in `home`. `postgresql://…` for production."""
    broker_url: str = "embedded://"
    """`embedded://` = queue in memory; `amqp://…` = RabbitMQ."""
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"
    """Address and port of the interface. TLS ends at a proxy in front."""
    packages: list[Path] = Field(default_factory=list)
    """Folders that hold `services/`, `targets/`, `clients/`; empty = those shipped with the gateway."""
    services: list[str] = Field(default_factory=list)
    """Names of the service packages in use; empty = every one whose standards are installed."""
    targets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of this installation laid over the targets' own: `{hundesteuer: {url: "https://…"}}`."""
    issuers: list[Issuer] = Field(default_factory=lambda: [Issuer(issuer="urn:ozg-gateway:local")])
    """Who may issue bearer tokens."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses or networks whose `Client-Cert` header (RFC 9440) is believed."""
    validate_open: bool = False
    """`POST /v1/validate` also answers who has no account; nothing is stored either way."""
    xrepository_url: str = "https://www.xrepository.de/api/xrepository/"
    """Where `gateway schemas fetch` gets standards and code lists: the XRepository's interface, or a mirror of it."""
    scanner: Annotated[str, AfterValidator(_scanner)] = ""
    """Virus scanner: `clamd://HOST:PORT`, `clamd:/PATH/OF/SOCKET` or `icap://HOST:PORT/SERVICE`. Empty = attachments
    are not scanned.
    """
    scanner_seconds: float = 60.0
    """Longest time for one attachment; after it the submission is held and its attachments are scanned later."""
    key_service: Annotated[str, AfterValidator(_key_service)] = ""
    """Where the wrapping keys are: empty = in files in `home`/keys; `https://HOST:PORT/MOUNT/KEY` = in a key service
    with Vault's transit interface. Choose before the first submission arrives.
    """
    key_service_token_file: Path | None = None
    """The file that holds the token for the key service; it may change while the gateway runs."""
    limits: Limits = Field(default_factory=Limits)
    """Bounds on what a sender may cost; see below."""
    lease_seconds: float = 120.0
    """How long a claim of a delivery holds; a target's `timeout` must be shorter."""
    probe_after_seconds: float = 5.0
    """After an unknown outcome a target that can be asked is asked this much later: it may still be at work."""
    circuit_probe_seconds: float = 30.0
    """A target whose circuit is open gets one delivery in this time to see whether it is back."""
    relay_seconds: float = 1.0
    """Longest pause between two looks into the outbox."""
    sweep_seconds: float = 60.0
    """How often the sweep looks for deliveries that are due and nowhere."""
    sweep_tolerance_seconds: float = 900.0
    """A delivery that is due for longer than this and in no outbox is put into the outbox again."""
    seal_seconds: float = Field(default=60.0, gt=0)
    """How often what happened is sealed, when something did."""
    duplicate_window_seconds: float = 3600.0
    """Same content again within this time and without a key is reported as a suspected duplicate."""
    possibly_twice_days: int = Field(default=30, ge=0)
    """Days in which the same person and service, content or portal's reference is told as possibly twice."""
    events: bool = True
    """Tell every change of state on the exchange `ozg.events`. Needs RabbitMQ: a queue in memory has no listeners."""
    worker_threads: int = 4
    """Deliveries at a time per target, unless the target says `parallel`."""
    check_threads: int = 2
    """Messages checked at a time in one process."""
    check_processes: int = Field(default=2, ge=1)
    """Watched processes for business rules (Schematron) and for messages over 1 MiB."""
    check_process_bytes: int = Field(default=2 << 30, ge=256 << 20)
    """Memory that such a process may really hold before it is ended; the message gets a finding."""
    check_process_seconds: float = Field(default=30.0, gt=0)
    """Time for one message in such a process."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged (to stderr)."""

    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file that was read, for the place of a fault; None = all from the environment."""
        return self._file

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'gateway.db'}"

    @property
    def embedded(self) -> bool:
        return self.broker_url.startswith("embedded:")

    @property
    def announces(self) -> bool:
        """Whether changes of state are told; with the queue in memory there is nobody to tell."""
        return self.events and not self.embedded

    @property
    def listen_address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file's values come in as init arguments; the environment wins over them.
        return env_settings, init_settings


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read `gateway.yaml` (`path`, else `$GATEWAY_CONFIG`, else `./gateway.yaml` if it exists), then the environment.

    overrides: what the command line gives; they win over both. Raises ConfigurationError, naming every fault at once.
    """
    chosen = path or (Path(os.environ["GATEWAY_CONFIG"]) if os.environ.get("GATEWAY_CONFIG") else Path("gateway.yaml"))
    if chosen.is_file():
        values = resolve_references(_read(chosen))
    elif path or os.environ.get("GATEWAY_CONFIG"):
        raise ConfigurationError([_finding(str(chosen), None, "fehlt", "does not exist")])
    else:
        values = {}
    try:
        settings = Settings(**values)
        settings._file = chosen.absolute() if chosen.is_file() else None
        for name, value in overrides.items():
            if value is not None:
                setattr(settings, name, value)
    except ValidationError as error:
        given = {name for name, value in overrides.items() if value is not None}
        faults = [_fault(fault, chosen, given) for fault in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError(faults) from None
    except SettingsError as error:
        # A variable for a group of settings holds JSON; the library names the setting and not the value.
        faulty = re.findall(r'field "(\w+)"', str(error)) or ["…"]
        en = f"{faulty[0]}: is not JSON"
        raise ConfigurationError(
            [_finding(f"GATEWAY_{faulty[0].upper()}", None, f"„{faulty[0]}“ ist kein JSON.", en)]
        ) from None
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or ""
        raise ConfigurationError([_finding(str(file), None, "ist nicht lesbar", f"is not readable: {why}")]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        line = mark.line + 1 if mark else None
        why = f"is not YAML: {error.problem}." if isinstance(error, yaml.MarkedYAMLError) else "is not YAML in UTF-8."
        raise ConfigurationError([_finding(str(file), line, "Die Datei ist kein YAML.", why)]) from None
    if not isinstance(loaded or {}, dict) or not all(isinstance(name, str) for name in loaded or {}):
        de, en = "enthält keine Einstellungen der Form „Name: Wert“", "holds no settings of the form 'name: value'"
        raise ConfigurationError([_finding(str(file), 1, de, en)])
    return dict(loaded or {})


def _fault(fault: Mapping[str, Any], file: Path, given: set[str]) -> Finding:
    """What pydantic found, with the place where the value comes from: option, variable, or line of the file."""
    steps = [str(step) for step in fault["loc"]]
    name = ".".join(steps)
    variable = f"GATEWAY_{'__'.join(steps).upper()}"
    if steps[0] in given:
        place, line = f"--{steps[0]}", None
    elif variable in os.environ:
        place, line = variable, None
    else:
        place, line = str(file.absolute()), _line_of(file, steps)
    if fault["type"] == "extra_forbidden":
        known = list(Settings.model_fields if len(steps) == 1 else Limits.model_fields if steps[0] == "limits" else ())
        near = get_close_matches(steps[-1], known, n=1)
        remedy = Text(f"Meinten Sie „{near[0]}“?", f"Did you mean '{near[0]}'?") if near else Text("", "")
        return _finding(place, line, f"Die Einstellung „{name}“ gibt es nicht.", f"{name}: no such setting.", remedy)
    told = fault["msg"].removeprefix("Value error, ")
    return _finding(place, line, f"Der Wert von „{name}“ ist nicht brauchbar.", f"{name}: {told}")


def _line_of(file: Path, steps: list[str]) -> int | None:
    """The line (from 1) of a setting in the file; of the deepest part of its name that stands there."""
    node = yaml.compose(file.read_text(encoding="utf-8")) if file.is_file() else None
    line = None
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit():
            node = node.value[int(step)]
            line = node.start_mark.line + 1
    return line


def resolve_references(value: Any) -> Any:
    """Replace `${file:PATH}` and `${env:NAME}` in every string, however deep. Raises ConfigurationError if one is
    missing.
    """
    if isinstance(value, dict):
        return {k: resolve_references(v) for k, v in value.items()}
    if isinstance(value, list):
        return [resolve_references(v) for v in value]
    if isinstance(value, str):
        return _REFERENCE.sub(_lookup, value)
    return value


def _lookup(match: re.Match[str]) -> str:
    kind, name = match.groups()
    if kind == "file" and Path(name).is_file():
        return Path(name).read_text(encoding="utf-8").strip()
    if kind == "env" and name in os.environ:
        return os.environ[name]
    raise ConfigurationError(
        [_finding(match.group(0), None, "fehlt", "does not exist: provide the file or the variable")]
    )


def _finding(place: str, line: int | None, de: str, en: str, remedy: Text | None = None) -> Finding:
    remedy = remedy or Text("Siehe docs/reference/settings.md.", "See docs/reference/settings.md.")
    return Finding("config.invalid", "error", "service", Text(de, en), path=place, line=line, remedy=remedy)
