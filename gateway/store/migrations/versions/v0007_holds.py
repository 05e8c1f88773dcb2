"""A person can say that the content of a submission is kept, whatever its retention."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.tables import Instant

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("submission_id", sa.String(), sa.ForeignKey("submission.submission_id"), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id"),
        sqlite_with_rowid=False,
    )
