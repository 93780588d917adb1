"""The steps of a job, number and encode. Each may be killed anywhere and run again without harm.

A step claims its row, works outside any transaction, and stores what it did in one transaction that checks the claim.
The result is stored before anything is made of it, so a step that resumes after it never infers again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from sqlalchemy import select

from numbering import infer
from numbering.audit import trail
from numbering.dicom.objects.encode import Written, encode, write_objects
from numbering.dicom.read import read_series
from numbering.errors import QuarantinedInput, ReasonCode
from numbering.jobs.claims import (
    Claim,
    ClaimLost,
    claim_job,
    fail_attempt,
    held_job,
    let_go,
    reason_of,
)
from numbering.jobs.deliveries import deliveries_of
from numbering.jobs.leases import renewed
from numbering.jobs.models import Job, ObjectRow, now
from numbering.jobs.node import Node
from numbering.jobs.priors import deliveries_wanted
from numbering.jobs.record.concluding import conclude_study
from numbering.jobs.record.filing import objects_to_retire
from numbering.jobs.record.identities import file_study
from numbering.jobs.record.series import note_change
from numbering.jobs.siblings import with_companions
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.logs import bind, logger
from numbering.metrics import STEP_SECONDS
from numbering.pipelines import card_named
from numbering.result import NumberingResult, Origin, Status
from numbering.route import Assignment
from numbering.study import Series, View
from numbering.uids import checked_uid

log = logger(__name__)


def number_job(node: Node, job_id: str) -> None:
    """Infer a queued job, store its result, and go on to encoding. Failures end in the row, never here."""
    claim = claim_job(node.engine, job_id, State.QUEUED, node.settings.lease_seconds)
    if claim is None:
        return
    with bind(**_context(node, claim)):
        if _attempt(node, claim, lambda: _infer_and_store(node, claim), "numbering"):
            encode_job(node, job_id)


def encode_job(node: Node, job_id: str) -> None:
    """Write the objects of a stored result and queue their delivery, under the names of the patient's record.

    The conclusion comes first, also where a crash left it undone; of a job that it superseded its successor is encoded.
    """
    with reading(node.engine) as session:
        study_uid = session.scalar(select(Job.study_uid).where(Job.id == job_id))
    made = conclude_study(node.engine, study_uid) if study_uid else []
    for each in made:
        if each.instead_of == job_id:
            job_id = each.job_id
        else:
            node.bell.encode(each.job_id)
    claim = claim_job(node.engine, job_id, State.INFERRED, node.settings.lease_seconds)
    if claim is None:
        return
    with bind(**_context(node, claim)):
        _attempt(node, claim, lambda: _encode_and_store(node, claim), "encoding")


def _context(node: Node, claim: Claim) -> dict[str, object]:
    """What every line of this step says."""
    with reading(node.engine) as session:
        job = session.get_one(Job, claim.id)
        uids = {"study_instance_uid": job.study_uid, "series_instance_uid": job.series_uid}
    return {"job": claim.id, "attempt": claim.attempt, **uids}


def _attempt(node: Node, claim: Claim, work: Callable[[], None], what: str) -> bool:
    """Whether the work was done and stored; every error is recorded in the job's row."""
    started = now()
    try:
        try:
            with renewed(node.engine, claim, node.settings.lease_seconds, node.settings.longest_job_seconds):
                work()
        except ClaimLost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the row must say so, and the next job must run
            state = fail_attempt(node.engine, claim, error)
            log.warning(f"{what} failed", reason=reason_of(error).text, error=error, state=state.value)
            return False
    except ClaimLost:
        log.warning(f"{what} came too late: the row belongs to somebody else now, what was done is dropped")
        return False
    seconds = (now() - started).total_seconds()
    STEP_SECONDS.labels(what).observe(seconds)
    log.info(f"{what} done", seconds=round(seconds, 3))
    return True


def _infer_and_store(node: Node, claim: Claim) -> None:
    with reading(node.engine) as session:
        job = session.get_one(Job, claim.id)
        revision, predecessor, name = job.revision, job.predecessor_sr_uid, job.pipeline or ""
        quality = (f"series incomplete: {job.found} of {job.expected}",) if job.expected is not None else ()
        assignment = _assignment(node, job)
        retires = objects_to_retire(session, job)
    assignment = with_companions(node, assignment)
    images = assignment.series.images
    file_study(node, assignment.series.study_instance_uid, images[0].path, moves=False)
    read = [each for one in (assignment.series, *assignment.companions) for each in one.images]
    trail(node.settings).accessed(assignment.series.study_instance_uid, Counter(each.sop_class_uid for each in read))
    result = infer.number(
        assignment,
        node.pipelines.named(name),
        origin=Origin.NODE,
        created_at=now(),
        revision=revision,
        predecessor_sr_uid=predecessor,
        quality=quality,
        looker=node.pipelines.looker,
    ).model_copy(update={"retires": retires})
    with writing(node.engine) as session:
        job = held_job(session, claim)
        job.result = result.model_dump_json()
        job.status = result.findings.status.value
        reason = result.findings.reason
        job.reason_code, job.reason_text = (reason.code.value, reason.text) if reason else (None, None)
        let_go(job)
        job.attempts = 0  # of the next step
        job.move(State.INFERRED)
        note_change(session, job.study_uid)


def _assignment(node: Node, job: Job) -> Assignment:
    """The images that the job was made for, read again from the spool."""
    return Assignment(
        series=_series(node, job),
        view=View(job.view) if job.view else None,
        card=card_named(job.pipeline or ""),
        status=Status.NUMBERED,
        reason=None,
    )


def _series(node: Node, job: Job) -> Series:
    paths = {image.sop_uid: node.path(image.path) for image in job.images}
    for uid, path in paths.items():
        if not path.is_file():
            text = f"image {uid} of job {job.id}: expected it in the spool, and it is gone; send it again"
            raise QuarantinedInput(ReasonCode.PIXELS_NOT_DECODABLE, text)
    (series,) = read_series(list(paths.values()))
    return series


def _encode_and_store(node: Node, claim: Claim) -> None:
    with reading(node.engine) as session:
        job = session.get_one(Job, claim.id)
        result = NumberingResult.model_validate_json(job.result or "")
        sources = {image.sop_uid: node.path(image.path) for image in job.images}
    folder = node.settings.objects / checked_uid(result.study_instance_uid, "Study Instance UID")
    wanted = {"segmented": node.settings.segmentations, "mapped": node.settings.heat_maps}
    written = write_objects(encode(result, sources, **wanted), folder)
    with writing(node.engine) as session:
        job = held_job(session, claim)
        objects = [_object_row(node, claim, *numbered) for numbered in enumerate(written)]
        session.add_all(objects)
        session.flush()
        deliveries = deliveries_of(node, job, objects) if deliveries_wanted(session, node.settings, job) else []
        session.add_all(deliveries)
        let_go(job)
        job.attempts = 0
        job.move(State.ENCODED)
    for destination in {delivery.destination for delivery in deliveries}:
        node.bell.deliver(destination)


def _object_row(node: Node, claim: Claim, position: int, written: Written) -> ObjectRow:
    return ObjectRow(
        sop_uid=written.sop_instance_uid,
        job_id=claim.id,
        position=position,
        sop_class=written.sop_class_uid,
        kind=written.kind,
        digest=hashlib.sha256(written.path.read_bytes()).hexdigest(),
        path=node.stored(written.path),
    )
