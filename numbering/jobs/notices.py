"""What webhooks are told: a row for each event and webhook, written in the very transaction that makes the event.

The rows hang on the state of jobs and deliveries, so whoever moves one tells of it; a transaction that is undone tells
nothing. Nothing of the patient is told, and study and series only where the webhook's settings say so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event, insert, inspect, select

from numbering.jobs.models import Delivery, Job, Notice, now
from numbering.jobs.states import DeliveryState, State
from numbering.result import NumberingResult
from numbering.settings.web import Webhook

SCHEMA = "numbering/event/1"
STUCK = (DeliveryState.FAILED, DeliveryState.UNCOMMITTED)
"""A delivery that waits for a person."""
TOLD_STATES = (State.UNSUITABLE, State.HELD, State.FAILED, State.QUARANTINED, State.DELIVERED, State.COMMITTED)

_webhooks: WeakKeyDictionary[Engine, tuple[Webhook, ...]] = WeakKeyDictionary()


def announce(engine: Engine, webhooks: Sequence[Webhook]) -> None:
    """Tell these webhooks of what happens through this engine from now on."""
    _webhooks[engine] = tuple(webhooks)


@event.listens_for(Job, "after_insert")
@event.listens_for(Job, "after_update")
def _job_moved(_mapper: object, connection: Connection, job: Job) -> None:
    webhooks = _webhooks.get(connection.engine)
    happened = _event(job) if webhooks else None
    if webhooks and happened:
        _tell(connection, webhooks, happened, job, destination=None)


@event.listens_for(Delivery, "after_update")
def _delivery_moved(_mapper: object, connection: Connection, delivery: Delivery) -> None:
    webhooks = _webhooks.get(connection.engine)
    changed = inspect(delivery).attrs.state.history.has_changes()
    if not webhooks or not changed or delivery.state not in STUCK:
        return
    job = connection.execute(select(Job.__table__).where(Job.id == delivery.job_id)).one()
    _tell(connection, webhooks, "undeliverable", job, destination=delivery.destination)


def _event(job: Job) -> str | None:
    """What has just happened to this job that is worth telling."""
    history = inspect(job).attrs.state.history
    if not history.has_changes():
        return None
    before = history.deleted[0] if history.deleted else None
    concluded = before is None and job.concluded_from is not None  # said again, by the patient's record
    if job.state == State.INFERRED and (before == State.RUNNING or concluded):
        return job.status
    return job.state if job.state in TOLD_STATES else None


def _tell(
    connection: Connection, webhooks: Sequence[Webhook], happened: str, job: Any, destination: str | None
) -> None:
    for webhook in webhooks:
        if happened not in webhook.events:
            continue
        notice = str(uuid4())
        body = {"schema": SCHEMA, "id": notice, "event": happened, **_told(job, webhook), "destination": destination}
        row = {"id": notice, "webhook": webhook.name, "event": happened, "job_id": job.id, "body": json.dumps(body)}
        connection.execute(insert(Notice).values(**row, state=DeliveryState.QUEUED.value))


def _told(job: Any, webhook: Webhook) -> dict[str, Any]:
    """A job (or its row) as events tell it. Levels and probabilities only of what was found."""
    findings = NumberingResult.model_validate_json(job.result).findings if job.result else None
    vertebrae, discs = (findings.vertebrae, findings.discs) if findings else ((), ())
    return {
        "at": now().astimezone(UTC).isoformat(timespec="milliseconds"),
        "job": job.id,
        "study_instance_uid": job.study_uid if webhook.uids else None,
        "series_instance_uid": job.series_uid if webhook.uids else None,
        "modality": job.modality,
        "view": job.view,
        "pipeline": job.pipeline,
        "revision": job.revision,
        "status": job.status,
        "reason": job.reason_code,
        "vertebrae": [{"level": each.level, "probability": each.probability} for each in vertebrae],
        "discs": [{"level": each.level, "probability": each.probability} for each in discs],
    }
