"""Lateral films to train with, straight from the simulator: small pictures, each with the truth beside it.

``python -m numbering.pipelines.sagittal_xray.learning.simulate --out DIR --films 1200 --first-seed 1`` writes
``images/*.png`` and one JSON a film: ``levels`` and ``spacing_mm`` as every labelled film has them, and of simulated
ones ``vertebrae`` (all of them, also those out of view, with ordinals and ribs), ``s1``, and who was simulated. A run
that was broken off goes on where it was; the same arguments write the same films.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.film import Film
from numbering.phantom.imaging.film.exposure import WHITE, exposures
from numbering.phantom.imaging.film.position import FieldOfView
from numbering.phantom.imaging.film.truth import describe
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.splits import refuse_reserved
from numbering.phantom.truth.film import TrueImage
from numbering.pipelines.judging.patients import OVERSAMPLED, Person, shape_name

LONGEST: dict[FieldOfView, int] = {"lumbar": 640, "whole-spine": 960}
"""Pixels of a film's longer side: about the pitch of the crops of the small size."""
SET_UPS: tuple[FieldOfView, ...] = ("lumbar", "whole-spine", "lumbar")
"""Of one patient; the last one is of either field."""
EXPOSURES, CROPPED = 2, 0.4
"""Films from one set-up, exposed and processed otherwise, and the share of the later ones that keep only a part."""
OVERSAMPLED_SHARE = 0.35
"""Share of patients with one of these; the others are drawn from the population."""
BEYOND_SHARE, BEYOND_MOST = 0.5, 1.0
"""Share of films set up, exposed and processed beyond what is found in any department, and how far beyond."""


def person(seed: int, shapes: Sequence[str]) -> Person:
    """Draw shapes and anomaly of the patient of this seed; ``ReservedPatient`` when it may not train."""
    rng = np.random.default_rng([seed, 60])
    source = shapes[int(rng.integers(len(shapes)))]
    chosen = OVERSAMPLED[int(rng.integers(len(OVERSAMPLED)))] if rng.random() < OVERSAMPLED_SHARE else None
    refuse_reserved(f"seed {seed}", seed, shape_name(source))
    return Person(seed=seed, anomaly=chosen, shapes=source)


def films_of(who: Person, set_ups: Sequence[int]) -> Iterator[tuple[str, Film, dict[str, Any]]]:
    """The films of some of the patient's `SET_UPS`: name, film, and what is true of it."""
    if not set_ups:
        return
    skeleton = pose(sample(who.seed, who.anomaly))
    structures = scene(skeleton, shape_source(who.shapes), who.seed)
    for number in set_ups:
        rng = np.random.default_rng([who.seed, 61, number])
        field = SET_UPS[number]
        if number == len(SET_UPS) - 1 and rng.random() < 0.4:
            field = "whole-spine"
        beyond = float(rng.uniform(0, BEYOND_MOST)) if rng.random() < BEYOND_SHARE else 0.0
        films = exposures(
            skeleton, structures, "lateral", field, rng,
            films=EXPOSURES, cropped=CROPPED, longest=LONGEST[field], beyond=beyond,
        )  # fmt: skip
        for name, film in zip(names_of(who.seed, number), films, strict=True):
            yield name, film, truth_of(skeleton, film, who)


def names_of(seed: int, set_up: int) -> list[str]:
    """Names of the films of one set-up."""
    return [f"{seed:06d}-{set_up}{'abcdefgh'[exposure]}" for exposure in range(EXPOSURES)]


def truth_of(skeleton: Skeleton, film: Film, who: Person) -> dict[str, Any]:
    """The JSON beside a film."""
    true = describe(skeleton, film, sop_instance_uid="", file="")
    return {
        "levels": _labelled(true),
        "spacing_mm": list(true.spacing_mm),
        "seed": who.seed,
        "shapes": who.source,
        "anomalies": list(skeleton.patient.anomalies),
        "variant": str(skeleton.patient.variant),
        "field_of_view": true.field_of_view,
        "lowest_ordinal": skeleton.vertebrae[-1].vertebra.ordinal,
        "sacrum_in_view": true.sacrum_in_view,
        "s1": true.s1,
        "field_corners": film.field_corners.round(2).tolist(),
        "vertebrae": [
            one.model_dump(include={"ordinal", "level", "rib_bearing", "corners", "box", "in_view"})
            for one in true.vertebrae
        ],
        "angles": {angle.name: angle.value for angle in true.angles},
    }


def _labelled(true: TrueImage) -> dict[str, Any]:
    """The corners of what is in view by name, as a reader would label the film."""
    found: dict[str, Any] = {one.level: one.corners for one in true.vertebrae if one.in_view}
    if true.sacrum_in_view:
        found["S1"] = true.s1
    return found


def simulate(out: Path, films: int, first_seed: int, shapes: Sequence[str] = ("procedural",)) -> None:
    """Write films until ``films`` of the patients from ``first_seed`` on are there."""
    patients = -(-films // (len(SET_UPS) * EXPOSURES))
    for index in range(patients):
        who = person(first_seed + index, shapes)
        missing = [
            number
            for number in range(len(SET_UPS))
            if not all((out / f"{name}.json").exists() for name in names_of(who.seed, number))
        ]
        for name, film, truth in films_of(who, missing):
            save_film(out, name, film, truth)
        sys.stderr.write(f"{index + 1}/{patients} patients\n")


def save_film(out: Path, name: str, film: Film, truth: dict[str, Any]) -> None:
    """Write one film of the layout. The JSON comes last and whole: a film that has one is done."""
    grey = (film.pixels.astype(np.float32) * (255 / WHITE) + 0.5).astype(np.uint8)
    (out / "images").mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(out / "images" / f"{name}.png")
    temporary = out / f"{name}.tmp"
    temporary.write_text(json.dumps(truth, separators=(",", ":")))
    temporary.replace(out / f"{name}.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="numbering.pipelines.sagittal_xray.learning.simulate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--films", type=int, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these")
    asked = parser.parse_args(arguments)
    simulate(asked.out, asked.films, asked.first_seed, asked.shapes)


if __name__ == "__main__":
    main()
