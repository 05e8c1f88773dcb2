"""Structured logs, by allow-list: a field that is not named here does not reach the log. Ids, names, codes, numbers;
no content.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset(
    {
        *("event", "level", "timestamp", "logger", "name", "where", "error", "why"),
        *("submission", "delivery", "attempt", "service", "target", "targets", "client"),
        *("code", "failure", "state", "status", "count", "deliveries", "seconds", "at_start"),
        *("instance", "method", "route", "queue", "connection", "roles", "listen"),
    }
)


def configure(level: str = "INFO", *, machine: bool = False) -> None:
    """Logs go to stderr, as JSON for machines, readable for people. Libraries never say more than WARNING: they quote
    what they send.
    """
    least = logging.getLevelNamesMapping()[level]
    logging.basicConfig(level=max(least, logging.WARNING), stream=sys.stderr, force=True)
    logging.getLogger("zeep.transports").setLevel(logging.WARNING)  # at DEBUG it logs whole messages
    renderer: Any = (
        structlog.processors.JSONRenderer() if machine else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _where,
            _allowed_only,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # Looked up at every line: a process that embeds the gateway may exchange stderr, and close the old one.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _where(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For an exception: file and line of the innermost frame of ours, never its text or locals (they quote citizens'
    data).
    """
    if event.pop("exc_info", None):
        trace = sys.exc_info()[2]
        places = []
        while trace:
            places.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
            trace = trace.tb_next
        ours = [p for p in places if p.startswith(("gateway", "adapters", "queues", "xoev_schemas"))]
        event["where"] = (ours or places)[-1] if places else ""
    return event


def _allowed_only(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _printable(value) for key, value in event.items() if key in ALLOWED}


def _printable(value: Any) -> Any:
    """No control characters: nobody writes a second log line, or colours, through ours."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "?" for c in value)
    return value
