"""What a command says when it cannot do what it was asked: one place turns every exception into code, text, remedy.

For people it is a sentence on stderr; with `--json` it is the one document on stdout, `{"error": {…}}`. What nobody
foresaw is told by its kind and place alone: the text of a foreign exception may quote a citizen's data.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.text import Text as RichText

from gateway.commands.output import Exit, emit, err, print_findings
from gateway.errors import ConfigurationError, GatewayError
from queues.base import BrokerUnavailable, TopologyMismatch
from xoev_schemas.findings import Finding
from xoev_schemas.registry import ImportRefused, RegistryDamaged

RECREATE = (
    "Stop the workers, delete that queue in RabbitMQ, start again (it is made anew), then: gateway relay --rebuild. "
    "The database knows every delivery, so nothing is lost with the queue."
)
_OURS = ("gateway", "adapters", "queues", "xoev_schemas")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command ended without its result. code: `snake_case`, stable. expected: False for a fault of ours."""

    code: str
    text: str
    exit: int = Exit.UNKNOWN
    remedy: str = ""
    findings: Sequence[Finding] = ()
    expected: bool = field(default=True, kw_only=True)

    def as_dict(self) -> dict[str, Any]:
        return {
            "error": {
                "code": self.code,
                "text": self.text,
                "remedy": self.remedy,
                "exitCode": int(self.exit),
                "findings": [finding.as_dict() for finding in self.findings],
            }
        }

    def tell(self, *, as_json: bool) -> None:
        """To stderr for people; with `--json` also as the document that the command owes on stdout."""
        if as_json:
            emit(self.as_dict())
        err.print(RichText(f"gateway: {self.text}", style="red"))
        print_findings(self.findings, err)
        if self.remedy:
            err.print(RichText(f"  {self.remedy}"))


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception means. Never raises."""
    if isinstance(error, GatewayError):
        told = "the configuration is not usable" if isinstance(error, ConfigurationError) else str(error)
        return Failure(error.code, told, error.exit_code, error.remedy, error.findings)
    if isinstance(error, typer.TyperException):
        return _wrong_usage(error)
    if isinstance(error, ImportRefused):
        return Failure("import_refused", "nothing was imported", Exit.NO, findings=error.findings)
    if isinstance(error, RegistryDamaged):
        return Failure("schemas_damaged", f"the installed standards are damaged: {error}")
    if isinstance(error, BrokerUnavailable):
        remedy = "Is it running, and does GATEWAY_BROKER_URL name it?"
        return Failure("broker_unavailable", f"the broker: {error}", remedy=remedy)
    if isinstance(error, TopologyMismatch):
        return Failure("topology_mismatch", f"the broker: {error}", remedy=RECREATE)
    if isinstance(error, OSError) and error.filename is not None:
        remedy = "Check the path and who may read and write there."
        return Failure("file", f"{error.filename}: {error.strerror}", remedy=remedy)
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", "interrupted", Exit.INTERRUPTED)
    return _unforeseen(error)


def _wrong_usage(error: typer.TyperException) -> Failure:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "gateway"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    text = text.replace("Value error, ", "")  # pydantic's own beginning
    return Failure("usage", text[:1].lower() + text[1:] or "a command is missing", remedy=f"See: {command} --help")


def _unforeseen(error: BaseException) -> Failure:
    return Failure(
        "bug",
        f"sorry, this is a fault of the gateway, not of what you typed: {type(error).__name__} at {_place(error)}.",
        remedy="`gateway --debug …` shows the whole traceback; please report it (without personal data).",
        expected=False,
    )


def _place(error: BaseException) -> str:
    """`module:line` of the innermost frame of ours."""
    frames = [(frame.f_globals.get("__name__", "?"), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [f"{module}:{line}" for module, line in frames if module.partition(".")[0] in _OURS]
    return ours[-1] if ours else "?"


def show_traceback(error: BaseException) -> None:
    """For `--debug`. May quote what was processed: for a developer's screen, never for a log."""
    traceback.print_exception(error, file=sys.stderr)
