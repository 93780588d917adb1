"""A clock that was set back: rows whose times lie ahead would wait for as long as it went back, or for ever.

Rows hold times of the wall clock, as several machines share them. Forward jumps need no cure: a lease that ends early
gives the row to another worker, and the fencing token keeps the first from writing; a series that is completed early is
re-opened by what comes later. After a jump backward, a row that was changed "later than now" is brought to the present,
with its lease, its back-off and its last ring as far from it as they were from the change.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from numbering.jobs.models import Delivery, DestinationRow, Job, now
from numbering.jobs.node import Node
from numbering.jobs.states import UNFINISHED, DeliveryState, State
from numbering.jobs.store import reading, writing
from numbering.logs import logger

TOLERANCE = timedelta(seconds=5)
"""By so much the clocks of machines that share a database may differ."""
TIMES = ("lease_until", "not_before", "rung_at", "failing_since")

Row = Job | Delivery | DestinationRow

log = logger(__name__)


def bring_back_from_the_future(node: Node) -> int:
    """Bring rows that wait, and were changed later than now, to the present; returns how many."""
    with reading(node.engine) as session:
        if not _ahead(session):
            return 0
    with writing(node.engine) as session:
        ahead = _ahead(session, lock=True)
        for row in ahead:
            _bring_back(row)
    log.warning("the clock was set back: rows that were ahead of it are brought to the present", rows=len(ahead))
    return len(ahead)


def _ahead(session: Session, *, lock: bool = False) -> list[Row]:
    rows: list[Row] = []
    waiting: list[tuple[type[Row], ColumnElement[bool] | None]] = [
        (Job, Job.state.in_([*UNFINISHED, State.HELD])),
        (Delivery, Delivery.state.in_([DeliveryState.QUEUED, DeliveryState.SENDING]) | _uncommitted()),
        (DestinationRow, None),
    ]
    for model, condition in waiting:
        ahead = select(model).where(model.changed_at > now() + TOLERANCE)
        if condition is not None:
            ahead = ahead.where(condition)
        rows += session.scalars(ahead.with_for_update(skip_locked=True) if lock else ahead.limit(1))
    return rows


def _uncommitted() -> ColumnElement[bool]:
    """A delivery that waits for the answer to storage commitment."""
    return (Delivery.state == DeliveryState.DELIVERED) & Delivery.wants_commitment


def _bring_back(row: Row) -> None:
    present = now()
    ahead_by = row.changed_at - present
    for name in TIMES:
        value = getattr(row, name, None)
        if value is not None:
            setattr(row, name, value - ahead_by)
    if not isinstance(row, DestinationRow):
        row.created_at = min(row.created_at, present)
    row.changed_at = present
