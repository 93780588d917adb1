"""What the series of one study share: the patient of the day in a posture, and the scene around the skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from numbering.phantom.pose import Posture, Skeleton, pose
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.grid import Bounds
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.source import ShapeSource
from numbering.phantom.visits import Visit


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A study about to be made."""

    visit: Visit
    skeleton: Skeleton
    source: ShapeSource
    device: str
    film_pixels: int | None
    """Of a film's longer side, computed coarsely; None: full size."""
    ct_region: str | None
    """What a CT scans; None: drawn."""
    folder: str
    """Where its files go, below the patient's folder; empty or with a slash at its end."""

    def structures(self, *, region: Bounds | None = None, arms: bool = False) -> list[Structure]:
        """The scene in painting order."""
        return scene(self.skeleton, self.source, self.visit.patient.seed, region=region, arms=arms)

    def rng(self, *series: int) -> np.random.Generator:
        """A generator for one series of the study."""
        return np.random.default_rng([*self.visit.seed, *series])


def stage(
    visit: Visit,
    source: ShapeSource,
    device: str,
    *,
    film_pixels: int | None,
    ct_region: str | None,
    several: bool,
) -> Stage:
    """Set up a study: films standing, CT and MR supine. ``several``: the record has several visits, a folder each."""
    posture: Posture = "standing" if visit.kind == "films" else "supine"
    folder = f"visit-{visit.number}/" if several else ""
    return Stage(
        visit=visit,
        skeleton=pose(visit.patient, posture),
        source=source,
        device=device,
        film_pixels=film_pixels,
        ct_region=ct_region,
        folder=folder,
    )


@cache
def shape_source(shapes: str) -> ShapeSource:
    """``procedural``, or ``atlas:DIR/NAME`` for the meshes of a folder; ``ValueError`` says what was expected."""
    kind, _, place = shapes.partition(":")
    if shapes == "procedural":
        from numbering.phantom.shapes.procedural import Procedural

        return Procedural()
    folder, name = Path(place).parent, Path(place).name
    if kind != "atlas" or not name:
        raise ValueError(f"no shapes {shapes!r}: expected procedural or atlas:DIR/NAME")
    if not folder.is_dir():
        raise ValueError(f"shapes {shapes!r}: there is no folder {folder}")
    from numbering.phantom.shapes.atlas import Atlas, AtlasError

    try:
        return Atlas(folder, name)
    except AtlasError as error:
        raise ValueError(f"shapes {shapes!r}: {error}") from error
