"""Celery's tasks: the three steps under the names that the bell rings. They never raise; the row tells what failed."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from numbering.jobs.app import DELIVER, ENCODE, NUMBER
from numbering.jobs.node import Node
from numbering.jobs.steps import deliver_object, encode_job, number_job
from numbering.logs import logger

log = logger(__name__)

STEPS: dict[str, Callable[[Node, str], None]] = {NUMBER: number_job, ENCODE: encode_job, DELIVER: deliver_object}


def register(app: Celery, node: Node) -> None:
    """Add the tasks of this node to its Celery application."""
    for name, step in STEPS.items():
        app.task(name=name, ignore_result=True)(_task(step, node, name))


def _task(step: Callable[[Node, str], None], node: Node, name: str) -> Callable[[str], None]:
    def run(row_id: str) -> None:
        try:
            step(node, row_id)
        except Exception as error:  # noqa: BLE001 - the database is out of reach: the sweeper will ring again
            log.error("a step could not reach its row", task=name, row=row_id, error=error)

    return run
