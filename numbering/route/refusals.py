"""What no pipeline takes, whichever are installed: asked of every image in this order, the first answer decides."""

from __future__ import annotations

from collections.abc import Callable

from numbering.errors import Reason, ReasonCode
from numbering.route.wording import refusal, shown, uid
from numbering.study import Image
from numbering.views import Region, region_of

RADIOGRAPHS = frozenset({"CR", "DX", "RG"})
VOLUMES = frozenset({"CT", "MR"})
NOT_IMAGES = frozenset({"SR", "PR", "KO", "SEG", "REG", "RTSTRUCT", "RTPLAN", "DOC", "FID", "PLAN", "AU", "ECG", "HD"})

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""The class, and the stem of its multi-frame kin (…7.1 to …7.4)."""
_NOT_IMAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports and key objects
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, segmentations
    "1.2.840.10008.5.1.4.1.1.104.",  # encapsulated documents
    "1.2.840.10008.5.1.4.1.1.30",  # parametric maps
)


def refused(image: Image) -> Reason | None:
    """Why this image is not numbered, whatever its series; None where that is still open."""
    return next((reason for question in _QUESTIONS if (reason := question(image))), None)


def region(image: Image) -> tuple[Region | None, str]:
    """BodyPartExamined decides where it is plain; else the descriptions, in which the spine outweighs the rest."""
    stated = region_of(image.body_part)
    if stated is not None:
        return stated, f"BodyPartExamined {shown(image.body_part)}"
    named = {region_of(text) for text in image.descriptions}
    for part in (Region.SPINE, Region.CERVICAL, Region.CHEST, Region.OTHER):
        if part in named:
            return part, "the descriptions"
    return None, "the header"


def _own_result(image: Image) -> Reason | None:
    if not image.made_by_us:
        return None
    return refusal(
        ReasonCode.OWN_RESULT,
        image,
        "an object that this software wrote",
        "images from a modality",
        "Nothing needs to be done; to save traffic, do not forward results to this node.",
    )


def _not_an_image(image: Image) -> Reason | None:
    if image.modality not in NOT_IMAGES and not image.sop_class_uid.startswith(_NOT_IMAGE_CLASSES):
        return None
    return refusal(
        ReasonCode.NOT_AN_IMAGE,
        image,
        f"modality {shown(image.modality)}, SOP class {uid(image.sop_class_uid)}, which is not an image",
        "a radiograph",
        "Nothing needs to be done; send the images themselves to have them numbered.",
    )


def _secondary_capture(image: Image) -> Reason | None:
    """A capture may be a screen, a printout or a film: nothing in its header vouches for geometry or grey levels."""
    sop_class = image.sop_class_uid
    if sop_class != _SECONDARY_CAPTURE and not sop_class.startswith(_SECONDARY_CAPTURE + "."):
        return None
    return refusal(
        ReasonCode.DERIVED_IMAGE,
        image,
        "a secondary capture",
        f"the original {image.modality if image.modality in VOLUMES else 'CR or DX'} object",
        "Send the image as the modality made it.",
    )


def _unsupported(image: Image) -> Reason | None:
    if image.modality in RADIOGRAPHS | VOLUMES:
        return None
    return refusal(
        ReasonCode.UNSUPPORTED_MODALITY,
        image,
        f"modality {shown(image.modality)}",
        f"one of {', '.join(sorted(RADIOGRAPHS | VOLUMES))}",
        "Send radiographs of the spine; if this is one, correct Modality (0008,0060) at its source.",
    )


def _no_pixels(image: Image) -> Reason | None:
    if image.has_pixels and image.rows > 0 and image.columns > 0:
        return None
    return refusal(
        ReasonCode.NO_PIXEL_DATA,
        image,
        f"{'' if image.has_pixels else 'no '}pixel data of {image.rows} rows × {image.columns} columns",
        "an image with pixel data",
        "Send the complete object from its source.",
    )


def _localizer(image: Image) -> Reason | None:
    if image.modality not in VOLUMES or not {"LOCALIZER", "SCOUT"} & {word.upper() for word in image.image_type}:
        return None
    return localizer(image, "a localizer (ImageType)")


def localizer(image: Image, found: str) -> Reason:
    """The reason of planning images."""
    return refusal(
        ReasonCode.LOCALIZER,
        image,
        found,
        "a diagnostic image",
        "Nothing needs to be done: the series that was planned on it is judged by itself.",
    )


_QUESTIONS: tuple[Callable[[Image], Reason | None], ...] = (
    _own_result,
    _not_an_image,
    _secondary_capture,
    _unsupported,
    _no_pixels,
    _localizer,
)
