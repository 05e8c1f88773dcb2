"""Lengths of time in configuration files, in one form everywhere: `30s`, `10m`, `6h`, `2d`, or ISO 8601 (`P3D`, `P1M`).

A plain number is refused: nobody can see whether it means seconds, minutes or days.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from xoev_schemas.findings import Text

_ISO = re.compile(
    r"P(?=[0-9T])(?:(?P<years>[0-9]{1,4})Y)?(?:(?P<months>[0-9]{1,4})M)?(?:(?P<weeks>[0-9]{1,4})W)?(?:(?P<days>[0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,5})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,8})S)?)?"
)
_SHORT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h|d)")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class NotADuration(ValueError):
    """What to write instead, in both languages; the exception's own text is the English one."""

    def __init__(self, de: str, en: str) -> None:
        super().__init__(en)
        self.remedy = Text(de, en)


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
        """Raises NotADuration for a period with years or months, which have no fixed length."""
        if self.months:
            raise NotADuration(
                f"{self.text} hat keine feste Länge; schreiben Sie Tage oder Stunden",
                f"{self.text} has no fixed length; write days or hours",
            )
        return self.rest


def parse_period(text: str) -> Period:
    """Either form. Raises NotADuration."""
    if short := _SHORT.fullmatch(text):
        return Period(text, 0, timedelta(seconds=float(short[1]) * _SECONDS[short[2]]))
    match = _ISO.fullmatch(text)
    if match is None and _NUMBER.fullmatch(text):
        written = f"{text}s, {text}m, {text}h oder {text}d"
        raise NotADuration(
            f"schreiben Sie die Einheit dazu: {written}", f"write the unit: {written.replace('oder', 'or')}"
        )
    if match is None:
        examples = "30s, 10m, 6h, 2d, P30D, PT4H"
        raise NotADuration(f"schreiben Sie eine Dauer wie {examples}", f"write a duration such as {examples}")
    part = {name: int(value) for name, value in match.groupdict(default="0").items()}
    months = part.pop("years") * 12 + part.pop("months")
    return Period(text, months, timedelta(**part))


def _seconds(value: object) -> float:
    return parse_period(str(value)).fixed.total_seconds()


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
"""A setting that is written as a duration without months, and read as seconds; more than nothing."""
