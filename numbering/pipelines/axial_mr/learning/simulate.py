"""Axial MR slices to train with, straight from the simulator: one picture a series, its slices below each other.

``python -m numbering.pipelines.axial_mr.learning.simulate --out DIR --patients 200 --first-seed 1`` writes
``images/*.png`` and one JSON a series. Of each patient there are stacks along discs and a block of slices, both in two
contrasts painted at once, and a few slices from elsewhere. A run that was broken off goes on where it was; the same
arguments write the same files. Several runs may share a folder if their seeds do not overlap.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.mr import protocol as protocols
from numbering.phantom.imaging.mr.acquire import MrSeries, MrSlice, acquire_together
from numbering.phantom.imaging.mr.levels import DiscPlace, discs
from numbering.phantom.imaging.mr.planes import Planned, block, plan, stacks
from numbering.phantom.imaging.mr.protocol import Protocol, Randomisation, Weighting
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.produce.stage import shape_source
from numbering.phantom.scene.build import scene
from numbering.phantom.splits import refuse_reserved, styles_for
from numbering.pipelines.axial_mr.classes import NONE, POSITIONS, class_of
from numbering.pipelines.judging.patients import Person, shape_name

WHAT = ("stacks", "block", "elsewhere")
CONTRASTS = {"stacks": 2, "block": 2, "elsewhere": 1}
PIXEL_MM = 0.9
"""Of the stored slices: finer than the network's pictures of the small size, coarser than a hospital's."""
SAMPLED_MM = (0.85, 1.25)
"""What is acquired is as coarse as this, which costs a third."""
WHITE_PERCENTILE = 99.8
"""What becomes 255 in a picture, slice by slice."""
BEYOND_SHARE = 0.5
"""Share of series whose contrast, sharpness and shading go beyond what machines do."""
OVERSAMPLED = (
    "L6", "L4", "T13", "T11", "T11-L6", "T13-L4", "lumbarisation", "sacralisation", "castellvi-IIb", "castellvi-IIIb",
    "castellvi-IV", "squared-s1", "absent-rib-12", "degenerated-discs", "spondylolisthesis", "wedge-fracture",
    "block-vertebra", "scoliosis", "severe-scoliosis", "osteophytes", "pedicle-screws", "cage",
)  # fmt: skip
OVERSAMPLED_SHARE = 0.3
"""Share of patients with one of these; the others are drawn from the population."""


def person(seed: int, shapes: Sequence[str]) -> Person:
    """Draw shapes and anomaly of the patient of this seed; ``ReservedPatient`` when it may not train."""
    rng = np.random.default_rng([seed, 70])
    source = shapes[int(rng.integers(len(shapes)))]
    chosen = OVERSAMPLED[int(rng.integers(len(OVERSAMPLED)))] if rng.random() < OVERSAMPLED_SHARE else None
    refuse_reserved(f"seed {seed}", seed, shape_name(source))
    return Person(seed=seed, anomaly=chosen, shapes=source)


def series_of(who: Person, wanted: Sequence[str] = WHAT) -> Iterator[tuple[str, MrSeries, dict[str, Any]]]:
    """Name, series and truth of what is wanted of `WHAT`."""
    if not wanted:
        return
    skeleton = pose(sample(who.seed, who.anomaly), "supine")
    structures = scene(skeleton, shape_source(who.shapes), who.seed)
    for what in wanted:
        rng = np.random.default_rng([who.seed, 71, WHAT.index(what)])
        contrasts, planned = ordered(skeleton, what, rng)
        acquired = acquire_together(skeleton, structures, contrasts, planned, int(rng.integers(1 << 31)))
        for name, series in zip(names_of(who.seed, what), acquired, strict=True):
            yield name, series, truth_of(skeleton, series, who, what)


def names_of(seed: int, what: str) -> list[str]:
    """Names of the series of one set-up, a letter for each contrast."""
    return [f"{seed:06d}-{what}-{'ab'[number]}" for number in range(CONTRASTS[what])]


def ordered(skeleton: Skeleton, what: str, rng: np.random.Generator) -> tuple[list[Protocol], tuple[Planned, ...]]:
    """The protocols of a set-up, and the slices that they share."""
    style = str(rng.choice(styles_for(skeleton.patient.seed)))
    first = _coarse(_drawn(rng, "T2" if rng.random() < 0.8 else "T2 FS", style, what), rng)
    places = discs(skeleton)
    if what == "stacks":
        top = POSITIONS + int(rng.choice([-2, -1, 0, 0, 0, 1, 2]))
        planned = stacks(first, [place for place in places[-top:] if not place.fused], rng)
    elif what == "block":
        first = replace(first, slices=int(rng.integers(14, 25)))
        planned = block(first, places[-int(rng.integers(1, POSITIONS + 2))], rng)
    else:
        first, planned = _elsewhere(skeleton, places, first, rng)
    found = [first]
    if CONTRASTS[what] == 2:
        other = _drawn(rng, "T1" if rng.random() < 0.8 else "STIR", style, what, first.field_tesla)
        found.append(_sampled_as(other, first))
    return [_beyond(one, rng) for one in found], planned


def _drawn(
    rng: np.random.Generator, weighting: Weighting, style: str, what: str, field: float | None = None
) -> Protocol:
    layout: protocols.Layout = "parallel" if what == "stacks" else "block"
    return protocols.sample(rng, "axial", weighting, style=style, layout=layout, field=field)


def _coarse(drawn: Protocol, rng: np.random.Generator) -> Protocol:
    """The same field of view in larger pixels."""
    samples = min(drawn.matrix[0], round(drawn.fov_mm / rng.uniform(*SAMPLED_MM)))
    lines = round(samples * drawn.matrix[1] / drawn.matrix[0])
    return replace(drawn, matrix=(samples, lines), reconstructed=max(samples, round(drawn.fov_mm / PIXEL_MM)))


def _sampled_as(other: Protocol, first: Protocol) -> Protocol:
    """Another contrast on the lattice of the first."""
    return replace(
        other,
        fov_mm=first.fov_mm,
        fov_ratio=first.fov_ratio,
        matrix=first.matrix,
        reconstructed=first.reconstructed,
        readout=first.readout,
        thickness_mm=first.thickness_mm,
        gap_mm=first.gap_mm,
        slices=first.slices,
        oversampling=first.oversampling,
    )


def _beyond(drawn: Protocol, rng: np.random.Generator) -> Protocol:
    contrast, blur, bias, gamma = rng.uniform(0, (0.5, 1.0, 0.7, 0.7))
    if rng.random() >= BEYOND_SHARE:
        return drawn
    return replace(drawn, randomise=Randomisation(contrast=contrast, blur_mm=blur, bias=bias, gamma=gamma))


def _elsewhere(
    skeleton: Skeleton, places: Sequence[DiscPlace], first: Protocol, rng: np.random.Generator
) -> tuple[Protocol, tuple[Planned, ...]]:
    """A few slices that show none of the lumbar discs: of the chest, of the pelvis, or of another orientation."""
    where = rng.choice(["chest", "pelvis", "sagittal", "coronal"], p=[0.4, 0.4, 0.12, 0.08])
    few = replace(first, slices=4)
    if where == "chest":
        return few, block(few, places[-int(rng.integers(POSITIONS + 3, POSITIONS + 10))], rng)
    if where == "pelvis":
        below = places[-1].centre + np.array([0.0, 15.0, -rng.uniform(50, 130)])
        return few, block(few, replace(places[-1], centre=below, axes=np.eye(3)), rng)
    upright = replace(few, plane="sagittal" if where == "sagittal" else "coronal")
    return upright, plan(skeleton, upright, rng)


def truth_of(skeleton: Skeleton, series: MrSeries, who: Person, what: str) -> dict[str, Any]:
    """The JSON beside a picture."""
    protocol = series.protocol
    pixel = round(protocol.pixel_mm, 5)
    return {
        "seed": who.seed,
        "shapes": shape_name(who.shapes),
        "style": protocol.style,
        "anomalies": list(skeleton.patient.anomalies),
        "variant": str(skeleton.patient.variant),
        "what": what,
        "weighting": protocol.weighting,
        "field_tesla": protocol.field_tesla,
        "spacing_mm": [pixel, pixel],
        "thickness_mm": protocol.thickness_mm,
        "slices": [_slice_truth(skeleton, one, protocol.thickness_mm) for one in series.slices],
    }


def _slice_truth(skeleton: Skeleton, one: MrSlice, thickness_mm: float) -> dict[str, Any]:
    """``class`` is what the slice shows on the spine's axis; ``share`` of its thickness lies in the ``nearest`` disc
    (its class); ``offset_mm`` is that disc's distance, towards the head positive. The affine is that of the slice in
    the patient's frame: (slice, row, column, 1) to mm, the slice's column its thickness."""
    level, variant = one.level, skeleton.patient.variant
    place = next((place for place in discs(skeleton) if place.disc == level.nearest), None)
    share = 0.0
    if place is not None and not place.fused:
        share = float(np.clip((place.height_mm / 2 - abs(level.distance_mm)) / thickness_mm + 0.5, 0, 1))
    return {
        "class": class_of(level.disc, variant),
        "nearest": class_of(level.nearest, variant) if place is not None else NONE,
        "share": round(share, 3),
        "disc": str(level.disc) if level.disc else None,
        "vertebra": str(level.vertebra) if level.vertebra else None,
        "offset_mm": None if place is None else round(level.distance_mm, 2),
        "tilt": None if place is None else round(level.tilt, 2),
        "affine": one.affine.round(5).tolist(),
    }


def simulate(out: Path, patients: int, first_seed: int, shapes: Sequence[str] = ("procedural",)) -> None:
    """Write the series of the patients from ``first_seed`` on that are not there yet."""
    for index in range(patients):
        who = person(first_seed + index, shapes)
        missing = [
            what for what in WHAT if not all((out / f"{name}.json").exists() for name in names_of(who.seed, what))
        ]
        for name, series, truth in series_of(who, missing):
            save(out, name, series, truth)
        sys.stderr.write(f"{index + 1}/{patients} patients\n")


def save(out: Path, name: str, series: MrSeries, truth: dict[str, Any]) -> None:
    """Write one series of the layout. The JSON comes last and whole: a series that has one is done."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    strip = np.concatenate([_grey(one.pixels) for one in series.slices])
    Image.fromarray(strip).save(out / "images" / f"{name}.png")
    temporary = out / f"{name}.tmp"
    temporary.write_text(json.dumps(truth, separators=(",", ":")))
    temporary.replace(out / f"{name}.json")


def _grey(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    white = max(1.0, float(np.percentile(pixels, WHITE_PERCENTILE)))
    return np.asarray(np.clip(pixels * (255 / white) + 0.5, 0, 255), np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="numbering.pipelines.axial_mr.learning.simulate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--shapes", nargs="+", default=["procedural"], help="each patient gets one of these")
    asked = parser.parse_args(arguments)
    simulate(asked.out, asked.patients, asked.first_seed, asked.shapes)


if __name__ == "__main__":
    main()
