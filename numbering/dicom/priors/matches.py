"""What C-FIND asks for and answers (PS3.4 C.6.2), as plain types; any of it may be missing, odd or broken."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from numbering.dicom.broken import BROKEN_DICOM
from numbering.priors.source import FoundSeries, FoundStudy, day_of, number_of
from numbering.uids import InvalidUID, checked_uid

STUDY_KEYS = (
    "StudyInstanceUID",
    "StudyDate",
    "ModalitiesInStudy",
    "StudyDescription",
    "NumberOfStudyRelatedInstances",
    "IssuerOfPatientID",
)
SERIES_KEYS = (
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
)


def identifier(keys: Mapping[str, str], wanted: tuple[str, ...] = ()) -> Dataset:
    """The data set of a request: matching keys, and the return keys that are wanted."""
    ds = Dataset()
    for keyword in wanted:
        setattr(ds, keyword, "")
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    if not all(value.isascii() for value in keys.values()):
        ds.SpecificCharacterSet = "ISO_IR 192"
    return ds


def study_of(ds: Dataset) -> FoundStudy | None:
    """A match at study level; None without a valid UID."""
    try:
        study_uid = checked_uid(text_of(ds, "StudyInstanceUID"), "Study Instance UID")
    except InvalidUID:
        return None
    return FoundStudy(
        study_instance_uid=study_uid,
        study_date=day_of(text_of(ds, "StudyDate")),
        modalities=frozenset(text_of(ds, "ModalitiesInStudy").split("\\")) - {""},
        description=text_of(ds, "StudyDescription"),
        instances=number_of(text_of(ds, "NumberOfStudyRelatedInstances")),
    )


def series_of(ds: Dataset, study_instance_uid: str) -> FoundSeries | None:
    """A match at series level; None without a valid UID, or when it is of another study."""
    if text_of(ds, "StudyInstanceUID") not in ("", study_instance_uid):
        return None
    try:
        series_uid = checked_uid(text_of(ds, "SeriesInstanceUID"), "Series Instance UID")
    except InvalidUID:
        return None
    return FoundSeries(
        series_instance_uid=series_uid,
        modality=text_of(ds, "Modality"),
        body_part=text_of(ds, "BodyPartExamined"),
        description=text_of(ds, "SeriesDescription"),
        instances=number_of(text_of(ds, "NumberOfSeriesRelatedInstances")),
    )


def text_of(ds: Dataset, keyword: str) -> str:
    """A value as text, several with backslashes; empty when it is missing or cannot be read."""
    try:
        value = ds.get(keyword)
    except BROKEN_DICOM:
        return ""
    if value is None:
        return ""
    values = value if isinstance(value, MultiValue) else [value]
    return "\\".join(str(each).strip() for each in values)
