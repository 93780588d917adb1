"""Small synthetic films and slices for tests: odd sizes, content that is uneven in every direction, a fake patient.

Every object holds `NAME` and `BIRTH_DATE`, so a test can search for them where no patient may ever be named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

NAME = "SECRET^NAME"
BIRTH_DATE = "19010203"
PATIENT_ID = "SECRETID-7"
SECRETS = ("SECRET", BIRTH_DATE, "1901-02-03", PATIENT_ID)
"""What no log, message or row may hold."""

SOP_CLASS = {
    "DX": DigitalXRayImageStorageForPresentation,
    "CR": ComputedRadiographyImageStorage,
    "RG": ComputedRadiographyImageStorage,
    "OT": SecondaryCaptureImageStorage,
}
VIEW_CODES = {
    "AP": ("399348003", "antero-posterior"),
    "PA": ("272479007", "postero-anterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
}
UNEVEN_ROWS, UNEVEN_COLUMNS = 157, 93


def uneven(rows: int = UNEVEN_ROWS, columns: int = UNEVEN_COLUMNS, top: int = 4095) -> NDArray[np.uint16]:
    """Pixels ``[row, column]`` that no flip or turn maps onto themselves: 0…top, brightest at the foot."""
    row, column = np.mgrid[0:rows, 0:columns]
    picture = 0.7 * row / max(rows - 1, 1) + 0.2 * (1 - column / max(columns - 1, 1))
    picture = picture + 0.1 * ((row // 7 + column // 11) % 2)
    picture[: rows // 5, : columns // 9] = 0.0
    return np.round(picture / picture.max() * top).astype(np.uint16)


def make_film(
    path: Path,
    *,
    rows: int = UNEVEN_ROWS,
    columns: int = UNEVEN_COLUMNS,
    modality: str = "DX",
    view_position: str | None = "AP",
    patient_orientation: list[str] | None = ["L", "F"],  # noqa: B006 - never changed
    pixels: NDArray[Any] | None = None,
    photometric: str = "MONOCHROME2",
    study_uid: str | None = None,
    series_uid: str | None = None,
    sop_uid: str | None = None,
    series_description: str | None = "L SPINE",
    body_part: str | None = "LSPINE",
    for_processing: bool = False,
    transfer_syntax: str = ExplicitVRLittleEndian,
    **elements: Any,
) -> Path:
    """Write a DX, CR or secondary capture (``modality="OT"``) object and return its path.

    ``pixels`` are stored as they are (``[row, column]``, ``[frame, row, column]`` or RGB with a last axis of three);
    None stores `uneven`, or its negative for MONOCHROME1. An option that is None leaves its element out (a DX then
    keeps PatientOrientation empty); ``elements`` are set last, by keyword, and None deletes one.
    """
    if pixels is None:
        pixels = uneven(rows, columns)
        if photometric == "MONOCHROME1":
            pixels = 4095 - pixels
    sop_class = DigitalXRayImageStorageForProcessing if for_processing else SOP_CLASS[modality]
    ds = _object(sop_class, modality, study_uid, series_uid, sop_uid, series_description)
    if sop_class != SecondaryCaptureImageStorage:
        ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
        ds.ViewPosition = view_position or ""
        ds.PixelIntensityRelationship = "LOG"
        ds.PixelIntensityRelationshipSign = 1 if photometric == "MONOCHROME1" else -1
        ds.ImagerPixelSpacing = [0.5, 0.25]
        ds.BodyPartExamined = body_part or ""
    else:
        ds.ConversionType = "WSD"
        ds.Laterality = ""
    ds.PatientOrientation = patient_orientation or ""
    _set_pixels(ds, pixels, photometric)
    if modality == "DX":
        _complete_dx(ds, for_processing, view_position, photometric)
    elif modality in {"CR", "RG"}:
        ds.CassetteOrientation = ""
        del ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign
        if view_position is None:
            del ds.ViewPosition
    return _write(ds, path, elements, transfer_syntax)


def make_ct(
    path: Path,
    *,
    rows: int = 33,
    columns: int = 41,
    position: tuple[float, float, float] = (-50.0, -60.0, 10.0),
    instance_number: int = 1,
    pixels: NDArray[Any] | None = None,
    study_uid: str | None = None,
    series_uid: str | None = None,
    sop_uid: str | None = None,
    series_description: str | None = "SPINE 1.0 B70",
    body_part: str | None = "SPINE",
    transfer_syntax: str = ExplicitVRLittleEndian,
    **elements: Any,
) -> Path:
    """Write an axial CT slice (rescaled by -1024) and return its path; see `make_film` for the options."""
    ds = _object(CTImageStorage, "CT", study_uid, series_uid, sop_uid, series_description)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BodyPartExamined = body_part or ""
    ds.PatientPosition = "HFS"
    ds.PositionReferenceIndicator = ""
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[str(ds.SeriesInstanceUID), "frame"])
    ds.ImagePositionPatient = list(position)
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.8, 0.7]
    ds.SliceThickness = "1"
    ds.KVP = "120"
    ds.AcquisitionNumber = "1"
    ds.InstanceNumber = instance_number
    _set_pixels(ds, uneven(rows, columns, top=2500) if pixels is None else pixels, "MONOCHROME2")
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    return _write(ds, path, elements, transfer_syntax)


def _object(
    sop_class: str, modality: str, study: str | None, series: str | None, sop: str | None, description: str | None
) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = sop or generate_uid()
    ds.StudyInstanceUID = study or generate_uid()
    ds.SeriesInstanceUID = series or generate_uid()
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = "20240229"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "101112"
    ds.AccessionNumber = "A1"
    ds.Modality = modality
    ds.Manufacturer = "Test works"
    ds.ManufacturerModelName = "Uneven"
    ds.DeviceSerialNumber = "1"
    ds.SoftwareVersions = "1"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Spine"
    if description is not None:
        ds.SeriesDescription = description
    ds.PatientName = NAME
    ds.PatientID = PATIENT_ID
    ds.PatientBirthDate = BIRTH_DATE
    ds.PatientSex = "O"
    ds.StudyID = "1"
    ds.SeriesNumber = "1"
    ds.InstanceNumber = "1"
    return ds


def _set_pixels(ds: Dataset, pixels: NDArray[Any], photometric: str) -> None:
    colour = photometric in {"RGB", "YBR_FULL"}
    shape = pixels.shape[:-1] if colour else pixels.shape
    if len(shape) == 3:
        ds.NumberOfFrames = shape[0]
    ds.Rows, ds.Columns = shape[-2:]
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = photometric
    if colour:
        ds.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    signed = int(pixels.dtype.kind == "i")
    top = int(pixels.max(initial=0))
    stored = 12 if bits == 16 and not signed and top < 4096 else bits
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, stored, stored - 1, signed
    data = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)


def _complete_dx(ds: Dataset, for_processing: bool, view: str | None, photometric: str) -> None:
    ds.PresentationIntentType = "FOR PROCESSING" if for_processing else "FOR PRESENTATION"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.BurnedInAnnotation = "NO"
    ds.ImageLaterality = "U"
    ds.DetectorType = "SCINTILLATOR"
    ds.DetectorConfiguration = "AREA"
    ds.PositionerType = "COLUMN"
    ds.AcquisitionContextSequence = Sequence()
    ds.AnatomicRegionSequence = Sequence([_code("122496007", "Lumbar spine")])
    ds.ViewCodeSequence = Sequence([_code(*VIEW_CODES[view])] if view in VIEW_CODES else [])
    if ds.ViewCodeSequence:
        ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence()
    if not for_processing:
        ds.WindowCenter, ds.WindowWidth = "2048", "4096"


def _code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _write(ds: Dataset, path: Path, elements: dict[str, Any], transfer_syntax: str) -> Path:
    for keyword, value in elements.items():
        if value is None:
            if keyword in ds:
                delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path
