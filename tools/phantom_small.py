"""Small pictures of simulated patients in every view, with the truth drawn on them, for contact sheets: seconds each.

    python -m tools.phantom_small PATIENTS --count 24 --seed 0
    python -m tools.phantom_pages PATIENTS --out docs/pictures/phantom

The same patients, scenes, physics and truth as ``numbering phantom``, but no files of images: films of few pixels, one
slice and one painted plane of a CT, one slice of a sagittal MR series, one axial slice a disc. Pictures that are there
are kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.phantom import preview
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.generate import Order
from numbering.phantom.imaging.ct.acquire import acquire as acquire_ct
from numbering.phantom.imaging.ct.hounsfield import Phase
from numbering.phantom.imaging.ct.protocol import EXTENTS, sample_protocol
from numbering.phantom.imaging.ct.training import volume as training_ct
from numbering.phantom.imaging.film.position import FIELDS_OF_VIEW, FieldOfView
from numbering.phantom.imaging.film.position import View as FilmView
from numbering.phantom.imaging.mr.acquire import acquire as acquire_mr
from numbering.phantom.imaging.mr.protocol import Weighting
from numbering.phantom.imaging.mr.protocol import sample as sample_mr
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.produce.films import film_series
from numbering.phantom.produce.stage import Stage, stage
from numbering.phantom.scene.grid import Bounds
from numbering.phantom.scene.structure import Grid, Structure
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.truth.mr import TrueMr
from numbering.phantom.truth.mr import describe as describe_mr
from numbering.phantom.visits import Visit

VIEWS = ("ap", "lateral", "ct", "axial-mr", "sagittal-mr")
AXIAL_PIXELS, UPRIGHT_PIXELS = 118, 220
"""Rows of the pictures of one slice."""


@dataclass(frozen=True, kw_only=True)
class Kept(Stage):
    """A stage whose scene is built once, for this study and the others of the same posture."""

    scenes: dict[str, list[Structure]]

    def structures(self, *, region: Bounds | None = None, arms: bool = False) -> list[Structure]:
        """As `Stage.structures`; arms are left out, for they are never in these pictures."""
        posture = "standing" if self.visit.kind == "films" else "supine"
        if posture not in self.scenes:
            self.scenes[posture] = super().structures()
        return self.scenes[posture]


def film(study: Kept, view: FilmView, field: FieldOfView) -> Image.Image:
    """A film of few pixels."""
    return next(film_series(study, view, field)).preview


def ct(study: Kept) -> Image.Image:
    """A slice through L3 as the scanner gives it; beside it the spine's sagittal plane, painted without a scanner."""
    skeleton, seed = study.skeleton, int(study.rng(1).integers(1 << 31))
    drawn = sample_protocol(study.rng(0), "lumbar")
    ends, extent = [skeleton.height(19), skeleton.height(25)], EXTENTS["lumbar"]
    middle = float(third_lumbar(skeleton)[2])
    protocol = replace(
        drawn,
        shift_mm=(middle + 3 - ends[0] - extent.above_mm, middle - 3 - ends[1] + extent.below_mm),
        slice_mm=3.0,
        increment_mm=3.0,
        matrix=320,
        field_mm=360.0,
        oblique=(0.0, 0.0),
        tilt=0.0,
    )
    slices = acquire_ct(skeleton, study.structures(), protocol, seed).hu
    axial = preview.Picture(preview.grey(slices[len(slices) // 2], -250, 600), height=AXIAL_PIXELS)
    axial.word((2, 2), "L3", preview.LOWEST)
    return preview.beside([sagittal_ct(study, seed, drawn.phase), axial.image])


def third_lumbar(skeleton: Skeleton) -> Array:
    """The middle of L3, which every variant has."""
    return next(placed.frame.centre for placed in skeleton.vertebrae if str(placed.vertebra.level) == "L3")


def sagittal_ct(study: Kept, seed: int, phase: Phase) -> Image.Image:
    """The plane through the middle of L3, 1 mm pixels, bodies' corners and names on it."""
    skeleton = study.skeleton
    x, y, _ = third_lumbar(skeleton)
    low, high = np.array([x - 0.5, y - 70, -70]), np.array([x + 0.5, y + 95, skeleton.height(18)])
    grid = Grid.upright(np.array([low, high]), 1.0)
    hu, _ = training_ct(skeleton, study.structures(), grid, seed, phase=phase, noise_hu=25.0)
    plane = hu[:, :, 0].numpy()[::-1]
    picture = preview.Picture(preview.grey(plane, -300, 800), height=UPRIGHT_PIXELS)
    inverse = np.linalg.inv(grid.affine)
    for placed in skeleton.vertebrae:
        corners = placed.sagittal_corners()
        index = (inverse[:3, :3] @ corners.T).T + inverse[:3, 3]
        shown = [(float(column), float(len(plane) - 1 - row)) for row, column, _ in index]
        lowest = placed.vertebra.ordinal == max(one.vertebra.ordinal for one in skeleton.vertebrae)
        colour = preview.LOWEST if lowest else preview.CORNERS
        picture.outline(shown, colour)
        picture.word(shown[1], str(placed.vertebra.level), colour, right=6)
    return picture.image


def mr(study: Kept, plane: Literal["sagittal", "axial"], weighting: Weighting) -> Image.Image:
    """The middle slice of a sagittal series, or a slice along each disc."""
    protocol = sample_mr(study.rng(0), plane, weighting, style=study.visit.style, layout="parallel")
    series = acquire_mr(study.skeleton, study.structures(), replace(protocol, slices=1), study.visit.patient.seed)
    truth = describe_mr(
        study.visit,
        study.skeleton,
        series,
        series_instance_uid="",
        frame_of_reference_uid="",
        sop_instance_uids=[str(index) for index in range(len(series.slices))],
        folder="",
    )
    if plane == "sagittal":
        return sagittal_mr(series.slices[0].pixels, truth)
    pictures = []
    for one, told in zip(series.slices, truth.slices, strict=True):
        picture = preview.Picture(preview.grey(one.pixels), height=AXIAL_PIXELS)
        picture.word((2, 2), told.disc or "", preview.LOWEST)
        pictures.append(picture.image)
    return preview.sheet(pictures[-4:], 2)


def sagittal_mr(pixels: NDArray[np.uint16], truth: TrueMr) -> Image.Image:
    """The slice with the bodies' corners and names."""
    picture = preview.Picture(preview.grey(pixels), height=UPRIGHT_PIXELS)
    for vertebra in truth.vertebrae:
        if vertebra.corners is not None:
            picture.outline(vertebra.corners)
            picture.word(vertebra.corners[1], vertebra.level, right=6)
    return picture.image


def pictures(seed: int, views: Sequence[str], film_pixels: int) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    """Each picture's name, and what draws it."""
    order = Order(views=VIEWS, fields_of_view=FIELDS_OF_VIEW, rendering=("small",))
    scenes: dict[str, list[Structure]] = {}

    def kept(visit: Visit) -> Kept:
        made = stage(visit, Procedural(), "cpu", film_pixels=film_pixels, ct_region="lumbar", several=False)
        return Kept(**vars(made), scenes=scenes)

    studies = {visit.kind: kept(visit) for visit in order.studies(sample(seed))}
    if "ct" in views:
        yield "ct", partial(ct, studies["ct"])
    if "sagittal-mr" in views:
        yield "mr-sagittal-T2", partial(mr, studies["mr"], "sagittal", "T2")
    if "axial-mr" in views:
        yield "mr-axial-T2", partial(mr, studies["mr"], "axial", "T2")
    for field in FIELDS_OF_VIEW:
        if "ap" in views:
            yield f"ap-{field}", partial(film, studies["films"], "AP", field)
        if "lateral" in views:
            yield f"lateral-{field}", partial(film, studies["films"], "lateral", field)


def main() -> int:
    """Draw what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--film-pixels", type=int, default=320)
    parser.add_argument("--views", default=",".join(VIEWS))
    options = parser.parse_args()
    for index in range(options.count):
        folder = options.patients / f"patient-{index:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in pictures(options.seed + index, options.views.split(","), options.film_pixels):
            path = folder / f"{name}.png"
            if not path.exists():
                begin = time.process_time()
                draw().save(path)
                print(f"{path}: {time.process_time() - begin:.1f} processor seconds", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
