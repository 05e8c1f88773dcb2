"""What only shows when packages and the settings of an installation are seen together."""

from __future__ import annotations

from gateway.mapping.problems import Problems, did_you_mean
from gateway.packages.model import Client, Target
from gateway.services import Packages
from gateway.settings import Settings
from xoev_schemas.findings import Finding, Text


def misfits(settings: Settings, packages: Packages) -> list[Finding]:
    """Settings of targets and clients that this installation cannot do anything sensible with, each at its place."""
    problems = Problems()
    for target in packages.targets.values():
        for call in target.variants():
            _lease(call, settings.lease_seconds, problems)
        _patience(target, settings.circuit_probe_seconds, problems)
    issuers = [issuer.issuer for issuer in settings.issuers]
    # Shipped clients are examples: an installation with issuers of its own does without them.
    for client in packages.clients.values() if settings.packages else ():
        _issuer(client, issuers, problems)
    return problems.findings


def _lease(target: Target, lease: float, problems: Problems) -> None:
    """Longer than a claim holds: a second worker would begin while the first still waits for the answer."""
    if target.config.timeout < lease:
        return
    text = Text(
        f"„timeout“ ({target.config.timeout:g} s) muss kürzer sein als die Einstellung „lease_seconds“ ({lease:g} s): "
        "Sonst begänne ein zweiter Versuch, während der erste noch läuft.",
        f"`timeout` ({target.config.timeout:g} s) has to be shorter than the setting `lease_seconds` ({lease:g} s): "
        "a second attempt would begin while the first still runs.",
    )
    remedy = Text(
        "Verkürzen Sie „timeout“ oder verlängern Sie „lease_seconds“.",
        "Shorten `timeout`, or lengthen `lease_seconds`.",
    )
    problems.add(target.place("timeout"), "config.timeout_too_long", text, remedy=remedy)


def _patience(target: Target, pause: float, problems: Problems) -> None:
    if target.retry.give_up_after >= pause:
        return
    text = Text(
        f"„give_up_after“ ({target.retry.give_up_after:g} s) ist kürzer als die Einstellung „circuit_probe_seconds“ "
        f"({pause:g} s): Nach einer Störung wird aufgegeben, bevor das Ziel wieder gefragt wird.",
        f"`give_up_after` ({target.retry.give_up_after:g} s) is shorter than the setting `circuit_probe_seconds` "
        f"({pause:g} s): after a failure it is given up before the target is asked again.",
    )
    remedy = Text("Verlängern Sie „give_up_after“.", "Lengthen `give_up_after`.")
    place = target.place("retry", "give_up_after")
    problems.add(place, "config.gives_up_early", text, remedy=remedy, severity="info")


def _issuer(client: Client, issuers: list[str], problems: Problems) -> None:
    if client.issuer is None or client.issuer in issuers:
        return
    text = Text(
        f"Token von „{client.issuer}“ werden hier nicht angenommen: Die Einstellung „issuers“ nennt ihn nicht.",
        f"tokens of '{client.issuer}' are not taken here: the setting `issuers` does not name it.",
    )
    remedy = did_you_mean(client.issuer, issuers) or Text(
        "Nennen Sie einen der Aussteller, oder ergänzen Sie ihn in „issuers“.",
        "Name one of the issuers, or add it to `issuers`.",
    )
    allowed = ", ".join(issuers) or None
    problems.add(client.place("issuer"), "config.unknown_issuer", text, remedy=remedy, allowed=allowed)
