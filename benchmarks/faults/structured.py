"""Structured fuzzing (Hypothesis) of what listens: ``python -m benchmarks.faults.structured …``.

Run by ``benchmarks/fuzz.py``. Each round has a process of its own and its own seed, so a round is repeated by it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from benchmarks.faults.found import record
from benchmarks.faults.receiver import Seed, conversations, running_receiver
from benchmarks.faults.stow import posts, running_target

ROUND = 150
"""Examples of one round."""
SETTLE_SECONDS = 3.0


OPTIONS = settings(
    max_examples=ROUND, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def receiver_round(state: Path, number: int) -> int:
    """One round against a receiver; how many conversations were held."""
    films = [film for film in map(Seed.of, _seeds(state)) if film is not None]
    with running_receiver() as receiver:
        held = _round(state, "receiver", number, conversations(films), receiver.talk)
        time.sleep(SETTLE_SECONDS)
        before = receiver.usage()  # with all that it opens once
        held += _round(state, "receiver", -number, conversations(films), receiver.talk)
        try:
            receiver.check_usage(before)
        except AssertionError as error:
            record(state / "crashes", "receiver-usage", repr(number).encode(), error)
    return held


def stow_round(state: Path, number: int) -> int:
    """One round against the STOW-RS endpoint; how many requests were made."""
    with tempfile.TemporaryDirectory() as folder, running_target(Path(folder)) as target:
        return _round(state, "stow", number, posts(_seeds(state)), target.post)


def _round(state: Path, name: str, number: int, examples: SearchStrategy[Any], once: Callable[[Any], None]) -> int:
    held = 0

    @seed(number)
    @OPTIONS
    @given(examples)
    def run(example: Any) -> None:
        nonlocal held
        held += 1
        try:
            once(example)
        except Exception as error:
            record(state / "crashes", name, example.written(), error)
            raise

    with suppress(Exception):  # recorded above
        run()
    return held


def _seeds(state: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((state / "seeds").iterdir())]


ROUNDS = {"receiver": receiver_round, "stow": stow_round}


def main(name: str, state: Path, seconds: int, first: int) -> None:
    """Rounds of this target for so long."""
    deadline = time.monotonic() + seconds
    examples, number = 0, first
    while time.monotonic() < deadline:
        examples += ROUNDS[name](state, number)
        number += 1
    print(f"stat::number_of_executed_units: {examples}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
