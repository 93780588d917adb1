"""Completion: expected counts, announcements, retention."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS: list[tuple[str, str, sa.types.TypeEngine[Any]]] = [
    ("series", "found", sa.Integer()),
    ("series", "expected", sa.Integer()),
    ("series", "expected_by", sa.String(length=32)),
    ("instances", "series_related_instances", sa.Integer()),
    ("instances", "acquisition_number", sa.Integer()),
    ("instances", "images_in_acquisition", sa.Integer()),
    ("instances", "content_digest", sa.String(length=64)),
    ("instances", "removal", sa.String(length=32)),
    ("jobs", "found", sa.Integer()),
    ("jobs", "expected", sa.Integer()),
    ("objects", "removal", sa.String(length=32)),
]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "announced_instances",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("by_uid", sa.String(length=64), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", "series_uid", "sop_uid"),
    )
    op.create_index(op.f("ix_announced_instances_announced_at"), "announced_instances", ["announced_at"], unique=False)
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    for table in ("instances", "objects"):
        op.create_index(op.f(f"ix_{table}_removal"), table, ["removal"], unique=False)


def downgrade() -> None:
    """Remove them."""
    for table in ("instances", "objects"):
        op.drop_index(op.f(f"ix_{table}_removal"), table_name=table)
    for table, name, _ in COLUMNS:
        op.drop_column(table, name)
    op.drop_index(op.f("ix_announced_instances_announced_at"), table_name="announced_instances")
    op.drop_table("announced_instances")
