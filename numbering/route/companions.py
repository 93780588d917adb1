"""Images of other series of the study that a pipeline looks at besides those it numbers (sagittal ones)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from numbering.errors import ReasonCode
from numbering.route.assignment import Assignment
from numbering.study import Series


def accompanied(assignments: Sequence[Assignment]) -> list[Assignment]:
    """The same, each with the companions that its card asks for."""
    return [
        accompany(one, [other.series for other in assignments if _may_accompany(other, one)]) for one in assignments
    ]


def accompany(assignment: Assignment, series: Iterable[Series]) -> Assignment:
    """With those of these series that lie in the frame of reference of what is numbered; ordered by UID."""
    space = assignment.series.images[0].frame_of_reference_uid
    near = [one for one in series if space and {image.frame_of_reference_uid for image in one.images} == {space}]
    return replace(assignment, companions=tuple(sorted(near, key=lambda one: one.series_instance_uid)))


def _may_accompany(other: Assignment, one: Assignment) -> bool:
    """Slices of a view that the card asks for; those that no pipeline numbers may well be looked at."""
    if one.card is None or other is one or other.view not in one.card.companions:
        return False
    wanted = one.series.study_instance_uid, one.series.modality
    unrefused = other.to_number or (other.reason and other.reason.code is ReasonCode.NO_PIPELINE_INSTALLED)
    return bool(unrefused) and (other.series.study_instance_uid, other.series.modality) == wanted
