"""Indexes for what is asked every second, so that rows of finished work cost nothing."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATE, DESTINATION = "ix_deliveries_state", "ix_deliveries_destination_state"


def upgrade() -> None:
    """Make them."""
    _replace(["state", "wants_commitment"], ["destination", "state", "wants_commitment", "not_before"])
    op.create_index("ix_instances_study_uid", "instances", ["study_uid"], unique=False)


def downgrade() -> None:
    """Put the earlier ones back."""
    op.drop_index("ix_instances_study_uid", table_name="instances")
    _replace(["state"], ["destination", "state", "not_before"])


def _replace(state: list[str], destination: list[str]) -> None:
    for name, columns in ((STATE, state), (DESTINATION, destination)):
        op.drop_index(name, table_name="deliveries")
        op.create_index(name, "deliveries", columns, unique=False)
