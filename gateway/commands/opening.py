"""What commands open: settings, standards, packages, the token issuer. Looking leaves nothing behind: where nothing is
installed no folder and no key appears.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from gateway.errors import GatewayError
from gateway.intake.tokens import TokenIssuer
from gateway.services import Packages
from gateway.settings import Settings
from gateway.wiring import load_packages, open_issuer
from xoev_schemas.findings import Finding, Severity, Text
from xoev_schemas.registry import Registry

_scratch: list[tempfile.TemporaryDirectory[str]] = []


def look(settings: Settings) -> tuple[Registry, Packages]:
    """The installed standards and the packages. Without an installation the standards that packages bring are laid out
    in a folder that goes with the process. Raises ConfigurationError.
    """
    if (settings.home / "schemas").is_dir():
        return load_packages(settings)
    _scratch.append(tempfile.TemporaryDirectory(prefix="gateway-schemas-"))
    elsewhere = settings.model_copy(update={"home": Path(_scratch[-1].name)})
    return load_packages(elsewhere)


def issuer_of(settings: Settings) -> TokenIssuer:
    """The installation's own issuer. Its key is made where an installation is meant to be (`gateway.yaml`, or a home),
    nowhere else. Raises GatewayError.
    """
    if not is_installation(settings):
        raise no_installation(settings)
    issuer = open_issuer(settings)
    if issuer is None:
        raise GatewayError(
            "no issuer in the settings says `jwks: local`, so this installation issues no tokens itself",
            code="no_issuer",
            remedy="Ask your identity provider for a token.",
        )
    return issuer


def is_installation(settings: Settings) -> bool:
    return settings.file is not None or settings.home.is_dir() or bool(settings.database_url)


def no_installation(settings: Settings) -> GatewayError:
    """For commands that need one."""
    return GatewayError(
        f"there is no gateway.yaml here and no installation in {settings.home}",
        code="no_installation",
        remedy="To begin: gateway demo shows everything, gateway run starts an installation in ./var. One that is "
        "elsewhere is named by GATEWAY_HOME, or by its settings: --config gateway.yaml.",
    )


def gaps(settings: Settings, packages: Packages, *, strict: bool = False) -> list[Finding]:
    """What a configuration without fault may still lack: something to do, and somebody to do it for. strict: as
    errors.
    """
    severity: Severity = "error" if strict else "warning"
    active = [service for service in packages.services.values() if service.inactive is None]
    folders = ", ".join(str(folder.absolute()) for folder in settings.packages) or "—"
    findings = []
    if not active:
        findings.append(
            Finding(
                "config.no_services",
                severity,
                "service",
                Text(
                    "Keine Leistung ist aktiv: Alles, was hereinkommt, wird abgewiesen.",
                    "no service is active: everything that comes in is refused.",
                ),
                path=folders,
                remedy=Text(
                    "Legen Sie services/NAME/service.yaml in einen Ordner, den die Einstellung `packages` nennt, oder "
                    "spielen Sie die Standards ein, die die vorhandenen brauchen: gateway schemas import PFAD.",
                    "Put services/NAME/service.yaml into a folder that the setting `packages` names, or import the "
                    "standards that those there need: gateway schemas import PATH.",
                ),
            )
        )
    if not packages.clients:
        findings.append(
            Finding(
                "config.no_clients",
                severity,
                "service",
                Text("Niemand darf etwas einreichen oder abholen.", "nobody may hand anything in or fetch it."),
                path=folders,
                remedy=Text(
                    "Legen Sie clients/NAME.yaml in einen Ordner, den die Einstellung `packages` nennt.",
                    "Put clients/NAME.yaml into a folder that the setting `packages` names.",
                ),
            )
        )
    if active and not settings.scanner:
        findings.append(
            Finding(
                "config.not_scanned",
                "info",
                "service",
                Text(
                    "Es ist kein Virenscanner angeschlossen: Anlagen werden ungeprüft weitergegeben.",
                    "no virus scanner is connected: attachments are handed on unscanned.",
                ),
                path=str(settings.file or "GATEWAY_SCANNER"),
                remedy=Text(
                    "Schließen Sie mit der Einstellung `scanner` einen Virenscanner an.",
                    "Connect a virus scanner with the setting `scanner`.",
                ),
            )
        )
    return findings
