"""Structured fuzzing (Hypothesis) of what listens: ``python -m benchmarks.faults.structured …``.

Run by ``benchmarks/fuzz.py``. Each round has a process of its own and its own seed, so a round is repeated by it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.faults.found import record
from benchmarks.faults.receiver import Conversation, Seed, conversations, running_receiver

ROUND = 150
"""Examples of one round."""


def receiver_round(state: Path, number: int) -> int:
    """One round against a receiver; how many conversations were held."""
    files = [path.read_bytes() for path in sorted((state / "seeds").iterdir())]
    films = [film for film in map(Seed.of, files) if film is not None]
    held = 0
    with running_receiver() as receiver:
        before = receiver.usage()

        @seed(number)
        @settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(conversations(films))
        def talk(conversation: Conversation) -> None:
            nonlocal held
            held += 1
            try:
                receiver.talk(conversation)
            except Exception as error:
                record(state / "crashes", "receiver", conversation.written(), error)
                raise

        try:
            talk()
            receiver.check_usage(before)
        except AssertionError as error:
            record(state / "crashes", "receiver", repr(number).encode(), error)
    return held


ROUNDS = {"receiver": receiver_round}


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
