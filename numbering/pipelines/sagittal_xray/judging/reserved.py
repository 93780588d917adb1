"""Films of simulated patients that never train, to calibrate and to judge with: seeds and shapes of ``splits.json``.

``python -m numbering.pipelines.sagittal_xray.judging.reserved --out DIR --split test --patients 100 --anatomy normal``
writes the layout of `simulate`, two films a patient, as departments take them and not beyond. A run that was broken off
goes on where it was; the same arguments write the same films.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.film import expose
from numbering.phantom.imaging.film.position import FieldOfView
from numbering.phantom.imaging.film.truth import describe
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.pipelines.judging.patients import ANATOMIES, SPLITS, Person, person
from numbering.pipelines.sagittal_xray.judging.cases import read_as
from numbering.pipelines.sagittal_xray.learning.simulate import save_film, truth_of

FIELDS: tuple[FieldOfView, ...] = ("lumbar", "whole-spine")
LONGEST: dict[FieldOfView, int] = {"lumbar": 768, "whole-spine": 1152}
"""Pixels of a film's longer side: finer than films that train, coarser than an archive's, which cost ten times more."""


def write_films(out: Path, who: Person) -> int:
    """Write those of the patient's films that are missing; how many."""
    names = {field: f"{who.seed:06d}-{who.source}-{field}" for field in FIELDS}
    missing = [field for field in FIELDS if not (out / f"{names[field]}.json").exists()]
    if not missing:
        return 0
    skeleton = pose(sample(who.seed, who.anomaly))
    structures = scene(skeleton, shape_source(who.shapes), who.seed)
    for field in missing:
        rng = np.random.default_rng([who.seed, 62, FIELDS.index(field)])
        film = expose(skeleton, structures, "lateral", field, rng, longest=LONGEST[field])
        save_film(out, names[field], film, truth_of(skeleton, film, who) | _justified(skeleton, film))
    return len(missing)


def _justified(skeleton: Skeleton, film: Any) -> dict[str, Any]:
    return {"read_as": read_as(describe(skeleton, film, sop_instance_uid="", file="").model_dump())}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="numbering.pipelines.sagittal_xray.judging.reserved", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(SPLITS), required=True)
    parser.add_argument("--anatomy", choices=ANATOMIES, required=True)
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first patient")
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these, in turn")
    asked = parser.parse_args(arguments)
    for index in range(asked.first, asked.first + asked.patients):
        who = person(index, asked.split, asked.anatomy, asked.shapes[index % len(asked.shapes)])
        write_films(asked.out, who)
        sys.stderr.write(f"patient {index}, seed {who.seed}\n")


if __name__ == "__main__":
    main()
