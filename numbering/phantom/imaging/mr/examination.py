"""What series a lumbar MR examination consists of, in the order in which they are acquired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.imaging.mr.protocol import Plane, Protocol, Weighting, sample


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """A series of the examination; ``name`` is unique in it."""

    name: str
    number: int
    protocol: Protocol
    enhanced: bool = False


def examination(
    rng: np.random.Generator, style: str, planes: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
) -> tuple[Ordered, ...]:
    """Localizer, sagittal T2 and T1 (and often a fat-suppressed one), at times a coronal, axial T2 and mostly T1.

    All series come from one machine with one field strength, as one or as many DICOM objects. What is drawn does not
    depend on which planes are asked for; the localizer comes with the sagittal ones.
    """
    field = None
    enhanced = bool(rng.random() < 0.15)
    fat_suppressed: Weighting = "STIR" if rng.random() < 0.6 else "T2 FS"
    with_fat_suppressed, with_coronal, with_axial_t1, block, both = rng.random(5) < (0.6, 0.15, 0.8, 0.3, 0.15)
    layouts = ["block"] if block else ["parallel", "block"] if both else ["parallel"]
    wanted: list[tuple[Plane, Weighting, str]] = [
        ("sagittal", "localizer", "block"),
        ("sagittal", "T2", "block"),
        ("sagittal", "T1", "block"),
    ]
    if with_fat_suppressed:
        wanted.append(("sagittal", fat_suppressed, "block"))
    if with_coronal:
        wanted.append(("coronal", "T2", "block"))
    wanted += [("axial", "T2", layout) for layout in layouts]
    if with_axial_t1:
        wanted.append(("axial", "T1", layouts[0]))
    found = []
    for number, (plane, weighting, layout) in enumerate(wanted, 1):
        protocol = sample(
            rng, plane, weighting, style=style, layout="parallel" if layout == "parallel" else "block", field=field
        )
        field = protocol.field_tesla
        if plane in planes:
            name = "localizer" if weighting == "localizer" else f"{plane} {weighting} {layout}"
            found.append(Ordered(name=name, number=number, protocol=protocol, enhanced=enhanced))
    return tuple(found)
