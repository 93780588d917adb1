"""Sending what is due, in batches. A delivery ends as delivered where no storage commitment is asked for.

What nobody answers is not held against the object but against its destination (`numbering.jobs.circuit`); what is
refused for now is tried ever more slowly; what is refused for good, or too often, is failed and waits for a person: the
dead letter.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.audit import Peer as AuditPeer
from numbering.audit import trail
from numbering.dicom.outgoing.deliver import Destination, Outcome, Sent, echo, sending
from numbering.jobs import circuit
from numbering.jobs.circuit import Admission
from numbering.jobs.claims import (
    LONGEST_WAIT_SECONDS,
    Claim,
    ClaimLost,
    back_off,
    begin_delivery,
    claim_deliveries,
    held_delivery,
    let_go,
    reason_of,
)
from numbering.jobs.deliveries import settle
from numbering.jobs.models import Delivery, Job, ObjectRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading, writing
from numbering.logs import bind, logger
from numbering.metrics import DELIVERIES
from numbering.settings import Settings
from numbering.settings.delivering import DestinationSettings

BATCH = 100
"""Objects that are claimed together and go over one association or in few requests."""

log = logger(__name__)
GoOn = Callable[[], bool]


@dataclass
class Load:
    """A claimed delivery with the object that is sent; ``begun`` once its attempt was counted."""

    claim: Claim
    job_id: str
    study_uid: str
    sop_uid: str
    sop_class: str
    path: Path
    digest: str
    begun: bool = False


def deliver_due(node: Node, name: str, go_on: GoOn = lambda: True) -> bool:
    """Send a batch of what is due at this destination; whether there may be more to send at once.

    What was not sent, because ``go_on`` said no or the lease was half over, is due again.
    """
    settings, destination = node.settings, node.settings.destination(name)
    admission = circuit.admit(node.engine, name) if destination is not None else Admission.SHUT
    if destination is None or admission is Admission.SHUT:
        return False
    trial = admission is Admission.TRIAL
    if trial and not _is_back(node, destination):
        return False
    claims = claim_deliveries(
        node.engine, name, 1 if trial else BATCH, settings.lease_seconds, settings.delivery_attempts, early=trial
    )
    loads = [load for load in _loads(node, claims) if _intact(node, load)]
    with bind(destination=name):
        told = list(_send(node, destination, loads, go_on, trial=trial))
    _judge(node, name, [sent for _, sent in told], trial=trial)
    _account(settings, destination, told)
    return bool(claims)


def _is_back(node: Node, destination: DestinationSettings) -> bool:
    answer = echo(destination.peer, node.settings.ae_title, timeouts=destination.timeouts)
    if answer.outcome is not Outcome.DELIVERED:
        _failed(node, destination.name, answer.text, at_once=True)
    return answer.outcome is Outcome.DELIVERED


def _failed(node: Node, name: str, answer: str, *, at_once: bool) -> None:
    first, longest = node.settings.delivery_retry_seconds, node.settings.probe_seconds
    circuit.failed(node.engine, name, answer, at_once=at_once, first_seconds=first, longest_seconds=longest)


def _loads(node: Node, claims: Sequence[Claim]) -> list[Load]:
    by_id = {claim.id: claim for claim in claims}
    with reading(node.engine) as session:
        rows = session.execute(
            select(Delivery, ObjectRow, Job.study_uid)
            .join(ObjectRow, ObjectRow.sop_uid == Delivery.object_uid)
            .join(Job, Job.id == Delivery.job_id)
            .where(Delivery.id.in_(by_id))
        ).all()
    loads = {
        one.id: Load(by_id[one.id], one.job_id, study, row.sop_uid, row.sop_class, node.path(row.path), row.digest)
        for one, row, study in rows
    }
    return [loads[claim.id] for claim in claims]


def _intact(node: Node, load: Load) -> bool:
    """Whether the file is there, with the bytes that were written; if not, only a person can mend it."""
    try:
        found = "its file holds other bytes than were written"
        if hashlib.sha256(load.path.read_bytes()).hexdigest() == load.digest:
            return True
    except OSError as error:
        found = f"its file cannot be read ({error.strerror})"
    answer = f"{load.sop_uid}: {found}; restore {load.path.name} and restart the delivery"
    with writing(node.engine) as session:
        delivery = held_delivery(session, load.claim)
        let_go(delivery)
        delivery.answer = answer
        delivery.move(DeliveryState.FAILED)
    log.error("an object cannot be sent", job=load.job_id, sop_instance_uid=load.sop_uid, answer=answer)
    return False


def _send(
    node: Node, destination: DestinationSettings, loads: Sequence[Load], go_on: GoOn, *, trial: bool
) -> Iterator[tuple[Load, Sent]]:
    """Send and record one after the other; what is left in the end waits again."""
    if not loads:
        return
    waiting = {load.path: load for load in loads}
    until = time.monotonic() + node.settings.lease_seconds / 2
    paths, title, timeouts = list(waiting), node.settings.ae_title, destination.timeouts
    try:
        with writing(node.engine) as session:
            _begin(session, loads[0])
        with closing(sending(paths, destination.peer, title, timeouts=timeouts)) as answers:
            for sent in answers:
                load = waiting.pop(sent.path)
                if trial and sent.outcome is Outcome.REFUSED and sent.temporary:
                    sent = replace(sent, connected=False)  # it takes nothing just now: no object is to blame
                _record(node, load, sent, next(iter(waiting.values()), None))
                yield load, sent
                if not go_on() or time.monotonic() > until:
                    break
    except (OSError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        log.error("sending broke off", error=error)
        load = next(iter(waiting.values()))  # it was this one's turn
        del waiting[load.path]
        broken = Sent(load.path, load.sop_uid, Outcome.REFUSED, reason_of(error).text, temporary=True)
        _record(node, load, broken, None)
        yield load, broken
    finally:
        _give_back(node, list(waiting.values()))


def _begin(session: Session, load: Load | None) -> None:
    if load is not None and not load.begun:
        load.begun = begin_delivery(session, load.claim)


def _record(node: Node, load: Load, sent: Sent, following: Load | None) -> None:
    """Store what became of an object and, in the same transaction, that the next one's attempt begins."""
    try:
        with writing(node.engine) as session:
            # The job first, so that the last two deliveries of a job cannot miss each other.
            job = session.get_one(Job, load.job_id, with_for_update=True)
            delivery = held_delivery(session, load.claim)
            let_go(delivery)
            delivery.answer = sent.text
            delivery.attempts += int(sent.connected) - int(load.begun)
            _move(node.settings, delivery, sent)
            state, again_at = delivery.state, delivery.not_before
            settle(session, job)
            _begin(session, following)
    except ClaimLost:
        log.warning("the delivery belongs to somebody else now", job=load.job_id, sop_instance_uid=load.sop_uid)
        return
    arrived = sent.outcome is Outcome.DELIVERED
    say = log.info if arrived else log.warning
    say(
        "delivered" if arrived else "not delivered",
        job=load.job_id,
        study_instance_uid=load.study_uid,
        sop_instance_uid=load.sop_uid,
        state=state,
        answer=sent.text,
        again_at=again_at.isoformat(timespec="seconds") if again_at else None,
    )


def _move(settings: Settings, delivery: Delivery, sent: Sent) -> None:
    limit = settings.delivery_attempts if sent.temporary else settings.refused_attempts
    if sent.outcome is Outcome.DELIVERED:
        delivery.move(DeliveryState.DELIVERED)
    elif not sent.connected:
        delivery.move(DeliveryState.QUEUED)  # when is the destination's matter
    elif delivery.attempts >= limit:
        delivery.move(DeliveryState.FAILED)
    else:
        delivery.move(DeliveryState.QUEUED)
        asked = timedelta(seconds=min(sent.retry_after_seconds, LONGEST_WAIT_SECONDS))
        delivery.not_before = now() + max(asked, back_off(settings.delivery_retry_seconds, delivery.attempts))


def _give_back(node: Node, loads: Iterable[Load]) -> None:
    """What was claimed and not sent waits again, as if it had never been claimed."""
    with writing(node.engine) as session:
        for load in loads:
            try:
                delivery = held_delivery(session, load.claim)
            except ClaimLost:
                continue
            let_go(delivery)
            delivery.attempts -= int(load.begun)
            delivery.move(DeliveryState.QUEUED)


def _judge(node: Node, name: str, told: Sequence[Sent], *, trial: bool) -> None:
    """What a round says of the destination."""
    answered = [sent for sent in told if sent.outcome is Outcome.DELIVERED or (sent.connected and not sent.temporary)]
    if answered or (trial and not told):
        circuit.well(node.engine, name)
    elif told:
        _failed(node, name, told[-1].text, at_once=not told[-1].connected)


def _account(settings: Settings, destination: DestinationSettings, told: Sequence[tuple[Load, Sent]]) -> None:
    """Metrics and audit trail."""
    peer = destination.peer
    called = AuditPeer(peer.ae_title, peer.host) if isinstance(peer, Destination) else AuditPeer(str(peer))
    moved: dict[tuple[str, bool], Counter[str]] = {}
    for load, sent in told:
        postponed = sent.outcome is Outcome.REFUSED and sent.temporary
        DELIVERIES.labels(destination.name, "postponed" if postponed else sent.outcome.value).inc()
        if sent.connected:
            key = load.study_uid, sent.outcome is Outcome.DELIVERED
            moved.setdefault(key, Counter())[load.sop_class] += 1
    for (study_uid, success), classes in moved.items():
        trail(settings).transferred("out", study_uid, classes, called, success)
