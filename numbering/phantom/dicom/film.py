"""A simulated film as a DICOM Digital X-Ray Image - For Presentation (PS3.3 A.26) or a CR Image (A.2)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydicom import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation

from numbering.phantom.dicom.header import SeriesHeader, begin, code
from numbering.phantom.imaging.film.exposure import BITS, WHITE, Film
from numbering.phantom.imaging.film.geometry import Array
from numbering.phantom.styles import Region
from numbering.phantom.visits import Visit

Kind = Literal["DX", "CR"]

_REGIONS: dict[str, tuple[str, Region, tuple[str, str, str]]] = {
    # PS3.16 Annex L, Table L-1: SPINE and LSPINE are the defined terms for these codes.
    "whole-spine": ("SPINE", "whole-spine", ("421060004", "SCT", "Spine")),
    "lumbar": ("LSPINE", "lumbar", ("122496007", "SCT", "Lumbar spine")),
}
_DIRECTIONS = "LPH", "RAF"
"""Letters towards +x, +y, +z and -x, -y, -z of the patient."""


def series_header(film: Film, *, number: int, kind: Kind = "DX") -> SeriesHeader:
    """The series that holds this film alone."""
    body_part, region, _ = _REGIONS[film.field_of_view]
    sop_class = DigitalXRayImageStorageForPresentation if kind == "DX" else ComputedRadiographyImageStorage
    return SeriesHeader(
        name=f"{film.view} {film.field_of_view}",
        number=number,
        modality=kind,
        sop_class_uid=str(sop_class),
        shown=film.view,
        region=region,
        body_part=body_part,
        in_space=False,
    )


def encode(visit: Visit, series: SeriesHeader, film: Film, *, inverted: bool = False) -> Dataset:
    """The film as a dataset for `header.file_bytes`; ``inverted`` stores it as MONOCHROME1."""
    ds = begin(visit, series)
    _describe_view(ds, film, series)
    _describe_exposure(ds, film, series)
    _describe_pixels(ds, film, inverted=inverted)
    if series.modality == "DX":
        _describe_digital(ds, film, inverted=inverted)
    return ds


def orientation(axis: Array) -> str:
    """Patient Orientation (PS3.3 C.7.6.1.1.1) of an image axis: its letters, the largest share first; shares below a
    quarter of the largest are left out, so a patient who stood a little turned reads L\\F."""
    order = sorted(range(3), key=lambda index: -abs(axis[index]))
    largest = abs(axis[order[0]])
    kept = [index for index in order if abs(axis[index]) > 0.25 * largest]
    return "".join(_DIRECTIONS[0 if axis[index] > 0 else 1][index] for index in kept)


def _describe_view(ds: Dataset, film: Film, series: SeriesHeader) -> None:
    ds.PatientOrientation = [orientation(film.beam.across), orientation(film.beam.down)]
    if film.view == "AP":
        ds.ViewPosition = "AP"
    else:  # the side at the detector
        ds.ViewPosition = "LL" if film.beam.normal[0] > 0 else "RL"
    ds.BurnedInAnnotation = "YES" if film.burned_in else "NO"


def _describe_exposure(ds: Dataset, film: Film, series: SeriesHeader) -> None:
    ds.KVP = f"{film.kvp:.0f}"
    ds.Exposure = str(round(film.mas))
    ds.DistanceSourceToDetector = f"{film.beam.distance:.1f}"
    ds.DistanceSourceToPatient = f"{film.beam.distance / film.magnification:.2f}"
    ds.ImagerPixelSpacing = [f"{film.beam.pitch:.4g}"] * 2


def _describe_digital(ds: Dataset, film: Film, *, inverted: bool) -> None:
    """DX Anatomy Imaged, DX Image, DX Positioning and DX Detector (PS3.3 C.8.11.2-5)."""
    _, _, region = _REGIONS[film.field_of_view]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.AnatomicRegionSequence = [code(*region)]
    ds.ImageLaterality = "U"
    side = {"AP": ("399348003", "antero-posterior"), "LL": ("399198007", "left lateral"),
            "RL": ("399173006", "right lateral")}[ds.ViewPosition]  # fmt: skip
    view = code(side[0], "SCT", side[1])
    view.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view]
    ds.PatientOrientationCodeSequence = [code("10904000", "SCT", "erect")]
    ds.EstimatedRadiographicMagnificationFactor = f"{film.magnification:.4f}"
    ds.DetectorType = "SCINTILLATOR"
    ds.PositionerType = "NONE"
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.LossyImageCompression = "00"
    ds.AcquisitionContextSequence = []


def _describe_pixels(ds: Dataset, film: Film, *, inverted: bool) -> None:
    pixels = (WHITE - film.pixels if inverted else film.pixels).astype("<u2")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, BITS, BITS - 1, 0
    low, high = np.percentile(pixels[::4, ::4], [0.5, 99.5])
    ds.WindowCenter, ds.WindowWidth = f"{(low + high) / 2:.0f}", f"{max(high - low, 2):.0f}"
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
