"""A pipeline that needs no weights: it finds one L5 in the middle of each film, and tells a file that it ran.

While a file called ``gate`` lies beside that file it waits, so that a test can kill its worker in the middle of a job;
while one called ``fault`` lies there it breaks with a patient's name on its lips.
Run as a program it is a room of a node whose AP pipeline is this one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from numbering.pipelines.ap_xray.card import CARD
from numbering.result import Findings, ModelIdentity, NumberingBasis, Status, Vertebra
from numbering.study import Radiograph

RUNS = "STUB_RUNS"
"""Environment variable: the file that gets a line for each film read."""
SECONDS = "STUB_SECONDS"
"""Environment variable: how long reading a film takes; nothing when absent."""


class Stub:
    """See the module."""

    identity = ModelIdentity(
        name="stub",
        version="1",
        weights_file="none",
        weights_sha256="0" * 64,
        trained_on="nothing: finds the middle of the picture",
        runtime="Python",
    )
    settings: dict[str, str] = {}

    def __init__(self, device: str = "auto", threads: int = 0) -> None:
        del device, threads

    def number(self, images: Sequence[Radiograph]) -> Findings:
        time.sleep(len(images) * float(os.environ.get(SECONDS, 0)))
        runs = os.environ.get(RUNS)
        if runs:
            with Path(runs).open("a") as file:
                file.writelines(f"{image.name} {os.getpid()}\n" for image in images)
            while (Path(runs).parent / "gate").exists():
                time.sleep(0.02)
            if (Path(runs).parent / "fault").exists():
                raise ArithmeticError("SECRET^NAME, born 19010203")
        return Findings(
            status=Status.NUMBERED,
            vertebrae=tuple(_l5(image) for image in images),
            basis=NumberingBasis(counted_from="appearance", statement="Presumed L5, by appearance."),
        )


def _l5(image: Radiograph) -> Vertebra:
    rows, columns = image.pixels.shape
    box = (columns * 0.3, rows * 0.4, columns * 0.7, rows * 0.6)
    return Vertebra(level="L5", probability=0.9, sop_instance_uid=image.sop_instance_uid, frame=image.frame, box=box)


def use_stub() -> None:
    """Have this process load the stub in place of the AP pipeline's network."""
    object.__setattr__(CARD, "path", "tests.stub_pipeline:Stub")


if __name__ == "__main__":
    from numbering.jobs.rooms import main

    use_stub()
    main(sys.argv[1])
