"""A job that takes longer than its lease is renewed while its worker works, and no longer than any job may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from numbering.jobs.claims import Claim, abandoned, claim_job
from numbering.jobs.leases import renewed
from numbering.jobs.models import Job, now
from numbering.jobs.states import State
from numbering.jobs.store import connect, reading, writing
from numbering.uids import random_uid
from tests.databases import BOTH, database

LEASE = 0.6


@pytest.fixture(scope="module", params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database(request.param, tmp_path_factory.mktemp("leases")) as engine:
        yield engine


@pytest.fixture
def claim(engine: Engine) -> Claim:
    with writing(engine) as session:
        job = Job(
            study_uid="1.2",
            series_uid=random_uid(),
            part="ct",
            modality="CT",
            state=State.QUEUED.value,
            input_digest="0" * 64,
        )
        session.add(job)
        session.flush()
        identifier = job.id
    claim = claim_job(engine, identifier, State.QUEUED, LEASE)
    assert claim is not None
    return claim


def lost(engine: Engine, claim: Claim) -> bool:
    with reading(engine) as session:
        return abandoned(session.get_one(Job, claim.id))


def wait_until_lost(engine: Engine, claim: Claim) -> bool:
    deadline = time.monotonic() + 20
    while not lost(engine, claim) and time.monotonic() < deadline:
        time.sleep(0.05)
    return lost(engine, claim)


def test_a_lease_is_renewed_while_the_work_goes_on_and_runs_out_after_it(engine: Engine, claim: Claim) -> None:
    with writing(engine) as session:  # as if most of the lease were over
        session.execute(update(Job).where(Job.id == claim.id).values(lease_until=now() - timedelta(seconds=1)))
    assert lost(engine, claim)
    with renewed(engine, claim, LEASE, 60):
        deadline = time.monotonic() + 20
        while lost(engine, claim) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not lost(engine, claim)
    assert wait_until_lost(engine, claim)


def test_work_that_hangs_loses_its_lease_in_the_end(engine: Engine, claim: Claim) -> None:
    with renewed(engine, claim, LEASE, LEASE):
        assert wait_until_lost(engine, claim)


def test_a_claim_that_somebody_else_holds_now_is_not_renewed(engine: Engine, claim: Claim) -> None:
    with writing(engine) as session:
        session.execute(update(Job).where(Job.id == claim.id).values(token=claim.token + 1))
    with renewed(engine, claim, LEASE, 60):
        assert wait_until_lost(engine, claim)


def test_work_that_fails_fails_as_it_did(engine: Engine, claim: Claim) -> None:
    with pytest.raises(RuntimeError, match="broken"), renewed(engine, claim, LEASE, 60):
        raise RuntimeError("broken")


def test_a_database_that_is_away_ends_no_work(claim: Claim, tmp_path: Path) -> None:
    away = connect(f"sqlite:///{tmp_path}/nothing.db")
    with renewed(away, claim, 0.1, 60):
        time.sleep(0.3)
    away.dispose()
