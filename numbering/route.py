"""Which images go to which pipeline, from header facts alone, and the reason for every refusal.

A film's view is what View Position, the view codes, Patient Orientation and the descriptions say together. One that
none of them settles, or that they contradict each other about, is held: it may be corrected and sent again.

Descriptions are free text that may hold a name, so no message quotes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from numbering.errors import Reason, ReasonCode
from numbering.pipelines import CARDS, Card
from numbering.result import Status
from numbering.study import Image, Series, View
from numbering.views import Projection, Region, of_codes, of_orientation, of_position, of_words, region_of

RADIOGRAPHS = frozenset({"CR", "DX", "RG"})
VOLUMES = frozenset({"CT", "MR"})
NOT_IMAGES = frozenset({"SR", "PR", "KO", "SEG", "REG", "RTSTRUCT", "RTPLAN", "DOC", "FID", "PLAN", "AU", "ECG", "HD"})

FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""The class, and the stem of its multi-frame kin (…7.1 to …7.4)."""
_NOT_IMAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports and key objects
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, segmentations
    "1.2.840.10008.5.1.4.1.1.104.",  # encapsulated documents
    "1.2.840.10008.5.1.4.1.1.30",  # parametric maps
)
_SHOWABLE = re.compile(r"[A-Z0-9_ ]{1,16}")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What is to be done with some images of a series: numbered by ``card``, or not, for ``reason``.

    ``series`` holds only these images. ``status`` is ``NUMBERED`` ("to be numbered"), ``HELD`` or ``UNSUITABLE``.
    """

    series: Series
    view: View | None
    card: Card | None
    status: Status
    reason: Reason | None

    @property
    def to_number(self) -> bool:
        """Whether a pipeline takes these images."""
        return self.card is not None


@dataclass(frozen=True)
class _Verdict:
    """One image's fate. Images of one series with equal ``key`` share an assignment."""

    status: Status
    view: View | None = None
    card: Card | None = None
    reason: Reason | None = None

    @property
    def key(self) -> tuple[object, ...]:
        # Films of several views that one pipeline takes (AP and PA) are numbered together
        view = None if self.card else self.view
        return self.status, view, self.card and self.card.name, self.reason and self.reason.code


def route(series: Series) -> list[Assignment]:
    """Assign every image of the series; each is in exactly one assignment. Pure: the same headers, the same answer."""
    groups: dict[tuple[object, ...], list[tuple[Image, _Verdict]]] = {}
    for image in series.images:
        verdict = _judge(image, series)
        groups.setdefault(verdict.key, []).append((image, verdict))
    return [_assignment(series, members) for members in groups.values()]


def settled(assignment: Assignment, view: View) -> Assignment:
    """A part that is held for its view, as films of the view that their pixels show.

    The same as before where it is not held for that, or where a header speaks of an oblique view: pixels are not asked
    about those.
    """
    said = {projection for image in assignment.series.images for _, projection in _sources(image)}
    held = assignment.reason is not None and assignment.reason.code is ReasonCode.VIEW_UNKNOWN
    if not held or Projection.OBLIQUE in said:
        return assignment
    found = f"a {view} film, by its pixels"
    return _assignment(assignment.series, [(image, _of_view(image, view, found)) for image in assignment.series.images])


def _assignment(series: Series, members: list[tuple[Image, _Verdict]]) -> Assignment:
    verdict = members[0][1]
    part = series.only(image for image, _ in members)
    if verdict.card is not None and (refusal := verdict.card.suits(part)):
        verdict = _Verdict(Status.UNSUITABLE, verdict.view, reason=refusal)
    reason = verdict.reason
    if reason is not None and len(members) > 1:
        reason = Reason(reason.code, f"{reason.text} The same holds for {len(members) - 1} more of this series.")
    return Assignment(series=part, view=verdict.view, card=verdict.card, status=verdict.status, reason=reason)


def _judge(image: Image, series: Series) -> _Verdict:
    for question in _REFUSALS:
        if reason := question(image, series):
            return _Verdict(Status.UNSUITABLE, reason=reason)
    if image.modality in VOLUMES:
        return _no_pipeline(image, None, f"modality {image.modality}")
    return _judge_film(image)


def _judge_film(image: Image) -> _Verdict:
    said = _sources(image)
    kinds = {_kind(projection) for _, projection in said}
    if kinds == {"oblique"}:
        return _no_pipeline(image, None, f"an oblique view ({_names(said)})")
    if len(kinds) != 1:
        return _Verdict(Status.HELD, reason=_view_unknown(image, said))
    return _of_view(image, said[0][1].view, f"a {_kind(said[0][1])} film ({_names(said)}; modality {image.modality})")


def _of_view(image: Image, view: View | None, found: str) -> _Verdict:
    card = next((card for card in CARDS if image.modality in card.modalities and view in card.views), None)
    return _Verdict(Status.NUMBERED, view, card) if card else _no_pipeline(image, view, found)


def _sources(image: Image) -> list[tuple[str, Projection]]:
    """What each part of the header says of the view, most explicit first."""
    said = [
        (f"ViewPosition {_shown(image.view_position)}", of_position(image.view_position)),
        ("ViewCodeSequence", of_codes(image.view_codes)),
        (f"PatientOrientation {_shown(*image.patient_orientation)}", of_orientation(image.patient_orientation)),
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
        else f"found no view (ViewPosition {_shown(image.view_position)}, PatientOrientation "
        f"{_shown(*image.patient_orientation)}, no view in ViewCodeSequence or the descriptions)"
    )
    return Reason(
        ReasonCode.VIEW_UNKNOWN,
        f"SOP instance {image.sop_instance_uid}: {found}; expected a header that says AP, PA or lateral. Set "
        "ViewPosition (0018,5101) or PatientOrientation (0020,0020) and send the film again under a new SOP Instance "
        "UID.",
    )


def _no_pipeline(image: Image, view: View | None, found: str) -> _Verdict:
    installed = "; ".join(f"{card.name}: {', '.join(sorted(card.modalities))} {_views(card)}" for card in CARDS)
    text = (
        f"SOP instance {image.sop_instance_uid}: found {found}; expected input for an installed pipeline "
        f"({installed}). It is stored and stays unnumbered: nothing needs to be done unless its header is wrong."
    )
    return _Verdict(Status.UNSUITABLE, view, reason=Reason(ReasonCode.NO_PIPELINE_INSTALLED, text))


def _views(card: Card) -> str:
    return "/".join(sorted(card.views))


def _refusal(code: ReasonCode, image: Image, found: str, expected: str, do: str) -> Reason:
    return Reason(code, f"SOP instance {image.sop_instance_uid}: found {found}; expected {expected}. {do}")


def _own_result(image: Image, series: Series) -> Reason | None:
    if not image.made_by_us:
        return None
    return _refusal(
        ReasonCode.OWN_RESULT,
        image,
        "an object that this software wrote",
        "images from a modality",
        "Nothing needs to be done; to save traffic, do not forward results to this node.",
    )


def _not_an_image(image: Image, series: Series) -> Reason | None:
    if image.modality not in NOT_IMAGES and not image.sop_class_uid.startswith(_NOT_IMAGE_CLASSES):
        return None
    return _refusal(
        ReasonCode.NOT_AN_IMAGE,
        image,
        f"modality {_shown(image.modality)}, SOP class {_uid(image.sop_class_uid)}, which is not an image",
        "a radiograph",
        "Nothing needs to be done; send the images themselves to have them numbered.",
    )


def _secondary_capture(image: Image, series: Series) -> Reason | None:
    """A capture may be a screen, a printout or a film: nothing in its header vouches for geometry or grey levels."""
    uid = image.sop_class_uid
    if uid != _SECONDARY_CAPTURE and not uid.startswith(_SECONDARY_CAPTURE + "."):
        return None
    return _refusal(
        ReasonCode.DERIVED_IMAGE,
        image,
        "a secondary capture",
        "the original CR or DX object",
        "Send the image as the modality made it.",
    )


def _unsupported(image: Image, series: Series) -> Reason | None:
    if image.modality in RADIOGRAPHS | VOLUMES:
        return None
    return _refusal(
        ReasonCode.UNSUPPORTED_MODALITY,
        image,
        f"modality {_shown(image.modality)}",
        f"one of {', '.join(sorted(RADIOGRAPHS | VOLUMES))}",
        "Send radiographs of the spine; if this is one, correct Modality (0008,0060) at its source.",
    )


def _no_pixels(image: Image, series: Series) -> Reason | None:
    if image.has_pixels and image.rows > 0 and image.columns > 0:
        return None
    return _refusal(
        ReasonCode.NO_PIXEL_DATA,
        image,
        f"{'' if image.has_pixels else 'no '}pixel data of {image.rows} rows × {image.columns} columns",
        "an image with pixel data",
        "Send the complete object from its source.",
    )


def _localizer(image: Image, series: Series) -> Reason | None:
    if image.modality not in VOLUMES or not {"LOCALIZER", "SCOUT"} & {word.upper() for word in image.image_type}:
        return None
    return _refusal(
        ReasonCode.LOCALIZER,
        image,
        "a localizer (ImageType)",
        "a diagnostic image",
        "Nothing needs to be done: the series that was planned on it is judged by itself.",
    )


def _raw_twin(image: Image, series: Series) -> Reason | None:
    """A picture is numbered once: for-processing films only when the series has none for presentation."""
    classes = {other.sop_class_uid for other in series.images}
    if image.sop_class_uid != FOR_PROCESSING or FOR_PRESENTATION not in classes:
        return None
    return _refusal(
        ReasonCode.DERIVED_IMAGE,
        image,
        "a DX film for processing in a series that also holds films for presentation",
        "one version of each film",
        "Nothing needs to be done: the film for presentation is used.",
    )


def _other_region(image: Image, series: Series) -> Reason | None:
    region, source = _region(image)
    if region is Region.OTHER:
        return _refusal(
            ReasonCode.NOT_A_SPINE_EXAMINATION,
            image,
            f"another body part in {source}",
            "a film of the spine, abdomen or pelvis",
            "If this is one, correct BodyPartExamined (0018,0015) at its source and send it again.",
        )
    if region is Region.CERVICAL and image.modality in RADIOGRAPHS:
        return _refusal(
            ReasonCode.NO_PIPELINE_INSTALLED,
            image,
            f"the cervical spine alone in {source}, and no pipeline for it is installed",
            "a film that may show the lumbar spine",
            "It is stored and stays unnumbered; if the film shows more, correct BodyPartExamined (0018,0015).",
        )
    return None


def _region(image: Image) -> tuple[Region | None, str]:
    """BodyPartExamined decides where it is plain; else the descriptions, in which the spine outweighs the rest."""
    stated = region_of(image.body_part)
    if stated is not None:
        return stated, f"BodyPartExamined {_shown(image.body_part)}"
    named = {region_of(text) for text in image.descriptions}
    for region in (Region.SPINE, Region.CERVICAL, Region.OTHER):
        if region in named:
            return region, "the descriptions"
    return None, "the header"


def _shown(*values: str) -> str:
    """Coded values for a message; whatever is not spelt like a code string (PS3.5 6.2, CS) is not repeated."""
    if not any(values):
        return "empty"
    return "\\".join(value if _SHOWABLE.fullmatch(value) else "(not a code)" for value in values)


def _uid(value: str) -> str:
    return value if re.fullmatch(r"[0-9.]{1,64}", value) else "(not a UID)"


_REFUSALS: tuple[Callable[[Image, Series], Reason | None], ...] = (
    _own_result,
    _not_an_image,
    _secondary_capture,
    _unsupported,
    _no_pixels,
    _localizer,
    _other_region,
    _raw_twin,
)
"""Asked in this order; the first that answers decides."""
