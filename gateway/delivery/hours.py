"""Opening hours of a target: outside them deliveries wait, and no attempt is used up. Pure; times are Europe/Berlin.

Form: `Mo-Fr 06:00-20:00, Sa 08:00-12:00`. Days `Mo Di Mi Do Fr Sa So`, ranges and lists (`Mo,Mi,Fr`); several spans by
comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
_DAY = "|".join(DAYS)
_SPAN = re.compile(
    rf"\s*(?P<days>(?:{_DAY})(?:\s*[-,]\s*(?:{_DAY}))*)\s+(?P<start>\d{{2}}:\d{{2}})\s*-\s*(?P<end>\d{{2}}:\d{{2}})\s*(?:,|;|$)"
)


@dataclass(frozen=True, slots=True)
class Span:
    weekday: int  # 0 = Monday
    start: time
    end: time  # time(0) stands for midnight at the end of the day

    def on(self, day: datetime) -> tuple[datetime, datetime]:
        """The span on that calendar day, as aware local times (a day with a clock change is shorter or longer)."""
        start = datetime.combine(day.date(), self.start, BERLIN)
        end_day = day.date() + timedelta(days=1) if self.end == time(0) else day.date()
        return start, datetime.combine(end_day, self.end, BERLIN)


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly opening hours; no spans = always open."""

    spans: tuple[Span, ...] = ()

    def next_open(self, moment: datetime) -> datetime:
        """`moment` itself when open, else the next opening, as aware UTC."""
        if not self.spans:
            return moment
        local = moment.astimezone(BERLIN)
        openings = (max(start, local) for start, end in self._from(local) if local < end)
        return min(openings).astimezone(UTC)

    def is_open(self, moment: datetime) -> bool:
        return self.next_open(moment) == moment

    def _from(self, local: datetime) -> Iterator[tuple[datetime, datetime]]:
        for ahead in range(8):
            day = local + timedelta(days=ahead)
            yield from (span.on(day) for span in self.spans if span.weekday == day.weekday())


def parse_hours(text: str | None) -> Hours:
    """Raises ValueError naming what is not understood."""
    if not text or not text.strip():
        return Hours()
    spans: list[Span] = []
    position = 0
    while position < len(text):
        match = _SPAN.match(text, position)
        if not match:
            raise ValueError(f"{text[position:].strip()!r} is not of the form 'Mo-Fr 06:00-20:00'")
        start, end = _clock(match["start"]), _clock(match["end"])
        if end != time(0) and end <= start:
            raise ValueError(f"{match['start']}-{match['end']} ends before it starts: write two spans")
        spans += [Span(day, start, end) for day in _days(match["days"])]
        position = match.end()
    return Hours(tuple(spans))


def _clock(text: str) -> time:
    hours, minutes = map(int, text.split(":"))
    if (hours, minutes) == (24, 0):
        return time(0)
    try:
        return time(hours, minutes)
    except ValueError:
        raise ValueError(f"{text} is not a time of day") from None


def _days(text: str) -> list[int]:
    days: list[int] = []
    for piece in re.split(r"\s*,\s*", text.strip()):
        first, _, last = (part.strip() for part in piece.partition("-"))
        start, end = DAYS.index(first), DAYS.index(last or first)
        days += [d % 7 for d in range(start, end + 1 if end >= start else end + 8)]
    return sorted(set(days))
