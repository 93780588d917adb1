"""When a series is complete: whose its study is, and where its images lie, written down for the patient's record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from numbering.dicom.planes import planes
from numbering.jobs.node import Node
from numbering.jobs.record.identities import changed, file_study, record_of_study
from numbering.jobs.record.rows import GeometryRow
from numbering.jobs.store import writing
from numbering.record.filed import FILED_IMAGES


def file_series(node: Node, study_uid: str, series_uid: str, paths: Sequence[Path]) -> None:
    """Write down whose it is, by the first of these files, and where it lies; nothing where no file is here."""
    if not paths:
        return
    file_study(node, study_uid, paths[0])
    frame_of_reference_uid, images = planes(paths)
    with writing(node.engine) as session:
        key = study_uid, series_uid
        row = session.get(GeometryRow, key)
        if frame_of_reference_uid is None:
            if row is not None:
                session.delete(row)
            return
        if row is None:
            row = GeometryRow(study_uid=study_uid, series_uid=series_uid)
            session.add(row)
        row.frame_of_reference_uid = frame_of_reference_uid
        row.images = FILED_IMAGES.dump_json(images).decode()


def note_change(session: Session, study_uid: str) -> None:
    """Something of this study is filed anew: its patient's record is to be concluded."""
    record_id = record_of_study(session, study_uid)
    if record_id is not None:
        changed(session, record_id)
