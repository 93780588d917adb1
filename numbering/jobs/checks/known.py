"""A node's records as what a level check may consult (`numbering.checking.Known`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from numbering.checking.known import Owner
from numbering.checking.question import Misused
from numbering.jobs.models import InstanceRow, Job, SeriesRow
from numbering.jobs.node import Node
from numbering.jobs.record.filing import record, studies_of
from numbering.jobs.record.identities import SeveralPatients, identity_of, record_of_patient, record_of_study
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.priors.source import Patient
from numbering.record import PatientRecord
from numbering.record.model import SeriesEntry
from numbering.result import Status

NOT_YET = "it is still arriving or waits to be numbered"
NOBODY = "nobody "
"""Begins the owner that stands for a patient of whom nothing is known; no record is called so."""


class KnownRecords:
    """See `numbering.checking.Known`; an owner is a record."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def patient(self, patient: Patient) -> Owner:
        """See `numbering.checking.Known`; `Misused` when several patients have this ID and no issuer is named."""
        with reading(self._node.engine) as session:
            try:
                found = record_of_patient(session, self._node.settings, patient)
            except SeveralPatients as error:
                raise Misused(str(error)) from None
        return found or NOBODY + identity_of(self._node.settings, patient).pseudonym

    def of_image(self, sop_instance_uid: str) -> Owner | None:
        """See `numbering.checking.Known`."""
        study = self.study(sop_instance_uid)
        return self.of_study(study) if study is not None else None

    def of_study(self, study_instance_uid: str) -> Owner | None:
        """See `numbering.checking.Known`."""
        with reading(self._node.engine) as session:
            return record_of_study(session, study_instance_uid)

    def record(self, owner: Owner) -> PatientRecord:
        """See `numbering.checking.Known`."""
        if owner.startswith(NOBODY):
            return PatientRecord()
        known = record(self._node.engine, owner)
        with reading(self._node.engine) as session:
            waiting = _waiting(session, owner)
        return known.model_copy(update={"series": (*known.series, *waiting)})

    def file(self, sop_instance_uid: str) -> Path | None:
        """See `numbering.checking.Known`; also of reports and presentation states that were received."""
        with reading(self._node.engine) as session:
            here = _rows(sop_instance_uid).where(InstanceRow.removal.is_(None))
            row = session.scalar(here)
        path = self._node.path(row.path) if row is not None else None
        return path if path is not None and path.is_file() else None

    def study(self, sop_instance_uid: str) -> str | None:
        """The study of an object that was received; None when it is not known, or came in several studies."""
        with reading(self._node.engine) as session:
            studies = {row.study_uid for row in session.scalars(_rows(sop_instance_uid))}
        return studies.pop() if len(studies) == 1 else None


def _waiting(session: Session, record_id: str) -> list[SeriesEntry]:
    """What of this patient is here and has not been read yet: it is listed as silent, so that nobody overlooks it."""
    studies = studies_of(record_id)
    unread = Job.result.is_(None), Job.state.in_((State.QUEUED, State.RUNNING))
    jobs = session.scalars(select(Job).where(Job.study_uid.in_(studies), *unread).order_by(Job.created_at))
    found = [
        _silent(job.study_uid, job.series_uid, job.modality, [image.sop_uid for image in job.images]) for job in jobs
    ]
    arriving = SeriesRow.state.in_((State.RECEIVED, State.HELD))
    for series in session.scalars(select(SeriesRow).where(SeriesRow.study_uid.in_(studies), arriving)):
        found.append(_silent(series.study_uid, series.series_uid, "", []))
    return found


def _silent(study_uid: str, series_uid: str, modality: str, images: list[str]) -> SeriesEntry:
    return SeriesEntry(
        study_instance_uid=study_uid,
        series_instance_uid=series_uid,
        modality=modality,
        status=Status.HELD,
        reason=NOT_YET,
        images=tuple(images),
    )


def _rows(sop_instance_uid: str) -> Select[InstanceRow]:
    return select(InstanceRow).where(InstanceRow.sop_uid == sop_instance_uid, InstanceRow.kind == "image")
