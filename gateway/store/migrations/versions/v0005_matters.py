"""What follows another submission of its matter waits for it; a person may let pass what lacks a requirement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BEHIND = sa.text("behind IS NOT NULL")


def upgrade() -> None:
    for column in ("follows", "waived"):
        op.add_column("delivery", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delivery", sa.Column("behind", sa.String(), nullable=True))
    op.create_index("ix_delivery_behind", "delivery", ["behind"], sqlite_where=_BEHIND, postgresql_where=_BEHIND)
