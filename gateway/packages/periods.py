"""Lengths of time in configuration files: ISO 8601 durations (`P3D`, `PT4H`, `P1M`) and short delays (`30s`, `10m`)."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_ISO = re.compile(
    r"P(?=[0-9T])(?:(?P<years>[0-9]{1,4})Y)?(?:(?P<months>[0-9]{1,4})M)?(?:(?P<weeks>[0-9]{1,4})W)?(?:(?P<days>[0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,5})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,8})S)?)?"
)
_DELAY = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Period:
    """A duration with calendar months: `P1M` after 31 January is the last day of February (as § 188 Abs. 3 BGB has it).

    text: as written. months: years and months together. rest: weeks, days, hours, minutes, seconds.
    """

    text: str
    months: int
    rest: timedelta

    def __str__(self) -> str:
        return self.text

    def after(self, moment: datetime) -> datetime:
        """The end of the period that begins at `moment`."""
        years, month = divmod(moment.month - 1 + self.months, 12)
        year, month = moment.year + years, month + 1
        day = min(moment.day, calendar.monthrange(year, month)[1])
        return moment.replace(year=year, month=month, day=day) + self.rest

    @property
    def fixed(self) -> timedelta:
        """Raises ValueError for a period with years or months, which have no fixed length."""
        if self.months:
            raise ValueError(f"{self.text} has no fixed length; write days or hours")
        return self.rest


def parse_period(text: str) -> Period:
    """ISO 8601. Raises ValueError."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("this must be an ISO 8601 duration such as P30D, PT4H or P6M")
    part = {name: int(value) for name, value in match.groupdict(default="0").items()}
    months = part.pop("years") * 12 + part.pop("months")
    return Period(text, months, timedelta(**part))


def parse_delay(text: str) -> float:
    """Seconds. `30s`, `2m`, `1h`, `1d`. Raises ValueError."""
    match = _DELAY.fullmatch(text)
    if match is None:
        raise ValueError("this must be a delay such as 30s, 10m, 6h or 1d")
    return float(match.group(1)) * _SECONDS[match.group(2)]
