"""The one place where real parts are chosen: settings → store, broker, packages, adapters. Everything else is handed
its parts.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.base import Adapter, TargetConfig
from adapters.registry import load_adapter
from gateway.attachments.examining import Examiner
from gateway.attachments.scanning import open_scanner
from gateway.delivery import Delivery
from gateway.delivery.gates import Gates
from gateway.errors import ConfigurationError
from gateway.intake.tokens import TokenIssuer
from gateway.metrics import Metrics
from gateway.packages.overlays import overlay, places_in
from gateway.packages.proving import prove_adapter
from gateway.services import Packages, Target, shipped_folder
from gateway.settings import Settings
from gateway.store import KeyRing, Store
from gateway.store.key_files import open_fingerprints
from gateway.store.vault import VaultKeys
from gateway.submission import Kind
from queues import open_broker
from queues.base import Broker
from xoev_schemas.documents import Limits as ParseLimits
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import ImportRefused, Registry
from xoev_schemas.workers import Workers

SCANS_AT_A_TIME = 4
"""Submissions whose attachments are examined at a time: mostly it is the scanner that works, not we."""


def utc_now() -> datetime:
    return datetime.now(UTC)


Call = tuple[str, Kind, str]
"""Target, kind of submission, and step where a delivery takes several calls (else empty)."""


def call_key(target: Target) -> Call:
    return target.name, target.kind, target.step.name if target.step else ""


@dataclass
class Gateway:
    """Everything a running part may need. Built by `open_gateway`; tests build their own with other clocks and
    brokers.
    """

    settings: Settings
    registry: Registry
    packages: Packages
    store: Store
    broker: Broker
    adapters: Mapping[str, Adapter]
    gates: Gates
    metrics: Metrics
    token_issuer: TokenIssuer | None
    check_pool: ThreadPoolExecutor
    scan_pool: ThreadPoolExecutor
    examiner: Examiner
    checker: Checker
    clock: Callable[[], datetime] = utc_now
    probe_after: timedelta = timedelta(seconds=5)
    adapters_by_call: Mapping[Call, Adapter] = field(default_factory=dict)
    draw: Callable[[], float] = random.random

    def for_kind(self, target: Target, delivery: Delivery) -> Target:
        """The target as it is for the kind of a delivery's submission; itself, where it has no request for it."""
        if not target.kinds:
            return target
        return target.for_kind(self.store.matters.kind(delivery)) or target

    def adapter(self, target: Target) -> Adapter:
        """The adapter with the settings that this target has for its kind and step."""
        name, kind, step = call_key(target)
        calls = self.adapters_by_call
        return calls.get((name, kind, step)) or calls.get((name, "new", step)) or self.adapters[name]


@contextlib.contextmanager
def open_gateway(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Iterator[Gateway]:
    """Open everything, hand it out, close it in reverse order. clock: for tests; without it the database's time counts.

    Raises ConfigurationError, BrokerUnavailable, StoreUnavailable.
    """
    registry, packages = load_packages(settings)
    with contextlib.ExitStack() as stack:
        store = Store.open(
            settings.effective_database_url,
            keys=open_keys(settings, create=settings.stage != "production"),
            clock=clock,
            create=settings.embedded,
            announces=settings.announces,
        )
        stack.callback(store.close)
        broker = open_broker(settings.broker_url, name="gateway")
        stack.callback(broker.close)
        pool = stack.enter_context(ThreadPoolExecutor(settings.check_threads, "check"))
        scans = stack.enter_context(ThreadPoolExecutor(SCANS_AT_A_TIME, "scan"))
        metrics = Metrics()
        checker = stack.enter_context(open_checker(settings, registry))
        by_call = build_adapters(packages)
        for adapter in by_call.values():
            stack.callback(adapter.close)
        # Where a delivery takes several calls, the first stands for the target.
        adapters = {name: adapter for (name, kind, _), adapter in reversed(by_call.items()) if kind == "new"}
        yield Gateway(
            settings=settings,
            registry=registry,
            packages=packages,
            store=store,
            broker=broker,
            adapters=adapters,
            adapters_by_call=by_call,
            gates=Gates(store, clock or store.now, timedelta(seconds=settings.circuit_probe_seconds)),
            metrics=metrics,
            token_issuer=open_issuer(settings),
            check_pool=pool,
            scan_pool=scans,
            examiner=open_examiner(settings, clock or store.now, metrics),
            checker=checker,
            clock=clock or store.now,
            probe_after=timedelta(seconds=settings.probe_after_seconds),
        )


def open_keys(settings: Settings, *, create: bool) -> KeyRing:
    """The wrapping keys, from files or from the key service. create: make what is missing on this machine.

    Raises ConfigurationError; KeyServiceUnavailable when the service does not answer.
    """
    folder = settings.home / "keys"
    if not settings.key_service:
        return KeyRing.load(folder, create=create)
    if settings.key_service_token_file is None:
        de = "Zum Schlüsseldienst fehlt die Datei mit dem Zugangstoken."
        en = "The key service needs the file with its token."
        remedy = Text("Geben Sie key_service_token_file an.", "Give key_service_token_file.")
        raise ConfigurationError(
            [Finding("config.key_service", "error", "service", Text(de, en), path="key_service", remedy=remedy)]
        )
    service = VaultKeys(settings.key_service, settings.key_service_token_file)
    service.versions()
    return KeyRing.of(service, open_fingerprints(folder, create=create))


def open_examiner(settings: Settings, clock: Callable[[], datetime], metrics: Metrics) -> Examiner:
    scanner = open_scanner(settings.scanner, seconds=settings.scanner_seconds) if settings.scanner else None
    return Examiner(scanner, clock, metrics.scanned)


def load_packages(settings: Settings) -> tuple[Registry, Packages]:
    """The installed standards, those that packages bring with them, and the packages, checked whole.

    Raises ConfigurationError.
    """
    registry = Registry(settings.home / "schemas")
    folders = settings.packages or [shipped_folder()]
    faults: list[Finding] = []
    for own in sorted(schema for folder in folders for schema in Path(folder).glob("services/*/schema")):
        used = not settings.services or own.parent.name in settings.services
        if used and not registry.holds(own):
            try:
                registry.import_path(own)
            except ImportRefused as error:
                faults += [_in_package(own, finding) for finding in error.findings]
    if faults:
        raise ConfigurationError(faults)
    packages = Packages.load(
        folders,
        registry,
        only=settings.services,
        changes=overlay(settings.targets, settings.file),
        stage=settings.stage,
        written=places_in(settings.file),
    )
    return registry, packages


_BROKEN = ("schemas.not_compiled", "schemas.not_well_formed")


def _in_package(folder: Path, finding: Finding) -> Finding:
    """A fault in a schema that a package brings along, which nobody but its author can mend."""
    name, _, line = finding.path.rpartition(":")
    placed = replace(finding, path=str(folder / (name or line)), line=int(line) if name and line.isdigit() else None)
    remedy = Text("Berichtigen Sie das Schema des Pakets.", "Mend the schema of the package.")
    return replace(placed, remedy=remedy) if finding.code in _BROKEN else placed


def build_adapters(packages: Packages) -> dict[Call, Adapter]:
    """One adapter per target that an active service delivers to, one for each of its steps where it has some, and one
    for each kind of submission that its settings differ for; targets nobody uses cost nothing.

    Raises ConfigurationError: a setting that an adapter does not understand would else show at the first delivery.
    """
    used = sorted({name for s in packages.services.values() if s.inactive is None for name in s.targets})
    made: dict[Call, Adapter] = {}
    configs: dict[Call, TargetConfig] = {}
    findings: list[Finding] = []
    for target in (variant for name in used for variant in packages.targets[name].variants()):
        name, _, step = key = call_key(target)
        if configs.get((name, "new", step)) == target.config:
            continue
        adapter, found = prove_adapter(target, load_adapter)
        findings += found
        configs[key] = target.config
        if adapter is not None:
            made[key] = adapter
    if has_errors(findings):
        for adapter in made.values():
            adapter.close()
        raise ConfigurationError([finding for finding in findings if finding.severity == "error"])
    return made


@contextlib.contextmanager
def open_checker(settings: Settings, registry: Registry) -> Iterator[Checker]:
    """All layers of checking. Its processes start when they are first needed, and end with it."""
    workers = Workers(settings.check_processes, settings.check_process_bytes, settings.check_process_seconds)
    with contextlib.closing(workers):
        yield Checker(registry, workers, parse_limits(settings))


def parse_limits(settings: Settings) -> ParseLimits:
    limits = settings.limits
    return ParseLimits(
        max_bytes=limits.data_bytes,
        depth=limits.xml_depth,
        elements=limits.xml_elements,
        attributes=limits.xml_attributes,
        json_depth=limits.json_depth,
    )


def open_issuer(settings: Settings) -> TokenIssuer | None:
    """The installation's own small issuer of tokens, where the settings name one."""
    for issuer in settings.issuers:
        if issuer.jwks == "local":
            return TokenIssuer.open(settings.home / "keys", issuer=issuer.issuer, audience=issuer.audience)
    return None
