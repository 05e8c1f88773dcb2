"""Retention: when a submission has ended, its content gets a date; when the date is over, content and key go, the
record stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from gateway.wiring import Gateway

log = structlog.get_logger()


def keep_and_erase(gateway: Gateway) -> int:
    """Date what has ended (the service's `keep`), erase what is past its date. Returns how many were erased.

    What belongs to a service that is not configured any more keeps its content until the service is back or a person
    decides: nothing is erased by a guess.
    """
    for ended in gateway.store.undated():
        service = gateway.packages.services.get(ended.service)
        if service is None:
            log.warning("retention.no_service", submission=ended.submission_id, service=ended.service)
            continue
        period = service.keep.discarded if ended.given_up else service.keep.delivered
        gateway.store.set_keep_until(ended.submission_id, period.after(ended.ended_at)).result()
    erased = gateway.store.erase_due(gateway.clock()).result()
    if erased:
        gateway.store.holds.scrub()
    return erased
