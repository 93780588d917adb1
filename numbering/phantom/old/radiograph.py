"""An AP film of a standing skeleton: attenuation, exposure, scatter, noise, and the picture made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from numbering.phantom.old import bones, frame_bones, tissue
from numbering.phantom.old.matter import Array, Cloud, merged
from numbering.phantom.old.pose import Skeleton
from numbering.phantom.old.projection import Beam, Film

FieldOfView = Literal["whole-spine", "lumbar"]
FIELDS_OF_VIEW: tuple[FieldOfView, ...] = ("whole-spine", "lumbar")
BITS = 12
WHITE = 2**BITS - 1


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A finished film: ``pixels[row, column]`` uint16, bright means dense, and how it was taken."""

    pixels: NDArray[np.uint16]
    beam: Beam
    field_of_view: FieldOfView
    kvp: float
    magnification: float
    """At the middle of the spine."""


def aim(skeleton: Skeleton, field_of_view: FieldOfView, rng: np.random.Generator) -> Beam:
    """Set up tube and detector: 1.83 m and a tall field for the whole spine, 1.1 m and 35 × 43 cm for the lumbar."""
    detector_y = 60.0 + 72 * skeleton.patient.girth
    x = float(np.mean([placed.frame.centre[0] for placed in skeleton.vertebrae])) + float(rng.normal(0, 8))
    if field_of_view == "lumbar":
        distance, pitch, width, height = float(rng.uniform(1050, 1150)), 0.2, 350.0, 430.0
        z = skeleton.height(22.4) + float(rng.normal(0, 14))
        top = z + height / 2
    else:
        distance, pitch, width = float(rng.uniform(1750, 1900)), 0.3, float(rng.uniform(230, 330))
        m = distance / (distance - detector_y)
        head, feet = skeleton.height(float(rng.uniform(5.2, 7.0))), -float(rng.uniform(45, 130))
        z = (head + feet) / 2
        height = (head - feet) * m
        top = z + height / 2
    return Beam(
        source=(x, detector_y - distance, z),
        detector_y=detector_y,
        left=x - width / 2,
        top=top,
        pitch=pitch,
        rows=round(height / pitch),
        columns=round(width / pitch),
    )


def expose(skeleton: Skeleton, field_of_view: FieldOfView, rng: np.random.Generator) -> Exposure:
    """Take the film. The same skeleton and generator state give the same pixels."""
    beam = aim(skeleton, field_of_view, rng)
    soft = tissue.SoftTissue(skeleton, rng)
    hard = gaussian_filter(beam.cloud(merged(_clouds(skeleton, rng))), 0.38 / beam.pitch)
    total = beam.tissue(soft) + hard + beam.gas(tissue.bowel_gas(skeleton, soft, rng))
    total = np.maximum(total * _clutter(beam, rng), 0) + _marker(beam, rng)
    signal = _detected(total, beam.pitch, rng)
    picture = _picture(signal, beam.pitch, rng)
    return Exposure(
        pixels=picture,
        beam=beam,
        field_of_view=field_of_view,
        kvp=float(np.round(rng.uniform(75, 92))),
        magnification=float(beam.magnification(np.array(0.0))),
    )


def _clouds(skeleton: Skeleton, rng: np.random.Generator) -> list[Cloud]:
    density = skeleton.patient.bone
    spine = [bones.vertebra(placed, density, rng) for placed in skeleton.vertebrae]
    cage = frame_bones.ribs(skeleton) + frame_bones.clavicles(skeleton) + frame_bones.shoulder_blades(skeleton)
    pelvis = frame_bones.sacrum(skeleton) + frame_bones.hip_bones(skeleton)
    air = tissue.airways(skeleton) + tissue.vessels(skeleton, rng) + tissue.psoas(skeleton)
    return spine + cage + pelvis + air


def _clutter(beam: Beam, rng: np.random.Generator) -> Film:
    """Factors about 1: the unevenness of fat, bowel and muscle that no shape here stands for."""
    factors = np.ones((beam.rows, beam.columns), np.float32)
    for size_mm, share in ((40.0, 0.020), (12.0, 0.012), (4.0, 0.006)):
        cells = [max(2, round(n * beam.pitch / size_mm * 2)) for n in (beam.rows, beam.columns)]
        coarse = rng.standard_normal(cells, dtype=np.float32) * share
        ratio = (beam.rows / cells[0], beam.columns / cells[1])
        factors += zoom(coarse, ratio, order=1, grid_mode=True, mode="nearest")[: beam.rows, : beam.columns]
    return factors


def _marker(beam: Beam, rng: np.random.Generator) -> Film:
    """A lead letter L near the edge on the patient's left."""
    film = np.zeros((beam.rows, beam.columns), np.float32)
    tall, thick = int(14 / beam.pitch), int(3 / beam.pitch)
    column = beam.columns - int(rng.uniform(16, 24) / beam.pitch)
    row = int(rng.uniform(0.3, 0.5) * beam.rows)
    film[row : row + tall, column : column + thick] = 6
    film[row + tall - thick : row + tall, column : column + 3 * thick] = 6
    return film


def _detected(total: Film, pitch: float, rng: np.random.Generator) -> Film:
    """Beer-Lambert, scatter from about 3 cm around, blur, and quantum noise, as a share of the open beam."""
    primary = np.exp(-total)
    coarse = max(1, round(4 / pitch))
    blurred = gaussian_filter(primary[::coarse, ::coarse], 30 / (pitch * coarse), mode="nearest")
    scatter = zoom(blurred, (np.array(primary.shape) / blurred.shape).tolist(), order=1, grid_mode=True, mode="nearest")
    signal = primary + float(rng.uniform(0.25, 0.5)) * scatter[: primary.shape[0], : primary.shape[1]]
    quanta = float(rng.uniform(0.6, 1.6)) * 2.2e5 * pitch**2
    noise = rng.standard_normal(signal.shape, dtype=np.float32) * np.sqrt(signal / quanta)
    return np.maximum(signal + gaussian_filter(noise, 0.6) * 1.6, 1e-4)


def _picture(signal: Film, pitch: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Logarithm, part of the slow variation taken out (as detector software does), stretched to twelve bits."""
    density = -np.log(signal)
    coarse = max(1, round(4 / pitch))
    slow = gaussian_filter(density[::coarse, ::coarse], float(rng.uniform(18, 30)) / (pitch * coarse), mode="nearest")
    slow = zoom(slow, (np.array(density.shape) / slow.shape).tolist(), order=1, grid_mode=True, mode="nearest")
    slow = slow[: density.shape[0], : density.shape[1]]
    picture = density - float(rng.uniform(0.15, 0.45)) * (slow - slow.mean())
    low, high = _range(picture)
    grey = np.clip((picture - low) / (high - low), 0, 1) ** float(rng.uniform(0.85, 1.15))
    return np.asarray(60 + grey * (WHITE - 120), np.uint16)


def _range(picture: Film) -> tuple[float, float]:
    low, high = np.percentile(picture[::4, ::4], [0.3, 99.6])
    return float(low - 0.05), float(high + 0.25)


def outlines(skeleton: Skeleton, beam: Beam) -> list[Array]:
    """Image points of each vertebra's body surface, head to foot."""
    return [beam.project(placed.frame.place(bones.body_outline(placed.vertebra))) for placed in skeleton.vertebrae]
