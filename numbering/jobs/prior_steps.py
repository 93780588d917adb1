"""The two steps of priors: look for the studies of a patient, and fetch one of them.

The patient's ID is read from a received object when it is needed, and lives in this process's memory alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from numbering.audit import Alert, Peer, trail
from numbering.dicom.patient import patient_of, study_date_of
from numbering.dicom.priors import open_source
from numbering.dicom.priors.intake import SpoolIntake
from numbering.jobs import priors
from numbering.jobs.claims import Claim, ClaimLost, reason_of
from numbering.jobs.models import InstanceRow, PriorRow
from numbering.jobs.node import Node
from numbering.jobs.store import reading, writing
from numbering.logs import bind, logger
from numbering.priors.policy import newest, why_not_series, why_not_study
from numbering.priors.source import (
    Allowance,
    Cancelled,
    FoundSeries,
    FoundStudy,
    Patient,
    PriorSource,
    Progress,
    Received,
    SourceMisbehaves,
    SourceRefuses,
    SourceUnavailable,
)

log = logger(__name__)


class NothingToGoBy(Exception):
    """The study that asks is gone, or its header does not say whose it is: asking again will not help."""


@dataclass(frozen=True)
class Asking:
    """A study for which priors are wanted: whose it is, and of what day."""

    study_instance_uid: str
    patient: Patient
    study_date: date


def work_on(
    node: Node,
    row_id: str,
    *,
    patient: Patient | None = None,
    cancelled: threading.Event | None = None,
    progress: Progress | None = None,
) -> bool:
    """Claim a row and do what it asks; whether that was done. What fails ends in the row, never here.

    ``patient`` where a person named one; else it is read from the study that asks.
    """
    claim = priors.claim(node.engine, row_id, node.settings)
    if claim is None:
        return False
    with reading(node.engine) as session:
        row = session.get_one(PriorRow, row_id)
        kind, study_uid, asked_by = row.kind, row.study_uid, row.asked_by
    step = _search if kind == priors.SEARCH else _fetch
    with bind(step=f"priors {kind}", study_instance_uid=study_uid, attempt=claim.attempt):
        try:
            return _attempt(
                node, claim, lambda: step(_Work(node, claim, study_uid, asked_by, patient, cancelled, progress))
            )
        except ClaimLost:
            log.warning("came too late: the row belongs to somebody else now")
            return False


def _attempt(node: Node, claim: Claim, step: Callable[[], str]) -> bool:
    try:
        answer = step()
    except Cancelled:
        priors.give_back(node.engine, claim)
        return False
    except ClaimLost:
        raise
    except SourceUnavailable as error:
        _failed(node, claim, str(error), again=True)
    except SourceRefuses as error:
        _failed(node, claim, str(error), again=True)
    except (SourceMisbehaves, NothingToGoBy) as error:
        _failed(node, claim, str(error), again=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the row must say so, and the next one must run
        _failed(node, claim, reason_of(error).text, again=True)
    else:
        log.info("priors", answer=answer)
        return True
    return False


def _failed(node: Node, claim: Claim, answer: str, *, again: bool) -> None:
    state = priors.fail(node.engine, claim, answer, node.settings, again=again)
    log.warning("priors: an attempt failed", answer=answer, state=state.value)


@dataclass(frozen=True)
class _Work:
    """A claimed row with all that its step needs."""

    node: Node
    claim: Claim
    study_uid: str
    asked_by: str
    patient: Patient | None
    cancelled: threading.Event | None
    progress: Progress | None

    def source(self) -> PriorSource:
        """The source that the settings name."""
        return open_source(self.node.settings)

    def allowance(self) -> Allowance:
        """What the settings allow for one study."""
        return allowance(self.node, self.cancelled)

    def whose(self) -> Patient:
        """The patient to ask for."""
        return self.patient or asking(self.node, self.asked_by).patient


def allowance(node: Node, cancelled: threading.Event | None = None) -> Allowance:
    """What the settings allow for one search or transfer."""
    settings = node.settings
    return Allowance(
        objects=settings.priors_objects,
        size=settings.priors_bytes,
        seconds=settings.priors_seconds,
        cancelled=cancelled,
    )


def asking(node: Node, study_uid: str) -> Asking:
    """Whose a received study is, from the header of any of its images; `NothingToGoBy` when none says."""
    with reading(node.engine) as session:
        images = select(InstanceRow.path).where(InstanceRow.study_uid == study_uid, InstanceRow.kind == "image")
        paths = [node.path(path) for path in session.scalars(images.order_by(InstanceRow.arrived_at))]
    for path in paths:
        patient = patient_of(path)
        day = study_date_of(path)
        if patient.exact and day is not None:
            return Asking(study_uid, patient, day)
        if path.is_file():
            found = "no study date" if patient.exact else "no patient ID that can be asked for exactly"
            raise NothingToGoBy(f"study {study_uid}: its header holds {found}; nothing is looked for")
    raise NothingToGoBy(f"study {study_uid}: none of its images is here any more; send it again")


def listed(node: Node, source: PriorSource, patient: Patient, allowed: Allowance) -> list[FoundStudy]:
    """The patient's studies at the source; the question is recorded, whatever comes of it."""
    success = False
    try:
        found = source.studies(patient, allowed)
        success = True
    finally:
        keys = {"QueryRetrieveLevel": "STUDY"}
        peer = Peer(source.name, source.address)
        trail(node.settings).queried(peer, keys, patient_id=patient.patient_id, success=success)
    return found


def _search(work: _Work) -> str:
    node, settings = work.node, work.node.settings
    asks = asking(node, work.study_uid)
    found = listed(node, work.source(), asks.patient, work.allowance())
    fit = [
        study
        for study in found
        if not why_not_study(study, settings, study_instance_uid=work.study_uid, study_date=asks.study_date)
    ]
    chosen = newest(fit, settings)
    with writing(node.engine) as session:
        row = priors.held(session, work.claim)
        news = sum(priors.want_study(session, study.study_instance_uid, work.study_uid) for study in chosen)
        answer = f"{len(found)} studies at the source, {len(fit)} fit, {news} to fetch"
        priors.finish(row, answer, news)
    return answer


def _fetch(work: _Work) -> str:
    node = work.node
    patient, source, allowed = work.whose(), work.source(), work.allowance()
    # Only what the source itself gives to this patient is asked for, though somebody else's would be dropped too.
    study = next(
        (each for each in listed(node, source, patient, allowed) if each.study_instance_uid == work.study_uid), None
    )
    if study is None:
        raise SourceMisbehaves(f"{source.name} lists no study {work.study_uid} of this patient any more")
    wanted = [
        series
        for series in source.series(patient, work.study_uid, allowed)
        if not why_not_series(series, study, node.settings)
    ]
    return _settled(work, source, _transfer(work, source, patient, wanted, allowed), len(wanted))


def _transfer(
    work: _Work, source: PriorSource, patient: Patient, wanted: Sequence[FoundSeries], allowed: Allowance
) -> Received:
    """Have these series handed over; what comes on our own connection is recorded here, whatever comes of it."""
    received, study_uid, success = Received(), work.study_uid, False
    peer, told, whose = Peer(source.name, source.address), trail(work.node.settings), patient.patient_id
    if source.hands_over and wanted:
        told.begin_transfer("in", study_uid, {}, peer, patient_id=whose)
    try:
        for position, series in enumerate(wanted):
            if work.progress:
                work.progress(study_uid, position, len(wanted))
            intake = SpoolIntake(work.node.spool, patient, study_uid, series.series_instance_uid, allowed)
            try:
                source.fetch(intake)
            finally:
                received.add(intake.received)
        success = True
    finally:
        if source.hands_over and (received.objects or not success):
            told.transferred("in", study_uid, received.sop_classes, peer, success, patient_id=whose)
    return received


def _settled(work: _Work, source: PriorSource, received: Received, series: int) -> str:
    if received.foreign:
        text = (
            f"{source.name} handed over {received.foreign} objects that are not of study {work.study_uid} and patient"
        )
        trail(work.node.settings).security_alert(Alert.NODE_AUTHENTICATION, Peer(source.name, source.address), text)
        raise SourceMisbehaves(text)
    if received.missing:
        raise SourceUnavailable(f"{source.name} could not hand over {received.missing} objects of {work.study_uid}")
    answer = f"{received.objects} objects of {series} series, {received.size} bytes"
    if received.refused:
        answer += f"; {received.refused} were no objects that can be kept"
    with writing(work.node.engine) as session:
        priors.finish(priors.held(session, work.claim), answer, received.objects)
    return answer
