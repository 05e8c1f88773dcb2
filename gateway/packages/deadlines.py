"""Until when a submission has to be dealt with, as its service package says. Pure.

Time limits in days, weeks and months are counted as § 187 Abs. 1, § 188 and § 193 BGB have it (through § 31 VwVfG,
§ 108 AO and § 26 SGB X): the day of the receipt does not count, and a limit that would end on a Saturday, Sunday or
public holiday ends on the next working day. Holidays are those of the Land of the service's region; those of single
municipalities are not known.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import holidays

from adapters.periods import Period
from gateway.case import rfc3339
from gateway.delivery.hours import BERLIN
from gateway.packages.model import Service, Statutory

_LAENDER = ["SH", "HH", "NI", "HB", "NW", "HE", "RP", "BW", "BY", "SL", "BE", "BB", "MV", "SN", "ST", "TH"]
"""ISO 3166-2:DE codes in the order of the official regional key, from 01."""


def region_of(service: Service) -> str | None:
    """The region of a service that is for one only."""
    return service.regions[0] if len(service.regions) == 1 else None


def deadlines(service: Service, received_at: datetime) -> dict[str, Any]:
    """The case's member of that name; empty if the package names no deadline. received_at: aware."""
    found: dict[str, Any] = {}
    if service.transport_within is not None:
        found["transport"] = rfc3339(received_at + service.transport_within)
    if service.cutoff is not None:
        found |= {"cutoff": rfc3339(service.cutoff), "late": received_at > service.cutoff}
    if service.statutory is not None:
        found["statutory"] = _statutory(service.statutory, received_at, region_of(service))
    return found


def _statutory(limit: Statutory, received_at: datetime, region: str | None) -> dict[str, Any]:
    told = {"duration": str(limit.duration), "starts": limit.starts, "basis": limit.basis}
    # When the documents are complete is the department's finding.
    return told if limit.starts == "complete" else {**told, "ends": last_day(limit.duration, received_at, region)}


def last_day(duration: Period, received_at: datetime, region: str | None) -> str:
    """ISO date. region: official regional key; None = holidays of all Länder only."""
    day = duration.after(received_at.astimezone(BERLIN)).date()
    land = _LAENDER[int(region[:2]) - 1] if region and 1 <= int(region[:2]) <= len(_LAENDER) else None
    while day.weekday() >= 5 or day in _holidays(land, day.year):
        day += timedelta(days=1)
    return day.isoformat()


@lru_cache(maxsize=64)
def _holidays(land: str | None, year: int) -> Container[date]:
    return frozenset(holidays.country_holidays("DE", subdiv=land, years=year))
