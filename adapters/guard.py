"""The promise that an adapter raises nothing but the three errors, kept in one place."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Retryable


@dataclass(slots=True)
class Progress:
    """sent: from here on the target may have acted. Set by the adapter right before it sends."""

    sent: bool = False


@contextmanager
def only_decisions() -> Iterator[Progress]:
    """Turn any other exception into a decision: before sending a bug (nothing happened), afterwards an unknown outcome.

    The traceback goes into `detail`, which is stored encrypted: texts of foreign libraries repeat values.
    """
    progress = Progress()
    try:
        yield progress
    except DeliveryError:
        raise
    except Exception as error:
        code = f"bug.{type(error).__name__}"
        if progress.sent:
            raise OutcomeUnknown(code, detail=traceback.format_exc()) from None
        raise Permanent(code, failure="bug", detail=traceback.format_exc()) from None


@contextmanager
def only_questions() -> Iterator[None]:
    """For `probe`: asking changes nothing, so an outcome that is unknown only means "ask again"."""
    try:
        with only_decisions():
            yield
    except OutcomeUnknown as error:
        raise Retryable(f"probe.{error.code}", detail=error.detail) from None
