"""Every table of the store, for SQLite and PostgreSQL alike. The migrations make them; a test keeps the two equal.

States and content lie apart: the rows that change often (`submission`, `delivery`) are narrow, the encrypted bytes
(`content_chunk`) are written once. Only `content_chunk.data` may hold personal data, and it is always encrypted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

_ISO_LENGTH = 32


class Instant(TypeDecorator[datetime]):
    """An aware UTC moment: `timestamptz` in PostgreSQL, RFC 3339 text of fixed width (so that it sorts) in SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(_ISO_LENGTH))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.fromisoformat(value)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# No lengths: PostgreSQL would enforce them and SQLite would not, and a foreign value must never fail a commit.
_ID = String()
_NAME = String()
_HASH = String()
# SQLite: rows lie in the tree of their key, instead of in a second one beside it. Half the pages to touch per row.
_ONE_TREE: Any = {"sqlite_with_rowid": False}
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

UNDATED = "ended_at IS NOT NULL AND keep_until IS NULL AND state <> 'rejected'"
"""Ended, with content, and not yet told until when it is kept."""

HELD = "state = 'held'"
"""A submission that waits for something outside."""

BEHIND = "behind IS NOT NULL"
"""A delivery that waits for an earlier submission of its matter."""

PARKED = "waits_for = 'circuit'"
"""A delivery that waits for its target's circuit to close."""

submission = Table(
    "submission",
    metadata,
    Column("submission_id", _ID, primary_key=True),
    Column("case_id", _ID, nullable=False),
    Column("channel", _NAME, nullable=False),
    Column("client", _NAME, nullable=False),
    Column("inbox_key", String()),
    # SHA-512 of what was sent; emptied when the content is erased, because it could confirm a guess of the content.
    Column("digest", String(), nullable=False),
    Column("service", _NAME, nullable=False),
    Column("service_identifier", String()),
    Column("department", _NAME, nullable=False),
    Column("kind", _NAME, nullable=False),
    Column("state", String(), nullable=False),
    Column("standard", String(), nullable=False),
    Column("message", String(), nullable=False),
    Column("valid", Boolean),
    Column("decision", String(), nullable=False),
    Column("test", Boolean, nullable=False),
    Column("schema_uri", String(), nullable=False),
    Column("media_type", _NAME, nullable=False),
    Column("metadata_version", _NAME, nullable=False),
    Column("traceparent", _NAME),
    Column("received_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("keep_until", Instant),
    Column("erased_at", Instant),
    # Head of this submission's event chain. The number is the optimistic lock of everything that belongs to it.
    Column("event_number", Integer, nullable=False),
    Column("event_hash", _HASH, nullable=False),
    # What the portal calls it, as written and as it is compared.
    Column("sender_reference", String()),
    Column("sender_folded", String()),
    UniqueConstraint("channel", "client", "inbox_key"),
    Index(None, "case_id"),
    Index(None, "digest", "submission_id"),
    Index(None, "sender_folded", "submission_id"),
    Index(
        "ix_submission_keep_until",
        "keep_until",
        sqlite_where=text("keep_until IS NOT NULL"),
        postgresql_where=text("keep_until IS NOT NULL"),
    ),
    Index("ix_submission_held", "received_at", sqlite_where=text(HELD), postgresql_where=text(HELD)),
    Index("ix_submission_undated", "ended_at", sqlite_where=text(UNDATED), postgresql_where=text(UNDATED)),
    **_ONE_TREE,
)

# Written before acceptance when content is spilled; `claimed` by the transaction that accepts. No reference to
# `submission`: an unclaimed key and its chunks are an orphan and are swept.
content_key = Table(
    "content_key",
    metadata,
    Column("submission_id", _ID, primary_key=True),
    Column("key_version", Integer, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(
        "ix_content_key_orphan",
        "created_at",
        sqlite_where=text("NOT claimed"),
        postgresql_where=text("NOT claimed"),
    ),
    **_ONE_TREE,
)

content_part = Table(
    "content_part",
    metadata,
    Column("submission_id", _ID, ForeignKey("content_key.submission_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(), nullable=False),
    Column("media_type", _NAME, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha512", String(), nullable=False),
    Column("chunks", Integer, nullable=False),
    PrimaryKeyConstraint("submission_id", "number"),
    UniqueConstraint("submission_id", "name"),
    **_ONE_TREE,
)

content_chunk = Table(
    "content_chunk",
    metadata,
    Column("submission_id", _ID, ForeignKey("content_key.submission_id"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("submission_id", "part", "sequence"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", _ID, primary_key=True),
    Column("submission_id", _ID, ForeignKey("submission.submission_id"), nullable=False),
    Column("target", _NAME, nullable=False),
    Column("service", _NAME, nullable=False),
    Column("department", _NAME, nullable=False),
    Column("state", String(), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempts_total", Integer, nullable=False),
    Column("possible_repeat", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("first_due", Instant, nullable=False),
    Column("due_at", Instant),
    Column("claimed_by", _NAME),
    Column("claimed_until", Instant),
    Column("failure", _NAME),
    Column("code", _NAME),
    Column("ended_at", Instant),
    Column("swept_at", Instant),
    Column("waits_for", _NAME),
    # Its submission came with a case id: what came earlier in the matter goes first. behind: the one it waits for.
    Column("follows", Boolean, nullable=False, server_default=false()),
    Column("behind", _ID),
    # A person let it pass although something that it requires is not there.
    Column("waived", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("submission_id", "target"),
    Index("ix_delivery_behind", "behind", sqlite_where=text(BEHIND), postgresql_where=text(BEHIND)),
    Index(None, "state", "due_at"),
    Index("ix_delivery_parked", "target", "first_due", sqlite_where=text(PARKED), postgresql_where=text(PARKED)),
    **_ONE_TREE,
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", _ID, ForeignKey("delivery.delivery_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("worker", _NAME, nullable=False),
    Column("package_version", _NAME, nullable=False),
    Column("case_digest", _HASH, nullable=False),
    Column("request_digest", _HASH, nullable=False),
    Column("possible_repeat", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", String()),
    Column("failure", _NAME),
    Column("code", _NAME),
    # Which call, where a delivery takes several.
    Column("step", _NAME, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("delivery_id", "number"),
    **_ONE_TREE,
)

reference = Table(
    "reference",
    metadata,
    Column("delivery_id", _ID, ForeignKey("delivery.delivery_id"), nullable=False),
    Column("name", _NAME, nullable=False),
    Column("value", String(), nullable=False),
    Column("submission_id", _ID, nullable=False, index=True),
    Column("noted_at", Instant, nullable=False),
    # The value as it is compared, see `folding`.
    Column("folded", String(), nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("delivery_id", "name", "value"),
    Index(None, "folded"),
    **_ONE_TREE,
)

# Keyed fingerprints of applicants, deleted with the content. See `likeness`.
likeness = Table(
    "likeness",
    metadata,
    Column("submission_id", _ID, ForeignKey("submission.submission_id"), nullable=False),
    Column("value", _HASH, nullable=False),
    PrimaryKeyConstraint("submission_id", "value"),
    Index(None, "value", "submission_id"),
    **_ONE_TREE,
)

# submission_id: the one at which it was noted, mostly the later one.
possibly_twice = Table(
    "possibly_twice",
    metadata,
    Column("submission_id", _ID, ForeignKey("submission.submission_id"), nullable=False),
    Column("other_id", _ID, nullable=False),
    Column("why", _NAME, nullable=False),
    Column("noted_at", Instant, nullable=False),
    PrimaryKeyConstraint("submission_id", "other_id", "why"),
    Index(None, "other_id"),
    Index(None, "noted_at"),
    **_ONE_TREE,
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", _SERIAL, primary_key=True),
    Column("delivery_id", _ID, ForeignKey("delivery.delivery_id"), nullable=False, index=True),
    Column("submission_id", _ID, nullable=False),
    Column("target", _NAME, nullable=False),
    Column("service", _NAME, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    # When to hand it to the broker: at once for a rung (the rung itself delays), else when it is due.
    Column("publish_at", Instant, nullable=False, index=True),
    Column("rung", _NAME),
    Column("traceparent", _NAME),
    # Never reuse a number: it is part of the message id by which consumers recognise copies.
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("submission_id", _ID, ForeignKey("submission.submission_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", _NAME, nullable=False),
    Column("delivery_id", _ID),
    Column("old", String()),
    Column("new", String()),
    Column("actor", _NAME, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
    PrimaryKeyConstraint("submission_id", "number"),
    **_ONE_TREE,
)

# Which events which seal holds: `position` is the leaf of event `first`, the others follow. Written with the events
# themselves, without a seal; a seal is put in later. One row per submission and commit, not one per event. No foreign
# key: it is only ever written together with events, which have one.
sealed_range = Table(
    "sealed_range",
    metadata,
    Column("submission_id", _ID, nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("seal", Integer),
    Column("position", Integer),
    PrimaryKeyConstraint("submission_id", "first"),
    Index(None, "seal", "position"),
    **_ONE_TREE,
)

# statement: the exact text that is signed; root, size and so on stand in it (`sealing.Seal`). leaves: 32 bytes each.
seal = Table(
    "seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False, index=True),
    Column("statement", Text, nullable=False),
    Column("key_id", _NAME, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("leaves", LargeBinary, nullable=False),
)

# Public keys, so that whoever serves them needs no private one.
seal_key = Table(
    "seal_key",
    metadata,
    Column("key_id", _NAME, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("first_used", Instant, nullable=False),
)

day_close = Table(
    "day_close",
    metadata,
    Column("day", _NAME, nullable=False),
    Column("service", _NAME, nullable=False),
    Column("difference", Integer, nullable=False),
    Column("statement", Text, nullable=False),
    Column("key_id", _NAME, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("day", "service"),
)

# One row per change of state that has not been told on `ozg.events`. It names an event, without a foreign key: it is
# only ever written together with that event, and events are never deleted.
announcement = Table(
    "announcement",
    metadata,
    Column("announcement_id", _SERIAL, primary_key=True),
    Column("submission_id", _ID, nullable=False),
    Column("number", Integer, nullable=False),
    # Never reuse a number: a relay that lost its lease must not delete what came after.
    sqlite_autoincrement=True,
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("dead_id", _ID, primary_key=True),
    Column("delivery_id", _ID, index=True),
    Column("submission_id", _ID, index=True),
    Column("case_id", _ID),
    Column("service", _NAME),
    Column("target", _NAME),
    Column("department", _NAME),
    Column("failure", _NAME, nullable=False),
    Column("code", _NAME, nullable=False),
    Column("place", String(), nullable=False),
    Column("fingerprint", _HASH, nullable=False, index=True),
    Column("fingerprint_version", Integer, nullable=False),
    Column("text_de", Text, nullable=False),
    Column("remedy_de", Text, nullable=False),
    Column("source", _NAME, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("received_at", Instant),
    Column("died_at", Instant, nullable=False),
    Column("state", String(), nullable=False),
    Column("broker", JSON(none_as_null=True)),
    # For class `expired`: the class of the last failure.
    Column("cause", _NAME),
    Column("text_en", Text, nullable=False, server_default=text("''")),
    Column("remedy_en", Text, nullable=False, server_default=text("''")),
    Index(None, "state", "died_at"),
    **_ONE_TREE,
)

# What arrived in a dead-letter queue and belongs to no delivery of ours: size and hash of the body, never the body.
quarantine = Table(
    "quarantine",
    metadata,
    Column("dead_id", _ID, ForeignKey("dead_letter.dead_id"), primary_key=True),
    Column("identity", _HASH, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", _HASH, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

# Submissions whose content is kept until a person says otherwise, whatever their retention.
legal_hold = Table(
    "legal_hold",
    metadata,
    Column("submission_id", _ID, ForeignKey("submission.submission_id"), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    **_ONE_TREE,
)

lease = Table(
    "lease",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("holder", _NAME, nullable=False),
    Column("until", Instant, nullable=False),
)

circuit = Table(
    "circuit",
    metadata,
    Column("target", _NAME, primary_key=True),
    Column("state", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
