"""Attachments inside a body: a value `{"$attachment": ID}` stands for the content of that attachment.

A request mapping writes the marker where the target's operation wants the bytes (an `xs:base64Binary` element, a JSON
string); the adapter puts the content there at the last moment, so it is read once per attempt and never stands in a
mapped request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.base import Permanent, RequestAttachment

MARKER = "$attachment"


def fill(body: Any, attachments: Sequence[RequestAttachment], encode: Callable[[bytes], Any]) -> Any:
    """A copy of `body` with every marker replaced by `encode(content)`. Raises as `replace` does."""
    return replace(body, attachments, lambda attachment: encode(attachment.read()))


def replace(body: Any, attachments: Sequence[RequestAttachment], stand_in: Callable[[RequestAttachment], Any]) -> Any:
    """A copy of `body` with every marker replaced by what stands for the attachment there.

    Raises Permanent (class `mapping`) when a marker names an attachment that this target does not get.
    """
    known = {attachment.attachment_id: attachment for attachment in attachments}

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            if set(value) == {MARKER}:
                attachment = known.get(str(value[MARKER]))
                if attachment is None:
                    raise Permanent("request.attachment_unknown", failure="mapping")
                return stand_in(attachment)
            return {name: walk(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return value

    return walk(body)


def as_text(value: Any) -> str:
    """A plain value as XML, forms and addresses have it: amounts without exponent, truth as `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
