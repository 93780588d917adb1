"""A simulated film as a DICOM Digital X-Ray Image - For Presentation (PS3.3 A.26)."""

from __future__ import annotations

import io
from datetime import date, timedelta

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from numbering.phantom.old.patient import Patient
from numbering.phantom.old.radiograph import BITS, WHITE, Exposure
from numbering.uids import IMPLEMENTATION_CLASS_UID, derived_uid

MANUFACTURER = "numbering phantom"
"""Not ``numbering``: a node takes objects of that manufacturer for its own results."""

SIMULATED = "Simulated radiograph of no real person"
_FIRST_DAY = date(2020, 1, 1)

RENDERING = "1"
"""Part of every UID: raise it when a patient of the same seed looks different, for other pixels need another UID."""


def uid(patient: Patient, kind: str) -> str:
    """A UID that follows from the seed, what is wrong with the patient, and the kind of object alone."""
    return derived_uid(["phantom", RENDERING, str(patient.seed), *patient.anomalies], kind)


def instance_uid(patient: Patient, exposure: Exposure) -> str:
    """SOPInstanceUID of this film."""
    return uid(patient, f"AP {exposure.field_of_view}")


def encode(patient: Patient, exposure: Exposure) -> bytes:
    """The film as a DICOM file; the same film always gives the same bytes."""
    ds = Dataset()
    _describe_patient(ds, patient)
    _describe_study(ds, patient, exposure)
    _describe_exposure(ds, exposure)
    _describe_pixels(ds, exposure, inverted=patient.seed % 4 == 3)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    ds.file_meta.ImplementationVersionName = "NUMB_PHANTOM"
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _describe_patient(ds: Dataset, patient: Patient) -> None:
    age = 18 + patient.seed * 7 % 63
    born = date(2020 - age, 1 + patient.seed % 12, 1 + patient.seed % 28)
    ds.PatientName = f"PHANTOM^SEED{patient.seed:04d}"
    ds.PatientID = f"PHANTOM-{patient.seed:04d}"
    ds.PatientBirthDate = born.strftime("%Y%m%d")
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{age:03d}Y"
    ds.PatientComments = SIMULATED


def _describe_study(ds: Dataset, patient: Patient, exposure: Exposure) -> None:
    day = (_FIRST_DAY + timedelta(days=patient.seed % 1000)).strftime("%Y%m%d")
    whole = exposure.field_of_view == "whole-spine"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = UID(instance_uid(patient, exposure))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(patient, "study"), uid(patient, f"series {exposure.field_of_view}")
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = day
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1 if whole else 2, 1
    ds.AccessionNumber = f"PH{patient.seed:06d}"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Spine, simulated"
    ds.SeriesDescription = f"{'Whole spine' if whole else 'Lumbar spine'} AP standing, simulated"
    ds.Modality, ds.PresentationIntentType = "DX", "FOR PRESENTATION"
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, "AP film"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.ImageComments = SIMULATED
    ds.AcquisitionContextSequence = []


def _describe_exposure(ds: Dataset, exposure: Exposure) -> None:
    beam, whole = exposure.beam, exposure.field_of_view == "whole-spine"
    # PS3.16 Annex L, Table L-1: SPINE and LSPINE are the defined terms for these codes.
    ds.BodyPartExamined = "SPINE" if whole else "LSPINE"
    region = ("421060004", "SCT", "Spine") if whole else ("122496007", "SCT", "Lumbar spine")
    ds.AnatomicRegionSequence = [_code(*region)]
    ds.ViewPosition = "AP"
    view = _code("399348003", "SCT", "antero-posterior")
    view.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view]
    ds.ImageLaterality, ds.PatientOrientation = "U", ["L", "F"]
    ds.PatientOrientationCodeSequence = [_code("10904000", "SCT", "erect")]
    ds.KVP = f"{exposure.kvp:.0f}"
    ds.DistanceSourceToDetector = f"{beam.distance:.1f}"
    ds.DistanceSourceToPatient = f"{beam.distance / exposure.magnification:.1f}"
    ds.EstimatedRadiographicMagnificationFactor = f"{exposure.magnification:.4f}"
    ds.ImagerPixelSpacing = [f"{beam.pitch:.4f}"] * 2
    ds.DetectorType = "DIRECT"
    ds.PositionerType = "NONE"


def _describe_pixels(ds: Dataset, exposure: Exposure, *, inverted: bool) -> None:
    pixels = (WHITE - exposure.pixels if inverted else exposure.pixels).astype("<u2")
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, BITS, BITS - 1, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    low, high = np.percentile(pixels[::4, ::4], [0.5, 99.5])
    ds.WindowCenter, ds.WindowWidth = f"{(low + high) / 2:.0f}", f"{max(high - low, 2):.0f}"
    ds.LossyImageCompression = "00"
    ds.BurnedInAnnotation = "NO"
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
