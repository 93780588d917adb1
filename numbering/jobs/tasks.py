"""Celery's tasks: the steps under the names that the bell rings. They never raise; the row tells what failed."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery, Task
from celery.worker.request import Request

from numbering.jobs.app import DELIVER, ENCODE, NUMBER
from numbering.jobs.lines import Lines
from numbering.jobs.node import Node
from numbering.jobs.steps import encode_job, number_job
from numbering.logs import logger

log = logger(__name__)

STEPS: dict[str, Callable[[Node, str], None]] = {NUMBER: number_job, ENCODE: encode_job}


class _Message(Request):
    """A message whose acknowledgement fails aloud, so that the worker connects again.

    Celery only logs that, goes on counting the message as unacknowledged, and with a prefetch of one never takes
    another: a broker that was restarted in the middle of a job would have silenced its worker.
    """

    def acknowledge(self) -> None:
        """Acknowledge, or raise one of the transport's connection errors, which the consumer mends."""
        if not self.acknowledged:
            self.acknowledged = True
            self.message.ack()


class _Task(Task):
    """A task whose messages are such."""

    Request = f"{__name__}:_Message"


def register(app: Celery, node: Node, lines: Lines) -> None:
    """Add the tasks of this node to its Celery application; what is to be delivered wakes the destination's line."""
    steps = {**STEPS, DELIVER: lambda _node, destination: lines.wake(destination)}
    for name, step in steps.items():
        app.task(name=name, ignore_result=True, base=_Task)(_task(step, node, name))


def _task(step: Callable[[Node, str], None], node: Node, name: str) -> Callable[[str], None]:
    def run(row_id: str) -> None:
        try:
            step(node, row_id)
        except Exception as error:  # noqa: BLE001 - the database is out of reach: the sweeper will ring again
            log.error("a step could not reach its row", task=name, row=row_id, error=error)

    return run
