"""Which images go to which pipeline, from header facts alone, and the reason for every refusal.

Films are judged one by one (`films`), slices of CT and MR within their series (`volumes`). Of several CT series that
show the same, one is chosen (`choice`); a pipeline may look at other series besides (`companions`).

Descriptions are free text that may hold a name, so no message quotes them.
"""

from __future__ import annotations

from collections.abc import Iterable

from numbering.pipelines import CARDS
from numbering.result import Status
from numbering.route.assignment import Assignment, Verdict, assigned, no_pipeline
from numbering.route.choice import Extent, chosen, one_of_a_study, unless_shown
from numbering.route.companions import accompanied, accompany
from numbering.route.films import FOR_PRESENTATION, FOR_PROCESSING, judge_film, other_region, raw_twin, settle
from numbering.route.refusals import NOT_IMAGES, RADIOGRAPHS, VOLUMES, refused
from numbering.route.volumes import judge_volumes
from numbering.study import Image, Series, View

__all__ = [
    "CARDS",
    "FOR_PRESENTATION",
    "FOR_PROCESSING",
    "NOT_IMAGES",
    "RADIOGRAPHS",
    "VOLUMES",
    "Assignment",
    "Extent",
    "accompany",
    "one_of_a_study",
    "route",
    "route_studies",
    "settled",
    "unless_shown",
]


def route(series: Series) -> list[Assignment]:
    """Assign every image of the series; each is in exactly one assignment. Pure: the same headers, the same answer."""
    taken = {modality for card in CARDS for modality in card.modalities} & VOLUMES
    slices = [image for image in series.images if image.modality in taken and not refused(image)]
    verdicts = judge_volumes(slices, CARDS)
    groups: dict[tuple[object, ...], list[tuple[Image, Verdict]]] = {}
    for image in series.images:
        verdict = verdicts.get(image.sop_instance_uid) or _judge(image, series)
        groups.setdefault(verdict.key, []).append((image, verdict))
    return [assigned(series, members) for members in groups.values()]


def route_studies(series: Iterable[Series]) -> list[Assignment]:
    """Assign every image of all these series, choosing between those of one study, with companions."""
    return accompanied(chosen(assignment for one in series for assignment in route(one)))


def settled(assignment: Assignment, view: View) -> Assignment:
    """A part that is held for its view, as films of the view that their pixels show.

    The same as before where it is not held for that, or where a header speaks of an oblique view: pixels are not asked
    about those.
    """
    return settle(assignment, view, CARDS)


def _judge(image: Image, series: Series) -> Verdict:
    """A film, or a slice that no installed pipeline takes whatever it shows."""
    if reason := refused(image) or other_region(image) or raw_twin(image, series):
        return Verdict(Status.UNSUITABLE, reason=reason)
    if image.modality in VOLUMES:
        return no_pipeline(image, None, f"modality {image.modality}", CARDS)
    return judge_film(image, CARDS)
