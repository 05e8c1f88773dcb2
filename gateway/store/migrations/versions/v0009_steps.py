"""Attempts say which call they were, where a delivery takes several."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("step", sa.String(), nullable=False, server_default=sa.text("''")))
