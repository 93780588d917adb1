"""Series of CT and MR as files: small, written in a moment, and uneven in every direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from numbering.plane import Plane
from numbering.stack import Stack

STUDY, SERIES, SPACE = "1.2.840.1", "1.2.840.1.1", "1.2.840.9"
INTERCEPT = -1024
CLASSES = {
    ("CT", False): CTImageStorage,
    ("CT", True): EnhancedCTImageStorage,
    ("MR", False): MRImageStorage,
    ("MR", True): EnhancedMRImageStorage,
}


def affine(
    step: ArrayLike = (0.0, 0.0, -2.0),
    down: ArrayLike = (0.0, 0.75, 0.0),
    along: ArrayLike = (0.5, 0.0, 0.0),
    at: ArrayLike = (-40.0, -150.0, 300.0),
) -> NDArray[np.float64]:
    """``(4, 4)``: (slice, row, column, 1) to mm LPS; as it comes, an axial one from head to feet."""
    matrix = np.eye(4)
    matrix[:3] = np.array([step, down, along, at], float).T
    return matrix


def field(mm: ArrayLike) -> NDArray[np.float64]:
    """A value at each place ``(…, 3)`` of the body, different in every direction."""
    left, back, up = np.moveaxis(np.asarray(mm, float), -1, 0)
    return np.round(3 * left + 5 * back + 7 * up)


def volume_of(matrix: NDArray[np.float64], shape: tuple[int, int, int] = (6, 5, 4)) -> NDArray[np.float64]:
    """The `field` sampled on this grid, ``[slice, row, column]``."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return field(index @ matrix[:3, :3].T + matrix[:3, 3])


def planes_of(matrix: NDArray[np.float64], shape: tuple[int, int, int] = (6, 5, 4), **more: Any) -> list[Plane]:
    """The planes of this grid, in its order."""
    stack = Stack.of_array(np.zeros(shape), matrix, **more)
    order = sorted(stack.planes, key=lambda plane: int(plane.sop_instance_uid.rpartition(".")[2]))
    return list(order)


def write_slice(path: Path, plane: Plane, pixels: ArrayLike, *, modality: str = "CT", **elements: Any) -> Path:
    """One object of one slice; ``pixels`` in HU (CT) or as stored (MR). Elements by keyword; None leaves one out."""
    ds = _begin(modality, enhanced=False)
    ds.SOPInstanceUID = plane.sop_instance_uid
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = _place(plane)
    ds.SliceThickness = f"{plane.thickness_mm:g}"
    _pixels(ds, np.asarray(pixels), modality)
    return _write(ds, path, elements)


def write_series(folder: Path, stack: Stack, **elements: Any) -> list[Path]:
    """A file for each slice; instance numbers run against the order of the slices, names are shuffled."""
    count = len(stack)
    return [
        write_slice(
            folder / f"{(37 * index + 5) % 997:03}.dcm",
            plane,
            stack.pixels(index),
            modality=stack.modality,
            **{"InstanceNumber": count - index, **elements},
        )
        for index, plane in enumerate(stack.planes)
    ]


def write_enhanced(
    path: Path, planes: Sequence[Plane], frames: Sequence[bytes] | ArrayLike, *, modality: str = "CT", **elements: Any
) -> Path:
    """One object with a frame for each plane: stored values, or codestreams where a transfer syntax is given."""
    ds = _begin(modality, enhanced=True)
    ds.SOPInstanceUID = planes[0].sop_instance_uid
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.NumberOfFrames = len(planes)
    _, orientation, spacing = _place(planes[0])
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=orientation)]
    shared.PixelMeasuresSequence = [item(PixelSpacing=spacing, SliceThickness=f"{planes[0].thickness_mm:g}")]
    shared.PixelValueTransformationSequence = [item(RescaleSlope="1", RescaleIntercept=f"{INTERCEPT}")]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=_place(plane)[0])]) for plane in planes
    ]
    codestreams = isinstance(frames, Sequence) and isinstance(frames[0], bytes)
    _pixels(ds, np.zeros((planes[0].rows, planes[0].columns)) if codestreams else np.asarray(frames), "stored")
    if codestreams:
        ds.PixelData = encapsulate(list(frames), has_bot=elements.pop("offsets", True))  # type: ignore[arg-type]
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
    return _write(ds, path, elements)


def item(**values: Any) -> Dataset:
    """An item of a sequence."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def _begin(modality: str, *, enhanced: bool) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CLASSES[modality, enhanced]
    ds.Modality, ds.BodyPartExamined = modality, "LSPINE"
    ds.PatientName, ds.PatientID = "SECRET^NAME", "SECRET7"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, SPACE
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20240229", "101112", ""
    ds.PatientBirthDate = ds.PatientSex = ds.ReferringPhysicianName = ds.StudyID = ""
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    return ds


def _place(plane: Plane) -> tuple[list[float], list[float], list[float]]:
    return list(plane.position_mm), [*plane.row_direction, *plane.column_direction], list(plane.spacing_mm)


def _pixels(ds: Dataset, pixels: NDArray[Any], modality: str) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    if modality == "CT":
        ds.RescaleIntercept, ds.RescaleSlope = f"{INTERCEPT}", "1"
        pixels = pixels - INTERCEPT
    ds.PixelData = pixels.astype("<i2").tobytes()
    ds["PixelData"].VR = "OW"


def _write(ds: Dataset, path: Path, elements: dict[str, Any]) -> Path:
    for keyword, value in elements.items():
        if keyword == "TransferSyntaxUID":
            continue
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = elements.get("TransferSyntaxUID", ExplicitVRLittleEndian)
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.ImplementationClassUID = generate_uid(entropy_srcs=["tests"])
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path
