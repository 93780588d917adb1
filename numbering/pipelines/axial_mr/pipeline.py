"""An axial stack in, sagittal ones as witnesses; the disc of each slice out (Cho et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from numbering.pipelines.axial_mr.card import CARD
from numbering.pipelines.axial_mr.model.runtime import open_network
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading import statement
from numbering.pipelines.axial_mr.reading.answer import Answer, NamedSlice, Reader
from numbering.pipelines.identity import identity, of_series
from numbering.plane import Mm
from numbering.result import (
    Alternative,
    Findings,
    KeyImage,
    NumberedDisc,
    StatedReason,
    Status,
)
from numbering.stack import Stack
from numbering.weights import Entry, registry

SHOWS = "axial slice through the disc, the one of its slices that shows it best"


class AxialMr:
    """Numbers axial lumbar MR series."""

    def __init__(self, device: str = "auto", threads: int = 0, entry: Entry | None = None) -> None:
        entry = entry or registry()[CARD.weights]
        network = open_network(entry, device, threads)
        self.point = OperatingPoint(**entry.operating_point)
        self.reader = Reader(network, self.point)
        self.identity = identity(entry, network.weights, network.runtime)
        self.settings = {key: f"{value:g}" for key, value in asdict(self.point).items()}

    def number(self, images: Sequence[Stack]) -> Findings:
        """Findings for the first stack, which is axial; the others are sagittal ones of its frame of reference."""
        stack, *companions = images
        return of_series(conclude(self.reader.answer(stack, companions)), stack)


def conclude(answer: Answer | StatedReason) -> Findings:
    """What an answer amounts to."""
    if isinstance(answer, StatedReason):
        return Findings(status=Status.ABSTAINED, reason=answer)
    if answer.refused:
        quality = (*statement.quality(answer), *statement.doubtful(answer))
        return Findings(status=Status.ABSTAINED, reason=answer.refused, quality=quality)
    return Findings(
        status=Status.NUMBERED,
        discs=tuple(_disc(answer, one) for one in answer.slices),
        basis=statement.basis(answer),
        alternative=_alternative(answer),
        quality=statement.quality(answer),
        heat_maps=tuple(
            heat
            for one in answer.slices
            if (heat := answer.look.heat_map(answer.stack, one.index, str(one.disc), one.position)) is not None
        ),
        key_images=tuple(_key_image(answer, one) for one in answer.slices if one.best),
    )


def _disc(answer: Answer, one: NamedSlice) -> NumberedDisc:
    plane = answer.stack.planes[one.index]
    return NumberedDisc(
        level=str(one.disc),
        probability=one.probability,
        sop_instance_uid=plane.sop_instance_uid,
        frame=plane.frame,
        centre_mm=_centre(answer, one),
    )


def _centre(answer: Answer, one: NamedSlice) -> Mm | None:
    """Where the slice cuts the column, as sagittal images show it, else as the placing of the slices lets presume."""
    column = answer.told.column if answer.told else None
    course = column.course if column else answer.course
    cut = course.cut(answer.stack.planes[one.index])
    if cut is None:
        return None
    x, y, z = (round(float(value), 1) for value in course.at(cut))
    return x, y, z


def _alternative(answer: Answer) -> Alternative | None:
    """Parallel to the named slices; one that has no other name keeps its own."""
    if answer.decoded.alternative is None:
        return None
    return Alternative(
        probability=answer.decoded.alternative_probability,
        levels=tuple(str(one.other or one.disc) for one in answer.slices),
    )


def _key_image(answer: Answer, one: NamedSlice) -> KeyImage:
    plane = answer.stack.planes[one.index]
    return KeyImage(level=str(one.disc), sop_instance_uid=plane.sop_instance_uid, frame=plane.frame, shows=SHOWS)
