"""A node's records as what a level check may consult (`numbering.checking.Known`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Select, select

from numbering.checking.known import Owner
from numbering.checking.question import Misused
from numbering.jobs.filing import record
from numbering.jobs.identities import SeveralPatients, identity_of, record_of_patient, record_of_study
from numbering.jobs.models import InstanceRow
from numbering.jobs.node import Node
from numbering.jobs.store import reading
from numbering.priors.source import Patient
from numbering.record import PatientRecord

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
        return PatientRecord() if owner.startswith(NOBODY) else record(self._node.engine, owner)

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


def _rows(sop_instance_uid: str) -> Select[InstanceRow]:
    return select(InstanceRow).where(InstanceRow.sop_uid == sop_instance_uid, InstanceRow.kind == "image")
