"""When it is time again for what a running part does now and then."""

from __future__ import annotations

from datetime import datetime, timedelta


def is_due(next_at: datetime | None, now: datetime, pause: timedelta) -> bool:
    """Whether `next_at`, which was set at most `pause` ahead, has come; None: at once.

    Further ahead than that means that the clock was set back since: waiting for it could take a day.
    """
    return next_at is None or now >= next_at or next_at - now > pause
