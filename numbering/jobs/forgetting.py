"""Forgetting a destination that the settings no longer have: what waits for it is given up, by a person's word."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, delete, select

from numbering.jobs.claims import let_go
from numbering.jobs.deliveries import settle, unfinished
from numbering.jobs.models import Delivery, DestinationRow, Job
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading, writing
from numbering.logs import logger

GIVEN_UP = (DeliveryState.QUEUED, DeliveryState.FAILED)
"""Objects that the destination does not have."""

log = logger(__name__)


@dataclass
class Forgotten:
    """Deliveries that were given up, those that arrived and wait for no commitment any more, and what could not be
    given up because somebody is just sending it.
    """

    given_up: int = 0
    settled: int = 0
    sending: int = 0


def forget_destination(engine: Engine, name: str) -> Forgotten:
    """Bring every delivery to this destination to its end. The caller has seen that the settings do not have it."""
    waits = Delivery.destination == name, unfinished()
    forgotten = Forgotten()
    with reading(engine) as session:
        job_ids = sorted(set(session.scalars(select(Delivery.job_id).where(*waits))))
    for job_id in job_ids:
        with writing(engine) as session:
            job = session.get_one(Job, job_id, with_for_update=True)
            of_job = select(Delivery).where(*waits, Delivery.job_id == job_id)
            for delivery in session.scalars(of_job.with_for_update()).all():
                _forget(delivery, forgotten)
            settle(session, job)
    if not forgotten.sending:
        with writing(engine) as session:
            session.execute(delete(DestinationRow).where(DestinationRow.name == name))
    log.warning("a destination is forgotten", destination=name, given_up=forgotten.given_up, settled=forgotten.settled)
    return forgotten


def _forget(delivery: Delivery, forgotten: Forgotten) -> None:
    if delivery.state == DeliveryState.SENDING:
        forgotten.sending += 1
        return
    let_go(delivery)
    if delivery.state in GIVEN_UP:
        delivery.move(DeliveryState.FORGOTTEN)
        forgotten.given_up += 1
        return
    if delivery.state == DeliveryState.UNCOMMITTED:
        delivery.move(DeliveryState.DELIVERED)
    delivery.wants_commitment = False
    forgotten.settled += 1
