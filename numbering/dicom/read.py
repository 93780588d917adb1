"""From files to `Series`: the header facts that routing and results need, from any DICOM file, however damaged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from numbering.dicom import MANUFACTURER
from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.facts import facts
from numbering.dicom.part10 import refuse_bomb
from numbering.dicom.pixels import radiographs
from numbering.dicom.planes import SPATIAL, images_in
from numbering.dicom.stand_ins import stand_in
from numbering.errors import Reason, ReasonCode, UnsuitableStudy
from numbering.plane import Plane
from numbering.study import Facts, Image, Series
from numbering.uids import IMPLEMENTATION_CLASS_UID, InvalidUID, checked_uid

__all__ = ["Unreadable", "radiographs", "read_folder", "read_header", "read_series"]

LARGEST_AMOUNT = 10**6
DICOMDIR = "1.2.840.10008.1.3.10"
_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DESCRIPTIONS = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
    "StudyDescription",
)
_CODES = ("ViewCodeSequence", "AnatomicRegionSequence")
_ANATOMY = "FrameAnatomySequence"
_MOMENTS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
_DIGITS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6}))?\s*([+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)")

T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """A file that is no readable DICOM object, and why."""

    path: Path
    reason: Reason


def read_header(path: Path, *, stood_in: bool = False) -> tuple[str, str, Image]:
    """Study Instance UID, Series Instance UID and header facts of one file.

    ``UnsuitableStudy`` (``unreadable-header``) names the file when it is not a DICOM object with the identifiers that
    every object has; with ``stood_in``, empty ones are made up for (`stand_ins`).
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            ds, has_pixels = _parse_header(file)
    except BROKEN_DICOM as error:
        raise _unreadable(path, f"found no DICOM data set ({type(error).__name__})") from None
    empty = stand_in(ds) if stood_in else ()
    sop_class = _text(ds, "SOPClassUID")
    if DICOMDIR in (sop_class, _text(ds.file_meta, "MediaStorageSOPClassUID")):
        raise _unreadable(path, "found a DICOMDIR, a list of other files")
    if not sop_class:
        raise _unreadable(path, "found no SOP Class UID (0008,0016)")
    try:
        study = checked_uid(_text(ds, "StudyInstanceUID"), "Study Instance UID (0020,000D)")
        series = checked_uid(_text(ds, "SeriesInstanceUID"), "Series Instance UID (0020,000E)")
        sop = checked_uid(_text(ds, "SOPInstanceUID"), "SOP Instance UID (0008,0018)")
    except InvalidUID as error:
        what = str(error).split(" is ")[0]  # the value itself may be anything
        raise _unreadable(path, f"found no valid {what}") from None
    image = _image(ds, path=path, digest=digest, sop=sop, sop_class=sop_class, has_pixels=has_pixels)
    return study, series, replace(image, stood_in=bool(empty))


def read_series(paths: Iterable[Path]) -> list[Series]:
    """The series of these files, ordered by UID, their images by instance number and UID.

    Of several files with one SOP instance UID the first is kept. Raises as `read_header` does.
    """
    return _grouped(read_header(path) for path in paths)


def read_folder(paths: Iterable[Path]) -> tuple[list[Series], list[Unreadable]]:
    """The series in these files and folders (searched to the bottom), and what could not be read and why.

    Files that somebody emptied of their identifiers get stand-ins (`stand_ins`).
    """
    headers: list[tuple[str, str, Image]] = []
    unreadable: list[Unreadable] = []
    for path in _files(paths):
        try:
            headers.append(read_header(path, stood_in=True))
        except UnsuitableStudy as error:
            unreadable.append(Unreadable(path, error.reason))
    return _grouped(headers), unreadable


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_dir() and file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _grouped(headers: Iterable[tuple[str, str, Image]]) -> list[Series]:
    first: dict[str, tuple[str, str, Image]] = {}
    for study, series, image in headers:
        first.setdefault(image.sop_instance_uid, (study, series, image))
    ordered = sorted(first.values(), key=lambda header: (header[1], header[0], *_place(header[2])))
    return [
        Series(
            study_instance_uid=study,
            series_instance_uid=series,
            modality=images[0].modality,
            images=images,
        )
        for (series, study), group in groupby(ordered, key=lambda header: (header[1], header[0]))
        if (images := tuple(image for _, _, image in group))
    ]


def _place(image: Image) -> tuple[bool, int, str]:
    return image.instance_number is None, image.instance_number or 0, image.sop_instance_uid


def _parse_header(file: BinaryIO) -> tuple[Dataset, bool]:
    """Everything before the pixel data, and whether there is any."""
    found: list[int] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in _PIXEL_TAGS:
            found.append(length)
            return True
        return False

    refuse_bomb(file)
    ds = read_partial(file, stop_when=at_pixels, force=True)
    return ds, any(length != 0 for length in found)


def _unreadable(path: Path, found: str) -> UnsuitableStudy:
    return UnsuitableStudy(
        ReasonCode.UNREADABLE_HEADER,
        f"{path.name}: {found}; expected a DICOM object with SOP class, study, series and instance UIDs. "
        "Leave this file out, or export it again from its source.",
    )


def _image(ds: Dataset, *, path: Path, digest: str, sop: str, sop_class: str, has_pixels: bool) -> Image:
    modality, descriptions = _text(ds, "Modality").upper(), _descriptions(ds)
    spatial = modality in SPATIAL and has_pixels
    return Image(
        sop_instance_uid=sop,
        sop_class_uid=sop_class,
        path=path,
        digest=digest,
        modality=modality,
        rows=_whole(ds, "Rows") or 0,
        columns=_whole(ds, "Columns") or 0,
        frames=max(_whole(ds, "NumberOfFrames") or 1, 1),
        has_pixels=has_pixels,
        instance_number=_whole(ds, "InstanceNumber"),
        image_type=_texts(ds, "ImageType"),
        body_part=_text(ds, "BodyPartExamined"),
        view_position=_text(ds, "ViewPosition"),
        patient_orientation=_texts(ds, "PatientOrientation"),
        view_codes=tuple(
            f"{_text(item, 'CodingSchemeDesignator')}:{_text(item, 'CodeValue')}"
            for item in _items(ds, "ViewCodeSequence")
        ),
        descriptions=descriptions,
        made_by_us=_made_by_us(ds),
        acquired=_acquired(ds),
        series_related_instances=_amount(ds, "NumberOfSeriesRelatedInstances"),
        acquisition_number=_amount(ds, "AcquisitionNumber"),
        images_in_acquisition=_amount(ds, "ImagesInAcquisition"),
        frame_of_reference_uid=_frame_of_reference(ds) if spatial else None,
        planes=_planes(ds, sop) if spatial else (),
        facts=facts(ds, descriptions) if spatial else Facts(),
        time_point=_whole(ds, "TemporalPositionIdentifier"),
        samples=_whole(ds, "SamplesPerPixel") or 1,
    )


def _frame_of_reference(ds: Dataset) -> str | None:
    try:
        return checked_uid(_text(ds, "FrameOfReferenceUID"), "Frame of Reference UID (0020,0052)")
    except InvalidUID:
        return None


def _planes(ds: Dataset, sop: str) -> tuple[Plane, ...]:
    try:
        return tuple(plane for plane in images_in(ds, sop) if isinstance(plane, Plane))
    except BROKEN_DICOM:
        return ()


def _made_by_us(ds: Dataset) -> bool:
    # Not the file meta information: it names whoever wrote the file last, and our spool writes what it receives.
    return _text(ds, "Manufacturer") == MANUFACTURER or IMPLEMENTATION_CLASS_UID in _texts(ds, "SoftwareVersions")


def _descriptions(ds: Dataset) -> tuple[str, ...]:
    texts = [_text(ds, keyword) for keyword in _DESCRIPTIONS]
    anatomy = [each for group in _items(ds, "SharedFunctionalGroupsSequence") for each in _items(group, _ANATOMY)]
    texts += [
        _text(item, "CodeMeaning") for each in (ds, *anatomy) for keyword in _CODES for item in _items(each, keyword)
    ]
    return tuple(dict.fromkeys(text for text in texts if text))


def _acquired(ds: Dataset) -> datetime | None:
    offset = _text(ds, "TimezoneOffsetFromUTC")
    candidates = [_text(ds, "AcquisitionDateTime")]
    candidates += [
        re.sub("[.:-]", "", _text(ds, day)) + _text(ds, hour).replace(":", "")
        for day, hour in _MOMENTS
        if _text(ds, day)
    ]
    for text in candidates:
        with suppress(ValueError, OverflowError):
            return _moment(text, offset)
    return None


def _moment(text: str, default_offset: str) -> datetime:
    """A DICOM date and time (PS3.5 6.2, DT) in UTC; taken as UTC when no offset is known."""
    match = _DIGITS.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a date and time")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    local = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),  # 60 is a leap second (PS3.5 6.2, TM)
        int((fraction or "0").ljust(6, "0")),
        tzinfo=_zone(offset or default_offset),
    )
    return local.astimezone(UTC)


def _zone(offset: str) -> timezone:
    match = _OFFSET.fullmatch(offset.strip())
    if match is None:
        return UTC
    sign, hours, minutes = match.groups()
    delta = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-delta if sign == "-" else delta)


def _read(ds: Dataset, keyword: str, convert: Callable[[object], T], otherwise: T) -> T:
    """An element's value, or ``otherwise`` when it is absent, empty or broken."""
    try:
        value = ds.get(keyword)
        return otherwise if value is None else convert(value)
    except BROKEN_DICOM:
        return otherwise


def _text(ds: Dataset, keyword: str) -> str:
    return _read(ds, keyword, lambda value: str(value).replace("\0", "").strip(), "")


def _texts(ds: Dataset, keyword: str) -> tuple[str, ...]:
    return _read(ds, keyword, _split_text, ())


def _split_text(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    return tuple(str(item).strip() for item in values if str(item).strip())


def _whole(ds: Dataset, keyword: str) -> int | None:
    return _read(ds, keyword, lambda value: int(str(value)), None)


def _amount(ds: Dataset, keyword: str) -> int | None:
    """A whole number from 1 that a series can have; None for any other."""
    value = _whole(ds, keyword)
    return value if value is not None and 1 <= value <= LARGEST_AMOUNT else None


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    return _read(ds, keyword, _datasets, [])


def _datasets(value: object) -> list[Dataset]:
    return [item for item in value if isinstance(item, Dataset)] if isinstance(value, Iterable) else []
