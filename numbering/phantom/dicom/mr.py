"""A simulated MR series as DICOM: MR Image Storage, one object a slice (PS3.3 A.4), or Enhanced MR (PS3.3 A.36)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from numbering.phantom.dicom.header import SeriesHeader, begin, file_bytes, frame_of_reference_uid
from numbering.phantom.dicom.mr_enhanced import describe_frames
from numbering.phantom.dicom.mr_geometry import affine_in_scanner, position_and_orientation
from numbering.phantom.imaging.mr.acquire import MrSeries, MrSlice
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.signal import GRADIENT
from numbering.phantom.styles import Shown
from numbering.phantom.visits import Visit

GYROMAGNETIC_MHZ_PER_TESLA = 42.577
_SHOWN = {"T2 FS": "FS", "water GRE": "GRE"}


def shown(protocol: Protocol) -> Shown:
    """Which words the equipment describes the series with."""
    if protocol.weighting == "localizer":
        return "localizer"
    words = f"{protocol.plane} {_SHOWN.get(protocol.weighting, protocol.weighting)}"
    for known in get_args(Shown):
        if known == words:
            return known
    raise ValueError(f"no words for a series of {words!r}: expected one of {', '.join(get_args(Shown))}")


def header(protocol: Protocol, number: int, *, name: str = "", enhanced: bool = False) -> SeriesHeader:
    """The series header; ``name`` tells it from others of its visit where plane, weighting and layout do not."""
    spoken = name or f"{protocol.plane} {protocol.weighting} {protocol.layout}"
    return SeriesHeader(
        name=f"{spoken} enhanced" if enhanced else spoken,
        number=number,
        modality="MR",
        sop_class_uid=EnhancedMRImageStorage if enhanced else MRImageStorage,
        shown=shown(protocol),
        region="lumbar",
        body_part="LSPINE",
    )


def encode(visit: Visit, series: MrSeries, head: SeriesHeader) -> Iterator[bytes]:
    """The slices as files, one object each, in the order of the series."""
    window = _window(series)
    for number, one in enumerate(series.slices, 1):
        ds = begin(visit, head, instance_number=number)
        _describe_equipment(ds, series.protocol)
        _describe_sequence(ds, series.protocol)
        _describe_plane(ds, visit, one, series.protocol)
        describe_pixels(ds, one.pixels[None], window)
        yield file_bytes(ds, visit.flaws)


def encode_enhanced(visit: Visit, series: MrSeries, head: SeriesHeader) -> bytes:
    """The whole series as one multi-frame object; slices must have one size."""
    ds = begin(visit, head)
    _describe_equipment(ds, series.protocol)
    window = _window(series)
    describe_frames(ds, visit, series, window, frame_of_reference_uid(visit))
    describe_pixels(ds, np.stack([one.pixels for one in series.slices]), window)
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "WindowCenter", "WindowWidth"):
        if keyword in ds:
            del ds[keyword]
    ds.NumberOfFrames = len(series.slices)
    return file_bytes(ds, visit.flaws)


def _describe_equipment(ds: Dataset, protocol: Protocol) -> None:
    # A maker's model is named after its field; this series may have been made by its smaller or larger sister.
    name = ds.ManufacturerModelName.rsplit(" ", 1)
    if len(name) == 2 and name[1].rstrip("T").replace(".", "").isdigit():
        ds.ManufacturerModelName = f"{name[0]} {protocol.field_tesla:g}{'T' if name[1].endswith('T') else ''}"
    ds.PatientPosition = "HFS"


def _describe_sequence(ds: Dataset, protocol: Protocol) -> None:
    gradient = protocol.weighting in GRADIENT
    inverted = protocol.inversion_ms is not None
    ds.ScanningSequence = "GR" if gradient else ["SE", "IR"] if inverted else "SE"
    ds.SequenceVariant = ["SP", "OSP"] if gradient else ["SK", "OSP"]
    options = [*(["FS"] if protocol.weighting == "T2 FS" else []), *(["SP"] if protocol.saturation else [])]
    ds.ScanOptions = options or None
    ds.SequenceName = "*fl2d1" if gradient else f"*tir2d1_{protocol.echo_train}" if inverted else "*tse2d1"
    ds.MRAcquisitionType = "3D" if protocol.weighting == "water GRE" else "2D"
    ds.AngioFlag = "N"
    ds.RepetitionTime, ds.EchoTime = f"{protocol.repetition_ms:g}", f"{protocol.echo_ms:g}"
    if inverted:
        ds.InversionTime = f"{protocol.inversion_ms:g}"
    ds.EchoTrainLength = 1 if gradient else protocol.echo_train
    ds.NumberOfAverages = f"{protocol.averages}"
    ds.FlipAngle = f"{protocol.flip_angle:g}"
    ds.VariableFlipAngleFlag = "N"
    ds.EchoNumbers = 1
    ds.MagneticFieldStrength = f"{protocol.field_tesla:g}"
    ds.ImagingFrequency, ds.ImagedNucleus = f"{protocol.field_tesla * GYROMAGNETIC_MHZ_PER_TESLA:.6f}", "1H"
    ds.PixelBandwidth = f"{protocol.bandwidth_hz:g}"
    ds.SliceThickness = f"{protocol.thickness_mm:g}"
    ds.SpacingBetweenSlices = f"{protocol.thickness_mm + protocol.gap_mm:g}"
    samples, lines = protocol.matrix
    rows, columns = protocol.size
    ds.NumberOfPhaseEncodingSteps = round(lines * (1 + protocol.oversampling))
    ds.PercentSampling = f"{100 * lines / samples:.1f}"
    ds.PercentPhaseFieldOfView = f"{100 * min(rows, columns) / max(rows, columns):.1f}"
    # Frequency rows, frequency columns, phase rows, phase columns: readout along a row samples columns.
    along_row = protocol.readout == "row"
    ds.InPlanePhaseEncodingDirection = "COL" if along_row else "ROW"
    ds.AcquisitionMatrix = [0, samples, lines, 0] if along_row else [samples, 0, 0, lines]
    ds.ReceiveCoilName, ds.TransmitCoilName = "Spine", "Body"
    ds.SAR = "0.8"


def _describe_plane(ds: Dataset, visit: Visit, one: MrSlice, protocol: Protocol) -> None:
    affine = affine_in_scanner(visit, one)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = position_and_orientation(affine)
    down, across = np.linalg.norm(affine[:3, 1]), np.linalg.norm(affine[:3, 2])
    ds.PixelSpacing = [f"{down:.8f}"[:16], f"{across:.8f}"[:16]]
    normal = np.cross(affine[:3, 2], affine[:3, 1])
    ds.SliceLocation = f"{float(affine[:3, 3] @ normal / np.linalg.norm(normal)):.4f}"
    ds.AcquisitionNumber = one.planned.stack + 1
    # PS3.3 C.8.3.1.1.1 knows no localizer as third value; makers write it as a fourth.
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER", *(["LOCALIZER"] if protocol.weighting == "localizer" else [])]


def describe_pixels(ds: Dataset, pixels: np.ndarray, window: tuple[float, float]) -> None:
    """Image pixel module and window for ``(frames, rows, columns)``."""
    most = int(pixels.max(initial=0))
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[1:]
    ds.BitsAllocated, ds.PixelRepresentation = 16, 0
    ds.BitsStored = 12 if most < 4096 else 16
    ds.HighBit = ds.BitsStored - 1
    for keyword, value in (("SmallestImagePixelValue", pixels.min()), ("LargestImagePixelValue", most)):
        ds.add_new(keyword, "US", int(value))
    ds.WindowCenter, ds.WindowWidth = (f"{value:.0f}" for value in window)
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _window(series: MrSeries) -> tuple[float, float]:
    """Centre and width that show the series well."""
    values = np.concatenate([one.pixels[::4, ::4].ravel() for one in series.slices])
    high = max(float(np.percentile(values, 99.0)), 2.0)
    return high / 2, high
