"""A thread beside the assembler that looks for priors and fetches them, one at a time, so that numbering never waits.

The rows are its work list; it needs no bell. A study's priors are no hurry, and one association at a time is what an
archive in clinical use can be asked to bear.
"""

from __future__ import annotations

import threading

from numbering.jobs import priors
from numbering.jobs.node import Node
from numbering.jobs.prior_steps import work_on
from numbering.logs import logger

LOOK_SECONDS = 1.0
OUTAGE_SECONDS = 5.0
STOP_SECONDS = 5.0

log = logger(__name__)


class PriorRoom:
    """The thread. `stop` breaks off what it does; the row then waits for the next start."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="priors", daemon=True)

    def start(self) -> None:
        """Begin, if the settings name a source."""
        if self._node.settings.priors_source:
            self._thread.start()

    def stop(self) -> None:
        """Break off, and wait a moment for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        down = False
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                wait = 0.0 if self._once() else min(LOOK_SECONDS, self._node.settings.sweep_seconds)
                down = False
            except Exception as error:  # noqa: BLE001 - the database is out of reach: ask again
                if not down:
                    log.error("priors are interrupted; they go on when the fault is mended", error=error)
                down, wait = True, OUTAGE_SECONDS

    def _once(self) -> bool:
        """Work on one row; whether there was one."""
        priors.take_back(self._node.engine, self._node.settings)
        row = priors.due(self._node.engine)
        if row is None:
            return False
        work_on(self._node, row, cancelled=self._stopping)
        return True
