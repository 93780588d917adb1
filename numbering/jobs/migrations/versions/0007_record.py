"""The patient's record (whose studies are whose, corrections, merges), and level checks that nobody can change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNCHANGEABLE = "a level check is never changed nor removed"


def upgrade() -> None:
    """Make the tables; a job may now be a conclusion of another one."""
    _records()
    _corrections()
    _checks()
    op.add_column("jobs", sa.Column("concluded_from", sa.String(length=36), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("jobs", "concluded_from")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION checks_stand() CASCADE")
    for name in ("checks", "corrections", "record_geometry", "record_studies", "record_merges", "identities"):
        op.drop_table(name)
    op.drop_table("records")


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("concluded", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_records_due", "records", ["id"], unique=False, sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_table(
        "identities",
        sa.Column("pseudonym", sa.String(length=40), nullable=False),
        sa.Column("id_alone", sa.String(length=40), nullable=True),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"]),
        sa.PrimaryKeyConstraint("pseudonym"),
    )
    op.create_index(op.f("ix_identities_record_id"), "identities", ["record_id"], unique=False)
    op.create_index(op.f("ix_identities_id_alone"), "identities", ["id_alone"], unique=False)
    op.create_table(
        "record_merges",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pseudonym", sa.String(length=40), nullable=False),
        sa.Column("merged_into", sa.String(length=40), nullable=True),
        sa.Column("told_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "record_studies",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("pseudonym", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["pseudonym"], ["identities.pseudonym"]),
        sa.PrimaryKeyConstraint("study_uid"),
    )
    op.create_index(op.f("ix_record_studies_pseudonym"), "record_studies", ["pseudonym"], unique=False)
    op.create_table(
        "record_geometry",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("frame_of_reference_uid", sa.String(length=64), nullable=True),
        sa.Column("images", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", "series_uid"),
    )


_DUE = sa.text("version > concluded")


def _corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("was", sa.String(length=32), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("organisation", sa.Text(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("run_digest", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_index(op.f("ix_corrections_study_uid"), "corrections", ["study_uid"], unique=False)


def _checks() -> None:
    op.create_table(
        "checks",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("pseudonym", sa.String(length=40), nullable=True),
        sa.Column("study_uid", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("key_images", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_index(op.f("ix_checks_pseudonym"), "checks", ["pseudonym"], unique=False)
    op.create_index(op.f("ix_checks_study_uid"), "checks", ["study_uid"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION checks_stand() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{UNCHANGEABLE}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER checks_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON checks "
            "FOR EACH STATEMENT EXECUTE FUNCTION checks_stand()"
        )
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER checks_stand_{verb.lower()} BEFORE {verb} ON checks "
                f"BEGIN SELECT RAISE(ABORT, '{UNCHANGEABLE}'); END"
            )
