"""Every table, and the triggers that keep what was received and what happened from being changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.tables import Instant

revision = "0001"
down_revision = None

# (table, what is refused, condition or None, why)
_REFUSED = (
    ("content_chunk", "UPDATE", None, "content is never changed"),
    ("submission", "UPDATE", "NEW.received_at <> OLD.received_at", "the moment of receipt is never changed"),
    ("event", "UPDATE", None, "events are never changed"),
    ("event", "DELETE", None, "events are never deleted"),
)


def upgrade() -> None:
    _submissions()
    _content()
    _deliveries()
    _outbox()
    _dead_letters()
    for table, action, condition, why in _REFUSED:
        if op.get_bind().dialect.name == "postgresql":
            _refuse_in_postgres(table, action, condition, why)
        else:
            _refuse_in_sqlite(table, action, condition, why)


def _refuse_in_sqlite(table: str, action: str, condition: str | None, why: str) -> None:
    when = f"WHEN {condition} " if condition else ""
    op.execute(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} FOR EACH ROW {when}"
        f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
    )


def _refuse_in_postgres(table: str, action: str, condition: str | None, why: str) -> None:
    name = f"{table}_no_{action.lower()}"
    when = f"WHEN ({condition}) " if condition else ""
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{why}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {when}EXECUTE FUNCTION {name}()")


def _submissions() -> None:
    """What was handed in, and its history."""
    op.create_table(
        "submission",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("inbox_key", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("service_identifier", sa.String(), nullable=True),
        sa.Column("department", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("standard", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=True),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("schema_uri", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("metadata_version", sa.String(), nullable=False),
        sa.Column("traceparent", sa.String(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("keep_until", Instant(), nullable=True),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.Column("event_number", sa.Integer(), nullable=False),
        sa.Column("event_hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", name="pk_submission"),
        sa.UniqueConstraint("channel", "client", "inbox_key", name="uq_submission_channel_client_inbox_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_submission_case_id", "submission", ["case_id"], unique=False)
    op.create_index("ix_submission_digest", "submission", ["digest"], unique=False)
    op.create_index(
        "ix_submission_keep_until",
        "submission",
        ["keep_until"],
        unique=False,
        sqlite_where=sa.text("keep_until IS NOT NULL"),
        postgresql_where=sa.text("keep_until IS NOT NULL"),
    )
    undated = sa.text("ended_at IS NOT NULL AND keep_until IS NULL AND state <> 'rejected'")
    op.create_index(
        "ix_submission_undated",
        "submission",
        ["ended_at"],
        unique=False,
        sqlite_where=undated,
        postgresql_where=undated,
    )
    op.create_table(
        "event",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("old", sa.String(), nullable=True),
        sa.Column("new", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.submission_id"], name="fk_event_submission"),
        sa.PrimaryKeyConstraint("submission_id", "number", name="pk_event"),
        sqlite_with_rowid=False,
    )


def _content() -> None:
    """Encrypted parts."""
    op.create_table(
        "content_key",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", name="pk_content_key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_content_key_orphan",
        "content_key",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("NOT claimed"),
        postgresql_where=sa.text("NOT claimed"),
    )
    op.create_table(
        "content_part",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha512", sa.String(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["content_key.submission_id"], name="fk_content_part_content_key"),
        sa.PrimaryKeyConstraint("submission_id", "number", name="pk_content_part"),
        sa.UniqueConstraint("submission_id", "name", name="uq_content_part_submission_id_name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "content_chunk",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["content_key.submission_id"], name="fk_content_chunk_content_key"),
        sa.PrimaryKeyConstraint("submission_id", "part", "sequence", name="pk_content_chunk"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Encrypted bytes do not compress: trying costs time.
        op.execute("ALTER TABLE content_chunk ALTER COLUMN data SET STORAGE EXTERNAL")


def _deliveries() -> None:
    """Deliveries, the tries to make them, and what departments call them."""
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("department", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_total", sa.Integer(), nullable=False),
        sa.Column("possible_repeat", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("first_due", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("claimed_until", Instant(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("swept_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.submission_id"], name="fk_delivery_submission"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_delivery"),
        sa.UniqueConstraint("submission_id", "target", name="uq_delivery_submission_id_target"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_delivery_state_due_at", "delivery", ["state", "due_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("package_version", sa.String(), nullable=False),
        sa.Column("case_digest", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("possible_repeat", sa.Boolean(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name="fk_attempt_delivery"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_attempt"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reference",
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("noted_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name="fk_reference_delivery"),
        sa.PrimaryKeyConstraint("delivery_id", "name", "value", name="pk_reference"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reference_submission_id", "reference", ["submission_id"], unique=False)
    op.create_index("ix_reference_value", "reference", ["value"], unique=False)
    # ### end Alembic commands ###


def _outbox() -> None:
    """What is to be sent, who may send it, and to whom."""
    op.create_table(
        "outbox",
        sa.Column("outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("publish_at", Instant(), nullable=False),
        sa.Column("rung", sa.String(), nullable=True),
        sa.Column("traceparent", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name="fk_outbox_delivery"),
        sa.PrimaryKeyConstraint("outbox_id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_delivery_id", "outbox", ["delivery_id"], unique=False)
    op.create_index("ix_outbox_publish_at", "outbox", ["publish_at"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "circuit",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_circuit"),
    )


def _dead_letters() -> None:
    """What stopped and needs a person."""
    op.create_table(
        "dead_letter",
        sa.Column("dead_id", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("submission_id", sa.String(), nullable=True),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("service", sa.String(), nullable=True),
        sa.Column("target", sa.String(), nullable=True),
        sa.Column("department", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("fingerprint_version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received_at", Instant(), nullable=True),
        sa.Column("died_at", Instant(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("broker", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("dead_id", name="pk_dead_letter"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_dead_letter_delivery_id", "dead_letter", ["delivery_id"], unique=False)
    op.create_index("ix_dead_letter_fingerprint", "dead_letter", ["fingerprint"], unique=False)
    op.create_index("ix_dead_letter_state_died_at", "dead_letter", ["state", "died_at"], unique=False)
    op.create_index("ix_dead_letter_submission_id", "dead_letter", ["submission_id"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("dead_id", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["dead_id"], ["dead_letter.dead_id"], name="fk_quarantine_dead_letter"),
        sa.PrimaryKeyConstraint("dead_id", name="pk_quarantine"),
        sa.UniqueConstraint("identity", name="uq_quarantine_identity"),
    )
