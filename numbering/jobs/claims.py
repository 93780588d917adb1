"""Claims: who may work on a row, for how long, and what becomes of it when that goes wrong.

An attempt is committed before it starts, so work that kills its worker is counted too. A claim has a lease (`leases`
renews it while a job's work goes on), after which the sweeper gives the row to somebody else, and a fencing token, so
that a worker which was only slow cannot overwrite what its successor stored.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, false, or_, select, true
from sqlalchemy.orm import Session

from numbering.errors import NumberingError, QuarantinedInput, Reason, ReasonCode, TryAgainLater, UnsuitableStudy
from numbering.jobs.models import Delivery, Job, now
from numbering.jobs.states import CLAIMED, DeliveryState, State
from numbering.jobs.store import writing
from numbering.logs import place_of
from numbering.result import Status

LONGEST_WAIT_SECONDS = 3600.0
RETRY_SECONDS = 1.0
"""Wait after a first failed attempt; doubled each time."""


class ClaimLost(RuntimeError):
    """Somebody else holds the row now (the lease ran out, or it was superseded): what this worker did is dropped."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a row while ``token`` is its current one."""

    id: str
    token: int
    attempt: int


@cache
def worker_name() -> str:
    """This process, so that another on the same machine can tell whether it still lives: host/process namespace/pid."""
    return f"{_place()}/{os.getpid()}"


def lives(worker: str) -> bool:
    """False only when the worker was a process of this machine and exists no more."""
    place, _, pid = worker.rpartition("/")
    if place != _place():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _place() -> str:
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()[:64]}/{namespace}"


def back_off(first_seconds: float, attempts: int) -> timedelta:
    """How long to wait after this many failed attempts: doubled each time, at most an hour."""
    return timedelta(seconds=min(first_seconds * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_WAIT_SECONDS))


def claim_job(engine: Engine, job_id: str, waiting: State, lease_seconds: float) -> Claim | None:
    """Claim a job that waits in this state (queued or inferred); None when there is nothing to do for us."""
    with writing(engine) as session:
        job = session.get(Job, job_id, with_for_update=True)
        if job is None or job.state != waiting or not _due(job.not_before):
            return None
        if job.attempts >= job.max_attempts:
            give_up(job)
            return None
        job.move(CLAIMED[waiting])
        job.attempts += 1
        return _claim(job, lease_seconds)


def claim_deliveries(
    engine: Engine, destination: str, limit: int, lease_seconds: float, max_attempts: int, *, early: bool = False
) -> list[Claim]:
    """Claim so many deliveries that are due (or ``early``, all that wait) here, those first that were tried least.

    Attempts are not counted here but as each object's turn comes (`begin_delivery`): when a worker dies, the object
    that it was sending is the one to suspect, and the others of its batch are not.
    """
    with writing(engine) as session:
        due = (
            select(Delivery)
            .where(Delivery.destination == destination, Delivery.state == DeliveryState.QUEUED)
            .where(or_(Delivery.not_before.is_(None), Delivery.not_before <= now(), true() if early else false()))
            .order_by(Delivery.attempts, Delivery.created_at, Delivery.id)
            .limit(limit)
        )
        claimed = []
        for delivery in session.scalars(due.with_for_update(skip_locked=True)):
            if delivery.attempts >= max_attempts:
                delivery.move(DeliveryState.FAILED)
                delivery.answer = f"{delivery.attempts} attempts failed, the last without a word"
                continue
            delivery.move(DeliveryState.SENDING)
            claimed.append(_claim(delivery, lease_seconds))
        return claimed


def begin_delivery(session: Session, claim: Claim) -> bool:
    """Count an attempt at this claimed delivery, before it starts; False when the claim was lost."""
    delivery = session.get(Delivery, claim.id, with_for_update=True)
    if delivery is None or delivery.token != claim.token or delivery.state != DeliveryState.SENDING:
        return False
    delivery.attempts += 1
    return True


def _due(not_before: datetime | None) -> bool:
    return not_before is None or not_before <= now()


def _claim(row: Job | Delivery, lease_seconds: float) -> Claim:
    row.token += 1
    row.worker = worker_name()
    row.lease_until = now() + timedelta(seconds=lease_seconds)
    return Claim(row.id, row.token, row.attempts)


def held_job(session: Session, claim: Claim) -> Job:
    """The claimed job, locked until the transaction ends; `ClaimLost` when the claim is not the current one."""
    job = session.get(Job, claim.id, with_for_update=True)
    if job is None or job.token != claim.token or job.state not in CLAIMED.values():
        raise ClaimLost(f"job {claim.id}: claim {claim.token} is no longer the current one")
    return job


def held_delivery(session: Session, claim: Claim) -> Delivery:
    """The claimed delivery, locked until the transaction ends; `ClaimLost` when the claim is not the current one."""
    delivery = session.get(Delivery, claim.id, with_for_update=True)
    if delivery is None or delivery.token != claim.token or delivery.state != DeliveryState.SENDING:
        raise ClaimLost(f"delivery {claim.id}: claim {claim.token} is no longer the current one")
    return delivery


def abandoned(row: Job | Delivery) -> bool:
    """Whether a claim's lease ran out, or its worker died on this machine."""
    overdue = row.lease_until is not None and row.lease_until <= now()
    return overdue or (row.worker is not None and not lives(row.worker))


def let_go(row: Job | Delivery) -> None:
    """The claim is over, whatever came of it."""
    row.worker = row.lease_until = row.not_before = None
    if isinstance(row, Job):
        row.rung_at = None


def reason_of(error: BaseException) -> Reason:
    """What a job's row says of this error: our own sentence, or type and place of a foreign one, never its text."""
    if isinstance(error, NumberingError):
        return error.reason
    return Reason(ReasonCode.INTERNAL_ERROR, f"{place_of(error)}: a fault of this software, please report it")


def fail_attempt(engine: Engine, claim: Claim, error: BaseException) -> State:
    """Record that the attempt failed, and decide by the kind of error whether there will be another."""
    reason = reason_of(error)
    with writing(engine) as session:
        job = held_job(session, claim)
        if isinstance(error, UnsuitableStudy) and job.state == State.RUNNING:
            _end(job, State.UNSUITABLE, Status.UNSUITABLE, reason)
        elif isinstance(error, QuarantinedInput) and job.state == State.RUNNING:
            _end(job, State.QUARANTINED, Status.FAILED, reason)
        else:
            _retry(job, reason, temporary=isinstance(error, TryAgainLater))
        return State(job.state)


def _retry(job: Job, reason: Reason, *, temporary: bool) -> None:
    job.reason_code, job.reason_text = reason.code.value, reason.text
    if job.attempts >= job.max_attempts and not temporary:
        _end(job, State.FAILED, Status.FAILED, reason)
    elif job.attempts >= job.max_attempts:
        give_up(job)
    else:
        wait_again(job)
        job.not_before = now() + back_off(RETRY_SECONDS, job.attempts)


def wait_again(job: Job) -> None:
    """A claimed job waits again for the step that was not finished."""
    let_go(job)
    job.move(State.QUEUED if job.state == State.RUNNING else State.INFERRED)


def give_up(job: Job) -> None:
    """The dead letter: no attempt is left."""
    last = f"; the last said: {job.reason_text}" if job.reason_text else "; the last ended without a word"
    text = f"job {job.id}: {job.attempts} of {job.max_attempts} attempts failed{last}"
    _end(job, State.FAILED, Status.FAILED, Reason(ReasonCode.ATTEMPTS_EXHAUSTED, text))


def _end(job: Job, state: State, status: Status, reason: Reason) -> None:
    let_go(job)
    job.move(state)
    job.status, job.reason_code, job.reason_text = status.value, reason.code.value, reason.text


def requeue(engine: Engine, job_id: str) -> State:
    """A person asks for another round of attempts at a failed job; a stored result is not inferred again."""
    with writing(engine) as session:
        job = session.get_one(Job, job_id, with_for_update=True)
        job.move(State.QUEUED if job.result is None else State.INFERRED)
        let_go(job)
        job.attempts, job.status, job.reason_code, job.reason_text = 0, None, None, None
        return State(job.state)
