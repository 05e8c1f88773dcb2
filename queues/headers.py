"""Headers that belong to the broker, not to a message.

They are kept apart on the way in and never sent on the way out: a message that carries an old `x-death` is dropped
silently (or kept for ever, unseen) when it reaches a queue that it already died in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from queues.base import HeaderValue, Message

DEATHS = "x-death"
DELIVERY_COUNT = "x-delivery-count"
_BROKERS_OWN = (DEATHS, DELIVERY_COUNT, "x-acquired-count", "x-first-death-", "x-last-death-")

_SHORT = 255
"""Bytes of an AMQP short string."""

_LONG = 2**63


def own_headers(headers: Mapping[str, object]) -> dict[str, HeaderValue]:
    """The headers without the broker's, in the three types that a message of ours may have; others as text, no value:
    left out.
    """
    return {
        key: _header(value) for key, value in headers.items() if value is not None and not key.startswith(_BROKERS_OWN)
    }


def sendable(message: Message) -> Message:
    """The message as it is sent: without the broker's headers. Raises ValueError for what AMQP 0-9-1 has no room for.

    Checked here, in the caller's thread: found out while encoding, one such message would take the connection with it.
    """
    headers = own_headers(message.headers)
    short = [message.exchange, message.routing_key, message.message_id, message.content_type, *headers]
    if any(len(text.encode()) > _SHORT for text in short):
        raise ValueError(f"message {message.message_id[:64]!r}: a name, key or id is longer than {_SHORT} bytes")
    if any(isinstance(value, int) and not -_LONG <= value < _LONG for value in headers.values()):
        raise ValueError(f"message {message.message_id!r}: an integer header has more than 64 bits")
    for value in headers.values():
        if isinstance(value, str):
            value.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    return replace(message, headers=headers)


def plain(value: object) -> object:
    """A header value of any depth as something that JSON can hold: times as ISO 8601, bytes as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return int(value)  # pika has an integer type of its own
    return _text(value)


def _header(value: object) -> HeaderValue:
    if isinstance(value, bool | str):
        return value
    return int(value) if isinstance(value, int) else _text(value)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.isoformat() if isinstance(value, datetime) else str(value)
