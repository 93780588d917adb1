"""What the API answers: rows as JSON, without anything of a patient."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class StatedReason(Answer):
    """A code from the closed list, and its sentence."""

    code: str
    text: str


class JobAnswer(Answer):
    """A part of a series, once per revision; ``state`` is its life, ``status`` its outcome."""

    job: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    view: str | None
    pipeline: str | None
    revision: int
    state: str
    status: str | None
    reason: StatedReason | None
    attempts: int
    created_at: datetime
    changed_at: datetime


class LevelAnswer(Answer):
    """A vertebra that was named."""

    level: str
    probability: float


class MeasurementAnswer(Answer):
    """What was measured between these levels; ``value`` is null when it is not given, for ``reason``."""

    name: str
    levels: tuple[str, ...]
    value: float | None
    unit: str
    uncertainty: float | None
    reason: str | None


class ObjectAnswer(Answer):
    """An object that was written; ``kind`` is its modality."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str


class DeliveryAnswer(Answer):
    """One object on its way to one destination."""

    delivery: str
    job: str
    sop_instance_uid: str
    destination: str
    state: str
    attempts: int
    answer: str | None
    again_at: datetime | None
    changed_at: datetime


class OneJobAnswer(JobAnswer):
    """A job with what was found, written and sent."""

    vertebrae: list[LevelAnswer]
    measurements: list[MeasurementAnswer]
    objects: list[ObjectAnswer]
    deliveries: list[DeliveryAnswer]


class JobsAnswer(Answer):
    """A page of jobs, newest first; ``next`` is the ``before`` of the page that follows, null on the last one."""

    jobs: list[JobAnswer]
    next: str | None


class DeliveriesAnswer(Answer):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryAnswer]
    next: str | None


class NoticeAnswer(Answer):
    """One event on its way to one webhook."""

    notice: str
    webhook: str
    event: str
    job: str
    state: str
    attempts: int
    answer: str | None
    again_at: datetime | None
    changed_at: datetime


class NoticesAnswer(Answer):
    """A page of notices, newest first."""

    notices: list[NoticeAnswer]
    next: str | None


class DestinationAnswer(Answer):
    """How a destination fares: its deliveries by state, since when the oldest waits, and since when it takes nothing.

    ``answer`` is what was told the last time that came to nothing; ``again_at`` is when it is asked again.
    """

    destination: str
    configured: bool
    deliveries: dict[str, int]
    waiting_since: datetime | None
    failing_since: datetime | None
    answer: str | None
    again_at: datetime | None


class DestinationsAnswer(Answer):
    """All destinations."""

    destinations: list[DestinationAnswer]


class ModelAnswer(Answer):
    """An installed pipeline and its weights."""

    pipeline: str
    version: str
    architecture: str
    weights_sha256: str
    licence: str
    trained_on: str
    intended_use: str
    limitations: list[str]


class ModelsAnswer(Answer):
    """All installed pipelines."""

    models: list[ModelAnswer]


class Restarted(Answer):
    """The state that a row has now."""

    state: str
