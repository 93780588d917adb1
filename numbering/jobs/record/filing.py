"""A patient's results and corrections as the record takes them (`numbering.record`), read from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session, selectinload

from numbering.jobs.models import Job, ObjectRow
from numbering.jobs.parts import LEVEL_CHECK_PART, OBJECT_PARTS
from numbering.jobs.record.rows import CorrectionRow, GeometryRow, IdentityRow, RecordRow, StudyRow
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.plane import Plane
from numbering.record import Correction, Filed, FiledImage, PatientRecord, conclude
from numbering.record.filed import FILED_IMAGES
from numbering.record.model import Place
from numbering.result import NumberingResult, RetiredObject, Status
from numbering.study import View

STATUSES = frozenset(Status)


@dataclass(frozen=True)
class FiledPart:
    """One part of a series in a record. ``own`` is the job of the pipeline's latest run, ``current`` the one that
    stands for the part now; ``written`` are the objects of the last revision that has some, its SR first.
    """

    filed: Filed
    own: str | None
    current: str
    written: tuple[RetiredObject, ...] = ()


@dataclass(frozen=True)
class Contents:
    """All that is filed in a record, as of one moment."""

    version: int
    parts: tuple[FiledPart, ...]
    corrections: tuple[Correction, ...]

    @property
    def filed(self) -> list[Filed]:
        """What a conclusion is made of."""
        return [part.filed for part in self.parts]

    def conclude(self) -> PatientRecord:
        """The record."""
        return conclude(self.filed, self.corrections)


def record(engine: Engine, record_id: str) -> PatientRecord:
    """The record of this identifier, concluded from what is filed at this moment."""
    with reading(engine) as session:
        return contents(session, record_id).conclude()


def contents(session: Session, record_id: str) -> Contents:
    """Everything that is filed in a record."""
    row = session.get(RecordRow, record_id)
    studies = session.scalars(studies_of(record_id)).all()
    return Contents(
        version=row.version if row else 0,
        parts=tuple(_parts(session, studies)),
        corrections=tuple(_corrections(session, studies)),
    )


def studies_of(record_id: str) -> Select[str]:
    """The studies of a record, to be selected from."""
    return (
        select(StudyRow.study_uid)
        .join(IdentityRow, IdentityRow.pseudonym == StudyRow.pseudonym)
        .where(IdentityRow.record_id == record_id)
        .order_by(StudyRow.study_uid)
    )


def _corrections(session: Session, studies: Sequence[str]) -> Iterable[Correction]:
    standing = CorrectionRow.study_uid.in_(studies), CorrectionRow.withdrawn_at.is_(None)
    rows = session.scalars(select(CorrectionRow).where(*standing).order_by(CorrectionRow.at, CorrectionRow.uid))
    return [correction_of(row) for row in rows]


def correction_of(row: CorrectionRow) -> Correction:
    """A stored correction."""
    return Correction(
        uid=row.uid,
        series_instance_uid=row.series_uid,
        place=Place(sop_instance_uid=row.sop_uid, frame=row.frame, x=row.x, y=row.y),
        name=row.name,
        verified=row.verified,
        at=row.at,
    )


def _parts(session: Session, studies: Sequence[str]) -> Iterable[FiledPart]:
    jobs = select(Job).where(Job.study_uid.in_(studies)).order_by(Job.revision)
    by_part: dict[tuple[str, str, str], list[Job]] = {}
    for job in session.scalars(jobs.options(selectinload(Job.images), selectinload(Job.objects))):
        if job.part != LEVEL_CHECK_PART and not job.part.startswith(tuple(f"{kind}/" for kind in OBJECT_PARTS)):
            by_part.setdefault((job.study_uid, job.series_uid, job.part), []).append(job)
    places = _places(session, studies)
    found = (_part(revisions, places) for _, revisions in sorted(by_part.items()))
    return [part for part in found if part is not None]


def objects_to_retire(session: Session, job: Job) -> tuple[RetiredObject, ...]:
    """The objects of the revision that this job's report names as its predecessor."""
    report = session.get(ObjectRow, job.predecessor_sr_uid) if job.predecessor_sr_uid else None
    if report is None:
        return ()
    rows = select(ObjectRow).where(ObjectRow.job_id == report.job_id).order_by(ObjectRow.position)
    return tuple(retired(row) for row in session.scalars(rows))


Places = Mapping[tuple[str, str], GeometryRow]


def _places(session: Session, studies: Sequence[str]) -> Places:
    rows = session.scalars(select(GeometryRow).where(GeometryRow.study_uid.in_(studies)))
    return {(row.study_uid, row.series_uid): row for row in rows}


def _part(revisions: Sequence[Job], places: Places) -> FiledPart | None:
    """None for a part that stands no more, or of which nothing is known yet."""
    current = next((job for job in reversed(revisions) if job.state != State.SUPERSEDED), None)
    if current is None:
        return None
    own = next((job for job in reversed(revisions) if job.result and job.concluded_from is None), None)
    if own is None and current.status not in STATUSES:
        return None
    result = _result(own)
    standing = _result(next((job for job in reversed(revisions) if job.result and _said(job)), None))
    place = places.get((current.study_uid, current.series_uid))
    reason = result.findings.reason.text if result and result.findings.reason else current.reason_text
    filed = Filed(
        study_instance_uid=current.study_uid,
        series_instance_uid=current.series_uid,
        modality=current.modality,
        view=View(current.view) if current.view else None,
        images=_images(own or current, place),
        frame_of_reference_uid=place.frame_of_reference_uid if place else None,
        result=result,
        issued=standing,
        status=result.findings.status if result else Status(current.status or Status.FAILED),
        reason=reason,
    )
    return FiledPart(filed, own.id if own else None, current.id, _written(revisions))


def _said(job: Job) -> bool:
    """Whether objects were written of this job, or will be: it is what readers are told."""
    return bool(job.objects) or job.state != State.SUPERSEDED


def _result(job: Job | None) -> NumberingResult | None:
    return NumberingResult.model_validate_json(job.result) if job is not None and job.result else None


def _images(job: Job, place: GeometryRow | None) -> tuple[Plane | FiledImage, ...]:
    mine = [image.sop_uid for image in job.images]
    known = FILED_IMAGES.validate_json(place.images) if place else ()
    placed = [image for image in known if image.sop_instance_uid in mine]
    named = {image.sop_instance_uid for image in placed}
    return (*placed, *(FiledImage(sop_instance_uid=uid) for uid in mine if uid not in named))


def _written(revisions: Sequence[Job]) -> tuple[RetiredObject, ...]:
    last = next((job for job in reversed(revisions) if any(row.kind == "SR" for row in job.objects)), None)
    return tuple(retired(row) for row in last.objects) if last is not None else ()


def retired(row: ObjectRow) -> RetiredObject:
    """An object of ours as its successor names it."""
    return RetiredObject(sop_instance_uid=row.sop_uid, sop_class_uid=row.sop_class, modality=row.kind)
