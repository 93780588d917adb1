"""What all our objects share: the source's patient and study, our equipment, dates of the result, a character set.

Every date and UID comes from the stored result, so the same result gives the same bytes at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone

from pydicom import config
from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from numbering.anatomy import from_to
from numbering.dicom import MANUFACTURER
from numbering.dicom.objects.codes import coded
from numbering.result import NumberingResult, Status
from numbering.uids import derived_uid

# pydicom's warnings about odd values quote them, a birth date among them. What identifies the patient is copied as the
# source has it, odd or not, or the archive would file our objects under another patient.
config.settings.reading_validation_mode = config.IGNORE
config.settings.writing_validation_mode = config.IGNORE

NOTICE = "AI result, not verified. Research use only."
"""In every object that we write, unless a person verified it."""
VERIFIED_NOTICE = "Named by a person and verified. Research use only."

PATIENT_AND_STUDY_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Copied, and present but empty where the source lacks them (PS3.3 C.7.1.1, C.7.2.1)."""

PATIENT_AND_STUDY_TYPE_3 = (
    "IssuerOfPatientID",
    "PatientBirthTime",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyDescription",
)
"""Copied where the source has them."""

SERIES_NUMBERS = {"SR": 9001, "PR": 9002, "SEG": 9003, "KO": 9004, "OT": 9005}
"""High, so that our series come after the acquisitions in a viewer's list."""


def begin(
    result: NumberingResult, source: Dataset, *, modality: str, sop_class_uid: str, kind: str, instance_number: int
) -> Dataset:
    """A new object in the source's study and in a series of its modality's own: all but its content.

    `kind` names the object among those of one result: its SOP Instance UID is derived from it.
    """
    ds = Dataset()
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = derived_uid(result.identity(), kind)
    ds.StudyInstanceUID = source.StudyInstanceUID
    ds.SeriesInstanceUID = series_uid(derived_uid(result.identity(), "SR"), modality)
    copy_patient_and_study(ds, source)
    ds.Modality = modality
    ds.SeriesNumber = SERIES_NUMBERS[modality]
    ds.SeriesDescription = description(result)
    ds.InstanceNumber = instance_number
    ds.ContentQualification = "RESEARCH"
    _date(ds, result, source)
    _equip(ds, result, source)
    return ds


def series_uid(sr_uid: str, modality: str) -> str:
    """The series of the objects of this modality that belong to an SR.

    It is derived from the SR's UID, so that a successor, which knows no more of its predecessor, can name its series.
    """
    return derived_uid((sr_uid,), f"{modality} series")


def notice(result: NumberingResult) -> str:
    """What every object of this result says of its standing."""
    return VERIFIED_NOTICE if result.verified else NOTICE


def standing(result: NumberingResult) -> str:
    """The same in two words."""
    return "verified" if result.verified else "AI, unverified"


def description(result: NumberingResult) -> str:
    """Series Description: ``numbering: L5 (AI, unverified)``."""
    findings = result.findings
    levels = [*(found.level for found in findings.vertebrae), *(found.level for found in findings.discs)]
    what = "no numbering given" if findings.status is Status.ABSTAINED else from_to(levels)
    return f"numbering: {what} ({standing(result)})"


def local_time(result: NumberingResult, source: Dataset) -> datetime:
    """When the result was made, as `local` tells it."""
    return local(result.created_at, source)


def local(when: datetime, source: Dataset) -> datetime:
    """The moment at the source's offset from UTC; in UTC when the source states none."""
    return when.astimezone(_offset(str(source.get("TimezoneOffsetFromUTC", "") or "")))


def settle_character_set(ds: Dataset, source: Dataset) -> None:
    """Choose Specific Character Set: none for ASCII, the source's single-byte one if it suffices, else UTF-8."""
    words = "".join(_texts(ds))
    theirs = source.get("SpecificCharacterSet")
    if words.isascii():
        return
    if isinstance(theirs, str) and theirs.startswith("ISO_IR ") and _encodes(theirs, words):
        ds.SpecificCharacterSet = theirs
    else:
        ds.SpecificCharacterSet = "ISO_IR 192"


def copy_patient_and_study(ds: Dataset, source: Dataset) -> None:
    """Patient and study of the source, as it has them."""
    for keyword in PATIENT_AND_STUDY_TYPE_2:
        setattr(ds, keyword, _plain(source.get(keyword, "")))
    for keyword in PATIENT_AND_STUDY_TYPE_3:
        if keyword in source:
            setattr(ds, keyword, _plain(source.get(keyword)))


def _plain(value: object) -> object:
    # str() of a PersonName forgets the source's bytes, so that it is encoded anew in our character set
    if value is None:
        return ""
    return [str(part) for part in value] if isinstance(value, (list, tuple)) else str(value)


def _date(ds: Dataset, result: NumberingResult, source: Dataset) -> None:
    when = local_time(result, source)
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.TimezoneOffsetFromUTC = when.strftime("%z")
    ds.InstanceCreationDate = ds.SeriesDate = date
    ds.InstanceCreationTime = ds.SeriesTime = time


def _offset(text: str) -> timezone:
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdigit():
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes)) if minutes < 24 * 60 else UTC


def _equip(ds: Dataset, result: NumberingResult, source: Dataset) -> None:
    """Enhanced General Equipment (PS3.3 C.7.5.2) and Contributing Equipment (PS3.3 C.12.1.1.5)."""
    for item in (ds, contribution := Dataset()):
        item.Manufacturer = MANUFACTURER
        item.ManufacturerModelName = result.pipeline
        # The "device" is this program with these weights
        item.DeviceSerialNumber = result.model.weights_sha256[:16]
        item.SoftwareVersions = [result.software_version, f"{result.model.name} {result.model.version}"[:64]]
    contribution.PurposeOfReferenceCodeSequence = coded(Code("109102", "DCM", "Processing Equipment"))
    contribution.ContributionDateTime = local_time(result, source).strftime("%Y%m%d%H%M%S.%f")
    contribution.ContributionDescription = f"Numbering of vertebrae. {notice(result)}"
    ds.ContributingEquipmentSequence = Sequence([contribution])


def _texts(ds: Dataset) -> Iterator[str]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in {"PN", "LO", "SH", "ST", "LT", "UT", "UC"}:
            yield from map(str, _values(element))


def _values(element: DataElement) -> Iterable[object]:
    return element.value if element.VM > 1 else [element.value]


def _encodes(character_set: str, words: str) -> bool:
    encoding = python_encoding.get(character_set)
    try:
        words.encode(encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
