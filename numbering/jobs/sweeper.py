"""The sweeper: finds rows that nobody works on and rings again. Nothing else rings twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from numbering.errors import ReasonCode
from numbering.jobs.app import ENCODE_QUEUE
from numbering.jobs.claims import abandoned, give_up, wait_again
from numbering.jobs.clock import bring_back_from_the_future
from numbering.jobs.commitments import take_answers
from numbering.jobs.deliveries import take_back as take_back_deliveries
from numbering.jobs.models import Job, now
from numbering.jobs.node import Node
from numbering.jobs.record.concluding import conclude_due
from numbering.jobs.states import State
from numbering.jobs.store import writing
from numbering.logs import logger
from numbering.result import Status

RING_AGAIN_SECONDS = 60.0
"""A row that was rung for this long ago and still waits is rung again, however long its queue is."""
RING_AGAIN_LATEST_SECONDS = 3600.0
"""While nobody takes messages, each row is rung for ever more rarely, down to this, or they would fill the broker."""
UNHEARD_SECONDS = 2.0
"""So long may a row wait although its queue is empty; then its message is lost (the broker died)."""
BATCH = 500

log = logger(__name__)
Ring = Callable[[], bool]


def sweep(node: Node) -> None:
    """Once over all rows: claims whose holder is gone, held series whose time is over, conclusions that are due, work
    nobody was told of.
    """
    bring_back_from_the_future(node)
    take_back(node)
    take_answers(node)
    release_held(node)
    conclude_due(node.engine)
    ring(node)


def take_back(node: Node) -> None:
    """Claims whose lease ran out, or whose worker died on this machine, wait again; without attempts left they fail."""
    with writing(node.engine) as session:
        claimed = select(Job).where(Job.state.in_([State.RUNNING, State.ENCODING]))
        for job in session.scalars(claimed.with_for_update(skip_locked=True)):
            if not abandoned(job):
                continue
            wait_again(job)
            if job.attempts >= job.max_attempts:
                give_up(job)
            log.warning("took a job back from a worker that is gone", job=job.id, state=job.state)
        take_back_deliveries(session)


def release_held(node: Node) -> None:
    """A held part becomes unsuitable when nothing new came for ``hold_seconds``."""
    with writing(node.engine) as session:
        oldest = now() - timedelta(seconds=node.settings.hold_seconds)
        held = select(Job).where(Job.state == State.HELD, Job.created_at <= oldest)
        for job in session.scalars(held.with_for_update(skip_locked=True)):
            job.move(State.UNSUITABLE)
            job.status = Status.UNSUITABLE.value
            job.reason_code = job.reason_code or ReasonCode.SERIES_INCOMPLETE.value
            job.reason_text = f"{job.reason_text} (nothing more came for {node.settings.hold_seconds:g} s)"
            log.info("a held series is given up", job=job.id, series_instance_uid=job.series_uid)


def ring(node: Node) -> None:
    """Ring for every job that is due and was not rung for, or whose message must be lost.

    Deliveries need no ringing: whoever delivers looks for them too (`numbering.jobs.lines`).
    """
    with writing(node.engine) as session:
        forgotten = _Forgotten(node)
        due = [job for job in _waiting_jobs(session) if forgotten(job)]
        for job in due:
            job.rung_at = now()
        calls = [(job.id, _ring_of(node, job)) for job in due]
    unheard = _ring_until_unheard(calls)
    if unheard:
        with writing(node.engine) as session:
            session.execute(update(Job).where(Job.id.in_(unheard)).values(rung_at=None))


def _waiting_jobs(session: Session) -> list[Job]:
    waiting = select(Job).where(
        Job.state.in_([State.QUEUED, State.INFERRED]), or_(Job.not_before.is_(None), Job.not_before <= now())
    )
    # First those that nobody was told of: a queue that is long and slow may keep no other waiting.
    ordered = waiting.order_by(Job.rung_at.is_not(None), Job.created_at)
    return list(session.scalars(ordered.limit(BATCH).with_for_update(skip_locked=True)))


def _queue(job: Job) -> str:
    return job.queue or "" if job.state == State.QUEUED else ENCODE_QUEUE


class _Forgotten:
    """Whether nobody will come for a row unless somebody rings; asks the broker once per queue, and only in doubt."""

    def __init__(self, node: Node) -> None:
        self._bell = node.bell
        self._silent: dict[str, bool] = {}

    def __call__(self, row: Job) -> bool:
        if row.rung_at is None:
            return True
        seconds = (now() - row.rung_at).total_seconds()
        if seconds < UNHEARD_SECONDS:
            return False
        waited = (row.rung_at - row.created_at).total_seconds()
        if seconds >= max(RING_AGAIN_SECONDS, min(waited, RING_AGAIN_LATEST_SECONDS)):
            return True
        queue = _queue(row)
        if queue not in self._silent:
            self._silent[queue] = self._bell.silent(queue)
        return self._silent[queue]


def _ring_of(node: Node, job: Job) -> Ring:
    if job.state == State.QUEUED:
        return partial(node.bell.number, job.id, job.queue or "")
    return partial(node.bell.encode, job.id)


def _ring_until_unheard(calls: Sequence[tuple[str, Ring]]) -> list[str]:
    """Ring in order; the rows from the first ring on that nobody could hear."""
    for position, (_, call) in enumerate(calls):
        if not call():
            return [row for row, _ in calls[position:]]
    return []
