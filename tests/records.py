"""What tests of a node's records do again and again: number a film, let the node settle, look at its jobs."""

from __future__ import annotations

import json
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select

from numbering.jobs import steps
from numbering.jobs.models import Job
from numbering.jobs.states import State
from numbering.jobs.store import reading
from numbering.jobs.sweeper import sweep
from numbering.record.model import Place
from tests.house import House


def numbered(house: House, **options: object) -> Path:
    """A film that the node has numbered, objects and all."""
    film = house.film(**options)
    house.receive(film)
    house.assemble()
    house.work()
    return film


def settle(house: House) -> None:
    """What the sweeper and the workers would do by themselves."""
    sweep(house.node)
    with reading(house.node.engine) as session:
        waiting = session.scalars(select(Job.id).where(Job.state == State.INFERRED)).all()
    for job_id in waiting:
        steps.encode_job(house.node, job_id)


def jobs(house: House) -> list[Job]:
    with reading(house.node.engine) as session:
        found = list(session.scalars(select(Job).order_by(Job.study_uid, Job.revision)))
        for job in found:
            _ = job.objects, job.images
        session.expunge_all()
    return found


def objects(house: House, job: Job) -> dict[str, Path]:
    return {row.kind: house.node.path(row.path) for row in job.objects}


def names(job: Job) -> list[str]:
    return [one["level"] for one in json.loads(job.result or "")["findings"]["vertebrae"]]


def middle(film: Path) -> Place:
    """Where the stub finds its L5."""
    header = dcmread(film, stop_before_pixels=True)
    return Place(sop_instance_uid=header.SOPInstanceUID, x=header.Columns * 0.5, y=header.Rows * 0.5)
