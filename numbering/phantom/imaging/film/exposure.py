"""Taking a film: set up, project, detect, process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.imaging.film import collimation, markers, stitching
from numbering.phantom.imaging.film.attenuation import spectrum
from numbering.phantom.imaging.film.detector import Detection, detected, primary
from numbering.phantom.imaging.film.geometry import Array, Beam
from numbering.phantom.imaging.film.lineintegrals import integrals
from numbering.phantom.imaging.film.look import LOOKS, picture
from numbering.phantom.imaging.film.position import FieldOfView, View, Wander, aim
from numbering.phantom.imaging.film.sampling import Sampling
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
    full = float(rng.choice(PITCHES[field_of_view]))
    wander = Wander().times(1 + beyond)
    beam = beam or _aimed(skeleton, view, field_of_view, rng, wander, full, longest)
    sampling = Sampling.quick(beam.pitch) if longest else Sampling.full(beam.pitch)
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    lengths = integrals(structures, beam, skeleton.patient, sampling, generator)
    return _developed(skeleton, beam, lengths, view, field_of_view, rng, generator, beyond)


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
    beam: Beam,
    lengths: Tensor,
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    generator: torch.Generator,
    beyond: float,
) -> Film:
    """Everything after the projection."""
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

    body = lengths[0] + lengths[1]
    if mark is not None:
        lengths[3] += torch.as_tensor(mark, device=lengths.device)
    aperture = shutters.aperture(beam, lengths.device)
    straight = primary(lengths, spectrum(kvp))
    signal = detected(straight, body, aperture, detection, beam.pitch, generator)
    signal = signal * stitching.exposures(beam.rows, beam.pitch, field_of_view, rng).to(signal.device)
    grey = picture(signal, body * (aperture > 0.5), look, beam.pitch)
    if shutters.outside == "black":
        grey = grey * aperture
    if word is not None:
        grey = torch.maximum(grey, torch.as_tensor(word, device=grey.device))
    pixels = (grey * WHITE + 0.5).clamp(0, WHITE).cpu().numpy().astype(np.uint16)
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


def _kept(skeleton: Skeleton, field_of_view: FieldOfView) -> Array:
    """What no technologist collimates away ``(n, 3)``: the spine, and beside it what belongs to it."""
    first = 19 if field_of_view == "lumbar" else 7
    spine = np.array([skeleton.at(reference) for reference in np.arange(first, 25.5)])
    beside = np.array([[-62.0, -35, 0], [62, 75, 0]])
    return np.concatenate([spine + beside[0], spine + beside[1], skeleton.s1_corners()])
