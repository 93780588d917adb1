"""The tables of the patient's record: whose studies are whose, corrections, and level checks.

No column holds anything of the patient: a patient is a pseudonym, a keyed hash (`numbering.jobs.record.identities`).
Persons named here are those who verified something.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Float, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from numbering.jobs.models import UID, WORD, Base, now

PSEUDONYM = String(40)
_DUE = text("version > concluded")


class RecordRow(Base):
    """One patient's record. ``version`` counts what was filed in it, ``concluded`` is the version last concluded from.

    While it is the smaller one, a conclusion is due: at once, or from ``not_before`` on where the last ones failed.
    """

    __tablename__ = "records"
    __table_args__ = (Index("ix_records_due", "id", sqlite_where=_DUE, postgresql_where=_DUE),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    version: Mapped[int] = mapped_column(default=0)
    concluded: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class IdentityRow(Base):
    """An identifier of a patient, as a pseudonym, and the record that it belongs to now. Merged ones share a record.

    ``pseudonym`` is of the patient's ID with its issuer, ``id_alone`` without: for questions that name no issuer.
    """

    __tablename__ = "identities"

    pseudonym: Mapped[str] = mapped_column(PSEUDONYM, primary_key=True)
    id_alone: Mapped[str | None] = mapped_column(PSEUDONYM, index=True)
    record_id: Mapped[str] = mapped_column(ForeignKey("records.id"), index=True)


class MergeRow(Base):
    """That somebody said two identifiers are one patient's; ``merged_into`` None: that they are not after all."""

    __tablename__ = "record_merges"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    pseudonym: Mapped[str] = mapped_column(PSEUDONYM)
    merged_into: Mapped[str | None] = mapped_column(PSEUDONYM)
    told_by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=now)


class StudyRow(Base):
    """Whose a study is."""

    __tablename__ = "record_studies"

    study_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    pseudonym: Mapped[str] = mapped_column(ForeignKey("identities.pseudonym"), index=True)


class GeometryRow(Base):
    """Where the images of a series lie in space (`FILED_IMAGES` as JSON), kept when their files are long removed."""

    __tablename__ = "record_geometry"

    study_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    series_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    frame_of_reference_uid: Mapped[str | None] = mapped_column(UID)
    images: Mapped[str] = mapped_column(Text)


class CorrectionRow(Base):
    """A person's name for the structure at a place. One that was taken back stays, with when and by whom.

    ``was`` is what it was called then, ``run_digest`` tells which run of the pipeline the person saw. ``source`` is
    ``command``, ``rest`` or ``sr``. ``verified``: by an authenticated person of a named organisation.
    """

    __tablename__ = "corrections"

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_uid: Mapped[str] = mapped_column(UID, index=True)
    series_uid: Mapped[str] = mapped_column(UID)
    sop_uid: Mapped[str] = mapped_column(UID)
    frame: Mapped[int | None]
    x: Mapped[float] = mapped_column(Float)
    y: Mapped[float] = mapped_column(Float)
    name: Mapped[str] = mapped_column(WORD)
    was: Mapped[str | None] = mapped_column(WORD)
    source: Mapped[str] = mapped_column(WORD)
    person: Mapped[str | None] = mapped_column(Text)
    organisation: Mapped[str | None] = mapped_column(Text)
    verified: Mapped[bool]
    run_digest: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now)
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(Text)


class CheckRow(Base):
    """A level check. The database itself refuses to change or remove one."""

    __tablename__ = "checks"

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    pseudonym: Mapped[str | None] = mapped_column(PSEUDONYM, index=True)
    study_uid: Mapped[str | None] = mapped_column(UID, index=True)
    at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(WORD)
    answer: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(Text)
    key_images: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text)
