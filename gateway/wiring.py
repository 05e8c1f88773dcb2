"""The one place where real parts are chosen: settings → store, broker, packages, adapters. Everything else is handed
its parts.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.base import Adapter
from adapters.registry import load_adapter
from gateway.delivery.gates import Gates
from gateway.errors import ConfigurationError
from gateway.intake.tokens import TokenIssuer
from gateway.metrics import Metrics
from gateway.packages.periods import parse_delay, parse_period
from gateway.services import Packages, RetryPolicy, Target, shipped_folder
from gateway.settings import Settings
from gateway.store import KeyRing, Store
from queues import open_broker
from queues.base import Broker
from xoev_schemas.documents import Limits as ParseLimits
from xoev_schemas.findings import Finding, Text
from xoev_schemas.registry import Registry


def utc_now() -> datetime:
    return datetime.now(UTC)


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
    parse_limits: ParseLimits
    clock: Callable[[], datetime] = utc_now
    probe_after: timedelta = timedelta(seconds=5)
    draw: Callable[[], float] = random.random


@contextlib.contextmanager
def open_gateway(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Iterator[Gateway]:
    """Open everything, hand it out, close it in reverse order. clock: for tests; without it the database's time counts.

    Raises ConfigurationError, BrokerUnavailable, StoreUnavailable.
    """
    registry, packages = load_packages(settings)
    with contextlib.ExitStack() as stack:
        store = Store.open(
            settings.effective_database_url,
            keys=KeyRing.load(settings.home / "keys", create=settings.stage != "production"),
            clock=clock,
            create=settings.embedded,
            announces=settings.announces,
        )
        stack.callback(store.close)
        broker = open_broker(settings.broker_url, name="gateway")
        stack.callback(broker.close)
        pool = stack.enter_context(ThreadPoolExecutor(settings.check_threads, "check"))
        adapters = build_adapters(packages)
        for adapter in adapters.values():
            stack.callback(adapter.close)
        yield Gateway(
            settings=settings,
            registry=registry,
            packages=packages,
            store=store,
            broker=broker,
            adapters=adapters,
            gates=Gates(store, clock or utc_now),
            metrics=Metrics(),
            token_issuer=open_issuer(settings),
            check_pool=pool,
            parse_limits=parse_limits(settings),
            clock=clock or utc_now,
            probe_after=timedelta(seconds=settings.probe_after_seconds),
        )


def load_packages(settings: Settings) -> tuple[Registry, Packages]:
    """The installed standards, those that packages bring with them, and the packages, checked whole."""
    registry = Registry(settings.home / "schemas")
    folders = settings.packages or [shipped_folder()]
    for own in sorted(schema for folder in folders for schema in Path(folder).glob("services/*/schema")):
        if not settings.services or own.parent.name in settings.services:
            registry.import_path(own)
    packages = Packages.load(folders, registry, only=settings.services)
    return registry, with_overrides(packages, settings.targets)


def with_overrides(packages: Packages, overrides: Mapping[str, Mapping[str, Any]]) -> Packages:
    """Settings of this installation laid over those of the shipped targets: `targets: {name: {url: …, retry: {…}}}`."""
    unknown = sorted(set(overrides) - set(packages.targets))
    if unknown:
        known = ", ".join(sorted(packages.targets))
        raise ConfigurationError(
            [
                Finding(
                    "config.unknown_target",
                    "error",
                    "service",
                    Text(f"targets.{name}: dieses Ziel gibt es nicht.", f"targets.{name}: there is no such target."),
                    path="gateway.yaml",
                    remedy=Text(f"Bekannt sind: {known}.", f"Known are: {known}."),
                )
                for name in unknown
            ]
        )
    targets = {name: _overridden(target, overrides.get(name, {})) for name, target in packages.targets.items()}
    return replace(packages, targets=targets)


def _overridden(target: Target, changes: Mapping[str, Any]) -> Target:
    settings = {k: v for k, v in changes.items() if k not in ("retry", "timeout")}
    config = replace(
        target.config,
        settings={**target.config.settings, **settings},
        timeout=changes.get("timeout", target.config.timeout),
    )
    retry = _retry(target.name, changes["retry"]) if "retry" in changes else target.retry
    return replace(target, config=config, retry=retry)


def _retry(target: str, values: Any) -> RetryPolicy:
    """A retry policy as `target.yaml` writes it (`30s`, `P3D`), or with plain seconds. Raises ConfigurationError:
    a wrong one would otherwise show only at the first failed delivery.
    """
    try:
        known = {"delays", "give_up_after", "per_second", "parallel"}
        if wrong := sorted(set(values) - known):
            raise ValueError(f"unknown: {', '.join(wrong)}; known: {', '.join(sorted(known))}")
        made = dict(values)
        if "delays" in made:
            made["delays"] = tuple(float(d) if isinstance(d, int | float) else parse_delay(d) for d in made["delays"])
        if isinstance(made.get("give_up_after"), str):
            made["give_up_after"] = parse_period(made["give_up_after"]).fixed.total_seconds()
        policy = RetryPolicy(**made)
        if not policy.delays or min(*policy.delays, policy.give_up_after, policy.per_second or 1, 1) <= 0:
            raise ValueError("delays, give_up_after and per_second must be more than nothing")
        if policy.parallel is not None and not 1 <= policy.parallel <= 64:
            raise ValueError("parallel must be from 1 to 64")
    except (TypeError, ValueError, AttributeError) as error:
        told = f"targets.{target}.retry: {error}"
        remedy = Text(
            "Beispiel: {delays: [30s, 10m], give_up_after: P3D}.", "Example: {delays: [30s, 10m], give_up_after: P3D}."
        )
        finding = Finding("config.invalid", "error", "service", Text(told, told), path="gateway.yaml", remedy=remedy)
        raise ConfigurationError([finding]) from None
    return policy


def build_adapters(packages: Packages) -> dict[str, Adapter]:
    """One adapter per target that an active service delivers to; targets nobody uses cost nothing."""
    used = sorted({name for s in packages.services.values() if s.inactive is None for name in s.targets})
    return {name: load_adapter(packages.targets[name].adapter)(packages.targets[name].config) for name in used}


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
