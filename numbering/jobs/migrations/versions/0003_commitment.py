"""Storage commitment and destinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables. Deliveries name their destination and no longer its address: there was one, the archive."""
    op.create_table(
        "destinations",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "commitments",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=255), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid"),
    )
    wants: sa.Column[bool] = sa.Column("wants_commitment", sa.Boolean(), nullable=False, server_default=sa.false())
    attempts: sa.Column[int] = sa.Column("commitment_attempts", sa.Integer(), nullable=False, server_default="0")
    op.add_column("deliveries", wants)
    op.add_column("deliveries", sa.Column("transaction_uid", sa.String(length=64), nullable=True))
    op.add_column("deliveries", attempts)
    op.drop_column("deliveries", "rung_at")
    op.create_index(op.f("ix_deliveries_transaction_uid"), "deliveries", ["transaction_uid"], unique=False)
    op.create_index(
        "ix_deliveries_destination_state", "deliveries", ["destination", "state", "not_before"], unique=False
    )
    op.execute("UPDATE deliveries SET destination = 'archive' WHERE destination LIKE '%@%'")


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_deliveries_destination_state", table_name="deliveries")
    op.drop_index(op.f("ix_deliveries_transaction_uid"), table_name="deliveries")
    op.add_column("deliveries", sa.Column("rung_at", INSTANT, nullable=True))
    for name in ("commitment_attempts", "transaction_uid", "wants_commitment"):
        op.drop_column("deliveries", name)
    op.drop_table("commitments")
    op.drop_table("destinations")
