"""A node's room whose AP pipeline needs no weights: it finds one fixed L5 on any film.

``python -m tests.stand_in ROOM`` runs a room so. For what is about the service and not about the numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import time
from collections.abc import Sequence

import numbering.pipelines
from numbering.result import Findings, ModelIdentity, NumberingBasis, Status, Vertebra
from numbering.study import Radiograph

PROGRAM = (sys.executable, "-m", "tests.stand_in")
"""For `numbering.jobs.serve.serve`."""
SECONDS = 0.05


class FixedL5:
    """A pipeline that takes `SECONDS` and always sees the same."""

    identity = ModelIdentity(
        name="stand-in",
        version="1",
        weights_file="none",
        weights_sha256=hashlib.sha256(b"").hexdigest(),
        trained_on="nothing",
        runtime="none",
    )

    def __init__(self, device: str, threads: int) -> None:
        self.settings: dict[str, str] = {"box": "fixed"}

    def number(self, images: Sequence[Radiograph]) -> Findings:
        """One L5 in the lower middle of the first film."""
        time.sleep(SECONDS)
        film = images[0]
        rows, columns = film.pixels.shape
        found = Vertebra(
            level="L5",
            probability=0.9,
            sop_instance_uid=film.sop_instance_uid,
            frame=film.frame,
            box=(0.4 * columns, 0.7 * rows, 0.6 * columns, 0.8 * rows),
        )
        basis = NumberingBasis(counted_from="nothing", statement="A fixed answer, for tests of the service.")
        return Findings(status=Status.NUMBERED, vertebrae=(found,), basis=basis)


def main() -> None:
    """Run the named room with the stand-in in place of the AP pipeline's code."""
    cards = [dataclasses.replace(card, path="tests.stand_in:FixedL5") for card in numbering.pipelines.CARDS]
    vars(numbering.pipelines)["CARDS"] = tuple(cards)
    from numbering.jobs.rooms import main as run_room

    run_room(sys.argv[1])


if __name__ == "__main__":
    main()
