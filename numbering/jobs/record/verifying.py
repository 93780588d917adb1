"""Whether a person verified a result: every name in it rests on a verified correction of the very run that was seen."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.jobs.record.filing import FiledPart
from numbering.jobs.record.rows import CorrectionRow
from numbering.record import PatientRecord
from numbering.record.model import BasisKind, SeriesEntry
from numbering.result import NumberingResult, Verification


def run_digest(result: NumberingResult) -> str:
    """Tells a run (which images, which model) from another one; revisions of one run have the same."""
    identity = result.model_copy(update={"revision": 1}).identity()
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()


def verification(
    session: Session, part: FiledPart, result: NumberingResult, record: PatientRecord | None
) -> Verification | None:
    """Who verified this result; None unless every name rests on what that person said of this very run."""
    entry = _entry(part, record)
    if entry is None or not _all_by_persons(entry, result):
        return None
    mine = select(CorrectionRow).where(
        CorrectionRow.study_uid == result.study_instance_uid,
        CorrectionRow.series_uid == result.series_instance_uid,
        CorrectionRow.withdrawn_at.is_(None),
        CorrectionRow.verified,
    )
    rows = session.scalars(mine.order_by(CorrectionRow.at, CorrectionRow.uid)).all()
    seen = run_digest(result)
    if not rows or not all(row.run_digest == seen for row in rows):
        return None
    last = rows[-1]
    if not last.person or not last.organisation:
        return None
    return Verification(person=last.person, organisation=last.organisation, at=last.at)


def _entry(part: FiledPart, record: PatientRecord | None) -> SeriesEntry | None:
    key = part.filed.key
    entries = record.series if record else ()
    return next((one for one in entries if (one.series_instance_uid, one.pipeline or "") == key), None)


def _all_by_persons(entry: SeriesEntry, result: NumberingResult) -> bool:
    names = {one.level for one in result.findings.vertebrae} | {one.level for one in result.findings.discs}
    confirmed = {one.name for one in entry.structures if one.basis.confirmed}
    human = all(one.basis.kind is BasisKind.HUMAN_CORRECTION and one.basis.confirmed for one in entry.structures)
    return bool(names) and human and names <= confirmed
