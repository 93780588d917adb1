"""Lateral films of simulated patients whose networks know the truth, with faults where a test asks for them.

Nothing is drawn: a film is a beam and a blank picture, for the networks look at where a canvas lies, not at its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.film.exposure import Film
from numbering.phantom.imaging.film.position import FieldOfView, Wander, aim
from numbering.phantom.imaging.film.truth import describe
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.truth.film import TrueImage
from numbering.pipelines.sagittal_xray.levels import SACRUM, channels
from numbering.pipelines.sagittal_xray.reading.eyes import Canvas, CloserLook, WholeLook, seen
from numbering.pipelines.sagittal_xray.sizes import SIZES
from numbering.study import Radiograph

SPACING = 0.8
"""mm at the detector: coarse, for nothing is drawn."""


@dataclass(frozen=True, eq=False)
class TrueFilm:
    """A film, its truth, and what channel each vertebra in view has. ``turns`` as in `Film.turned`."""

    film: Radiograph
    truth: TrueImage
    skeleton: Skeleton
    seen: dict[int, np.ndarray]
    ribs: dict[int, bool]
    turns: int = 0

    @property
    def named(self) -> dict[str, np.ndarray]:
        """True corners by true name, of what is in view."""
        found = {one.level: np.array(one.corners) for one in self.truth.vertebrae if one.in_view}
        return found | ({"S1": np.array(self.truth.s1)} if self.truth.sacrum_in_view else {})

    @property
    def angles(self) -> dict[str, float]:
        return {one.name: one.value for one in self.truth.angles}


def true_film(
    seed: int = 3,
    anomaly: str = "none",
    field_of_view: FieldOfView = "lumbar",
    *,
    mirrored: bool = False,
    turns: int = 0,
    spacing_mm: tuple[float, float] | None = None,
    calibrated: bool = False,
    cut: float = 1.0,
    above: int = 0,
    change: Callable[[Skeleton], Skeleton] = lambda skeleton: skeleton,
) -> TrueFilm:
    """A lateral film. ``cut`` keeps so much of its height, ``above`` adds so many rows; ``turns`` it is turned last by
    so many quarter turns counter-clockwise."""
    skeleton = change(pose(sample(seed, anomaly)))
    rng = np.random.default_rng([seed, 7])
    beam = aim(skeleton, "lateral", field_of_view, rng, pitch=SPACING, wander=Wander())
    beam = replace(beam, rows=round(beam.rows * cut) + above, corner=beam.corner - beam.down * above * beam.pitch)
    field_corners = np.array([[-0.5, -0.5], [beam.columns - 0.5, -0.5], [beam.columns - 0.5, beam.rows - 0.5],
                              [-0.5, beam.rows - 0.5]])  # fmt: skip
    film = Film(
        pixels=_picture(beam.rows, beam.columns), beam=beam, view="lateral", field_of_view=field_of_view,
        field_corners=field_corners, kvp=85.0, mas=20.0, magnification=1.2, look="plain", burned_in=False,
    )  # fmt: skip
    if mirrored:
        film = film.mirrored()
    upright = describe(skeleton, film, sop_instance_uid="1.2.3", file="film.dcm")
    for _ in range(turns):
        film = film.turned()
    truth = describe(skeleton, film, sop_instance_uid="1.2.3", file="film.dcm") if turns else upright
    radiograph = Radiograph(
        sop_instance_uid="1.2.3", frame=None, pixels=film.pixels.astype(np.float32), spacing_mm=spacing_mm,
        calibrated=calibrated,
    )  # fmt: skip
    # The simulator measures the slope against the picture's horizontal; the film's is that of the upright one.
    truth = truth.model_copy(update={"angles": upright.angles})
    in_view = [one for one in upright.vertebrae if one.in_view]
    places = channels(in_view, upright.vertebrae[-1].ordinal, sacrum_in_view=upright.sacrum_in_view)
    corners = {k: np.array(one.corners) for k, one in zip(places, in_view, strict=True) if k is not None}
    ribs = {k: one.rib_bearing for k, one in zip(places, in_view, strict=True) if k is not None}
    if upright.sacrum_in_view:
        corners[SACRUM], ribs[SACRUM] = np.array(upright.s1), False
    return TrueFilm(radiograph, truth, skeleton, corners, ribs, turns)


def _picture(rows: int, columns: int) -> np.ndarray:
    """Something that no shutter finder cuts."""
    y, x = np.mgrid[:rows, :columns]
    return ((x * 7 + y * 13) % 4096).astype(np.uint16)


@dataclass
class TrueEyes:
    """Networks that know the truth: heat maps around it, wide ones where a canvas shows nothing.

    ``missed`` channels are not seen by step I; ``blind`` neither by step II. ``shift`` moves corners in step II by
    channel, film pixels, ``first`` those of step I; ``wide`` widens the heat maps of a channel. ``ribs`` overrides.
    ``sees`` moves what step I calls the bodies: channel to channel; ``ghosts`` are bodies ``(4, 2)`` that only it sees.
    """

    film: TrueFilm
    missed: Sequence[int] = ()
    blind: Sequence[int] = ()
    shift: dict[int, np.ndarray] = field(default_factory=dict)
    first: dict[int, np.ndarray] = field(default_factory=dict)
    wide: dict[int, float] = field(default_factory=dict)
    ribs: dict[int, float] = field(default_factory=dict)
    sees: dict[int, int] = field(default_factory=dict)
    ghosts: dict[int, np.ndarray] = field(default_factory=dict)
    sure: float = 6.0
    size = replace(SIZES["small"], pixels=256, crop=64)

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        return [self._whole(canvas) for canvas in canvases]

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        return [self._closer(canvas) for canvas in canvases]

    def _upright(self, canvas: Canvas) -> bool:
        return (canvas.turns + self.film.turns) % 4 == 0

    def _whole(self, canvas: Canvas) -> WholeLook:
        rows, columns = canvas.pixels.shape
        heat = np.full((24, 4, rows // 4, columns // 4), 1 / (rows // 4 * (columns // 4)))
        logits = np.full(24, -self.sure)
        if self._upright(canvas):
            for k, corners in self.film.seen.items():
                if k in self.missed or k in self.blind:
                    continue
                at = self.sees.get(k, k)
                logits[at] = self.sure
                moved = corners + self.first.get(k, np.zeros(2))
                for j, corner in enumerate(canvas.to_canvas(moved)):
                    heat[at, j] = _blob(heat.shape[2:], (rows, columns), corner, 1.2 * self.wide.get(k, 1.0))
            for k, corners in self.ghosts.items():
                logits[k] = self.sure
                for j, corner in enumerate(canvas.to_canvas(corners)):
                    heat[k, j] = _blob(heat.shape[2:], (rows, columns), corner, 1.2)
        return WholeLook(1 / (1 + np.exp(-logits)), *seen(canvas, heat))

    def _closer(self, canvas: Canvas) -> CloserLook:
        rows, columns = canvas.pixels.shape
        heat = np.full((4, rows // 2, columns // 2), 4 / (rows * columns))
        shown = {k: canvas.to_canvas(corners) for k, corners in self.film.seen.items() if k not in self.blind}
        middle = np.array([columns - 1, rows - 1]) / 2
        nearest = min(shown, key=lambda k: float(np.linalg.norm(shown[k].mean(0) - middle)), default=None)
        if nearest is None or not self._upright(canvas):
            return CloserLook(*seen(canvas, heat), rib=0.0, body=-5.0)
        if np.linalg.norm(shown[nearest].mean(0) - middle) > 0.25 * columns:
            return CloserLook(*seen(canvas, heat), rib=0.0, body=-5.0)
        moved = self.film.seen[nearest] + self.shift.get(nearest, np.zeros(2))
        for j, corner in enumerate(canvas.to_canvas(moved)):
            heat[j] = _blob(heat.shape[1:], (rows, columns), corner, 0.8 * self.wide.get(nearest, 1.0))
        rib = self.ribs.get(nearest, self.sure if self.film.ribs[nearest] else -self.sure)
        return CloserLook(*seen(canvas, heat), rib=rib, body=self.sure)


def _blob(cells: Sequence[int], canvas: tuple[int, int], corner: np.ndarray, sd: float) -> np.ndarray:
    """A heat map with its middle at a point of the canvas, ``sd`` in cells."""
    rows, columns = cells
    at_x, at_y = (corner[0] + 0.5) * columns / canvas[1] - 0.5, (corner[1] + 0.5) * rows / canvas[0] - 0.5
    across, down = (
        np.exp(-((np.arange(n) - at) ** 2) / (2 * sd**2)) + 1e-20 for n, at in ((columns, at_x), (rows, at_y))
    )
    heat = np.outer(down, across)
    return heat / heat.sum()


def names_of(film: TrueFilm) -> list[str]:
    """The true names in view, head to foot."""
    return list(film.named)
