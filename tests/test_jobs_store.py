"""The tables, their migrations, claims and states, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, event, insert, inspect, text

from numbering.errors import QuarantinedInput, ReasonCode, TryAgainLater, UnsuitableStudy
from numbering.jobs import claims
from numbering.jobs.claims import (
    Claim,
    ClaimLost,
    back_off,
    claim_job,
    fail_attempt,
    held_job,
    lives,
    requeue,
    worker_name,
)
from numbering.jobs.clock import bring_back_from_the_future
from numbering.jobs.deliveries import work_waits
from numbering.jobs.models import Base, Delivery, InstanceRow, Job, ObjectRow, SeriesRow, now
from numbering.jobs.states import DELIVERY_TRANSITIONS, TRANSITIONS, DeliveryState, IllegalTransition, State
from numbering.jobs.store import connect, reading, upgrade, writing
from numbering.jobs.tally import count
from numbering.result import Status
from tests.house import running_house
from tests.postgres import temporary_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = connect(f"sqlite:///{tmp_path / 'new' / 'numbering.db'}")
    else:
        engine = connect(request.getfixturevalue("postgres_url"))
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    upgrade(engine)
    yield engine
    engine.dispose()


def effort(engine: Engine, *asked: Callable[[], object]) -> int:
    """How much SQLite does to answer, in tens of steps of its machine."""
    ticks: list[int] = []

    def watch(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(lambda: ticks.append(1), 10)

    event.listen(engine, "checkout", watch)
    for ask in asked:
        ask()
    event.remove(engine, "checkout", watch)
    return len(ticks)


def finish_much(engine: Engine, number: int) -> None:
    """Many objects that were received, and many that were delivered, long ago."""
    job_id = add_job(engine, state=State.DELIVERED.value)
    uids = [f"1.9.{each}" for each in range(number)]
    image = {"series_uid": "1.8", "digest": "0" * 64, "path": "x", "kind": "image", "images_in_acquisition": 1}
    written = {"job_id": job_id, "position": 0, "sop_class": "1.2", "kind": "SR", "digest": "0" * 64, "path": "x"}
    sent = {"job_id": job_id, "destination": "pacs", "state": DeliveryState.DELIVERED.value}
    with writing(engine) as session:
        session.execute(insert(InstanceRow), [{"sop_uid": uid, "study_uid": f"{uid}.1", **image} for uid in uids])
        session.execute(insert(ObjectRow), [{"sop_uid": uid, **written} for uid in uids])
        session.execute(insert(Delivery), [{"object_uid": uid, **sent} for uid in uids])


def test_what_is_asked_every_second_costs_no_more_however_much_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_house(tmp_path, monkeypatch) as house:
        node, engine = house.node, house.node.engine

        def count_series() -> None:
            with reading(engine) as session:
                count(session, SeriesRow(study_uid="1.2", series_uid="1.2.3"))

        asked = [lambda: work_waits(engine, "pacs"), lambda: bring_back_from_the_future(node), count_series]
        finish_much(engine, 1)
        before = [effort(engine, ask) for ask in asked]
        with writing(engine) as session:
            for model in (Delivery, ObjectRow, InstanceRow):
                session.execute(delete(model))
            session.execute(delete(Job))
        finish_much(engine, 3000)
        after = [effort(engine, ask) for ask in asked]
    assert [many - few < 100 for few, many in zip(before, after, strict=True)] == [True, True, True]


def add_job(engine: Engine, **columns: object) -> str:
    values = {
        "study_uid": "1.2",
        "series_uid": "1.2.3",
        "part": "ap-xray/AP",
        "modality": "DX",
        "state": State.QUEUED.value,
        "input_digest": "0" * 64,
        **columns,
    }
    job = Job(**values)
    with writing(engine) as session:
        session.add(job)
    return job.id


def job_of(engine: Engine, job_id: str) -> Job:
    with reading(engine) as session:
        job = session.get_one(Job, job_id)
        session.expunge_all()
        return job


def set_lease(engine: Engine, job_id: str, until: datetime) -> None:
    with writing(engine) as session:
        session.get_one(Job, job_id).lease_until = until


def test_the_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert set(Base.metadata.tables) < set(inspect(engine).get_table_names())


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    job_id = add_job(engine)
    upgrade(engine)
    assert job_of(engine, job_id).part == "ap-xray/AP"


def test_several_processes_may_upgrade_a_fresh_database_at_once(tmp_path: Path, postgres_url: str) -> None:
    server = connect(postgres_url)
    with server.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    for url in (f"sqlite:///{tmp_path / 'numbering.db'}", postgres_url):
        engines = [connect(url) for _ in range(4)]
        threads = [threading.Thread(target=upgrade, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with engines[0].connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
        for engine in engines:
            engine.dispose()
    server.dispose()


def test_times_come_back_in_utc(engine: Engine) -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    job_id = add_job(engine, not_before=moment.astimezone())
    assert job_of(engine, job_id).not_before == moment


def test_of_many_workers_exactly_one_gets_the_job(engine: Engine) -> None:
    job_id = add_job(engine)
    got: list[Claim | None] = []
    threads = [
        threading.Thread(target=lambda: got.append(claim_job(engine, job_id, State.QUEUED, 60))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in got if claim]) == 1
    assert len(got) == 6


def test_an_attempt_is_committed_before_it_starts(engine: Engine) -> None:
    job_id = add_job(engine)
    claim = claim_job(engine, job_id, State.QUEUED, 60)
    job = job_of(engine, job_id)
    assert claim == Claim(job_id, 1, 1)
    assert (job.attempts, job.state, job.worker) == (1, State.RUNNING, worker_name())
    assert job.lease_until is not None
    assert timedelta(seconds=50) < job.lease_until - now() <= timedelta(seconds=60)


def test_a_worker_that_was_too_slow_cannot_write(engine: Engine) -> None:
    job_id = add_job(engine)
    slow = claim_job(engine, job_id, State.QUEUED, 60)
    assert slow is not None
    with writing(engine) as session:
        claims.wait_again(session.get_one(Job, job_id))
    quick = claim_job(engine, job_id, State.QUEUED, 60)
    assert quick is not None
    assert quick.token == slow.token + 1
    with pytest.raises(ClaimLost), writing(engine) as session:
        held_job(session, slow)
    with pytest.raises(ClaimLost):
        fail_attempt(engine, slow, ValueError())
    with writing(engine) as session:
        assert held_job(session, quick).state == State.RUNNING


def test_a_superseded_job_cannot_be_written(engine: Engine) -> None:
    job_id = add_job(engine)
    claim = claim_job(engine, job_id, State.QUEUED, 60)
    assert claim is not None
    with writing(engine) as session:
        session.get_one(Job, job_id).move(State.SUPERSEDED)
    with pytest.raises(ClaimLost), writing(engine) as session:
        held_job(session, claim)


def test_a_failure_is_retried_after_a_while_and_then_given_up(engine: Engine) -> None:
    job_id = add_job(engine, max_attempts=2)
    for attempt, state in ((1, State.QUEUED), (2, State.FAILED)):
        claim = claim_job(engine, job_id, State.QUEUED, 60)
        assert claim is not None
        assert claim.attempt == attempt
        assert fail_attempt(engine, claim, KeyError("SECRET^NAME")) is state
        assert claim_job(engine, job_id, State.QUEUED, 60) is None
        with writing(engine) as session:
            session.get_one(Job, job_id).not_before = None
    job = job_of(engine, job_id)
    assert (job.status, job.reason_code) == (Status.FAILED, ReasonCode.INTERNAL_ERROR)
    assert job.reason_text is not None
    assert job.reason_text.startswith("KeyError")
    assert "SECRET" not in job.reason_text


def test_try_again_later_waits_and_ends_as_attempts_exhausted(engine: Engine) -> None:
    job_id = add_job(engine, max_attempts=1)
    claim = claim_job(engine, job_id, State.QUEUED, 60)
    assert claim is not None
    fail_attempt(engine, claim, TryAgainLater(ReasonCode.MODEL_UNAVAILABLE, "no weights yet"))
    job = job_of(engine, job_id)
    assert (job.state, job.reason_code) == (State.FAILED, ReasonCode.ATTEMPTS_EXHAUSTED)
    assert "no weights yet" in (job.reason_text or "")


@pytest.mark.parametrize(
    ("error", "state", "status"),
    [
        (UnsuitableStudy(ReasonCode.LOCALIZER, "a localizer"), State.UNSUITABLE, Status.UNSUITABLE),
        (QuarantinedInput(ReasonCode.PIXELS_NOT_DECODABLE, "cut off"), State.QUARANTINED, Status.FAILED),
    ],
)
def test_what_never_helps_is_not_retried(
    engine: Engine, error: UnsuitableStudy | QuarantinedInput, state: State, status: Status
) -> None:
    job_id = add_job(engine)
    claim = claim_job(engine, job_id, State.QUEUED, 60)
    assert claim is not None
    assert fail_attempt(engine, claim, error) is state
    job = job_of(engine, job_id)
    assert (job.status, job.reason_code, job.reason_text) == (status, error.reason.code, error.reason.text)
    assert job.lease_until is None


def test_work_that_kills_every_worker_is_given_up_before_it_starts_again(engine: Engine) -> None:
    job_id = add_job(engine, attempts=3, max_attempts=3)
    assert claim_job(engine, job_id, State.QUEUED, 60) is None
    job = job_of(engine, job_id)
    assert (job.state, job.reason_code) == (State.FAILED, ReasonCode.ATTEMPTS_EXHAUSTED)


def test_a_person_may_requeue_a_failed_job_and_a_stored_result_is_kept(engine: Engine) -> None:
    fresh = add_job(engine, state=State.FAILED.value, attempts=3, status="failed", part="a")
    stored = add_job(engine, state=State.FAILED.value, attempts=3, status="failed", part="b", result="{}")
    assert requeue(engine, fresh) is State.QUEUED
    assert requeue(engine, stored) is State.INFERRED
    assert job_of(engine, fresh).attempts == 0
    with pytest.raises(IllegalTransition):
        requeue(engine, fresh)


@pytest.mark.parametrize("before", State)
def test_every_step_outside_the_state_machine_raises(before: State) -> None:
    for after in State:
        job = Job(state=before.value)
        if after in TRANSITIONS[before]:
            job.move(after)
            assert job.state == after
        else:
            with pytest.raises(IllegalTransition, match=after.value):
                job.move(after)


def test_the_state_machine_leads_everywhere_and_out_of_every_claim() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(DELIVERY_TRANSITIONS) == set(DeliveryState)
    reachable = {State.RECEIVED}
    while more := {after for state in reachable for after in TRANSITIONS[state]} - reachable:
        reachable |= more
    assert reachable == set(State)


def test_back_off_doubles_up_to_an_hour() -> None:
    assert [back_off(5, n).total_seconds() for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert back_off(5, 1000) == timedelta(hours=1)


def test_only_a_dead_process_of_this_machine_counts_as_dead() -> None:
    place = worker_name().rpartition("/")[0]
    assert lives(worker_name())
    assert not lives(f"{place}/{2**22 + 1}")
    assert lives(f"another-machine/pid:[1]/{2**22 + 1}")
