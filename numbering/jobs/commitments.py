"""Storage commitment for what was delivered: asking, taking note of answers, sending again what a destination lacks.

A request is stored before it is sent. One that is not answered in time is made again under a new transaction; answers
to earlier ones still count where they are good news. After as many requests as the settings allow the delivery is
uncommitted and waits for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from numbering.dicom.outgoing.commitment import Asked, ask_commitment
from numbering.dicom.outgoing.commitment_inbox import KEPT_SECONDS, Answer, CommitmentInbox
from numbering.dicom.outgoing.destination import Destination
from numbering.jobs import circuit
from numbering.jobs.claims import back_off, let_go
from numbering.jobs.deliveries import send_again, settle
from numbering.jobs.models import Commitment, Delivery, Job, ObjectRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading, writing
from numbering.logs import logger
from numbering.uids import random_uid

BATCH = 500
"""Objects in one request."""
ASKING_SECONDS = 120.0
"""Whoever asks has so long for it; should it die, somebody else does then."""
DUPLICATE_TRANSACTION = 0x0131
"""The only failure reason that says nothing of the object (PS3.3 C.14.1.1)."""

log = logger(__name__)


def ask_due(node: Node, name: str, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Ask this destination to commit to what it was given; whether there may be more to ask for."""
    destination = node.settings.destination(name)
    if destination is not None and not destination.commitment:
        _ask_no_more(node, name)
    if destination is None or not destination.commitment or not circuit.is_open(node.engine, name):
        return False
    peer = destination.peer
    assert isinstance(peer, Destination)  # the settings see to it
    transaction_uid, objects = _begin(node, name)
    if not objects:
        return False
    asked = ask_commitment(
        peer,
        node.settings.ae_title,
        transaction_uid,
        objects,
        CommitmentInbox(node.settings.commitments),
        timeouts=destination.timeouts,
        wait_seconds=node.settings.commitment_wait_seconds,
        go_on=go_on,
    )
    _end(node, name, transaction_uid, asked)
    return True


def _ask_no_more(node: Node, name: str) -> None:
    """The settings ask for no commitment here any more: what this destination has waits for none."""
    waits = Delivery.destination == name, Delivery.state == DeliveryState.DELIVERED, Delivery.wants_commitment
    with reading(node.engine) as session:
        job_ids = sorted(set(session.scalars(select(Delivery.job_id).where(*waits).limit(BATCH))))
    for job_id in job_ids:
        with writing(node.engine) as session:
            job = session.get_one(Job, job_id, with_for_update=True)
            of_job = select(Delivery).where(*waits, Delivery.job_id == job_id)
            for delivery in session.scalars(of_job.with_for_update()):
                let_go(delivery)
                delivery.wants_commitment = False
            settle(session, job)
    if job_ids:
        log.warning("commitment is no longer asked for", destination=name, jobs=len(job_ids))


def _begin(node: Node, name: str) -> tuple[str, list[tuple[str, str]]]:
    """Store a request for what is due, and give its transaction and objects (SOP class and instance UIDs)."""
    settings, transaction_uid = node.settings, random_uid()
    with writing(node.engine) as session:
        due = (
            select(Delivery)
            .where(Delivery.destination == name, Delivery.state == DeliveryState.DELIVERED, Delivery.wants_commitment)
            .where(or_(Delivery.not_before.is_(None), Delivery.not_before <= now()))
            .order_by(Delivery.created_at)
            .limit(BATCH)
        )
        asked = []
        for delivery in session.scalars(due.with_for_update(skip_locked=True)):
            if delivery.commitment_attempts >= settings.commitment_attempts:
                _give_up(delivery, f"storage commitment was asked for {delivery.commitment_attempts} times in vain")
                continue
            delivery.transaction_uid = transaction_uid
            delivery.commitment_attempts += 1
            delivery.not_before = now() + timedelta(seconds=ASKING_SECONDS)
            asked.append(delivery.object_uid)
        if asked:
            CommitmentInbox(settings.commitments).expect(transaction_uid)  # before it is counted
            session.add(Commitment(transaction_uid=transaction_uid, destination=name))
        rows = session.execute(select(ObjectRow.sop_class, ObjectRow.sop_uid).where(ObjectRow.sop_uid.in_(asked))).all()
        return transaction_uid, [(row.sop_class, row.sop_uid) for row in rows]


def _end(node: Node, name: str, transaction_uid: str, asked: Asked) -> None:
    """Take note of how the request went: when to ask again."""
    settings = node.settings
    with writing(node.engine) as session:
        open_ = select(Delivery).where(
            Delivery.transaction_uid == transaction_uid, Delivery.state == DeliveryState.DELIVERED
        )
        for delivery in session.scalars(open_.with_for_update()):
            if asked.accepted:
                delivery.not_before = now() + timedelta(seconds=settings.commitment_seconds)
            elif asked.connected:
                wait = back_off(settings.delivery_retry_seconds, delivery.commitment_attempts)
                delivery.not_before, delivery.answer = now() + wait, f"{delivery.object_uid}: {asked.text}"
            else:
                delivery.commitment_attempts -= 1
                delivery.not_before = None
    if not asked.connected:
        first, longest = settings.delivery_retry_seconds, settings.probe_seconds
        circuit.failed(node.engine, name, asked.text, at_once=True, first_seconds=first, longest_seconds=longest)
    say = log.info if asked.accepted else log.warning
    say("storage commitment asked for", destination=name, transaction_uid=transaction_uid, answer=asked.text)


def take_answers(node: Node) -> int:
    """Take note of every answer that was kept, then let the inbox forget it; returns how many there were."""
    inbox = CommitmentInbox(node.settings.commitments)
    answers = inbox.answers()
    for answer in answers:
        with writing(node.engine) as session:
            _take(node, session, answer)
        inbox.done(answer)
    return len(answers)


def forget_old(node: Node) -> None:
    """Forget requests of long ago."""
    CommitmentInbox(node.settings.commitments).forget_old()
    with writing(node.engine) as session:
        oldest = now() - timedelta(seconds=KEPT_SECONDS)
        session.execute(delete(Commitment).where(Commitment.created_at < oldest))


def _take(node: Node, session: Session, answer: Answer) -> None:
    commitment = session.get(Commitment, answer.transaction_uid)
    if commitment is None:
        log.warning("storage commitment was answered that nobody asked for", transaction_uid=answer.transaction_uid)
        return
    told = [*answer.committed, *answer.failed]
    theirs = Delivery.destination == commitment.destination, Delivery.object_uid.in_(told)
    for job_id in sorted(set(session.scalars(select(Delivery.job_id).where(*theirs)))):
        job = session.get_one(Job, job_id, with_for_update=True)
        for delivery in session.scalars(select(Delivery).where(*theirs, Delivery.job_id == job_id).with_for_update()):
            if delivery.state not in (DeliveryState.DELIVERED, DeliveryState.UNCOMMITTED):
                continue  # answered before, or on its way again
            if delivery.object_uid in answer.committed:
                let_go(delivery)
                delivery.answer = f"{delivery.object_uid}: committed"
                delivery.move(DeliveryState.COMMITTED)
            elif delivery.transaction_uid == answer.transaction_uid and delivery.state == DeliveryState.DELIVERED:
                _not_committed(node, session, job, delivery, answer.failed[delivery.object_uid])
        settle(session, job)
    log.info(
        "storage commitment answered",
        destination=commitment.destination,
        transaction_uid=answer.transaction_uid,
        committed=len(answer.committed),
        failed=len(answer.failed),
    )


def _not_committed(node: Node, session: Session, job: Job, delivery: Delivery, reason: int) -> None:
    why = f"the destination does not commit to it (failure reason 0x{reason:04X})"
    if delivery.commitment_attempts >= node.settings.commitment_attempts:
        _give_up(delivery, why)
    elif reason == DUPLICATE_TRANSACTION:
        delivery.not_before = None
    else:
        delivery.answer = f"{delivery.object_uid}: {why}"
        send_again(session, job, delivery)
        log.warning("not committed, sent again", job=job.id, sop_instance_uid=delivery.object_uid, reason=why)


def _give_up(delivery: Delivery, why: str) -> None:
    let_go(delivery)
    delivery.answer = f"{delivery.object_uid}: {why}"
    delivery.move(DeliveryState.UNCOMMITTED)
    log.warning("not committed, given up", job=delivery.job_id, sop_instance_uid=delivery.object_uid, reason=why)


def requests_of(node: Node, name: str) -> list[str]:
    """The transactions that were asked of this destination and are remembered, oldest first."""
    with reading(node.engine) as session:
        asked = select(Commitment.transaction_uid).where(Commitment.destination == name)
        return list(session.scalars(asked.order_by(Commitment.created_at)))
