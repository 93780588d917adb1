"""Telling webhooks: at least once, signed, with back-off, and a dead letter that waits for a person.

A thread for each webhook, so that one which does not answer delays no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, delete, or_, select
from sqlalchemy.orm import Session

from numbering.guarded_http import ForbiddenAddress, NoAnswer, post
from numbering.jobs.claims import LONGEST_WAIT_SECONDS, back_off, lives, worker_name
from numbering.jobs.models import Notice, now
from numbering.jobs.signatures import WeakSecret, secret_of, signed
from numbering.jobs.states import DeliveryState, IllegalTransition
from numbering.jobs.store import writing
from numbering.logs import bind, logger
from numbering.metrics import WEBHOOKS
from numbering.settings import Settings
from numbering.settings.web import Webhook

LOOK_SECONDS = 1.0
LEASE_SECONDS = 60.0
"""Longer than an attempt can take; whoever holds a notice for longer has lost it."""
OUTAGE_SECONDS = 5.0
KEEP_TOLD = timedelta(days=30)
HOUSEKEEPING_SECONDS = 60.0

log = logger(__name__)


@dataclass(frozen=True)
class Claimed:
    """A notice that is ours to send."""

    id: str
    token: int
    job: str
    body: str


def start(engine: Engine, settings: Settings, stopping: threading.Event) -> list[threading.Thread]:
    """A thread for each webhook, running until ``stopping`` is set."""
    threads = [
        threading.Thread(target=_tell_forever, args=(engine, settings, webhook, stopping), name=webhook.name)
        for webhook in settings.webhooks
    ]
    for thread in threads:
        thread.start()
    return threads


def _tell_forever(engine: Engine, settings: Settings, webhook: Webhook, stopping: threading.Event) -> None:
    while not stopping.wait(LOOK_SECONDS):
        try:
            while not stopping.is_set() and tell_next(engine, settings, webhook):
                pass
        except Exception as error:  # noqa: BLE001 - the database is out of reach: the rows wait there
            log.error("webhooks wait for the database", webhook=webhook.name, error=error)
            stopping.wait(OUTAGE_SECONDS)


def tell_next(engine: Engine, settings: Settings, webhook: Webhook) -> bool:
    """Tell this webhook the oldest notice that is due; False when none was, or it was not taken."""
    claimed = _claim(engine, webhook)
    if claimed is None:
        return False
    with bind(job=claimed.job, webhook=webhook.name, notice=claimed.id):
        outcome, answer = _send(settings, webhook, claimed)
        WEBHOOKS.labels(outcome).inc()
        state = _record(engine, settings, claimed, outcome == "delivered", answer)
        say = log.info if outcome == "delivered" else log.warning
        say("webhook told" if outcome == "delivered" else "webhook not told", state=state, answer=answer)
    return outcome == "delivered"


def _claim(engine: Engine, webhook: Webhook) -> Claimed | None:
    with writing(engine) as session:
        notice = _next(session, webhook)
        if notice is None:
            return None
        if notice.state == DeliveryState.SENDING:
            notice.move(DeliveryState.QUEUED)
        notice.move(DeliveryState.SENDING)
        notice.attempts += 1
        notice.token += 1
        notice.worker = worker_name()
        notice.lease_until = now() + timedelta(seconds=LEASE_SECONDS)
        return Claimed(notice.id, notice.token, notice.job_id, notice.body)


def _next(session: Session, webhook: Webhook) -> Notice | None:
    mine = select(Notice).where(Notice.webhook == webhook.name).with_for_update(skip_locked=True)
    present = now()
    due = or_(
        Notice.not_before.is_(None),
        Notice.not_before <= present,
        # One that waits for longer than any back-off was noted before the clock was set back.
        Notice.not_before > present + timedelta(seconds=2 * LONGEST_WAIT_SECONDS),
    )
    sending = mine.where(Notice.state == DeliveryState.SENDING)
    for notice in session.scalars(sending):
        until = notice.lease_until
        overdue = until is not None and not present < until <= present + timedelta(seconds=2 * LEASE_SECONDS)
        if overdue or not lives(notice.worker or ""):
            return notice
    waiting = mine.where(Notice.state == DeliveryState.QUEUED, due).order_by(Notice.created_at, Notice.id).limit(1)
    return session.scalars(waiting).first()


def _send(settings: Settings, webhook: Webhook, claimed: Claimed) -> tuple[str, str]:
    """(outcome, sentence): delivered, refused, unreachable or forbidden."""
    body = claimed.body.encode()
    try:
        status = post(
            webhook.url,
            body,
            signed(claimed.id, body, secret_of(Path(webhook.secret_file))),
            private_hosts=settings.webhook_private_hosts,
            ca_file=webhook.ca_file,
        )
    except ForbiddenAddress as error:
        return "forbidden", str(error)
    except (NoAnswer, WeakSecret) as error:
        return "unreachable", str(error)
    return ("delivered" if 200 <= status < 300 else "refused"), f"answered {status}"


def _record(engine: Engine, settings: Settings, claimed: Claimed, delivered: bool, answer: str) -> str:
    with writing(engine) as session:
        notice = session.get(Notice, claimed.id, with_for_update=True)
        if notice is None or notice.token != claimed.token or notice.state != DeliveryState.SENDING:
            return "somebody else's"
        notice.worker = notice.lease_until = notice.not_before = None
        notice.answer = answer
        if delivered:
            notice.move(DeliveryState.DELIVERED)
        elif notice.attempts >= settings.webhook_attempts:
            notice.move(DeliveryState.FAILED)
        else:
            notice.move(DeliveryState.QUEUED)
            notice.not_before = now() + back_off(settings.webhook_retry_seconds, notice.attempts)
        return notice.state


def restart(engine: Engine, notice_id: str) -> None:
    """A person asks for another round of attempts; ``NoResultFound``, or `IllegalTransition` when it has not failed."""
    with writing(engine) as session:
        notice = session.get_one(Notice, notice_id, with_for_update=True)
        if notice.state != DeliveryState.FAILED:
            raise IllegalTransition(notice.state, DeliveryState.QUEUED)
        notice.move(DeliveryState.QUEUED)
        notice.attempts, notice.not_before = 0, None


class Housekeeping:
    """Once a minute, what no webhook's own thread would do: where there are no webhooks there are no such threads."""

    def __init__(self, engine: Engine, webhooks: Sequence[Webhook]) -> None:
        self._engine = engine
        self._webhooks = webhooks
        self._kept = -HOUSEKEEPING_SECONDS

    def keep(self) -> None:
        """Give up what waits for nobody and forget what was told long ago, unless that was done just now."""
        if time.monotonic() - self._kept < HOUSEKEEPING_SECONDS:
            return
        give_up_unknown(self._engine, self._webhooks)
        clear_away(self._engine)
        self._kept = time.monotonic()


def give_up_unknown(engine: Engine, webhooks: Sequence[Webhook]) -> None:
    """What waits for a webhook that the settings no longer know fails, instead of waiting unseen."""
    with writing(engine) as session:
        strays = select(Notice).where(
            Notice.state == DeliveryState.QUEUED, Notice.webhook.not_in([webhook.name for webhook in webhooks])
        )
        for notice in session.scalars(strays.with_for_update(skip_locked=True)):
            notice.move(DeliveryState.FAILED)
            notice.answer = "the settings know no webhook of this name"


def clear_away(engine: Engine) -> None:
    """Forget what was told long ago."""
    with writing(engine) as session:
        told = Notice.state == DeliveryState.DELIVERED
        session.execute(delete(Notice).where(told, Notice.changed_at < now() - KEEP_TOLD))
