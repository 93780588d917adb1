"""Mean attenuation of a vertebra's spongy bone, from the series' own pixels. A measurement, not a diagnosis."""

from __future__ import annotations

import numpy as np

from numbering.anatomy import Level
from numbering.pipelines.ct.measuring.labels import on_slice, window
from numbering.pipelines.ct.reading.answer import Answer
from numbering.result import Measurement

ERODED_MM = 5.0
"""So far under the surface of the body nothing of the cortex is left, nor of what neighbouring voxels mix with it."""
LEAST_MM3 = 1500.0
"""A mean over less is not given."""
DENSE_HU, MOST_DENSE = 700.0, 0.03
"""Metal, cement or an island of compact bone: with more of it the mean says nothing about spongy bone."""
UNIT = "HU"


def trabecular(answer: Answer, level: Level = Level.L1) -> Measurement:
    """Mean HU of the eroded body, with the volume that it is of; without a value where it would mislead."""
    reading, place = answer.reading, answer.named[level]
    body, found = reading.bodies[place], reading.found[place]
    name = f"trabecular-attenuation-{level}".lower()

    def withheld(reason: str) -> Measurement:
        return Measurement(name=name, levels=(str(level),), value=None, unit=UNIT, reason=f"not given: {reason}")

    if body.cut:
        return withheld(f"{level} is cut by the end of the scan")
    slices, rows, columns = window(found.corner - 1.0, found.corner + found.share.shape, reading)
    values = []
    for each in range(slices.start, slices.stop):
        inner = on_slice(body.depth_mm, found.corner, each, rows, columns, reading) >= ERODED_MM
        if inner.any():
            values.append(reading.stack.pixels(reading.slices.indices[each])[np.ix_(rows, columns)][inner])
    hu = np.concatenate(values) if values else np.zeros(0, np.float32)
    volume = len(hu) * float(np.prod(reading.slices.spacing)) * _step(answer)
    if volume < LEAST_MM3:
        return withheld(f"{volume / 1000:.1f} cm³ of spongy bone were found, expected {LEAST_MM3 / 1000:.1f}")
    if np.mean(hu > DENSE_HU) > MOST_DENSE:
        return withheld(f"metal, cement or compact bone lies within {level}")
    plane = reading.stack.planes[reading.slices.indices[nearest(answer, level)]]
    return Measurement(
        name=name,
        levels=(str(level),),
        value=round(float(hu.mean(dtype=float)), 1),
        unit=UNIT,
        sop_instance_uid=plane.sop_instance_uid,
        frame=plane.frame,
        volume_mm3=round(volume, 1),
    )


def _step(answer: Answer) -> float:
    heights = answer.reading.slices.heights
    return float(np.median(np.diff(heights))) if len(heights) > 1 else 2 * answer.reading.slices.half_mm


def nearest(answer: Answer, level: Level) -> int:
    """The slice (place in ``reading.slices``) nearest to the middle of a vertebra's body."""
    slices = answer.reading.slices
    height = answer.reading.bodies[answer.named[level]].centre_mm @ slices.normal
    return int(np.argmin(np.abs(slices.heights - height)))
