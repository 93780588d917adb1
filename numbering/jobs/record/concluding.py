"""Conclusions: what a patient's record changes about results is written as new revisions of their jobs.

A conclusion is due from the transaction on in which something was filed, so no crash loses it. It is made outside of
any transaction, from one moment's view, and stored in one, unless something else was filed meanwhile: then it is made
again. A new revision is a job whose result is there already; it is encoded and delivered as any other is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, or_, select
from sqlalchemy.orm import Session

from numbering.jobs.claims import LONGEST_WAIT_SECONDS, back_off, let_go
from numbering.jobs.models import Job, JobImage, now
from numbering.jobs.record.filing import Contents, FiledPart, contents
from numbering.jobs.record.identities import record_of_study
from numbering.jobs.record.rows import RecordRow
from numbering.jobs.record.verifying import verification
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.logs import logger
from numbering.record import Reissue, reissues
from numbering.result import NumberingResult, Verification

ROUNDS = 5
"""Times that a conclusion is made again because something was filed meanwhile, before it is left to the next sweep."""
RETRY_SECONDS = 5.0
BATCH = 20
"""Records concluded in one sweep."""

log = logger(__name__)


@dataclass(frozen=True)
class Concluded:
    """A new revision of a job: ``instead_of`` is the job that it supersedes."""

    job_id: str
    instead_of: str
    renamed: tuple[tuple[str, str], ...]
    why: str


def conclude_due(engine: Engine) -> list[Concluded]:
    """Make the conclusions that are due; one that fails is told in the log and tried again later."""
    with reading(engine) as session:
        due = select(RecordRow.id).where(
            RecordRow.version > RecordRow.concluded, or_(RecordRow.not_before.is_(None), RecordRow.not_before <= now())
        )
        records = session.scalars(due.limit(BATCH)).all()
    return [made for record_id in records for made in conclude_record(engine, record_id)]


def conclude_study(engine: Engine, study_uid: str) -> list[Concluded]:
    """Make the conclusion of the record that this study belongs to, if one is due and its time has come."""
    with reading(engine) as session:
        record_id = record_of_study(session, study_uid)
        row = session.get(RecordRow, record_id) if record_id else None
        if row is None or row.concluded >= row.version or (row.not_before is not None and row.not_before > now()):
            return []
    return conclude_record(engine, row.id)


def conclude_record(engine: Engine, record_id: str) -> list[Concluded]:
    """Make the conclusion of this record. A failure stops no result: it is written down, and made good later."""
    try:
        for _ in range(ROUNDS):
            with suppress(_MovedOn):
                return _conclude(engine, record_id)
    except Exception as error:  # noqa: BLE001 - whatever it is: results go out as they are, and the log says so
        log.error("a patient's results could not be concluded", record=record_id, error=error)
        _later(engine, record_id)
    return []


class _MovedOn(Exception):
    """Something was filed, or a job superseded, since the record was read: what was concluded is not stored."""


def _conclude(engine: Engine, record_id: str) -> list[Concluded]:
    at = now()
    with reading(engine) as session:
        here = contents(session, record_id)
        open_parts = _open(session, here)
    found = [(part, new) for new in _reissues(here, at) if (part := open_parts.get(_key(new.result))) is not None]
    record = here.conclude() if found and here.corrections else None
    with writing(engine) as session:
        row = session.get_one(RecordRow, record_id, with_for_update=True)
        if row.version != here.version:
            raise _MovedOn
        issued = [_issue(session, part, new, verification(session, part, new.result, record)) for part, new in found]
        row.concluded, row.failures, row.not_before = here.version, 0, None
    for each in issued:
        log.info("a result is issued anew", job=each.job_id, instead_of=each.instead_of, why=each.why)
    return issued


def _reissues(here: Contents, at: datetime) -> tuple[Reissue, ...]:
    return reissues(here.filed, here.corrections, at=at)


def _key(result: NumberingResult) -> tuple[str, str, str]:
    return result.study_instance_uid, result.series_instance_uid, result.pipeline


def _open(session: Session, here: Contents) -> dict[tuple[str, str, str], FiledPart]:
    """The parts whose job has its result; of another one a run is to come, and is concluded from then."""
    found = {}
    for part in here.parts:
        result = part.filed.result
        current = session.get_one(Job, part.current)
        if result is not None and current.result is not None:
            found[_key(result)] = part
    return found


def _issue(session: Session, part: FiledPart, new: Reissue, verified: Verification | None) -> Concluded:
    """Add the new revision; it stands in the place of the current one."""
    before = session.get_one(Job, part.current, with_for_update=True)
    if before.state == State.SUPERSEDED or before.result is None:
        raise _MovedOn
    same_part = Job.study_uid == before.study_uid, Job.series_uid == before.series_uid, Job.part == before.part
    revision = 1 + (session.scalar(select(func.max(Job.revision)).where(*same_part)) or 0)
    predecessor = next((each.sop_instance_uid for each in part.written if each.modality == "SR"), None)
    result = new.result.model_copy(
        update={
            "revision": revision,
            "predecessor_sr_uid": predecessor,
            "retires": part.written,
            "verified": verified,
        }
    )
    job = _job(before, part.own or before.id, result)
    session.add(job)
    session.flush()
    let_go(before)
    before.move(State.SUPERSEDED)
    before.superseded_by = job.id
    return Concluded(job.id, before.id, new.renamed, new.why)


def _job(before: Job, own: str, result: NumberingResult) -> Job:
    reason = result.findings.reason
    return Job(
        study_uid=before.study_uid,
        series_uid=before.series_uid,
        part=before.part,
        revision=result.revision,
        pipeline=before.pipeline,
        queue=before.queue,
        view=before.view,
        modality=before.modality,
        state=State.INFERRED.value,
        status=result.findings.status.value,
        reason_code=reason.code.value if reason else None,
        reason_text=reason.text if reason else None,
        input_digest=before.input_digest,
        found=before.found,
        expected=before.expected,
        predecessor_sr_uid=result.predecessor_sr_uid,
        concluded_from=own,
        max_attempts=before.max_attempts,
        result=result.model_dump_json(),
        images=list(_images(before)),
    )


def _images(before: Job) -> Iterable[JobImage]:
    for image in before.images:
        yield JobImage(position=image.position, sop_uid=image.sop_uid, digest=image.digest, path=image.path)


def _later(engine: Engine, record_id: str) -> None:
    with writing(engine) as session:
        row = session.get_one(RecordRow, record_id, with_for_update=True)
        row.failures += 1
        row.not_before = now() + min(back_off(RETRY_SECONDS, row.failures), timedelta(seconds=LONGEST_WAIT_SECONDS))
