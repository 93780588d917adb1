"""What every simulated image shares: patient, study, series, equipment and frame of reference modules; and its bytes.

An encoder of `numbering.phantom.dicom` begins with `begin`, adds what its image class asks for, and hands the dataset
on; `file_bytes` writes it. The same patient, visit and series always give the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.dicom.flaws import spoil
from numbering.phantom.styles import STYLES, Region, Shown, Style, series_words, study_words
from numbering.phantom.visits import Visit
from numbering.uids import IMPLEMENTATION_CLASS_UID, derived_uid

SIMULATED = "Simulated image of no real person"
"""In every object, beside a PatientName that begins with PHANTOM and QualityControlImage YES."""

RENDERING = "2"
"""Part of every UID: raise it when a patient of the same seed looks different, for other pixels need another UID."""

_HOURS = {"films": 9, "mr": 11, "ct": 14}


@dataclass(frozen=True, kw_only=True)
class SeriesHeader:
    """What a series is. ``name`` tells it from all others of its visit (``ap lumbar``, ``axial T2 parallel``): UIDs
    and file names derive from it, so whatever parameter changes its pixels belongs into it."""

    name: str
    number: int
    modality: str
    sop_class_uid: str
    shown: Shown
    region: Region
    body_part: str
    """Body Part Examined; PS3.16 Annex L has the defined terms: LSPINE, TLSPINE, SPINE, ABDOMEN."""
    in_space: bool = True
    """Whether it has a frame of reference (CT, MR); a film has none."""
    protocol: str = ""
    """Protocol Name; the series description where empty."""


def uid(visit: Visit, kind: str) -> str:
    """A UID that follows from seed, anomalies, visit, what else decides the bytes, and the kind of object alone."""
    patient = visit.patient
    identity = ["phantom", RENDERING, str(patient.seed), *patient.anomalies, f"visit {visit.number} {visit.kind}"]
    return derived_uid([*identity, visit.style, *visit.rendering, *visit.flaws], kind)


def study_uid(visit: Visit) -> str:
    """Study Instance UID: one study a visit and kind of examination."""
    return uid(visit, "study")


def series_uid(visit: Visit, series: SeriesHeader) -> str:
    """Series Instance UID."""
    return uid(visit, f"series {series.name}")


def instance_uid(visit: Visit, series: SeriesHeader, instance_number: int = 1) -> str:
    """SOP Instance UID: the truth names images by it."""
    return uid(visit, f"{series.name} {instance_number}")


def frame_of_reference_uid(visit: Visit) -> str:
    """Of all series of the visit's study: the patient does not move between them."""
    return uid(visit, "frame of reference")


def begin(visit: Visit, series: SeriesHeader, *, instance_number: int = 1) -> Dataset:
    """A new image of this series: all modules but those of the image class itself.

    Sets SOP class and UIDs, patient, study, series, equipment, (where ``in_space``) frame of reference, character set,
    InstanceNumber, and dates and times, ContentDate and AcquisitionDate among them, and the marks of a simulation.
    Enhanced image classes delete what their modules do not have.
    """
    ds = Dataset()
    style = STYLES[visit.style]
    charset = style.character_set
    ds.SpecificCharacterSet = list(charset) if len(charset) > 1 else charset[0]
    ds.SOPClassUID, ds.SOPInstanceUID = UID(series.sop_class_uid), UID(instance_uid(visit, series, instance_number))
    _describe_patient(ds, visit.patient, visit.day)
    _describe_study(ds, visit, series, style)
    _describe_series(ds, visit, series, style)
    _describe_equipment(ds, visit, series, style)
    if series.in_space:
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = UID(frame_of_reference_uid(visit)), ""
    ds.InstanceNumber = instance_number
    ds.ImageComments = SIMULATED
    ds.QualityControlImage = "YES"  # PS3.3 C.7.6.1: a quality control or phantom image
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def file_bytes(ds: Dataset, flaws: tuple[str, ...] = ()) -> bytes:
    """The image as a DICOM file (explicit VR little endian), after what `flaws` asks for is spoilt in its header."""
    spoil(ds, flaws)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    ds.file_meta.ImplementationVersionName = "NUMB_PHANTOM"
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _describe_patient(ds: Dataset, patient: Patient, day: date) -> None:
    ds.PatientName = f"PHANTOM^SEED{patient.seed:04d}"
    ds.PatientID = f"PHANTOM-{patient.seed:04d}"
    ds.PatientBirthDate = f"{day.year - patient.age:04d}0101"
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{patient.age:03d}Y"
    ds.PatientSize = f"{patient.stature_mm / 1000:.2f}"
    ds.PatientWeight = f"{patient.weight_kg:.0f}"
    ds.PatientComments = SIMULATED


def _describe_study(ds: Dataset, visit: Visit, series: SeriesHeader, style: Style) -> None:
    day, hour = visit.day.strftime("%Y%m%d"), _HOURS[visit.kind]
    minute = (visit.patient.seed * 7 + visit.number) % 55
    ds.StudyInstanceUID = UID(study_uid(visit))
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = day
    ds.StudyTime = f"{hour:02d}{minute:02d}00"
    ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = f"{hour:02d}{minute + series.number % 4:02d}30"
    ds.StudyID = f"{visit.number}"
    ds.AccessionNumber = f"PH{visit.patient.seed:06d}{visit.number}{visit.kind[0].upper()}"
    ds.ReferringPhysicianName = ""
    region: Region = "lumbar" if series.region == "whole-spine" and visit.kind == "films" else series.region
    ds.StudyDescription = study_words(style, visit.kind, region)


def _describe_series(ds: Dataset, visit: Visit, series: SeriesHeader, style: Style) -> None:
    ds.Modality = series.modality
    ds.SeriesInstanceUID, ds.SeriesNumber = UID(series_uid(visit, series)), series.number
    ds.SeriesDescription = series_words(style, series.shown, series.region)
    ds.ProtocolName = series.protocol or ds.SeriesDescription
    ds.BodyPartExamined = series.body_part


def _describe_equipment(ds: Dataset, visit: Visit, series: SeriesHeader, style: Style) -> None:
    ds.Manufacturer = style.manufacturer  # never "numbering": a node takes that maker's objects for its own results
    ds.ManufacturerModelName = style.models[series.modality]
    ds.DeviceSerialNumber = f"SIM{list(STYLES).index(visit.style) + 1:04d}"
    ds.SoftwareVersions = style.software
    ds.InstitutionName = "Simulated patients"
    ds.StationName = f"SIM{series.modality}"
