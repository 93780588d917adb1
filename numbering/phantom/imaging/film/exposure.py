"""Taking a film: set up, project, detect, process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.imaging.film import collimation, markers, stitching
from numbering.phantom.imaging.film.attenuation import Spectrum, spectrum
from numbering.phantom.imaging.film.detector import Detection, exposed, primary, with_noise
from numbering.phantom.imaging.film.geometry import Array, Beam
from numbering.phantom.imaging.film.lineintegrals import Projection, project
from numbering.phantom.imaging.film.look import LOOKS, SPARSE, picture
from numbering.phantom.imaging.film.position import FieldOfView, View, Wander, aim
from numbering.phantom.imaging.film.sampling import Sampling
from numbering.phantom.imaging.film.smooth import blur, enlarged
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.structure import Structure

BITS = 12
WHITE = 2**BITS - 1
PITCHES: dict[FieldOfView, tuple[float, ...]] = {
    "lumbar": (0.139, 0.143, 0.148, 0.15, 0.175, 0.2),
    "whole-spine": (0.2, 0.25, 0.28),
}
"""mm at the detector: DX .139–.148, CR .15–.2; stitched films are stored coarser."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Film:
    """A finished film: ``pixels[row, column]`` uint16 of `BITS` bits, bright means dense, and how it was taken."""

    pixels: NDArray[np.uint16]
    beam: Beam
    view: View
    field_of_view: FieldOfView
    field_corners: Array
    """Corners ``(4, 2)`` of the exposed field, image points; they may lie off the detector."""
    kvp: float
    mas: float
    magnification: float
    """At the middle of the spine in view."""
    look: str
    burned_in: bool
    """Whether words stand in the picture."""

    def shows(self, points: Array) -> bool:
        """Whether all image points ``(n, 2)`` lie on the detector and in the exposed field."""
        return bool(self.beam.contains(points).all()) and collimation.contains(self.field_corners, points)

    def mirrored(self) -> Film:
        """The film flipped left to right; its beam projects to where things are now."""
        corners = self.field_corners * [-1, 1] + [self.beam.columns - 1, 0]
        return replace(
            self, pixels=np.ascontiguousarray(self.pixels[:, ::-1]), beam=self.beam.mirrored(), field_corners=corners
        )

    def turned(self) -> Film:
        """The film turned by a quarter counter-clockwise."""
        corners = self.field_corners[:, ::-1] * [1, -1] + [0, self.beam.columns - 1]
        return replace(
            self, pixels=np.ascontiguousarray(np.rot90(self.pixels)), beam=self.beam.turned(), field_corners=corners
        )


def expose(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    *,
    longest: int | None = None,
    beyond: float = 0.0,
    beam: Beam | None = None,
    device: torch.device | str = "cpu",
) -> Film:
    """Take a film. The same patient, arguments and generator state give the same pixels on the same device.

    ``longest`` is the number of pixels of the longer side: then the quick path is taken, for training. ``beyond`` 0 is
    realistic; above it, set-up, exposure and processing vary that much more than they do in any department. ``beam``
    fixes the geometry instead of drawing it.
    """
    return next(
        exposures(
            skeleton, structures, view, field_of_view, rng, longest=longest, beyond=beyond, beam=beam, device=device
        )
    )


def exposures(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    *,
    films: int = 1,
    cropped: float = 0.0,
    longest: int | None = None,
    beyond: float = 0.0,
    beam: Beam | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Film]:
    """Take ``films`` films from one set-up: as `expose`, but exposed, shuttered and processed otherwise each time.

    Projecting a patient is most of the work, and is done once. ``cropped`` is the share of films, after the first, that
    keep only a part of the detector.
    """
    full = float(rng.choice(PITCHES[field_of_view]))
    wander = Wander().times(1 + beyond)
    beam = beam or _aimed(skeleton, view, field_of_view, rng, wander, full, longest)
    sampling = Sampling.quick(beam.pitch) if longest else Sampling.full(beam.pitch)
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    projection = project(structures, beam, skeleton.patient, sampling, generator)
    for index in range(films):
        part = _part(projection, rng) if index and rng.random() < cropped else projection
        yield _developed(skeleton, part, view, field_of_view, rng, generator, beyond)


def _part(projection: Projection, rng: np.random.Generator) -> Projection:
    """Three quarters and more of the detector along either side."""
    rows, columns = projection.lengths.shape[1:]
    height, width = (int(np.ceil(n * rng.uniform(0.72, 1))) for n in (rows, columns))
    return projection.cropped(
        int(rng.integers(rows - height + 1)), int(rng.integers(columns - width + 1)), height, width
    )


def _aimed(
    skeleton: Skeleton,
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    wander: Wander,
    pitch: float,
    longest: int | None,
) -> Beam:
    beam = aim(skeleton, view, field_of_view, rng, pitch=pitch, wander=wander)
    if longest is None:
        return beam
    factor = longest / max(beam.rows, beam.columns)
    return beam.resampled(max(8, round(beam.rows * factor)), max(8, round(beam.columns * factor)))


def _developed(
    skeleton: Skeleton,
    projection: Projection,
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    generator: torch.Generator,
    beyond: float,
) -> Film:
    """Everything after the projection."""
    beam = projection.beam
    kvp = float(np.round(rng.uniform(75, 92) if view == "AP" else rng.uniform(80, 95)))
    detection = Detection.drawn(rng, view == "lateral")
    spine = np.array([placed.frame.centre for placed in skeleton.vertebrae])
    shutters = collimation.drawn(beam, beam.project(_kept(skeleton, field_of_view)), rng, 0.45)
    mark = markers.lead(view, beam, rng)
    word = markers.burned_in(view, beam, rng)
    name = sorted(LOOKS)[int(rng.integers(len(LOOKS)))]
    look = LOOKS[name].varied(rng, 1 + 2 * beyond)
    if view == "lateral":  # from the loin to the hips the thickness doubles: every maker's program evens that out more
        look = replace(look, slow=0.6 * look.slow, middle=1.2 * look.middle)
    mas = float(np.round(np.exp(rng.normal(3.4, 0.35)), 1))

    signal, tissue = _signal(projection, kvp, detection, shutters, mark, generator)
    signal *= stitching.exposures(beam.rows, beam.pitch, field_of_view, rng).to(signal.device)
    grey = picture(signal, tissue, look, beam.pitch)
    if shutters.outside == "black":
        grey *= shutters.aperture(beam, grey.device)
    if word is not None:
        rows, columns = word.value.shape
        under = grey[word.row : word.row + rows, word.column : word.column + columns]
        torch.maximum(under, torch.as_tensor(word.value, device=grey.device), out=under)
    pixels = grey.mul_(WHITE).add_(0.5).clamp_(0, WHITE).cpu().numpy().astype(np.uint16)
    seen = spine[beam.contains(beam.project(spine))]
    return Film(
        pixels=pixels,
        beam=beam,
        view=view,
        field_of_view=field_of_view,
        field_corners=shutters.corners(beam),
        kvp=kvp,
        mas=mas,
        magnification=float(beam.magnification(seen if len(seen) else spine[-1:]).mean()),
        look=name,
        burned_in=word is not None,
    )


def _signal(
    projection: Projection,
    kvp: float,
    detection: Detection,
    shutters: collimation.Shutters,
    mark: markers.Mark | None,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """What the detector measures under each pixel, and mm of exposed tissue under each `SPARSE`-th one.

    All that is no sharper than the projection's cells is worked out on them; shutters, lead and noise on the pixels.
    """
    beam, factor, lengths = projection.beam, projection.factor, projection.lengths
    rays, device = spectrum(kvp), lengths.device
    body, aperture = lengths[0] + lengths[1], shutters.aperture(beam, device, factor)
    seen = exposed(primary(lengths, rays), body, aperture, detection, beam.pitch * factor)

    def on_film(cells: Tensor) -> Tensor:
        return enlarged(cells.log(), factor, beam.rows, beam.columns).exp_()

    signal = on_film(seen.straight)
    if mark is not None:
        _shade(signal, mark, projection, rays, detection.focal_mm / beam.pitch)
    signal *= shutters.aperture(beam, device)
    signal += on_film(seen.scatter.clamp_min(1e-9))
    every = [torch.arange(0, n, SPARSE, device=device) // factor for n in (beam.rows, beam.columns)]
    tissue = (body * (aperture > 0.5))[every[0][:, None], every[1]]
    return with_noise(signal, seen.chamber, detection, beam.pitch, generator), tissue


def _shade(signal: Tensor, mark: markers.Mark, projection: Projection, rays: Spectrum, focal_px: float) -> None:
    """Lay lead on the detector."""
    factor, (rows, columns) = projection.factor, mark.value.shape
    cells = [
        slice(max(0, at // factor - 2), (at + n) // factor + 3) for at, n in ((mark.row, rows), (mark.column, columns))
    ]
    part = projection.lengths[:, cells[0], cells[1]]
    top, left = mark.row - cells[0].start * factor, mark.column - cells[1].start * factor
    fine = torch.stack([enlarged(one, factor, top + rows, left + columns)[top:, left:] for one in part])
    fine[3] += torch.as_tensor(mark.value, device=fine.device)
    shaded = blur(primary(fine, rays), focal_px)
    signal[mark.row : mark.row + rows, mark.column : mark.column + columns] = shaded


def _kept(skeleton: Skeleton, field_of_view: FieldOfView) -> Array:
    """What no technologist collimates away ``(n, 3)``: the spine, and beside it what belongs to it."""
    first = 19 if field_of_view == "lumbar" else 7
    spine = np.array([skeleton.at(reference) for reference in np.arange(first, 25.5)])
    beside = np.array([[-62.0, -35, 0], [62, 75, 0]])
    return np.concatenate([spine + beside[0], spine + beside[1], skeleton.s1_corners()])
