"""CT to train with, straight from the simulator on the working grid: one volume a patient, and its labels.

``python -m numbering.pipelines.ct.learning.simulate --out DIR --patients 300 --first-seed 1`` writes of each patient
``<seed>_ct.nii.gz`` (int16 HU, without noise), ``<seed>_seg.nii.gz`` (VerSe's numbers; organs from 40 on; `LAST_RIB`)
and ``<seed>.json`` (who was simulated, and the vertebrae). A volume covers all that a scan of the trunk could; samples
are cut from it. A run that was broken off goes on where it was; the same arguments write the same files.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct.nifti import nifti
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.table import table
from numbering.phantom.imaging.ct.training import volume
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.grid import Grid
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.ribs import rib_path
from numbering.phantom.splits import refuse_reserved

LAST_RIB = 110
"""Label of the ribs of the last thoracic vertebra; the other ribs keep the phantom's."""
STEP_HU = 4
"""HU are stored in steps of this, which halves the files; noise of a scan is larger."""
TOPS = ((2.0, 0.25), (8.0, 0.35), (12.0, 0.4))
"""Where volumes begin (ordinal of the usual spine: C2, T1, T5), and how many of them."""
ABOVE_MM, BELOW_MM = 25.0, 110.0
"""Beyond the first vertebra, and below the upper endplate of the sacrum."""
HALF_WIDTH_MM, BEHIND_MM = 205.0, 25.0
"""Left and right of the spine; behind the skin (a table lies there)."""
WITH_TABLE, WITH_ARMS = 0.7, 0.1
OVERSAMPLED = (
    "L6", "L4", "T13", "T11", "T11-L6", "T13-L4", "lumbarisation", "castellvi-IIIb", "castellvi-IV", "squared-s1",
    "absent-rib-12", "lumbar-rib", "wedge-fracture", "biconcave-fracture", "wedge-fracture+L6", "spondylolisthesis",
    "block-vertebra", "hemivertebra", "severe-scoliosis", "pedicle-screws", "cage", "cement", "sacralisation",
)  # fmt: skip
OVERSAMPLED_SHARE = 0.4
"""Share of patients with one of these; the others are drawn from the population."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who is simulated."""

    seed: int
    anomaly: str | None
    shapes: str


@dataclass(frozen=True)
class Drawn:
    """A volume as it is written: HU int16 and labels uint8 ``[slice, row, column]`` (slices from head to foot, rows to
    the back, columns to the left), ``affine`` index → mm LPS, and the content of the JSON."""

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    truth: dict[str, Any]


def person(seed: int, shapes: Sequence[str]) -> Person:
    """Draw shapes and anomaly of the patient of this seed; ``ReservedPatient`` when it may not train."""
    rng = np.random.default_rng([seed, 70])
    source = shapes[int(rng.integers(len(shapes)))]
    chosen = OVERSAMPLED[int(rng.integers(len(OVERSAMPLED)))] if rng.random() < OVERSAMPLED_SHARE else None
    refuse_reserved(f"seed {seed}", seed, shape_name(source))
    return Person(seed=seed, anomaly=chosen, shapes=source)


def shape_name(shapes: str) -> str:
    """``atlas:/some/where/spl`` → ``spl``: no path goes into the truth."""
    return shapes if shapes == "procedural" else Path(shapes.partition(":")[2]).name


def draw(who: Person, spacing_mm: float) -> Drawn:
    """The volume of a patient, from a vertebra at the top to the middle of the pelvis."""
    rng = np.random.default_rng([who.seed, 71])
    skeleton = pose(sample(who.seed, who.anomaly), "supine")
    structures = scene(skeleton, shape_source(who.shapes), who.seed, arms=bool(rng.random() < WITH_ARMS))
    top = float(rng.choice([one for one, _ in TOPS], p=[share for _, share in TOPS]))
    grid = _grid(skeleton, structures, top, spacing_mm)
    if rng.random() < WITH_TABLE:
        middle = float(grid.affine[2, 3]) + grid.shape[0] * spacing_mm / 2
        kind = Protocol(table="cradle" if rng.random() < 0.5 else "single")
        structures = [*table(kind, structures, 0.0, (middle - 100, middle + 100)), *structures]
    hu, labels = (one.numpy() for one in volume(skeleton, structures, grid, [who.seed, 72], noise_hu=0.0))
    _tell_last_ribs(labels, grid, skeleton)
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (grid.shape[0] - 1)
    affine[:3, 0] *= -1
    stepped = (np.round(hu[::-1] / STEP_HU) * STEP_HU).clip(-1024, 3071).astype(np.int16)
    return Drawn(stepped, np.ascontiguousarray(labels[::-1]), affine, _truth(who, skeleton))


def _grid(skeleton: Skeleton, structures: Sequence[Structure], top: float, spacing_mm: float) -> Grid:
    """Upright, around the trunk as wide as a scanner's field of view."""
    skin = [one.bounds for one in structures if one.label in (Label.SKIN, Label.FAT)]
    x = float(skeleton.at(20.0)[0])
    high = float(skeleton.at(top)[2]) + ABOVE_MM
    low = float(skeleton.sacrum.centre[2]) - BELOW_MM
    sides = np.array(skin)
    return Grid.upright(
        np.array(
            [
                [max(x - HALF_WIDTH_MM, sides[:, 0, 0].min()), sides[:, 0, 1].min(), low],
                [min(x + HALF_WIDTH_MM, sides[:, 1, 0].max()), sides[:, 1, 1].max() + BEHIND_MM, high],
            ]
        ),
        spacing_mm,
    )


def _tell_last_ribs(labels: NDArray[np.uint8], grid: Grid, skeleton: Skeleton) -> None:
    """Relabel what lies nearer to the ribs of the last thoracic vertebra than to any other rib."""
    thoracic = [one for one in skeleton.vertebrae if one.vertebra.level.region == "T"]
    paths: list[NDArray[np.float64]] = []
    last: list[NDArray[np.bool_]] = []
    for placed in skeleton.vertebrae:
        for side in (-1.0, 1.0):
            path = rib_path(skeleton, placed, side, pitch_mm=4.0)
            if path is not None:
                paths.append(path)
                last.append(np.full(len(path), placed is thoracic[-1]))
    index = np.argwhere((labels == Label.RIB_RIGHT) | (labels == Label.RIB_LEFT))
    if not paths or not len(index):
        return
    _, nearest = cKDTree(np.concatenate(paths)).query(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])
    found = index[np.concatenate(last)[nearest]]
    labels[tuple(found.T)] = LAST_RIB


def _truth(who: Person, skeleton: Skeleton) -> dict[str, Any]:
    variant = skeleton.patient.variant
    return {
        "seed": who.seed,
        "shapes": shape_name(who.shapes),
        "anomalies": list(skeleton.patient.anomalies),
        "variant": {"thoracic": variant.thoracic, "lumbar": variant.lumbar},
        "vertebrae": [
            {
                "ordinal": placed.vertebra.ordinal,
                "level": str(placed.vertebra.level),
                "label": vertebra_label(placed.vertebra.level),
                "rib_bearing": placed.vertebra.rib_bearing,
                "centre_mm": placed.frame.centre.round(2).tolist(),
            }
            for placed in skeleton.vertebrae
        ],
    }


def save(out: Path, name: str, drawn: Drawn) -> None:
    """Write one volume of the layout. The JSON comes last and whole: a volume that has one is done."""
    out.mkdir(parents=True, exist_ok=True)
    for kind, array in (("ct", drawn.hu), ("seg", drawn.labels)):
        (out / f"{name}_{kind}.nii.gz").write_bytes(nifti(array, drawn.affine))
    temporary = out / f"{name}.tmp"
    temporary.write_text(json.dumps(drawn.truth, separators=(",", ":")))
    temporary.replace(out / f"{name}.json")


def simulate(
    out: Path, patients: int, first_seed: int, shapes: Sequence[str] = ("procedural",), spacing_mm: float = 2.0
) -> None:
    """Write the volumes of so many patients from ``first_seed`` on that are not there yet."""
    for index in range(patients):
        who = person(first_seed + index, shapes)
        name = f"{who.seed:06d}"
        if not (out / f"{name}.json").exists():
            save(out, name, draw(who, spacing_mm))
        sys.stderr.write(f"{index + 1}/{patients} patients\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="numbering.pipelines.ct.learning.simulate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these")
    parser.add_argument("--spacing-mm", type=float, default=2.0, help="of the size's working grid: small 2, paper 1")
    asked = parser.parse_args(arguments)
    simulate(asked.out, asked.patients, asked.first_seed, asked.shapes, asked.spacing_mm)


if __name__ == "__main__":
    main()
