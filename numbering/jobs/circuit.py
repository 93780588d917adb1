"""How a destination fares, for all processes alike: one that is out of reach is left alone, and asked when it is due.

While a destination is left alone nothing is sent there, so no attempt is counted against any object. When its pause is
over one worker asks whether it is there and sends one object; once that went well, all that waits is due at once.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from enum import Enum

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from numbering.jobs.claims import back_off
from numbering.jobs.models import Delivery, DestinationRow, now
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading, writing
from numbering.logs import logger

FAILURES = 3
"""Rounds in a row in which the destination answered and took nothing for now, after which it is left alone."""
TRIAL_SECONDS = 60.0
"""Whoever asks whether a destination is back has so long for it; then somebody else may."""

log = logger(__name__)


class Admission(Enum):
    """Whether a destination may be sent to."""

    OPEN = "open"
    TRIAL = "trial"
    """Its pause is over, and you are the one who asks."""
    SHUT = "shut"


def admit(engine: Engine, name: str) -> Admission:
    """Whether this destination may be sent to now. A trial must end with `well` or `failed`."""
    with reading(engine) as session:
        row = session.get(DestinationRow, name)
        if row is None or row.not_before is None:
            return Admission.OPEN
        if row.not_before > now():
            return Admission.SHUT
    with writing(engine) as session:
        row = session.get(DestinationRow, name, with_for_update=True)
        if row is None or row.not_before is None:
            return Admission.OPEN
        if row.not_before > now():
            return Admission.SHUT
        row.not_before = now() + timedelta(seconds=TRIAL_SECONDS)
        return Admission.TRIAL


def is_open(engine: Engine, name: str) -> bool:
    """Whether this destination is well enough to be asked for something; unlike `admit`, this begins no trial."""
    with reading(engine) as session:
        row = session.get(DestinationRow, name)
        return row is None or row.not_before is None


def well(engine: Engine, name: str) -> None:
    """The destination took or refused something as it should: whatever waits for it is due now."""
    with reading(engine) as session:
        row = session.get(DestinationRow, name)
        if row is None or not row.failures:
            return
    with writing(engine) as session:
        row = session.get_one(DestinationRow, name, with_for_update=True)
        row.failures, row.failing_since, row.not_before, row.answer = 0, None, None, None
        released = session.scalars(
            select(Delivery)
            .where(Delivery.destination == name, Delivery.state == DeliveryState.QUEUED)
            .where(Delivery.not_before.is_not(None))
            .with_for_update(skip_locked=True)
        ).all()
        for delivery in released:
            delivery.not_before = None
    log.info("a destination is well again", destination=name, released=len(released))


def failed(
    engine: Engine, name: str, answer: str, *, at_once: bool, first_seconds: float, longest_seconds: float
) -> None:
    """A round came to nothing. ``at_once``: nobody let us in, so the destination is left alone from now on."""
    with writing(engine) as session:
        row = row_of(session, name)
        row.failures += 1
        row.failing_since = row.failing_since or now()
        row.answer = answer
        if at_once or row.not_before is not None or row.failures >= FAILURES:
            pause = min(back_off(first_seconds, row.failures), timedelta(seconds=longest_seconds))
            row.not_before = now() + pause
        failures, not_before = row.failures, row.not_before
    if failures == 1 or not_before is None:
        log.warning("a destination failed", destination=name, answer=answer, failures=failures)


def row_of(session: Session, name: str) -> DestinationRow:
    """The destination's row, made when it is first needed, and locked until the transaction ends."""
    row = session.get(DestinationRow, name, with_for_update=True)
    if row is not None:
        return row
    with suppress(IntegrityError), session.begin_nested():  # another process may just have made it
        session.add(DestinationRow(name=name, failures=0))
    return session.get_one(DestinationRow, name, with_for_update=True)
