"""A pipeline that needs no weights: it finds one L5 in the middle of each film, and tells a file that it ran.

While a file called ``gate`` lies beside that file it waits, so that a test can kill its worker in the middle of a job;
while one called ``fault`` lies there it breaks with a patient's name on its lips.
Run as a program it is a room of a node whose AP pipeline is this one. Where a file of findings is named, the node has a
lateral pipeline too, which finds just these; where a folder of them is, also those of CT and axial MR.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from numbering import pipelines
from numbering.pipelines.ap_xray.card import CARD
from numbering.pipelines.axial_mr.card import CARD as AXIAL_MR
from numbering.pipelines.ct.card import CARD as CT
from numbering.pipelines.sagittal_xray.card import CARD as SAGITTAL_XRAY
from numbering.result import Findings, ModelIdentity, NumberingBasis, Status, Vertebra
from numbering.stack import Stack
from numbering.study import Radiograph

RUNS = "STUB_RUNS"
"""Environment variable: the file that gets a line for each film read."""
LATERAL = "STUB_LATERAL"
"""Environment variable: the file of `Findings` that the lateral pipeline gives for whatever it is given."""
VOLUMES = "STUB_VOLUMES"
"""Environment variable: the folder of the `Findings` that the pipelines of volumes give, each named by its pipeline."""
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


class LateralStub(Stub):
    """Gives the findings of a file."""

    def number(self, images: Sequence[Radiograph]) -> Findings:
        return Findings.model_validate_json(Path(os.environ[LATERAL]).read_text())


class CtStub(Stub):
    """Gives the findings of a file."""

    def number(self, images: Sequence[Stack]) -> Findings:
        assert all(image.modality == "CT" for image in images)
        return Findings.model_validate_json((Path(os.environ[VOLUMES]) / "ct.json").read_text())


class AxialMrStub(Stub):
    """Gives the findings of a file."""

    def number(self, images: Sequence[Stack]) -> Findings:
        assert all(image.modality == "MR" for image in images)
        return Findings.model_validate_json((Path(os.environ[VOLUMES]) / "axial-mr.json").read_text())


def use_stub() -> None:
    """Have this process load the stubs in place of the networks. Before anything that routes is imported."""
    object.__setattr__(CARD, "path", "tests.stub_pipeline:Stub")
    if LATERAL in os.environ:
        object.__setattr__(SAGITTAL_XRAY, "path", "tests.stub_pipeline:LateralStub")
        pipelines.CARDS = (CARD, SAGITTAL_XRAY)
    if VOLUMES in os.environ:
        for card, name in ((CT, "CtStub"), (AXIAL_MR, "AxialMrStub")):
            object.__setattr__(card, "path", f"tests.stub_pipeline:{name}")
        pipelines.CARDS = (*pipelines.CARDS, CT, AXIAL_MR)


if __name__ == "__main__":
    use_stub()
    from numbering.jobs.rooms import main

    main(sys.argv[1])
