"""Rotation of the wrapping keys: every data key is wrapped anew, in batches, beside processes that go on working.

Any number of times, by any number of processes: each batch changes only what is still as it was read. Content is not
touched, so it takes a moment per data key and not per byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import bindparam, func, select, update

from gateway.errors import GatewayError
from gateway.store import tables as t
from gateway.store.keeping import ORPHAN_AGE
from gateway.store.keys import KeyRing, KeyVersion, WrongKey
from gateway.store.session import Session
from gateway.store.writer import Transaction, Writer

BATCH = 200
"""Data keys in one transaction: few enough that no acceptance waits noticeably."""

_K = t.content_key.c
_USE = select(_K.key_version, func.count().label("count")).group_by(_K.key_version)
_OTHERS = (
    select(_K.submission_id, _K.key_version, _K.wrapped_key)
    .where(_K.submission_id > bindparam("after"), _K.key_version != bindparam("current"))
    .order_by(_K.submission_id)
    .limit(BATCH)
)
_REWRAP = (
    update(t.content_key)
    .where(_K.submission_id == bindparam("id"), _K.wrapped_key == bindparam("old_key"))
    .values(key_version=bindparam("version"), wrapped_key=bindparam("new_key"))
)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A version of the wrapping key. count: data keys that it wraps. current: wraps new ones.

    missing: content needs it and it is not there.
    """

    version: int
    created_at: datetime | None
    count: int
    current: bool
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Rotated:
    """version: that wraps now. made: whether it is new. rewrapped: data keys. unreadable: submissions whose data key no
    wrapping key opens; they stay as they are.
    """

    version: int
    made: bool
    rewrapped: int
    unreadable: tuple[str, ...] = ()


class KeyKeeping:
    """`Store.keys`: which wrapping keys are in use, and how an old one goes."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer, keys: KeyRing) -> None:
        self._read = read
        self._writer = writer
        self._keys = keys

    def use(self) -> list[KeyUse]:
        """Every version, the oldest first."""
        versions = {one.version: one for one in self._keys.service.versions()}
        current = max(versions)
        counts = self._counts()
        return [
            KeyUse(
                version,
                versions.get(version, KeyVersion(version)).created_at,
                counts.get(version, 0),
                version == current,
                version not in versions,
            )
            for version in sorted({*versions, *counts})
        ]

    def rotate(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> Rotated:
        """Wrap every data key with a new version; with the newest, where an earlier rotation was interrupted.

        progress: is told how many are done, of how many, after each batch.
        """
        used = self.use()
        made = all(one.current for one in used if one.count)
        version = self._keys.service.create() if made else max(one.version for one in used if not one.missing)
        total = sum(one.count for one in self.use() if one.version != version)
        done, after, unreadable = 0, "", []
        while rows := self._others(after, version):
            after = rows[-1].submission_id
            changes, failed = self._rewrap(rows)
            unreadable += failed
            done += self._writer.submit("", partial(_write, changes)).result()
            progress(done, total)
        return Rotated(version, made, done, tuple(unreadable))

    def retire(self, version: int, now: datetime) -> None:
        """Let an old version go; see `refusal`. What it wrapped, in backups too, cannot be opened any more."""
        if why := self.refusal(version, now):
            raise GatewayError(why, code="key_in_use", remedy="See: gateway keys list")
        self._keys.service.retire(version)

    def refusal(self, version: int, now: datetime) -> str:
        """Why a version cannot be retired; empty = it can."""
        used = self.use()
        here = [one for one in used if not one.missing]
        chosen = next((one for one in here if one.version == version), None)
        if chosen is None:
            return f"there is no key version {version}"
        if chosen.current:
            return f"key version {version} wraps what comes in; rotate first"
        if chosen.count:
            return f"{chosen.count} data keys still need key version {version}; rotate again"
        if version != here[0].version:
            return f"key version {here[0].version} is older and goes first"
        newer = next(one for one in here if one.version > version)
        if newer.created_at is not None and now - newer.created_at < ORPHAN_AGE:
            return f"what began to arrive before key version {newer.version} was made may still need it; wait an hour"
        return ""

    def _counts(self) -> dict[int, int]:
        with self._read() as session:
            return {row.key_version: row.count for row in session.rows(_USE)}

    def _others(self, after: str, current: int) -> Sequence[Any]:
        with self._read() as session:
            return session.rows(_OTHERS, {"after": after, "current": current})

    def _rewrap(self, rows: Sequence[Any]) -> tuple[list[dict[str, Any]], list[str]]:
        """What to write, and submissions whose key does not open. Here, not in the writer: it may ask a service."""
        changes, failed = [], []
        for row in rows:
            try:
                key = self._keys.unwrap(row.key_version, row.wrapped_key, row.submission_id)
            except WrongKey:
                failed.append(row.submission_id)
                continue
            version, wrapped = self._keys.wrap(key, row.submission_id)
            changes.append(
                {"id": row.submission_id, "old_key": row.wrapped_key, "version": version, "new_key": wrapped}
            )
        return changes, failed


def _write(changes: Sequence[dict[str, Any]], tx: Transaction) -> int:
    """How many. What was erased or wrapped by another rotation meanwhile is left alone."""
    return sum(tx.execute(_REWRAP, change) for change in changes)
