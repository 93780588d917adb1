"""Questions that may never be answered: each is asked by one thread at a time, and who comes meanwhile shares it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One that was asked: when (by the monotonic clock), and what will be answered."""

    since: float
    answer: Future[str]


class Questions:
    """Those that are open, by name."""

    def __init__(self) -> None:
        self._open: dict[str, Question] = {}
        self._lock = threading.Lock()

    def ask(self, name: str, answered: Callable[[], str]) -> Question:
        """The question of this name that is still open, else a new one, which ``answered`` (never raising) answers."""
        with self._lock:
            question = self._open.get(name)
            if question is None or question.answer.done():
                question = Question(time.monotonic(), Future())
                asking = threading.Thread(
                    target=lambda answer: answer.set_result(answered()), args=(question.answer,), daemon=True
                )
                asking.start()
                self._open[name] = question
            return question
