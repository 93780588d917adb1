"""What measurement groups are made of: tracking (TID 4108), algorithm (TID 4019), a region of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import HAS_CONCEPT_MOD, HAS_OBS_CONTEXT
from numbering.dicom.objects.references import image_of
from numbering.geometry import Point, closed_polyline, polyline
from numbering.result import NumberingResult
from numbering.uids import derived_uid

GROUP = Code("125007", "DCM", "Measurement Group")
COMMENT = Code("121106", "DCM", "Comment")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")


def finding_site(name: str) -> Dataset:
    """The vertebra (``L4``) or disc (``L4-L5``) as Finding Site; ``ValueError`` for another name."""
    return content.code(HAS_CONCEPT_MOD, FINDING_SITE, codes.structure(name))


def tracking(result: NumberingResult, kind: str, identifier: str) -> Iterator[Dataset]:
    """TID 4108."""
    yield content.text(HAS_OBS_CONTEXT, Code("112039", "DCM", "Tracking Identifier"), identifier)
    yield content.uidref(
        HAS_OBS_CONTEXT, Code("112040", "DCM", "Tracking Unique Identifier"), tracking_uid(result, kind)
    )


def tracking_uid(result: NumberingResult, kind: str) -> str:
    """What a structure is tracked by, in the report and in a segmentation of it."""
    return derived_uid(result.identity(), f"tracking {kind}")


def algorithm(result: NumberingResult) -> Iterator[Dataset]:
    """TID 4019, with everything that decides the answer."""
    model = result.model
    parameters = [
        f"weights_sha256={model.weights_sha256}",
        f"runtime={model.runtime}",
        f"trained_on={model.trained_on}",
    ]
    parameters += [f"{key}={value}" for key, value in sorted(result.settings.items())]
    family = Code("123110", "DCM", "Artificial Intelligence")
    yield content.text(HAS_CONCEPT_MOD, Code("111001", "DCM", "Algorithm Name"), model.name)
    yield content.text(HAS_CONCEPT_MOD, Code("111003", "DCM", "Algorithm Version"), model.version)
    for parameter in parameters:
        yield content.text(HAS_CONCEPT_MOD, Code("111002", "DCM", "Algorithm Parameters"), parameter)
    yield content.code(HAS_CONCEPT_MOD, Code("111000", "DCM", "Algorithm Family"), family)


def region(
    result: NumberingResult, sop_instance_uid: str, frame: int | None, points: tuple[Point, ...], *, closed: bool = True
) -> Dataset:
    """The outline through image points as "Image Region", on this image or frame of it."""
    return content.region(
        on_image(result, sop_instance_uid, points, closed=closed),
        image_of(content.SELECTED_FROM, result, sop_instance_uid, frame),
    )


def on_image(
    result: NumberingResult, sop_instance_uid: str, points: tuple[Point, ...], *, closed: bool
) -> NDArray[np.float64]:
    """Image points as graphic points ``(n, 2)``, kept inside the image that they lie on."""
    source = next(source for source in result.sources if source.sop_instance_uid == sop_instance_uid)
    return (closed_polyline if closed else polyline)(points, source.rows, source.columns)
