"""A line to each destination: a thread that sends what is due there, so that a slow destination delays no other.

The bell wakes a line; it looks by itself as well, so that a dead broker, a pause that is over or a restarted process
need nobody to tell.
"""

from __future__ import annotations

import threading
import time

from numbering.dicom.outgoing.deliver import check
from numbering.jobs.commitments import ask_due, forget_old
from numbering.jobs.deliveries import work_waits
from numbering.jobs.delivering import deliver_due
from numbering.jobs.node import Node
from numbering.logs import logger

STOP_SECONDS = 8.0
"""A line that is asked to stop finishes the object that it is sending; then it is left behind."""
OUTAGE_SECONDS = 2.0
TIDY_SECONDS = 86400.0

log = logger(__name__)


class Lines:
    """The lines of one process."""

    def __init__(self, node: Node) -> None:
        self._node, self._stopping = node, threading.Event()
        self._lines = {each.name: Line(node, each.name, self._stopping) for each in node.settings.every_destination}

    def start(self) -> None:
        """Start a thread for each destination; what is wrong with one is logged, and stops no other."""
        for name, line in self._lines.items():
            line.start()
            destination = self._node.settings.destination(name)
            try:
                if destination is not None:
                    check(destination.peer)
            except ValueError as error:
                log.error("a destination cannot be used", destination=name, reason=str(error))

    def wake(self, destination: str) -> None:
        """Something waits for this destination; one that is no longer in the settings has no line."""
        line = self._lines.get(destination)
        if line is not None:
            line.woken.set()

    def stop(self) -> None:
        """Let every line finish what it is doing."""
        self._stopping.set()
        for line in self._lines.values():
            line.woken.set()
        until = time.monotonic() + STOP_SECONDS
        for line in self._lines.values():
            if line.is_alive():
                line.join(max(0.0, until - time.monotonic()))


class Line(threading.Thread):
    """See the module."""

    def __init__(self, node: Node, destination: str, stopping: threading.Event) -> None:
        super().__init__(name=f"to-{destination}", daemon=True)
        self._node, self._destination, self._stopping = node, destination, stopping
        self.woken = threading.Event()

    def run(self) -> None:
        """Serve the destination until told to stop."""
        down, tidied = False, -TIDY_SECONDS
        while not self._stopping.is_set():
            self.woken.wait(self._node.settings.sweep_seconds)
            self.woken.clear()
            try:
                self._serve()
                if time.monotonic() - tidied > TIDY_SECONDS:
                    forget_old(self._node)
                    tidied = time.monotonic()
                down = False
            except Exception as error:  # noqa: BLE001 - the database is out of reach: the rows wait there
                if not down:
                    log.error("delivery is interrupted; it goes on when the fault is mended", error=error)
                down = True
                self._stopping.wait(OUTAGE_SECONDS)

    def _serve(self) -> None:
        node, name = self._node, self._destination
        while self._goes_on() and work_waits(node.engine, name):
            sent = deliver_due(node, name, self._goes_on)
            asked = self._goes_on() and ask_due(node, name, lambda: self._goes_on() and not self.woken.is_set())
            if not sent and not asked:
                break

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()
