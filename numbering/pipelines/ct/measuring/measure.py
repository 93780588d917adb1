"""What is measured of a numbered series."""

from __future__ import annotations

from numbering.anatomy import Level
from numbering.pipelines.ct.measuring.attenuation import nearest, trabecular
from numbering.pipelines.ct.reading.answer import Answer
from numbering.result import KeyImage, Measurement


def measurements(answer: Answer) -> tuple[Measurement, ...]:
    """Attenuation and craniocaudal position of L1, and the volume of every vertebra that is wholly in view."""
    return (trabecular(answer), position(answer, Level.L1), *volumes(answer))


def position(answer: Answer, level: Level) -> Measurement:
    """z of the middle of the body, mm LPS (growing towards the head), with the slice nearest to it."""
    plane = answer.reading.stack.planes[answer.reading.slices.indices[nearest(answer, level)]]
    return Measurement(
        name=f"craniocaudal-position-{level}".lower(),
        levels=(str(level),),
        value=round(float(answer.reading.bodies[answer.named[level]].centre_mm[2]), 1),
        unit="mm",
        sop_instance_uid=plane.sop_instance_uid,
        frame=plane.frame,
    )


def volumes(answer: Answer) -> list[Measurement]:
    """Of the segmented vertebrae that the scan does not cut, arch and processes included."""
    reading = answer.reading
    voxel = reading.working.spacing_mm**3
    return [
        Measurement(
            name=f"vertebral-volume-{level}".lower(),
            levels=(str(level),),
            value=round(reading.found[place].voxels * voxel, 1),
            unit="mm3",
        )
        for level, place in answer.named.items()
        if not reading.bodies[place].cut
    ]


def key_images(answer: Answer) -> tuple[KeyImage, ...]:
    """The slice through the middle of L1."""
    plane = answer.reading.stack.planes[answer.reading.slices.indices[nearest(answer, Level.L1)]]
    return (
        KeyImage(
            level=str(Level.L1),
            sop_instance_uid=plane.sop_instance_uid,
            frame=plane.frame,
            shows="axial slice through the middle of the body",
        ),
    )
