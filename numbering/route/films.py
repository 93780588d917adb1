"""Radiographs: the view is what View Position, the view codes, Patient Orientation and the descriptions say together.

One that none of them settles, or that they contradict each other about, is held: it may be corrected and sent again.
"""

from __future__ import annotations

from collections.abc import Sequence

from numbering.errors import Reason, ReasonCode
from numbering.pipelines import Card
from numbering.result import Status
from numbering.route.assignment import Assignment, Verdict, assigned, no_pipeline, of_view
from numbering.route.refusals import RADIOGRAPHS, region
from numbering.route.wording import refusal, shown
from numbering.study import Image, Series, View
from numbering.views import Projection, Region, of_codes, of_orientation, of_position, of_words

FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"


def judge_film(image: Image, cards: Sequence[Card]) -> Verdict:
    """Whose this film is."""
    said = _sources(image)
    kinds = {_kind(projection) for _, projection in said}
    if kinds == {"oblique"}:
        return no_pipeline(image, None, f"an oblique view ({_names(said)})", cards)
    if len(kinds) != 1:
        return Verdict(Status.HELD, reason=_view_unknown(image, said))
    found = f"a {_kind(said[0][1])} film ({_names(said)}; modality {image.modality})"
    return of_view(image, said[0][1].view, found, cards)


def settle(assignment: Assignment, view: View, cards: Sequence[Card]) -> Assignment:
    """See `numbering.route.settled`."""
    said = {projection for image in assignment.series.images for _, projection in _sources(image)}
    held = assignment.reason is not None and assignment.reason.code is ReasonCode.VIEW_UNKNOWN
    if not held or Projection.OBLIQUE in said:
        return assignment
    found = f"a {view} film, by its pixels"
    verdicts = [(image, of_view(image, view, found, cards)) for image in assignment.series.images]
    return assigned(assignment.series, verdicts)


def other_region(image: Image) -> Reason | None:
    """A film (or a picture of a modality that no pipeline takes) of something else than the lower spine."""
    part, source = region(image)
    if part in (Region.CHEST, Region.OTHER):
        return refusal(
            ReasonCode.NOT_A_SPINE_EXAMINATION,
            image,
            f"another body part in {source}",
            "a film of the spine, abdomen or pelvis",
            "If this is one, correct BodyPartExamined (0018,0015) at its source and send it again.",
        )
    if part is Region.CERVICAL and image.modality in RADIOGRAPHS:
        return refusal(
            ReasonCode.NO_PIPELINE_INSTALLED,
            image,
            f"the cervical spine alone in {source}, and no pipeline for it is installed",
            "a film that may show the lumbar spine",
            "It is stored and stays unnumbered; if the film shows more, correct BodyPartExamined (0018,0015).",
        )
    return None


def raw_twin(image: Image, series: Series) -> Reason | None:
    """A picture is numbered once: for-processing films only when the series has none for presentation."""
    classes = {other.sop_class_uid for other in series.images}
    if image.sop_class_uid != FOR_PROCESSING or FOR_PRESENTATION not in classes:
        return None
    return refusal(
        ReasonCode.DERIVED_IMAGE,
        image,
        "a DX film for processing in a series that also holds films for presentation",
        "one version of each film",
        "Nothing needs to be done: the film for presentation is used.",
    )


def _sources(image: Image) -> list[tuple[str, Projection]]:
    """What each part of the header says of the view, most explicit first."""
    said = [
        (f"ViewPosition {shown(image.view_position)}", of_position(image.view_position)),
        ("ViewCodeSequence", of_codes(image.view_codes)),
        (f"PatientOrientation {shown(*image.patient_orientation)}", of_orientation(image.patient_orientation)),
    ]
    explicit = [(name, projection) for name, projection in said if projection]
    words = [("the descriptions", projection) for projection in sorted(of_words(image.descriptions))]
    return explicit + words


def _kind(projection: Projection) -> str:
    return "frontal" if projection.frontal else projection.value


def _names(said: list[tuple[str, Projection]]) -> str:
    return ", ".join(f"{name}: {_kind(projection)}" for name, projection in said)


def _view_unknown(image: Image, said: list[tuple[str, Projection]]) -> Reason:
    found = (
        f"found contradictory views ({_names(said)})"
        if said
        else f"found no view (ViewPosition {shown(image.view_position)}, PatientOrientation "
        f"{shown(*image.patient_orientation)}, no view in ViewCodeSequence or the descriptions)"
    )
    return Reason(
        ReasonCode.VIEW_UNKNOWN,
        f"SOP instance {image.sop_instance_uid}: {found}; expected a header that says AP, PA or lateral. Set "
        "ViewPosition (0018,5101) or PatientOrientation (0020,0020) and send the film again under a new SOP Instance "
        "UID.",
    )
