"""Several series of a study that show the same: one of them is numbered, and the others say which.

A CT study holds each scan in many reconstructions. The thinnest is taken (down to a millimetre, below which nothing is
gained), then the longest; a longer one in thicker slices is numbered as well, for what it shows besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbering.errors import Reason, ReasonCode
from numbering.plane import Plane
from numbering.result import Status
from numbering.route.assignment import Assignment

FINE_MM = 1.0
"""Slices nearer to each other than this number no better."""
COVERED = 0.8
"""A series of which another shows this share along the body shows the same."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What a series shows along the body: mm from the lowest to the highest slice, and how finely."""

    series_instance_uid: str
    frame_of_reference_uid: str | None
    low_mm: float
    high_mm: float
    step_mm: float

    @classmethod
    def of(cls, series_uid: str, frame_of_reference_uid: str | None, planes: Sequence[Plane]) -> Extent:
        """Of these axial planes. ``ValueError`` where there is none."""
        heights = np.sort([plane.centre_mm[2] for plane in planes])
        step = float(np.median(np.diff(heights))) if len(heights) > 1 else 0.0
        return cls(
            series_instance_uid=series_uid,
            frame_of_reference_uid=frame_of_reference_uid,
            low_mm=float(heights[0]),
            high_mm=float(heights[-1]),
            step_mm=max(step, *(plane.thickness_mm for plane in planes)),
        )

    @classmethod
    def of_assignment(cls, assignment: Assignment) -> Extent:
        """Of the slices that a pipeline is to number."""
        images = assignment.series.images
        planes = [plane for image in images for plane in image.planes]
        return cls.of(assignment.series.series_instance_uid, images[0].frame_of_reference_uid, planes)

    @property
    def rank(self) -> tuple[float, float, str]:
        """The least is the best."""
        fineness = max(FINE_MM, round(self.step_mm, 1))
        return fineness, -round((self.high_mm - self.low_mm) / 10), self.series_instance_uid

    def shown_by(self, other: Extent) -> bool:
        """Whether the other shows (nearly) all of this one, in the same frame of reference."""
        if self.frame_of_reference_uid is None or self.frame_of_reference_uid != other.frame_of_reference_uid:
            return False
        shared = min(self.high_mm, other.high_mm) - max(self.low_mm, other.low_mm)
        return shared >= COVERED * (self.high_mm - self.low_mm) and shared >= 0


def chosen(assignments: Iterable[Assignment]) -> list[Assignment]:
    """The same, of which those that a better series of their study shows as well are refused for that."""
    listed = list(assignments)
    kept: dict[tuple[str, str], list[Extent]] = {}
    for index in sorted((i for i, one in enumerate(listed) if one_of_a_study(one)), key=lambda i: _rank(listed[i])):
        one, extent = listed[index], Extent.of_assignment(listed[index])
        better = kept.setdefault((one.series.study_instance_uid, one.card.name if one.card else ""), [])
        listed[index] = unless_shown(one, better)
        if listed[index].to_number:
            better.append(extent)
    return listed


def unless_shown(assignment: Assignment, others: Iterable[Extent]) -> Assignment:
    """The assignment, refused where one of these better series shows the same."""
    mine = Extent.of_assignment(assignment)
    shows = next((other for other in others if mine.shown_by(other) and other.rank[:2] <= mine.rank[:2]), None)
    if shows is None:
        return assignment
    text = (
        f"series {mine.series_instance_uid}: found {mine.step_mm:.1f} mm slices of what series "
        f"{shows.series_instance_uid} shows in {shows.step_mm:.1f} mm slices; expected the best series of the study. "
        "Nothing needs to be done: that one is numbered, and its names hold in the whole frame of reference."
    )
    reason = Reason(ReasonCode.ANOTHER_SERIES_CHOSEN, text)
    return replace(assignment, card=None, status=Status.UNSUITABLE, reason=reason)


def one_of_a_study(assignment: Assignment) -> bool:
    """Whether its pipeline numbers one of several series that show the same."""
    return assignment.card is not None and assignment.card.one_per_study


def _rank(assignment: Assignment) -> tuple[float, float, str]:
    return Extent.of_assignment(assignment).rank
