"""Clock, queue and pause for pynetdicom's threads that do not ask a thousand times a second."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from pynetdicom.timer import Timer

LONGEST_WAIT_SECONDS = 0.5
"""However long there is nothing to do, a thread looks up after this."""


class MonotonicTimer(Timer):
    """pynetdicom's timer, by a clock that nobody sets."""

    def start(self) -> None:
        """Start anew."""
        self._start_time, self._end_time = time.monotonic(), None

    def stop(self) -> None:
        """Stop."""
        self._start_time = None

    @property
    def remaining(self) -> float:
        """Seconds until it expires; 1 where it never does."""
        if self.timeout is None:
            return 1
        if self._start_time is None:
            return self.timeout
        return self.timeout - (time.monotonic() - self._start_time)


class Telling(queue.Queue):
    """A queue that says when something was put into it."""

    def __init__(self, news: threading.Event) -> None:
        super().__init__()
        self._news = news

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put it there, and say so."""
        super().put(item, block, timeout)
        self._news.set()


class Checkpoint(threading.Event):
    """pynetdicom's pause of an association's thread, which also waits for news instead of asking all the time."""

    def __init__(self, news: threading.Event) -> None:
        super().__init__()
        self._news = news

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for news, then as long as the pause lasts."""
        self._news.wait(LONGEST_WAIT_SECONDS)
        self._news.clear()
        return super().wait(timeout)

    def set(self) -> None:
        """End the pause."""
        self._news.set()
        super().set()
