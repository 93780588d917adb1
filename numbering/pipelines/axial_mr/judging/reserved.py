"""Axial MR series of simulated patients that never train, to calibrate and to judge with.

``python -m numbering.pipelines.axial_mr.judging.reserved --out DIR --split test --anatomy normal --patients 100``
writes of each patient an axial series and a sagittal one as an ``.npz``, with the truth in a JSON beside it: a stack
along each disc or a block, T2 or T1, in turn, as machines of these ``--styles`` make them. External series are those of
shapes and of equipment that are kept from training (``--shapes atlas:…/morphable --styles fairhaven-2``). A run that
was broken off goes on where it was; the same arguments write the same series.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.mr.protocol import Layout, Protocol, Weighting
from numbering.phantom.imaging.mr.protocol import sample as sample_protocol
from numbering.phantom.pose import pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.splits import reserved, split_of
from numbering.phantom.styles import STYLES
from numbering.phantom.truth.mr import describe
from numbering.phantom.visits import record
from numbering.pipelines.judging.patients import ANATOMIES, SPLITS, Person, person

PIXELS = 320
"""Most pixels of a side, unless asked otherwise: finer than the small network's picture, and quicker than 512."""
SAGITTAL_SLICES = 9
KINDS: tuple[tuple[Layout, Weighting], ...] = (
    ("parallel", "T2"),
    ("block", "T2"),
    ("parallel", "T1"),
    ("block", "T1"),
)
"""What each patient is scanned with, in turn."""


def trained_styles() -> tuple[str, ...]:
    """Equipment that is not kept from training."""
    held = {name for names in reserved().styles.values() for name in names}
    return tuple(name for name in STYLES if name not in held)


def protocols(seed: int, index: int, style: str, pixels: int) -> dict[str, Protocol]:
    """The axial series of this patient, and the sagittal one from the same machine."""
    layout, weighting = KINDS[index % len(KINDS)]
    rng = np.random.default_rng([seed, 81])
    axial = sample_protocol(rng, "axial", weighting, style=style, layout=layout)
    sagittal = sample_protocol(rng, "sagittal", "T2", style=style, field=axial.field_tesla)
    return {
        "axial": replace(axial, reconstructed=min(axial.reconstructed, pixels)),
        "sagittal": replace(sagittal, reconstructed=min(sagittal.reconstructed, pixels), slices=SAGITTAL_SLICES),
    }


def write_study(out: Path, who: Person, index: int, style: str, pixels: int) -> bool:
    """Write the patient's study unless it is there; whether it was written."""
    name = f"{who.seed:06d}-{who.source}-{style}"
    if (out / f"{name}.npz").exists():
        return False
    from numbering.phantom.imaging.mr.acquire import acquire

    patient = sample(who.seed, who.anomaly)
    skeleton = pose(patient, "supine")
    structures = scene(skeleton, shape_source(who.shapes), who.seed)
    (visit,) = record(patient, ["mr"], style=style)
    arrays: dict[str, Any] = {}
    truth = None
    for number, (plane, protocol) in enumerate(protocols(who.seed, index, style, pixels).items(), 1):
        series = acquire(skeleton, structures, protocol, who.seed % 1000 + number)
        described = describe(
            visit, skeleton, series, series_instance_uid="", frame_of_reference_uid="",
            sop_instance_uids=[f"1.2.{number}.{slice_ + 1}" for slice_ in range(len(series.slices))], folder="",
        )  # fmt: skip
        arrays[plane] = np.stack([one.pixels for one in series.slices])
        arrays[f"{plane}_affines"] = np.array([one.affine for one in described.slices])
        truth = truth or described
    assert truth is not None
    facts = {
        "seed": who.seed,
        "shapes": who.source,
        "styles": [style],
        "anomalies": list(patient.anomalies),
        "variant": str(patient.variant),
        "mr": truth.model_dump(mode="json"),
    }
    save_study(out / f"{name}.npz", arrays, facts)
    return True


def save_study(path: Path, arrays: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write one study of the layout. The ``.npz`` comes last and whole: a study that has one is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(facts, separators=(",", ":")))
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    temporary.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parser = argparse.ArgumentParser(prog="numbering.pipelines.axial_mr.judging.reserved", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(SPLITS), required=True)
    parser.add_argument("--anatomy", choices=ANATOMIES, required=True)
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first patient")
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these, in turn")
    parser.add_argument("--styles", nargs="+", default=list(trained_styles()), help="equipment, in turn")
    parser.add_argument("--pixels", type=int, default=PIXELS, help="of an image's side, at most")
    asked = parser.parse_args(arguments)
    pairs = list(product(asked.shapes, asked.styles))
    for index in range(asked.first, asked.first + asked.patients):
        shapes, style = pairs[index % len(pairs)]
        who = person(index, asked.split, asked.anatomy, shapes)
        if split_of(who.seed, who.source, [style]) != SPLITS[asked.split]:
            parser.error(f"--styles {style} is kept from {asked.split}: leave it out")
        write_study(asked.out, who, index, style, asked.pixels)
        sys.stderr.write(f"patient {index}, seed {who.seed}\n")


if __name__ == "__main__":
    main()
