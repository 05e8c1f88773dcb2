"""The database's side, past whatever stands between it and the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select

from gateway.store import tables as t
from gateway.store.database import database_url, reading_engine

_LATE = timedelta(seconds=3)
_LAPSED = timedelta(seconds=6)


class Books:
    """Reads only."""

    def __init__(self, url: str) -> None:
        self._engine = reading_engine(database_url(url))

    def close(self) -> None:
        self._engine.dispose()

    def moves(self) -> int:
        """How many events there are: does not change while nothing moves."""
        return int(self._scalar(select(func.count()).select_from(t.event)))

    def nowhere(self) -> list[tuple[str, str, str]]:
        """(delivery, target, state and for what it waits) of what is due, not at an end, and in no outbox.

        Between the relay's confirm and a worker's claim that is as it should be; when nothing moves any more and the
        broker is empty, nobody will ever touch it but the sweep, which is the net and not the way.
        """
        d, now = t.delivery.c, datetime.now(UTC)
        free = or_(d.waits_for.is_(None), d.waits_for.not_in(["circuit", "order"]))
        pending = and_(d.state.in_(["queued", "waiting"]), free, d.due_at < now - _LATE)
        held = and_(d.state.in_(["delivering", "unknown"]), d.claimed_until < now - _LAPSED)
        query = select(d.delivery_id, d.target, d.state, d.waits_for).where(
            or_(pending, held), ~exists().where(t.outbox.c.delivery_id == d.delivery_id)
        )
        return [
            (r.delivery_id, r.target, " for ".join(filter(None, (r.state, r.waits_for)))) for r in self._rows(query)
        ]

    def next_due(self) -> datetime | None:
        """When the first message is to be sent."""
        moment: datetime | None = self._scalar(select(func.min(t.outbox.c.publish_at)))
        return moment

    def under_way(self) -> int:
        """Deliveries that a machine has to move. Not those that wait for what goes first: a person may have that."""
        d = t.delivery.c
        moving = and_(
            d.state.in_(["queued", "delivering", "waiting", "unknown"]), d.waits_for.is_distinct_from("order")
        )
        return int(self._scalar(select(func.count()).select_from(t.delivery).where(moving)))

    def deliveries(self) -> list[Any]:
        """(delivery_id, submission_id, target, state, behind) of all."""
        d = t.delivery.c
        return self._rows(select(d.delivery_id, d.submission_id, d.target, d.state, d.behind))

    def submissions(self) -> dict[str, str]:
        """Id → state, refused ones included."""
        s = t.submission.c
        return {row.submission_id: row.state for row in self._rows(select(s.submission_id, s.state))}

    def case_digests(self) -> list[Any]:
        """(delivery_id, digests): of deliveries whose attempts were made of more than one case."""
        a = t.attempt.c
        query = select(a.delivery_id, func.count(a.case_digest.distinct()).label("digests")).group_by(a.delivery_id)
        return [row for row in self._rows(query) if row.digests > 1]

    def delivered_without_attempt(self) -> list[str]:
        d = t.delivery.c
        query = select(d.delivery_id).where(
            d.state == "delivered", ~exists().where(t.attempt.c.delivery_id == d.delivery_id)
        )
        return [row.delivery_id for row in self._rows(query)]

    def dead_without_letter(self) -> list[str]:
        d, letter = t.delivery.c, t.dead_letter.c
        query = select(d.delivery_id).where(
            d.state == "dead", ~exists().where(letter.delivery_id == d.delivery_id, letter.state == "open")
        )
        return [row.delivery_id for row in self._rows(query)]

    def text(self) -> Iterator[tuple[str, str]]:
        """(table, row as text) of everything that is stored but the encrypted chunks."""
        for table in t.metadata.sorted_tables:
            columns = [c for c in table.columns if c is not t.content_chunk.c.data]
            for row in self._rows(select(*columns)):
                yield table.name, repr(tuple(row))

    def _rows(self, query: Any) -> list[Any]:
        with self._engine.begin() as connection:
            return list(connection.execute(query))

    def _scalar(self, query: Any) -> Any:
        with self._engine.begin() as connection:
            return connection.execute(query).scalar_one()
