"""A level check against a node: asked, kept for good, told to the audit trail, and where wanted written as a report.

The report is an object like any other, of a job of its own, and goes where the rules of the destinations send it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from numbering.audit import Peer, trail
from numbering.checking import Answered, ask
from numbering.checking.gather import Asked, question_of
from numbering.checking.kept import keep_pictures, outline_of, why_no_report, write_report
from numbering.checking.key_images import FileOf
from numbering.dicom.objects.check_report import CheckDocument
from numbering.dicom.objects.encode import Written
from numbering.jobs.checks.known import KnownRecords
from numbering.jobs.checks.store import StoredCheck, file_check
from numbering.jobs.deliveries import deliveries_of
from numbering.jobs.models import InstanceRow, Job, ObjectRow
from numbering.jobs.node import Node
from numbering.jobs.parts import LEVEL_CHECK_PART
from numbering.jobs.states import State
from numbering.jobs.store import reading, writing
from numbering.levelcheck import Check, Whose
from numbering.logs import logger
from numbering.record import PatientRecord
from numbering.uids import checked_uid, random_uid

Draw = Callable[[Check, PatientRecord, FileOf, Path, str], list[Path]]
"""`keep_pictures`, or `numbering.checking.apart.draw_apart` where this process must not decode pixels."""

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A check as it was kept. ``report`` is its SR's UID; without one, ``why_no_report`` says why if one was wanted."""

    stored: StoredCheck
    report: str | None = None
    why_no_report: str = ""


def check_level(node: Node, asked: Asked, *, by: Peer, report: bool = False, draw: Draw = keep_pictures) -> Told:
    """Check a plan at a mark, as ``by`` asks it. ``draw`` writes the key images.

    `Misused` when the question makes no sense, `NoAnswer` when a worklist does not answer; neither is kept.
    """
    known = KnownRecords(node)
    answered = ask(question_of(asked, node.settings, known.file), known, node.settings.check_policy)
    stored = _keep(node, answered, known, by, draw)
    log.info("a level was checked", check=stored.uid, verdict=answered.check.verdict.value, why=answered.check.reason)
    if answered.whose is Whose.ANOTHER:
        log.warning("plan and mark of a level check are of two patients", check=stored.uid)
    if not report:
        return Told(stored=stored)
    without = why_no_report(answered, known.file)
    if without:
        return Told(stored=stored, why_no_report=without)
    return Told(stored=stored, report=_report(node, answered, stored, known).sop_instance_uid)


def _keep(node: Node, answered: Answered, known: KnownRecords, by: Peer, draw: Draw) -> StoredCheck:
    """Pictures first: what is filed names files that are there."""
    uid, study = random_uid(), _study(answered, known)
    paths = draw(answered.check, answered.record, known.file, node.settings.checks, uid)
    digests = {node.stored(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    stored = file_check(
        node.engine,
        answered.check,
        asked_by=by.ae_title,
        study_uid=study,
        evidence={**answered.evidence(), "key_images": digests},
        key_images=list(digests),
        uid=uid,
    )
    for each in _consulted(answered, known):
        trail(node.settings).accessed(each, _sop_classes(node, answered), user=by)
    return stored


def _study(answered: Answered, known: KnownRecords) -> str | None:
    """The study that a check is listed under; none where it is in doubt whose the check is."""
    mark, plan_study = answered.question.mark, answered.question.plan_study
    if answered.whose is Whose.ANOTHER:
        return None
    return (known.study(mark.place.sop_instance_uid) if mark else None) or plan_study


def _consulted(answered: Answered, known: KnownRecords) -> list[str]:
    """The marked image's study; where that is not known, the studies of the record that was read instead."""
    mark = answered.question.mark
    marked = known.study(mark.place.sop_instance_uid) if mark else None
    return [marked] if marked else sorted({entry.study_instance_uid for entry in answered.record.series})


def _sop_classes(node: Node, answered: Answered) -> dict[str, int]:
    mark = answered.question.mark
    if mark is None:
        return {}
    with reading(node.engine) as session:
        found = session.query(InstanceRow.sop_class).filter_by(sop_uid=mark.place.sop_instance_uid).first()
    return {found[0]: 1} if found and found[0] else {}


def _report(node: Node, answered: Answered, stored: StoredCheck, known: KnownRecords) -> Written:
    mark = answered.check.mark
    image = known.file(mark.place.sop_instance_uid) if mark else None
    if image is None or stored.study_uid is None:
        raise LookupError(f"check {stored.uid}: the marked image has gone while its report was written")
    document = CheckDocument(uid=stored.uid, at=stored.at, check=stored.check, outline=outline_of(answered))
    folder = node.settings.objects / checked_uid(stored.study_uid, "Study Instance UID")
    written = write_report(document, image, folder)
    with writing(node.engine) as session:
        job = _job(stored, document)
        session.add(job)
        session.flush()
        row = ObjectRow(
            sop_uid=written.sop_instance_uid,
            job_id=job.id,
            position=0,
            sop_class=written.sop_class_uid,
            kind=written.kind,
            digest=hashlib.sha256(written.path.read_bytes()).hexdigest(),
            path=node.stored(written.path),
        )
        session.add(row)
        session.flush()
        deliveries = deliveries_of(node, job, [row])
        session.add_all(deliveries)
    for destination in {delivery.destination for delivery in deliveries}:
        node.bell.deliver(destination)
    return written


def _job(stored: StoredCheck, document: CheckDocument) -> Job:
    """A job that is encoded already. It has no status: it is no numbering."""
    return Job(
        study_uid=stored.study_uid,
        series_uid=document.series_instance_uid,
        part=LEVEL_CHECK_PART,
        modality="SR",
        state=State.ENCODED.value,
        input_digest=hashlib.sha256(stored.check.to_json().encode()).hexdigest(),
    )
