"""A lease is renewed while its work goes on, so that a CT of minutes is not given to a second worker.

Only the work's own process renews: when it dies, or hangs for longer than any job may take, the lease runs out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine, update
from sqlalchemy.exc import SQLAlchemyError

from numbering.jobs.claims import Claim
from numbering.jobs.models import Job, now
from numbering.jobs.states import CLAIMED
from numbering.jobs.store import writing
from numbering.logs import logger

log = logger(__name__)

RENEWALS = 3
"""Renewals a lease: two may fail before it runs out."""


@contextmanager
def renewed(engine: Engine, claim: Claim, lease_seconds: float, longest_seconds: float) -> Iterator[None]:
    """Renew the lease of a claimed job until the block ends, at most for ``longest_seconds``."""
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(engine, claim, lease_seconds, longest_seconds, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(engine: Engine, claim: Claim, lease_seconds: float, longest_seconds: float, over: threading.Event) -> None:
    began = time.monotonic()
    while not over.wait(lease_seconds / RENEWALS):
        if time.monotonic() - began > longest_seconds:
            log.warning("a job takes longer than any may; its lease runs out", job=claim.id, seconds=longest_seconds)
            return
        try:
            if not _extended(engine, claim, lease_seconds):
                return
        except SQLAlchemyError as error:  # the database is away: the next renewal may reach it
            log.warning("a lease was not renewed", job=claim.id, error=error)


def _extended(engine: Engine, claim: Claim, lease_seconds: float) -> bool:
    """False when the claim is no longer the current one."""
    mine = update(Job).where(Job.id == claim.id, Job.token == claim.token, Job.state.in_(CLAIMED.values()))
    with writing(engine) as session:
        found = session.execute(mine.values(lease_until=now() + timedelta(seconds=lease_seconds)))
        return bool(found.rowcount)  # type: ignore[attr-defined]
