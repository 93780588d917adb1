"""Whose a study is: a patient's record is found by a keyed hash of issuer and patient ID, and no row holds either.

Two identifiers are one patient's only when somebody said so (`merge`). A study whose objects name no patient has a
record of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from numbering.audit.pseudonym import Pseudonyms
from numbering.dicom.patient import patient_of
from numbering.jobs.models import InstanceRow, Job
from numbering.jobs.node import Node
from numbering.jobs.record.rows import IdentityRow, MergeRow, RecordRow, StudyRow
from numbering.jobs.store import reading, writing
from numbering.logs import logger
from numbering.priors.source import Patient
from numbering.settings import Settings

log = logger(__name__)


@dataclass(frozen=True)
class Identity:
    """A patient's identifier as rows know it. ``id_alone`` is None for a study without a patient."""

    pseudonym: str
    id_alone: str | None


class SeveralPatients(LookupError):
    """Several patients have this ID, each by another issuer, and none was named."""


def identity_of(settings: Settings, patient: Patient, study_uid: str = "") -> Identity:
    """The identifier of this patient; of the study where the patient's ID is empty."""
    hashed = Pseudonyms(settings.audit).of
    number, issuer = patient.patient_id.strip(), patient.issuer.strip() or settings.patient_issuer.strip()
    if not number:
        return Identity(hashed(f"study\n{study_uid}"), None)
    return Identity(hashed(f"patient\n{issuer}\n{number}"), hashed(f"id\n{number}"))


def place_study(session: Session, study_uid: str, identity: Identity) -> str:
    """Make the study this patient's; the identifier of the record. One that was another's leaves that record."""
    record_id = _record_of(session, identity)
    row = session.get(StudyRow, study_uid)
    if row is None:
        session.add(StudyRow(study_uid=study_uid, pseudonym=identity.pseudonym))
    elif row.pseudonym != identity.pseudonym:
        log.info("a study is another patient's than before", study_instance_uid=study_uid)
        changed(session, session.get_one(IdentityRow, row.pseudonym).record_id)
        row.pseudonym = identity.pseudonym
        changed(session, record_id)
    session.flush()
    return record_id


def _record_of(session: Session, identity: Identity) -> str:
    known = session.get(IdentityRow, identity.pseudonym)
    if known is not None:
        return known.record_id
    record_id = str(uuid4())
    session.add(RecordRow(id=record_id))
    session.flush()
    session.add(IdentityRow(pseudonym=identity.pseudonym, id_alone=identity.id_alone, record_id=record_id))
    session.flush()
    return record_id


def changed(session: Session, record_id: str) -> None:
    """Something was filed in this record, or taken from it: a conclusion is due."""
    session.execute(
        update(RecordRow)
        .where(RecordRow.id == record_id)
        .values(version=RecordRow.version + 1, not_before=None)
        .execution_options(synchronize_session=False)
    )


def record_of_study(session: Session, study_uid: str) -> str | None:
    """The record that this study belongs to; None when it is not known."""
    found = (
        select(IdentityRow.record_id)
        .join(StudyRow, StudyRow.pseudonym == IdentityRow.pseudonym)
        .where(StudyRow.study_uid == study_uid)
    )
    return session.scalar(found)


def record_of_patient(session: Session, settings: Settings, patient: Patient) -> str | None:
    """The record of this patient. Without an issuer the ID decides, if only one issuer's patient has it.

    `SeveralPatients` when more have; None when nothing is known of the patient.
    """
    identity = identity_of(settings, patient)
    known = session.get(IdentityRow, identity.pseudonym)
    if known is not None or patient.issuer.strip() or identity.id_alone is None:
        return known.record_id if known else None
    same = select(IdentityRow.record_id).where(IdentityRow.id_alone == identity.id_alone).distinct()
    records = session.scalars(same).all()
    if len(records) > 1:
        raise SeveralPatients("several patients have this ID, each by another issuer: name the issuer")
    return records[0] if records else None


def file_study(node: Node, study_uid: str, path: Path, *, moves: bool = True) -> None:
    """Make the study the patient's whom this file names: the latest word holds, unless it ``moves`` nothing.

    Without an ID there, a study that has a patient keeps it.
    """
    with reading(node.engine) as session:
        known = session.get(StudyRow, study_uid)
    if known is not None and not moves:
        return
    patient = patient_of(path)
    identity = identity_of(node.settings, patient, study_uid)
    if known is None or (patient.patient_id and known.pseudonym != identity.pseudonym):
        with writing(node.engine) as session:
            place_study(session, study_uid, identity)


def file_known_studies(node: Node) -> int:
    """File the studies of jobs that no patient has yet: those that an earlier version of this software numbered."""
    with reading(node.engine) as session:
        filed = select(StudyRow.study_uid)
        studies = session.scalars(select(Job.study_uid).where(Job.study_uid.not_in(filed)).distinct()).all()
        paths = {uid: _some_file(session, node, uid) for uid in studies}
    for study_uid, path in paths.items():
        file_study(node, study_uid, path)
        with writing(node.engine) as session:
            if (record_id := record_of_study(session, study_uid)) is not None:
                changed(session, record_id)
    return len(paths)


def _some_file(session: Session, node: Node, study_uid: str) -> Path:
    """A file of this study that is still here; the node's own objects name the patient too."""
    own = node.settings.objects / study_uid
    received = select(InstanceRow.path).where(InstanceRow.study_uid == study_uid, InstanceRow.removal.is_(None))
    paths = [node.path(path) for path in session.scalars(received.limit(1))]
    return next((path for path in (*paths, *own.glob("*.dcm")) if path.is_file()), own)


def merge(engine: Engine, settings: Settings, old: Patient, into: Patient, *, told_by: str) -> bool:
    """``old`` and ``into`` are one patient's identifiers: their records become one. False when they were already."""
    with writing(engine) as session:
        first, second = identity_of(settings, old), identity_of(settings, into)
        left, record_id = _record_of(session, first), _record_of(session, second)
        if left == record_id:
            return False
        moved = update(IdentityRow).where(IdentityRow.record_id == left).values(record_id=record_id)
        session.execute(moved.execution_options(synchronize_session=False))
        session.add(MergeRow(pseudonym=first.pseudonym, merged_into=second.pseudonym, told_by=told_by))
        changed(session, record_id)
        return True


def split(engine: Engine, settings: Settings, patient: Patient, *, told_by: str) -> bool:
    """This identifier is another patient's than those it was merged with. False when it stands alone."""
    with writing(engine) as session:
        identity = identity_of(settings, patient)
        row = session.get(IdentityRow, identity.pseudonym)
        others = select(IdentityRow.pseudonym).where(IdentityRow.pseudonym != identity.pseudonym)
        if row is None or session.scalar(others.where(IdentityRow.record_id == row.record_id).limit(1)) is None:
            return False
        new = RecordRow(id=str(uuid4()))
        session.add(new)
        session.flush()
        left, row.record_id = row.record_id, new.id
        session.add(MergeRow(pseudonym=identity.pseudonym, merged_into=None, told_by=told_by))
        session.flush()
        for record_id in (left, row.record_id):
            changed(session, record_id)
        return True
