"""The tables. No column holds anything of the patient: identifiers of DICOM objects, digests, states and times only.

Times are in UTC. ``token`` is a fencing token: every claim increments it, and only the holder of the current one may
write.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from numbering.jobs.states import DeliveryState, PriorState, State, checked, checked_delivery, checked_prior

UID = String(64)
WORD = String(32)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Instant(TypeDecorator[datetime]):
    """An aware time in UTC, also where the database (SQLite) knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {datetime: Instant}


class Claimable:
    """Work that one worker at a time may hold (`numbering.jobs.claims`); an attempt is counted before it starts."""

    attempts: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(160))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]


class SeriesRow(Base):
    """A series that is arriving or has arrived. One series UID in two studies is two series: they never mix.

    ``found`` of ``expected`` instances are here, as last counted; ``expected_by`` says who told (`jobs.tally.Source`).
    """

    __tablename__ = "series"

    study_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    series_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    state: Mapped[str] = mapped_column(WORD, index=True, default=State.RECEIVED.value)
    first_arrival: Mapped[datetime] = mapped_column(default=now)
    last_arrival: Mapped[datetime] = mapped_column(default=now)
    """When news came last: an instance, or word of how many there will be."""
    found: Mapped[int | None]
    expected: Mapped[int | None]
    expected_by: Mapped[str | None] = mapped_column(WORD)

    def move(self, after: State) -> None:
        """Change the state; `IllegalTransition` when that is no step of the state machine."""
        self.state = checked(State(self.state), after).value


class InstanceRow(Base):
    """A received object, once for each different file that came under its UID.

    ``kind`` is ``image``, ``own`` (written by us and sent back), ``correction`` (a report of ours that a reader
    edited), ``refused`` (one that could not be taken over), ``unreadable``, ``update`` (other demographics or transfer
    syntax, kept aside) or ``conflict`` (another picture under the same UID, in quarantine).

    The counts are what its header says of the series and of its acquisition. Where its file was removed by
    retention, ``content_digest`` (of transfer syntax and data set, whoever sends them) knows the object again.
    """

    __tablename__ = "instances"

    sop_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    series_uid: Mapped[str] = mapped_column(UID, index=True)
    study_uid: Mapped[str] = mapped_column(UID, index=True)
    sop_class: Mapped[str] = mapped_column(UID, default="")
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(WORD)
    arrived_at: Mapped[datetime] = mapped_column(default=now)
    series_related_instances: Mapped[int | None]
    acquisition_number: Mapped[int | None]
    images_in_acquisition: Mapped[int | None]
    content_digest: Mapped[str | None] = mapped_column(String(64))
    removal: Mapped[str | None] = mapped_column(WORD, index=True)


class AnnouncedInstance(Base):
    """An instance of which a modality or archive said that it exists, before or after it arrived.

    ``source`` is ``mpps`` or ``ian``; ``by_uid`` is that object's SOP Instance UID, whose next word replaces this one.
    """

    __tablename__ = "announced_instances"

    study_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    series_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    sop_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    source: Mapped[str] = mapped_column(WORD)
    by_uid: Mapped[str] = mapped_column(UID)
    announced_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Job(Claimable, Base):
    """One piece of work: a part of a series, once per revision.

    ``part`` names what of the series it stands for (a pipeline, or the reason of a refusal and the view); ``state`` is
    its life, ``status`` its outcome; ``result`` is a `NumberingResult` as JSON, stored once.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("study_uid", "series_uid", "part", "revision", name="uq_jobs_part_revision"),
        Index("ix_jobs_state_not_before", "state", "not_before"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    study_uid: Mapped[str] = mapped_column(UID, index=True)
    series_uid: Mapped[str] = mapped_column(UID, index=True)
    part: Mapped[str] = mapped_column(String(160))
    revision: Mapped[int] = mapped_column(default=1)
    pipeline: Mapped[str | None] = mapped_column(WORD)
    queue: Mapped[str | None] = mapped_column(WORD)
    view: Mapped[str | None] = mapped_column(WORD)
    modality: Mapped[str] = mapped_column(WORD)
    state: Mapped[str] = mapped_column(WORD)
    status: Mapped[str | None] = mapped_column(WORD)
    reason_code: Mapped[str | None] = mapped_column(WORD)
    reason_text: Mapped[str | None] = mapped_column(Text)
    input_digest: Mapped[str] = mapped_column(String(64))
    found: Mapped[int | None]
    """Where the series was incomplete when this job was made: how many of its ``expected`` instances were there."""
    expected: Mapped[int | None]
    predecessor_sr_uid: Mapped[str | None] = mapped_column(UID)
    superseded_by: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    concluded_from: Mapped[str | None] = mapped_column(String(36))
    """The job whose run this one says again under the names of the patient's record; None: a run of its own."""

    max_attempts: Mapped[int] = mapped_column(default=3)
    rung_at: Mapped[datetime | None]

    result: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    images: Mapped[list[JobImage]] = relationship(cascade="all, delete-orphan", order_by="JobImage.position")
    objects: Mapped[list[ObjectRow]] = relationship(order_by="ObjectRow.position")

    def move(self, after: State) -> None:
        """Change the state; `IllegalTransition` when that is no step of the state machine."""
        self.state = checked(State(self.state), after).value


class JobImage(Base):
    """An image that a job works on, with the digest that it had when the job was made."""

    __tablename__ = "job_images"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sop_uid: Mapped[str] = mapped_column(UID, index=True)
    digest: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)


class ObjectRow(Base):
    """An object that we wrote; ``kind`` is its modality (``SR``, ``PR``). ``removal``: see `Removal`."""

    __tablename__ = "objects"

    sop_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    position: Mapped[int]
    sop_class: Mapped[str] = mapped_column(UID)
    kind: Mapped[str] = mapped_column(WORD)
    digest: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    removal: Mapped[str | None] = mapped_column(WORD, index=True)


class Delivery(Claimable, Base):
    """One object on its way to one destination, by its name; ``answer`` is what the destination last said.

    ``attempts`` counts those in which the object met the destination. Where ``wants_commitment``, ``transaction_uid``
    is the request for storage commitment that the object is part of, the latest of ``commitment_attempts``; while it is
    delivered, it is asked for (again) from ``not_before`` on.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("object_uid", "destination", name="uq_deliveries_object_destination"),
        # Most rows are delivered and wait for no commitment: what is asked each second must pass them over.
        Index("ix_deliveries_state", "state", "wants_commitment"),
        Index("ix_deliveries_destination_state", "destination", "state", "wants_commitment", "not_before"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    object_uid: Mapped[str] = mapped_column(ForeignKey("objects.sop_uid"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    destination: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(WORD, default=DeliveryState.QUEUED.value)
    answer: Mapped[str | None] = mapped_column(Text)
    wants_commitment: Mapped[bool] = mapped_column(default=False, server_default=false())
    transaction_uid: Mapped[str | None] = mapped_column(UID, index=True)
    commitment_attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def move(self, after: DeliveryState) -> None:
        """Change the state; `IllegalTransition` when that is no step of the state machine."""
        self.state = checked_delivery(DeliveryState(self.state), after).value


class DestinationRow(Base):
    """How a destination fares: rounds in a row that came to nothing, since when, and when it is asked again.

    ``not_before`` is set while it is left alone; ``answer`` is what the last round that came to nothing was told.
    """

    __tablename__ = "destinations"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Commitment(Base):
    """A request for storage commitment, stored before it is sent, so that its answer is known whenever it comes."""

    __tablename__ = "commitments"

    transaction_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    destination: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Notice(Claimable, Base):
    """One event on its way to one webhook; ``body`` is what is sent, ``answer`` what became of the last attempt.

    No foreign key: what was told stays told when its job is cleared away.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_webhook_state", "webhook", "state", "not_before"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    webhook: Mapped[str] = mapped_column(WORD)
    event: Mapped[str] = mapped_column(WORD)
    job_id: Mapped[str] = mapped_column(String(36), index=True)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(WORD, default=DeliveryState.QUEUED.value)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def move(self, after: DeliveryState) -> None:
        """Change the state; `IllegalTransition` when that is no step of the state machine."""
        self.state = checked_delivery(DeliveryState(self.state), after).value


class PriorRow(Claimable, Base):
    """The search for a study's priors (``kind`` search), or one study that is fetched as a prior (``kind`` fetch).

    A study with a ``fetch`` row counts as a prior until ``sent_at``, when somebody sent it to us by themselves. What
    arrives from ``started_at`` to ``ended_at`` was fetched. ``answer`` says what came of the last attempt, and
    ``objects`` how many studies or objects that were.
    """

    __tablename__ = "priors"
    __table_args__ = (UniqueConstraint("kind", "study_uid", name="uq_priors_kind_study"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid4()))
    kind: Mapped[str] = mapped_column(WORD)
    study_uid: Mapped[str] = mapped_column(UID, index=True)
    asked_by: Mapped[str] = mapped_column(UID, default="")
    """The study that it is fetched for, in whose files the patient is looked up; empty: a person asked."""
    state: Mapped[str] = mapped_column(WORD, index=True, default=PriorState.QUEUED.value)
    answer: Mapped[str | None] = mapped_column(Text)
    objects: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def move(self, after: PriorState) -> None:
        """Change the state; `IllegalTransition` when that is no step of the state machine."""
        self.state = checked_prior(PriorState(self.state), after).value
