"""What is asked of an object before it is kept, whatever way it came: that it names itself, in valid UIDs.

Nothing here decodes pixels. Refusals carry the status of PS3.4 B.2.3, which STOW-RS uses too (PS3.18 I.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom import uid
from pynetdicom import ALL_TRANSFER_SYNTAXES

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.incoming import head
from numbering.dicom.part10 import DEFLATED, Part10, split
from numbering.uids import InvalidUID, checked_uid

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
IMAGE_CLASSES = (
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.MRImageStorage,
    uid.EnhancedMRImageStorage,
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
)
"""What a pipeline could number."""
STORAGE_CLASSES = (
    *IMAGE_CLASSES,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.SegmentationStorage,
    LABEL_MAP_SEGMENTATION,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.KeyObjectSelectionDocumentStorage,
    uid.ParametricMapStorage,
)
"""What is taken, in any of the `TRANSFER_SYNTAXES`."""

_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
_RETIRED_JPEG = tuple(f"1.2.840.10008.1.2.4.{process}" for process in (*range(52, 57), *range(58, 67)))
TRANSFER_SYNTAXES = (*map(str, ALL_TRANSFER_SYNTAXES), _ENCAPSULATED_UNCOMPRESSED, *_RETIRED_JPEG)
"""Every encoding of a data set that PS3.6 table A-1 ever had. What nothing here can decode is kept all the same."""

# PS3.4 B.2.3 and table B.2-1, PS3.18 table I.2-2; C0xx and B0xx below are ours, within the ranges left to us.
SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
INVALID_IDENTIFIER = 0xC001
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
OTHER_STUDY = 0xC409
OTHER_PICTURE = 0xB0C0

HEAD_BYTES = (2**16, 2**20, 2**24)
"""So many bytes of a data set are looked at for its identifiers, more only where fewer did not do; of a deflated one so
many inflated ones, so that a bomb is never inflated."""

META_BYTES = 2**16
"""File meta information is a few hundred bytes; so much is taken for none."""


class RefusedError(Exception):
    """The object is not taken; holds the status and a comment of at most 64 characters without any value."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment[:64]


@dataclass(frozen=True, kw_only=True)
class Identified:
    """What a data set calls itself; every UID is valid."""

    sop_class: str
    sop_instance: str
    study: str
    series: str


def identifiers(data_set: bytes, transfer_syntax: str, *, sop_class: str, sop_instance: str) -> Identified:
    """The UIDs in the head of a data set, which must be the ones by which it was announced; else `RefusedError`."""
    first = memoryview(data_set)
    return identified_by(
        lambda size: bytes(first[:size]),
        len(data_set),
        transfer_syntax,
        sop_class=sop_class,
        sop_instance=sop_instance,
    )


def identified_by(
    read: Callable[[int], bytes], length: int, transfer_syntax: str, *, sop_class: str, sop_instance: str
) -> Identified:
    """As `identifiers`, for a data set of this length of which ``read`` gives the first so many bytes."""
    found = _found(read, length, transfer_syntax)
    if (found.get(head.SOP_CLASS), found.get(head.SOP_INSTANCE)) != (sop_class, sop_instance):
        raise RefusedError(DOES_NOT_MATCH, "SOP Class or Instance UID differs between command and data")
    return Identified(
        sop_class=checked(sop_class, "SOP Class UID"),
        sop_instance=checked(sop_instance, "SOP Instance UID"),
        study=checked(found.get(head.STUDY), "Study Instance UID"),
        series=checked(found.get(head.SERIES), "Series Instance UID"),
    )


def checked(value: object, what: str) -> str:
    """The value as a UID, or `RefusedError`."""
    if not value:
        raise RefusedError(INVALID_IDENTIFIER, f"{what} is missing")
    try:
        return checked_uid(value, what)
    except InvalidUID:
        raise RefusedError(INVALID_IDENTIFIER, f"{what} is invalid (PS3.5 9.1)") from None


def announced(whole: bytes) -> Part10:
    """A whole file taken apart; its file meta information (PS3.10 7.1) names it, or `RefusedError`."""
    try:
        file = split(whole)
    except BROKEN_DICOM:
        raise RefusedError(CANNOT_UNDERSTAND, "Not a DICOM file with file meta information") from None
    checked(file.sop_class, "Media Storage SOP Class UID")
    checked(file.sop_instance, "Media Storage SOP Instance UID")
    return file


def identified(file: Part10) -> Identified:
    """The UIDs of a file whose class and transfer syntax are among those taken, or `RefusedError`."""
    _taken(file)
    return identifiers(file.data_set, file.transfer_syntax, sop_class=file.sop_class, sop_instance=file.sop_instance)


def announced_in(read: Callable[[int, int], bytes]) -> tuple[Part10, int]:
    """As `announced`, for a file of any size of which ``read`` gives so many bytes from a position on.

    Its data set is left out; where that begins is the second value.
    """
    begin = 144 + int.from_bytes(read(4, 140), "little")
    if begin > META_BYTES:
        raise RefusedError(CANNOT_UNDERSTAND, "Not a DICOM file with file meta information")
    return announced(read(begin, 0)), begin


def identified_in(read: Callable[[int, int], bytes], begin: int, length: int, named: Part10) -> Identified:
    """As `identified`, for such a file, whose data set of this length begins there."""
    _taken(named)
    return identified_by(
        lambda size: read(size, begin),
        length,
        named.transfer_syntax,
        sop_class=named.sop_class,
        sop_instance=named.sop_instance,
    )


def _taken(file: Part10) -> None:
    if file.sop_class not in STORAGE_CLASSES:
        raise RefusedError(SOP_CLASS_NOT_SUPPORTED, "SOP Class is not supported")
    if file.transfer_syntax not in TRANSFER_SYNTAXES:
        raise RefusedError(TRANSFER_SYNTAX_NOT_SUPPORTED, "Transfer syntax is not supported")


def _found(read: Callable[[int], bytes], length: int, transfer_syntax: str) -> dict[int, str]:
    """The four UIDs by tag, absent ones left out, from the head of a data set in any transfer syntax."""
    for size in HEAD_BYTES:
        data, whole = read(size), size >= length
        try:
            if transfer_syntax in DEFLATED:
                data, whole = head.inflated(data, size)
            return head.uids(data, transfer_syntax, whole=whole)
        except head.CutShort:
            continue
        except head.BrokenHead:
            break
    raise RefusedError(CANNOT_UNDERSTAND, "Data set cannot be parsed in its transfer syntax")
