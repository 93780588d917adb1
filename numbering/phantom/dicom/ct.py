"""A simulated CT as DICOM: CT Image Storage, one object a slice (PS3.3 A.3), its localizers, or Enhanced CT (A.38)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from numbering.phantom.dicom.ct_enhanced import describe_frames
from numbering.phantom.dicom.ct_geometry import position_and_orientation, slice_distance_mm, spacing
from numbering.phantom.dicom.ct_words import (
    BODY_PARTS,
    DESCRIBED,
    HABITS,
    Habit,
    kernel_name,
    scout_words,
    series_words,
)
from numbering.phantom.dicom.header import SeriesHeader, begin, file_bytes, instance_uid
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.scout import Scout
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Array
from numbering.phantom.visits import Visit

CONTRAST_AGENT = "IOHEXOL 350"


def header(protocol: Protocol, number: int, *, name: str = "", enhanced: bool = False) -> SeriesHeader:
    """The series header; ``name`` tells it from others of its visit where region, kernel and thickness do not."""
    spoken = name or f"ct {protocol.region} {protocol.phase} {protocol.kernel.name} {protocol.slice_mm:g}"
    return SeriesHeader(
        name=f"{spoken} enhanced" if enhanced else spoken,
        number=number,
        modality="CT",
        sop_class_uid=EnhancedCTImageStorage if enhanced else CTImageStorage,
        shown="CT",
        region=DESCRIBED[protocol.region],
        body_part=BODY_PARTS[protocol.region],
    )


def scout_header(protocol: Protocol, number: int = 1) -> SeriesHeader:
    """The series header of the localizers of a scan."""
    return SeriesHeader(
        name=f"scout {protocol.region}",
        number=number,
        modality="CT",
        sop_class_uid=CTImageStorage,
        shown="CT",
        region=DESCRIBED[protocol.region],
        body_part=BODY_PARTS[protocol.region],
    )


def sent(volume: CtVolume) -> list[int]:
    """The slices (from 0) that arrive: all but the protocol's missing ones."""
    return [index for index in range(len(volume.hu)) if index not in volume.protocol.missing]


def instance_uids(visit: Visit, volume: CtVolume, head: SeriesHeader) -> list[str]:
    """SOP Instance UIDs of the slices that arrive, or the one of an enhanced object."""
    if head.sop_class_uid == EnhancedCTImageStorage:
        return [instance_uid(visit, head)]
    return [instance_uid(visit, head, index + 1) for index in sent(volume)]


def encode(visit: Visit, volume: CtVolume, head: SeriesHeader) -> Iterator[bytes]:
    """The slices as files, one object each, in the order of the series; missing ones are left out."""
    for index in sent(volume):
        ds = begin(visit, head, instance_number=index + 1)
        _describe_series(ds, visit, volume.protocol)
        _describe_scan(ds, visit, volume.protocol)
        plane = volume.affine.copy()
        plane[:3, 3] += index * plane[:3, 0]
        _describe_plane(ds, plane)
        oblique = volume.protocol.oblique != (0.0, 0.0)
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"] if oblique else ["ORIGINAL", "PRIMARY", "AXIAL"]
        if oblique:
            ds.DerivationDescription = "Multiplanar reformation"
        ds.SliceThickness = f"{volume.protocol.slice_mm:g}"
        ds.SpacingBetweenSlices = f"{abs(slice_distance_mm(volume.affine)):g}"
        describe_pixels(ds, volume.hu[index][None], HABITS[visit.style], padded=_padded(volume))
        yield file_bytes(ds, visit.flaws)


def encode_enhanced(visit: Visit, volume: CtVolume, head: SeriesHeader) -> bytes:
    """The whole series as one multi-frame object."""
    ds = begin(visit, head)
    _describe_series(ds, visit, volume.protocol)
    frames = sent(volume)
    describe_frames(ds, visit, volume, frames, kernel_name(visit.style, volume.protocol), window(visit, volume))
    describe_pixels(ds, volume.hu[frames], HABITS[visit.style], padded=_padded(volume))
    for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth"):
        del ds[keyword]
    ds.NumberOfFrames = len(frames)
    return file_bytes(ds, visit.flaws)


def encode_scout(visit: Visit, scout: Scout, protocol: Protocol, head: SeriesHeader, number: int) -> bytes:
    """A localizer; ``number`` 1, 2, … within its series."""
    ds = begin(visit, head, instance_number=number)
    ds.SeriesDescription = scout_words(visit.style)
    ds.ProtocolName = series_words(visit.style, protocol)
    _describe_scan(ds, visit, protocol)
    ds.ScanOptions = "SCOUT MODE"
    for keyword in ("ConvolutionKernel", "ReconstructionDiameter", "GantryDetectorTilt", "SpiralPitchFactor"):
        if keyword in ds:
            del ds[keyword]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.SliceThickness = f"{np.linalg.norm(scout.affine[:3, 1]):g}"
    _describe_plane(ds, scout.affine)
    describe_pixels(ds, scout.pixels[None], HABITS[visit.style], padded=False)
    del ds.RescaleType  # a projection has no HU
    ds.WindowCenter, ds.WindowWidth = "50", "1500"
    return file_bytes(ds, visit.flaws)


def window(visit: Visit, volume: CtVolume) -> tuple[int, int]:
    """Centre and width that this maker proposes."""
    return HABITS[visit.style].window[volume.protocol.kernel.name in ("bone", "lung")]


def _describe_series(ds: Dataset, visit: Visit, protocol: Protocol) -> None:
    ds.SeriesDescription = ds.ProtocolName = series_words(visit.style, protocol)
    centre, width = HABITS[visit.style].window[protocol.kernel.name in ("bone", "lung")]
    ds.WindowCenter, ds.WindowWidth = f"{centre}", f"{width}"
    ds.PatientPosition = protocol.position


def _describe_scan(ds: Dataset, visit: Visit, protocol: Protocol) -> None:
    ds.PatientPosition = protocol.position
    ds.ScanOptions = "HELICAL MODE" if protocol.tilt == 0 else "AXIAL MODE"
    ds.AcquisitionNumber = 1
    ds.KVP = f"{protocol.kilovolt}"
    ds.DataCollectionDiameter = f"{protocol.scan_field_mm:g}"
    ds.ReconstructionDiameter = f"{protocol.field_mm:g}"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = "1085.6", "595"
    ds.GantryDetectorTilt = f"{protocol.tilt:.1f}"
    ds.TableHeight = f"{150 + protocol.table_offset_mm[1]:.1f}"
    ds.RotationDirection, ds.ExposureTime = "CW", 500
    current = round(200 * (11 / protocol.noise_hu) ** 0.7)
    ds.XRayTubeCurrent, ds.Exposure = current, current // 2
    ds.FilterType = "BODY FILTER"
    ds.FocalSpots = "0.9"
    ds.ConvolutionKernel = kernel_name(visit.style, protocol)
    if protocol.phase != "native":
        ds.ContrastBolusAgent, ds.ContrastBolusRoute = CONTRAST_AGENT, "IV"


def _describe_plane(ds: Dataset, affine: Array) -> None:
    ds.ImagePositionPatient, ds.ImageOrientationPatient = position_and_orientation(affine)
    ds.PixelSpacing = spacing(affine)
    ds.SliceLocation = f"{affine[2, 3]:.3f}"


def _padded(volume: CtVolume) -> bool:
    padding = volume.protocol.padding_hu
    return padding is not None and padding < -1024 and bool((volume.hu == padding).any())


def describe_pixels(ds: Dataset, hu: NDArray[np.int16], habit: Habit, *, padded: bool) -> None:
    """Image pixel module for HU ``(frames, rows, columns)``, with the maker's way of storing them."""
    least = int(hu.min())
    signed = habit.signed or least < habit.intercept
    stored = hu.astype(np.int32) - habit.intercept
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = hu.shape[1:]
    ds.BitsAllocated, ds.PixelRepresentation = 16, int(signed)
    ds.BitsStored = 16 if signed else 12
    ds.HighBit = ds.BitsStored - 1
    if padded:
        ds.add_new("PixelPaddingValue", "SS" if signed else "US", least - habit.intercept)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = f"{habit.intercept}", "1", "HU"
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"
    ds.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    ds["PixelData"].VR = "OW"
