"""Headers as they should not be: missing and wrong tags, on request, for those who test their routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydicom import Dataset


def _remove(*keywords: str) -> Callable[[Dataset], None]:
    def remove(ds: Dataset) -> None:
        for keyword in keywords:
            if keyword in ds:
                del ds[keyword]

    return remove


def _wrong_view(ds: Dataset) -> None:
    """The view of the other film of the pair, in the one tag that the operator sets by hand."""
    if "ViewPosition" in ds:
        ds.ViewPosition = "LL" if ds.ViewPosition in ("AP", "PA") else "AP"


def _wrong_body_part(ds: Dataset) -> None:
    ds.BodyPartExamined = "CHEST"


def _wrong_laterality(ds: Dataset) -> None:
    ds.ImageLaterality = "L"


FLAWS: Mapping[str, Callable[[Dataset], None]] = {
    "no-body-part": _remove("BodyPartExamined", "AnatomicRegionSequence"),
    "wrong-body-part": _wrong_body_part,
    "no-view": _remove("ViewPosition", "ViewCodeSequence"),
    "wrong-view": _wrong_view,
    "no-laterality": _remove("ImageLaterality", "Laterality", "FrameLaterality"),
    "wrong-laterality": _wrong_laterality,
    "no-orientation": _remove("PatientOrientation"),
    "no-descriptions": _remove("StudyDescription", "SeriesDescription", "ProtocolName"),
    "no-spacing": _remove("ImagerPixelSpacing", "PixelSpacing"),
}
"""By name: what is done to the header of every image of the patient."""


def spoil(ds: Dataset, flaws: Sequence[str]) -> None:
    """Apply these flaws in place; ``KeyError`` for a name that is none."""
    for name in flaws:
        FLAWS[name](ds)
