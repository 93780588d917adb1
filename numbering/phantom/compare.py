"""What a node said of a simulated film against the truth: right, justified, wrong, or no answer."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import dist

from numbering.phantom.truth.film import FilmVertebra, TrueImage
from numbering.result import Findings, Line, Status, Vertebra


class Verdict(StrEnum):
    """How an answer compares with the truth."""

    RIGHT = "right"
    """Every vertebra that was named is what it was named."""
    JUSTIFIED = "justified"
    """Some name is not the true one, and is what a reader with this field of view alone would give."""
    WRONG = "wrong"
    """Some name is neither, or something that is no vertebra was named."""
    ABSTAINED = "abstained"

    @property
    def passes(self) -> bool:
        """Whether nobody would be misled by it."""
        return self is not Verdict.WRONG


def compare(image: TrueImage, findings: Findings) -> Verdict:
    """Judge the answer for one film. A named box belongs to the vertebra whose box holds its middle."""
    if findings.status is Status.ABSTAINED:
        return Verdict.ABSTAINED
    named = [one for one in findings.vertebrae if one.sop_instance_uid == image.sop_instance_uid]
    verdicts = {_one(image, one) for one in named}
    for worst in (Verdict.WRONG, Verdict.JUSTIFIED, Verdict.RIGHT):
        if worst in verdicts:
            return worst
    return Verdict.WRONG


def _one(image: TrueImage, said: Vertebra) -> Verdict:
    if image.s1 is not None and said.endplate is not None and _is_at(said.endplate, image.s1):
        return Verdict.RIGHT if said.level == "S1" else Verdict.WRONG
    true = _under(image.vertebrae, said)
    if true is None:
        return Verdict.WRONG
    if said.level == true.level:
        return Verdict.RIGHT
    readings = [image.justified.reading, image.justified.alternative] if image.justified else []
    names = {dict(zip(one.ordinals, one.levels, strict=True)).get(true.ordinal) for one in readings if one}
    return Verdict.JUSTIFIED if said.level in names else Verdict.WRONG


def _is_at(endplate: Line, true: Line) -> bool:
    """Whether the middle of an endplate is nearer to the true one's middle than its ends are."""
    said, middle = ([(one + other) / 2 for one, other in zip(*line, strict=True)] for line in (endplate, true))
    return dist(said, middle) < dist(*true) / 2


def _under(vertebrae: Iterable[FilmVertebra], said: Vertebra) -> FilmVertebra | None:
    x, y = (said.box[0] + said.box[2]) / 2, (said.box[1] + said.box[3]) / 2
    holding = [one for one in vertebrae if one.box[0] <= x <= one.box[2] and one.box[1] <= y <= one.box[3]]
    return min(holding, key=lambda one: abs((one.box[1] + one.box[3]) / 2 - y), default=None)
