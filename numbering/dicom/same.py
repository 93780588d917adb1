"""Do two objects under one SOP instance UID show the same picture?

They do when everything is equal but the demographics (patient and study texts that a PACS corrects), what an archive
says of its holdings, the encoding and the file meta information. What cannot be decoded or compared is not the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.part10 import parse, split
from numbering.dicom.pixels import stored_values

_DEMOGRAPHIC_GROUPS = frozenset({0x0010, 0x0032, 0x0038})
"""Patient, request and visit."""

_DEMOGRAPHIC = frozenset(
    Tag(keyword)
    for keyword in (
        "AccessionNumber",
        "AdmittingDiagnosesDescription",
        "InstanceCoercionDateTime",
        "InstitutionAddress",
        "InstitutionName",
        "InstitutionalDepartmentName",
        "IssuerOfAccessionNumberSequence",
        "NameOfPhysiciansReadingStudy",
        "OperatorsName",
        "OriginalAttributesSequence",
        "PerformingPhysicianName",
        "PhysiciansOfRecord",
        "ProcedureCodeSequence",
        "ReferencedPatientSequence",
        "ReferencedStudySequence",
        "ReferringPhysicianName",
        "RequestAttributesSequence",
        "SpecificCharacterSet",
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyTime",
        "TimezoneOffsetFromUTC",
    )
)

_RETRIEVAL = frozenset(
    Tag(keyword)
    for keyword in (
        "InstanceAvailability",
        "NumberOfSeriesRelatedInstances",
        "NumberOfStudyRelatedInstances",
        "NumberOfStudyRelatedSeries",
        "RetrieveAETitle",
        "RetrieveURL",
    )
)
"""What an archive knows of its own holdings, and some write into what they send."""

_ENCODING = frozenset(
    Tag(keyword)
    for keyword in (
        "PixelData",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "DataSetTrailingPadding",
    )
)
"""Told by the decoded pixels instead."""


def content_digest(path: Path) -> str:
    """The sha256 of a file's transfer syntax and data set: the same whoever sends the object, unlike the file's."""
    data = path.read_bytes()
    try:
        part = split(data)
    except ValueError:
        return hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256(part.transfer_syntax.encode())
    digest.update(part.data_set)
    return digest.hexdigest()


def same_picture(stored: bytes, received: bytes) -> bool:
    """Whether two files (whole, as bytes) differ in nothing but demographics, an archive's own words and encoding."""
    try:
        first, second = parse(stored), parse(received)
        return _facts(first) == _facts(second) and _same_pixels(first, second)
    except BROKEN_DICOM:
        return False


def _facts(ds: Dataset) -> dict[BaseTag, object]:
    return {
        element.tag: _value(element)
        for element in ds
        if element.tag.element != 0  # group lengths
        and element.tag.group not in _DEMOGRAPHIC_GROUPS
        and element.tag not in _DEMOGRAPHIC
        and element.tag not in _RETRIEVAL
        and element.tag not in _ENCODING
    }


def _value(element: DataElement) -> object:
    if element.VR == "SQ":
        return [_facts(item) for item in element.value]
    return element.value


def _same_pixels(first: Dataset, second: Dataset) -> bool:
    pixels = first.get("PixelData"), second.get("PixelData")
    if None in pixels:
        return pixels == (None, None)
    inverted = {"MONOCHROME1"} & {first.get("PhotometricInterpretation"), second.get("PhotometricInterpretation")}
    if inverted and first.get("PhotometricInterpretation") != second.get("PhotometricInterpretation"):
        return False
    if first.file_meta.TransferSyntaxUID == second.file_meta.TransferSyntaxUID and pixels[0] == pixels[1]:
        return True
    values, others = stored_values(first), stored_values(second)
    return values.shape == others.shape and bool((values == others).all())
