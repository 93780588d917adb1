"""What a reader who knows the truth would find on a simulated lateral film."""

from __future__ import annotations

from typing import Any

from numbering.phantom.truth.film import TrueImage
from numbering.result import Findings, Line, Measurement, NumberingBasis, Status, Vertebra


def true_findings(image: TrueImage) -> Findings:
    """Every vertebra in view with its corners, the sacrum's endplate, and the film's true angles with their lines."""
    where: dict[str, Any] = {"sop_instance_uid": image.sop_instance_uid, "probability": 0.99}
    seen = [one for one in image.vertebrae if one.in_view and one.level != "C1"]
    named = [Vertebra(level=one.level, box=one.box, corners=one.corners, **where) for one in seen]
    if image.s1 is not None and image.sacrum_in_view:
        xs, ys = zip(*image.s1, strict=True)
        box = (min(xs), min(ys), max(xs), max(ys))
        named.append(Vertebra(level="S1", box=box, endplate=image.s1, **where))
    basis = NumberingBasis(counted_from="truth", statement="Known, because it was simulated.")
    return Findings(status=Status.NUMBERED, vertebrae=tuple(named), measurements=_angles(image, named), basis=basis)


def _angles(image: TrueImage, named: list[Vertebra]) -> tuple[Measurement, ...]:
    corners = {one.level: one.corners for one in named if one.corners is not None}
    found = []
    for angle in image.angles:
        levels = tuple(name.upper() for name in angle.name.split("-") if name[-1:].isdigit()) or ("S1",)
        upper = corners[levels[0]][:2] if levels[0] in corners else image.s1
        lower = (corners[levels[-1]][3], corners[levels[-1]][2]) if levels[-1] in corners else image.s1
        assert upper is not None
        assert lower is not None
        lines: tuple[Line, ...] = (
            (upper, lower) if len(levels) == 2 else (upper, ((upper[0][0], upper[1][1]), upper[1]))
        )
        found.append(
            Measurement(
                name=angle.name, levels=levels, value=angle.value, unit="deg", uncertainty=0.0, lines=lines,
                sop_instance_uid=image.sop_instance_uid,
            )
        )  # fmt: skip
    return tuple(found)
