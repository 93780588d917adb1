"""Slices of CT and MR: which are a volume of the body as it was measured, and how they lie.

What is refused by name: localizers, reformats, projections, maps that were computed, protocols and dose reports, heads
and limbs. A chest or an abdomen goes to the pipeline, which sees whether what it looks for is there. An image of
several frames is judged as a whole.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from numbering.errors import Reason, ReasonCode
from numbering.orientation import views
from numbering.pipelines import Card
from numbering.plane import Plane
from numbering.result import Status
from numbering.route.assignment import Verdict, of_view
from numbering.route.refusals import localizer, region
from numbering.route.wording import refusal
from numbering.study import Image, View
from numbering.views import Region, plain

REFORMATTED = frozenset({"MPR", "REFORMATTED", "RESAMPLED", "CSAPARALLEL", "CSARADIAL", "AVERAGE"})
"""Words of Image Type for reformats; a scanner writes some of them for what it reconstructed from raw data, too."""
COMPUTED = frozenset(
    {
        "MIP", "MINIP", "MAXIP", "MAX_IP", "MIN_IP", "MAXIMUM", "MINIMUM", "PROJECTION", "VRT", "SSD", "RENDERED",
        "VOLREN", "VOLUME_RENDER", "CURVED", "CPR", "SCREEN", "PROT", "DOSE", "REPORT", "PERFUSION", "CBF", "RCBF",
        "CBV", "RCBV", "MTT", "TTP", "TMAX", "SUBTRACT", "SUBTRACTION", "SUB", "ADC", "EADC", "DIFFUSION", "TRACE",
        "TRACEW", "DWI", "FA", "TENSOR", "EXPONENTIAL", "MAP", "PHASE", "VELOCITY", "MOSAIC", "STDDEV",
        "STD_DEVIATION", "QUANTITY", "DIVISION", "MULTIPLICATION", "FMRI", "SPECTROSCOPY",
    }
)  # fmt: skip
"""Words of Image Type for what shows no anatomy as it was measured."""
PHASES = frozenset({"P", "R", "I"})
"""Whole values of Image Type: phase, real and imaginary parts of an MR."""
_LOCALIZER_WORDS = (
    r"\blocali[sz]er\b|\blokali[sz]\w*|\blocators?\b|\bscouts?\b|\bsurvey\b|\btopogram\w*|\btri ?pilot\w*"
    r"|\btri ?plan\w*|位置決め"
)
MOST_IN_TWO_VIEWS, MOST_IN_THREE_VIEWS = 12, 45
"""Slices of a localizer; a series in several views with more is taken apart instead."""
TIMES = 3
"""So many pictures of each place are a course in time (perfusion, cine, fluoroscopy), not a volume."""
LEAST_CT_SLICES = 3


def judge_volumes(images: Sequence[Image], cards: Sequence[Card]) -> dict[str, Verdict]:
    """Whose each of these images of one series is, by SOP Instance UID. Verdicts do not depend on their order."""
    verdicts: dict[str, Verdict] = {}
    left = []
    for image in images:
        if reason := _computed(image) or _other_region(image) or _without_place(image):
            verdicts[image.sop_instance_uid] = Verdict(Status.UNSUITABLE, reason=reason)
        else:
            left.append(image)
    called = views(plane for image in left for plane in image.planes)
    planning = _is_localizer(left, called)
    for view, members in _by_view(left, called).items():
        fault = _not_a_volume(members, [plane for one in members for plane in one.planes if called[plane] is view])
        for image in members:
            reason = _refused(image, view, planning, fault)
            found = f"{view} slices; modality {image.modality}"
            verdict = Verdict(Status.UNSUITABLE, view, reason=reason) if reason else of_view(image, view, found, cards)
            verdicts[image.sop_instance_uid] = verdict
    return verdicts


def _by_view(images: Sequence[Image], called: Mapping[Plane, View]) -> dict[View, list[Image]]:
    """An object whose frames lie in several views counts as axial if one of them is; else as most of them."""
    found: dict[View, list[Image]] = defaultdict(list)
    for image in images:
        counts = Counter(called[plane] for plane in image.planes)
        view = View.AXIAL if counts[View.AXIAL] else counts.most_common(1)[0][0]
        found[view].append(image)
    return found


def _refused(image: Image, view: View, planning: bool, fault: str | None) -> Reason | None:
    if planning:
        return localizer(image, "a localizer (few slices in several views, or the description)")
    if image.modality == "CT" and view is not View.AXIAL:
        return _derived(image, f"{view} slices of a CT, which are reformatted")
    return _no_volume(image, fault) if fault else None


def _derived(image: Image, found: str) -> Reason:
    return refusal(
        ReasonCode.DERIVED_IMAGE,
        image,
        found,
        f"slices as the {image.modality} scanner made them",
        "Nothing needs to be done where the series that it was made from is sent, too.",
    )


def _no_volume(image: Image, found: str) -> Reason:
    return refusal(
        ReasonCode.NOT_A_VOLUME,
        image,
        found,
        "slices of the body in one frame of reference, of each place one",
        "Nothing needs to be done if the study has such a series; else send the original slices.",
    )


def _computed(image: Image) -> Reason | None:
    """Reformats, projections, maps, colour: what is not the picture as it was measured."""
    values = [value.upper() for value in image.image_type]
    words = {*values, *(word for value in values for word in re.split(r"[ _]+", value))}
    original = values[:1] == ["ORIGINAL"]
    if words & COMPUTED or (image.modality == "MR" and PHASES & set(values[2:])):
        return _derived(image, "a computed picture (ImageType)")
    if not original and (words & REFORMATTED or values[1:2] == ["SECONDARY"]):
        return _derived(image, "a reformatted picture (ImageType)")
    return _derived(image, "a picture in colour") if image.samples > 1 else None


def _other_region(image: Image) -> Reason | None:
    """Heads and limbs, and necks on MR, of which nothing here numbers axial slices. A trunk is left to the pixels."""
    part, source = region(image)
    if part is Region.OTHER:
        return refusal(
            ReasonCode.NOT_A_SPINE_EXAMINATION,
            image,
            f"another body part in {source}",
            "slices of the trunk",
            "If this is one, correct BodyPartExamined (0018,0015) at its source and send it again.",
        )
    if part is Region.CERVICAL and image.modality == "MR":
        return refusal(
            ReasonCode.NO_PIPELINE_INSTALLED,
            image,
            f"the cervical spine alone in {source}, and no pipeline for it is installed",
            "slices that may show the lumbar spine",
            "It is stored and stays unnumbered; if the series shows more, correct BodyPartExamined (0018,0015).",
        )
    return None


def _without_place(image: Image) -> Reason | None:
    if image.planes and image.frame_of_reference_uid:
        return None
    return _no_volume(
        image, "no place in a frame of reference (position, orientation, spacing, Frame of Reference UID)"
    )


def _is_localizer(images: Sequence[Image], called: Mapping[Plane, View]) -> bool:
    """Few slices in two or three views, or a description that says so."""
    several = len(set(called.values())) > 1
    if len(called) <= (MOST_IN_TWO_VIEWS, MOST_IN_THREE_VIEWS)[len(set(called.values())) > 2]:
        words = {plain(text) for image in images for text in image.descriptions}
        return several or any(re.search(_LOCALIZER_WORDS, text) for text in words)
    return False


def _not_a_volume(images: Sequence[Image], planes: Sequence[Plane]) -> str | None:
    """What is wrong with these slices of one view together."""
    if len({image.frame_of_reference_uid for image in images}) > 1:
        return "slices in several frames of reference"
    places = {(*plane.normal.round(3), round(float(plane.off_mm((0.0, 0.0, 0.0))), 1)) for plane in planes}
    if len(planes) >= TIMES * len(places) and len(planes) > TIMES:
        return f"{len(planes)} slices in {len(places)} places, a course in time"
    if images[0].modality == "CT" and len(places) < LEAST_CT_SLICES:
        return f"slices in {len(places)} places, too few for a volume"
    return None
