"""References are found however they are written, the portal's own too; what may be the same application is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.folding import folded
from gateway.store.tables import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("reference", sa.Column("folded", sa.String(), nullable=False, server_default=sa.text("''")))
    rows = op.get_bind().execute(sa.text("SELECT DISTINCT value FROM reference")).scalars().all()
    for value in rows:
        statement = sa.text("UPDATE reference SET folded = :folded WHERE value = :value")
        op.get_bind().execute(statement, {"folded": folded(value), "value": value})
    op.drop_index("ix_reference_value", "reference")
    op.create_index("ix_reference_folded", "reference", ["folded"])
    for column in ("sender_reference", "sender_folded"):
        op.add_column("submission", sa.Column(column, sa.String(), nullable=True))
    op.create_index("ix_submission_sender_folded_submission_id", "submission", ["sender_folded", "submission_id"])
    op.drop_index("ix_submission_digest", "submission")
    op.create_index("ix_submission_digest_submission_id", "submission", ["digest", "submission_id"])
    op.create_table(
        "likeness",
        sa.Column("submission_id", sa.String(), sa.ForeignKey("submission.submission_id"), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", "value"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_likeness_value_submission_id", "likeness", ["value", "submission_id"])
    op.create_table(
        "possibly_twice",
        sa.Column("submission_id", sa.String(), sa.ForeignKey("submission.submission_id"), nullable=False),
        sa.Column("other_id", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("noted_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", "other_id", "why"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_possibly_twice_other_id", "possibly_twice", ["other_id"])
    op.create_index("ix_possibly_twice_noted_at", "possibly_twice", ["noted_at"])
