"""Rows of priors: which searches and transfers there are, who works on them, and which studies count as priors.

A study counts as one from the moment that it is to be fetched until somebody sends it to us of their own accord; its
results are not delivered unless the settings say so, and it never has its own priors looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session

from numbering.dicom.incoming.spool import Arrival
from numbering.jobs.claims import LONGEST_WAIT_SECONDS, Claim, ClaimLost, back_off, lives, worker_name
from numbering.jobs.deliveries import deliveries_of
from numbering.jobs.models import Delivery, Job, PriorRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import PriorState, State
from numbering.jobs.store import reading, writing
from numbering.logs import logger
from numbering.settings import Settings

Kind = Literal["search", "fetch"]
SEARCH: Kind = "search"
FETCH: Kind = "fetch"
LEASE_MARGIN_SECONDS = 60.0
"""A claim lasts for so long after the time that the work may take."""

log = logger(__name__)


def want_priors(session: Session, settings: Settings, study_uid: str) -> None:
    """Have a study's priors looked for: once, and never for a study that is itself a prior."""
    if not settings.priors_source or not settings.priors_fetch:
        return
    known = select(PriorRow.id).where(PriorRow.study_uid == study_uid, PriorRow.sent_at.is_(None))
    if session.scalar(known.limit(1)) is None and row_of(session, SEARCH, study_uid) is None:
        session.add(PriorRow(kind=SEARCH, study_uid=study_uid, asked_by=study_uid))


def want_study(session: Session, study_uid: str, asked_by: str) -> bool:
    """Have a study fetched as a prior, unless it is here already or was asked for before; whether that is news."""
    here = select(SeriesRow.series_uid).where(SeriesRow.study_uid == study_uid).limit(1)
    if session.scalar(here) is not None or row_of(session, FETCH, study_uid) is not None:
        return False
    session.add(PriorRow(kind=FETCH, study_uid=study_uid, asked_by=asked_by))
    return True


def row_of(session: Session, kind: Kind, study_uid: str, *, lock: bool = False) -> PriorRow | None:
    """The search for this study's priors, or its transfer as a prior."""
    found = select(PriorRow).where(PriorRow.kind == kind, PriorRow.study_uid == study_uid)
    return session.scalar(found.with_for_update() if lock else found)


def is_prior(session: Session, study_uid: str) -> bool:
    """Whether this study is here, or to come, only because we fetched it; that stays so until the transaction ends.

    The lock is for `note_arrivals`, which else might look for objects to deliver just before these are stored.
    """
    row = row_of(session, FETCH, study_uid, lock=True)
    return row is not None and row.sent_at is None


def deliveries_wanted(session: Session, settings: Settings, job: Job) -> bool:
    """Whether a job's objects are delivered: not those about priors, for which nobody asked."""
    return settings.priors_deliver or not is_prior(session, job.study_uid)


def note_arrivals(node: Node, session: Session, arrivals: Iterable[Arrival]) -> None:
    """A fetched study that is sent to us besides is a study like any other from then on, and its results go out."""
    by_study: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_study.setdefault(arrival.study_instance_uid, []).append(arrival)
    fetched = select(PriorRow).where(
        PriorRow.kind == FETCH, PriorRow.study_uid.in_(by_study), PriorRow.sent_at.is_(None)
    )
    for row in session.scalars(fetched.with_for_update()).all():
        if any(_came_by_itself(row, arrival) for arrival in by_study[row.study_uid]):
            row.sent_at = now()
            log.info("a study that was fetched as a prior is sent to us", study_instance_uid=row.study_uid)
            _deliver_after_all(node, session, row.study_uid)


def _came_by_itself(row: PriorRow, arrival: Arrival) -> bool:
    """Whether an object came outside the time in which we fetched."""
    if row.started_at is None or arrival.received < row.started_at:
        return True
    return row.ended_at is not None and arrival.received > row.ended_at


def _deliver_after_all(node: Node, session: Session, study_uid: str) -> None:
    told = select(Delivery.job_id)
    written = select(Job).where(Job.study_uid == study_uid, Job.state == State.ENCODED, Job.id.not_in(told))
    for job in session.scalars(written.with_for_update()).all():
        session.add_all(deliveries_of(node, job, job.objects))


def due(engine: Engine) -> str | None:
    """The row that has waited longest; None when none is due. What only a person asked for is left to that person."""
    with reading(engine) as session:
        waiting = select(PriorRow.id).where(
            PriorRow.state == PriorState.QUEUED,
            PriorRow.asked_by != "",
            # One that waits for longer than any back-off was noted before the clock was set back.
            or_(
                PriorRow.not_before.is_(None),
                PriorRow.not_before <= now(),
                PriorRow.not_before > now() + timedelta(seconds=2 * LONGEST_WAIT_SECONDS),
            ),
        )
        return session.scalar(waiting.order_by(PriorRow.created_at).limit(1))


def claim(engine: Engine, row_id: str, settings: Settings) -> Claim | None:
    """Claim a queued row; its attempt counts from now. None when there is nothing to do for us."""
    with writing(engine) as session:
        row = session.get(PriorRow, row_id, with_for_update=True)
        if row is None or row.state != PriorState.QUEUED:
            return None
        row.move(PriorState.RUNNING)
        row.attempts += 1
        row.token += 1
        row.worker = worker_name()
        row.lease_until = now() + timedelta(seconds=settings.priors_seconds + LEASE_MARGIN_SECONDS)
        row.started_at = row.started_at or now()
        row.ended_at = row.not_before = None
        return Claim(row.id, row.token, row.attempts)


def held(session: Session, claim: Claim) -> PriorRow:
    """The claimed row, locked until the transaction ends; `ClaimLost` when the claim is not the current one."""
    row = session.get(PriorRow, claim.id, with_for_update=True)
    if row is None or row.token != claim.token or row.state != PriorState.RUNNING:
        raise ClaimLost(f"prior {claim.id}: claim {claim.token} is no longer the current one")
    return row


def finish(row: PriorRow, answer: str, objects: int = 0) -> None:
    """The work of a claim is done."""
    _end(row, PriorState.DONE, answer)
    row.objects = objects


def fail(engine: Engine, claim: Claim, answer: str, settings: Settings, *, again: bool) -> PriorState:
    """An attempt failed; there is another when ``again`` and attempts are left, and the node can make it by itself."""
    with writing(engine) as session:
        row = held(session, claim)
        if again and row.asked_by and row.attempts < settings.priors_attempts:
            _end(row, PriorState.QUEUED, answer)
            row.not_before = now() + back_off(settings.priors_retry_seconds, row.attempts)
        else:
            _end(row, PriorState.FAILED, answer)
        return PriorState(row.state)


def give_back(engine: Engine, claim: Claim) -> None:
    """The work was broken off by us: it waits again, and the attempt does not count."""
    with writing(engine) as session:
        row = held(session, claim)
        _end(row, PriorState.QUEUED if row.asked_by else PriorState.FAILED, "broken off")
        row.attempts -= 1


def take_back(engine: Engine, settings: Settings) -> None:
    """Rows whose worker is gone wait again, or fail when no attempt is left."""
    running = select(PriorRow).where(PriorRow.state == PriorState.RUNNING)
    with reading(engine) as session:
        if session.scalar(running.limit(1)) is None:
            return
    longest = timedelta(seconds=settings.priors_seconds + LEASE_MARGIN_SECONDS)
    with writing(engine) as session:
        for row in session.scalars(running.with_for_update(skip_locked=True)):
            late = row.lease_until is None or not now() < row.lease_until <= now() + longest
            if not late and row.worker is not None and lives(row.worker):
                continue
            left = row.attempts < settings.priors_attempts and row.asked_by
            _end(row, PriorState.QUEUED if left else PriorState.FAILED, "its worker went away")
            log.warning("took a search or transfer back from a worker that is gone", study_instance_uid=row.study_uid)


def ask_again(session: Session, row: PriorRow) -> None:
    """A person asks for another round of attempts."""
    row.move(PriorState.QUEUED)
    row.attempts, row.not_before = 0, None


def _end(row: PriorRow, state: PriorState, answer: str) -> None:
    row.move(state)
    row.worker = row.lease_until = row.not_before = None
    row.ended_at = now()
    row.answer = answer
