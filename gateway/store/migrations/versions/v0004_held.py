"""Submissions that wait for something outside are found without reading all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_HELD = sa.text("state = 'held'")


def upgrade() -> None:
    op.create_index("ix_submission_held", "submission", ["received_at"], sqlite_where=_HELD, postgresql_where=_HELD)
