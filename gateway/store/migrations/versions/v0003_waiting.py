"""Why a delivery waits, so that what waits for one target is found; dead letters in both languages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_PARKED = sa.text("waits_for = 'circuit'")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("waits_for", sa.String(), nullable=True))
    op.create_index(
        "ix_delivery_parked", "delivery", ["target", "first_due"], sqlite_where=_PARKED, postgresql_where=_PARKED
    )
    op.add_column("dead_letter", sa.Column("cause", sa.String(), nullable=True))
    op.execute("ALTER TABLE dead_letter RENAME COLUMN text TO text_de")
    op.execute("ALTER TABLE dead_letter RENAME COLUMN remedy TO remedy_de")
    for column in ("text_en", "remedy_en"):
        op.add_column("dead_letter", sa.Column(column, sa.Text(), nullable=False, server_default=sa.text("''")))
    # What died before has only its German words.
    op.execute("UPDATE dead_letter SET text_en = text_de, remedy_en = remedy_de")
