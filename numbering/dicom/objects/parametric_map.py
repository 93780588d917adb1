"""Parametric maps of where the evidence for each numbered slice lay: Grad-CAM (DCM 130403), PS3.3 A.75.

A map has the pixels of its slices, and a frame for every slice of the series that is parallel to them, head first: OHIF
takes the frames as they come for the slices of the volume. Between the cells of the stored grid it is interpolated;
outside of what the network saw, and on slices that it put to no disc, it is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import ParametricMapStorage

from numbering.anatomy import Disc
from numbering.dicom.objects import codes
from numbering.dicom.objects.codes import coded
from numbering.dicom.objects.content import NO_UNITS
from numbering.dicom.objects.header import begin, local_time, settle_character_set, standing
from numbering.dicom.objects.references import reference
from numbering.dicom.objects.source_planes import SourcePlane, referenced_series, set_planes, source_planes
from numbering.dicom.planes import images_in
from numbering.heat import over_image
from numbering.packed import HeatMap
from numbering.plane import Plane
from numbering.result import NumberingResult
from numbering.uids import derived_uid

GRAD_CAM = Code("130403", "DCM", "Gradient-weighted class activation")
_QUANTITY = Code("246205007", "SCT", "Quantity")
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")
_DERIVED = Code("113069", "DCM", "Image processing")
ALIKE = 1e-4
"""Orientations that differ by less are one; headers round to less."""

SPINE = Code("421060004", "SCT", "Vertebral column")
"""The region of a frame that lies at no disc."""

Frame = tuple[HeatMap | None, SourcePlane]


def parametric_maps(result: NumberingResult, sources: Mapping[str, Dataset]) -> Iterator[Dataset]:
    """A map for each orientation and size of slices that have heat maps, head first."""
    maps = {(one.sop_instance_uid, one.frame): one for one in result.findings.heat_maps}
    if not maps:
        return
    places = [
        (plane.sop_instance_uid, plane.frame)
        for uid, header in sources.items()
        for plane in images_in(header, uid)
        if isinstance(plane, Plane)
    ]
    planes = source_planes(result, sources, places)
    frames = [(maps.get((one.plane.sop_instance_uid, one.plane.frame)), one) for one in planes]
    shown = [alike for alike in _alike(frames) if any(heat is not None for heat, _ in alike)]
    for number, alike in enumerate(shown, start=1):
        yield _map(result, sources, alike, number)


def _alike(frames: Sequence[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    for frame in frames:
        same = (group for group in groups if _same(group[0][1], frame[1]))
        group = next(same, None)
        if group is None:
            groups.append([frame])
        else:
            group.append(frame)
    return groups


def _same(one: SourcePlane, other: SourcePlane) -> bool:
    a, b = one.plane, other.plane
    steps = np.abs(a.steps_mm - b.steps_mm).max()
    return bool((a.rows, a.columns) == (b.rows, b.columns) and steps < ALIKE)


def _map(result: NumberingResult, sources: Mapping[str, Dataset], frames: Sequence[Frame], number: int) -> Dataset:
    planes = [one for _, one in frames]
    source = sources[planes[0].image.sop_instance_uid]
    kind = f"PM {planes[0].plane.name}"
    ds = begin(result, source, modality="OT", sop_class_uid=ParametricMapStorage, kind=kind, instance_number=number)
    when = local_time(result, source)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.FrameOfReferenceUID = source.FrameOfReferenceUID
    ds.PositionReferenceIndicator = source.get("PositionReferenceIndicator") or ""
    ds.BodyPartExamined = "SPINE"  # unpaired, so that Laterality is not asked for (PS3.3 C.7.3.1)
    ds.ContentLabel = "NUMBERING"
    ds.ContentDescription = f"Grad-CAM of disc levels: {standing(result)}"
    ds.ContentCreatorName = ""
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    ds.BurnedInAnnotation, ds.RecognizableVisualFeatures = "NO", "NO"
    ds.LossyImageCompression = "01" if source.get("LossyImageCompression") == "01" else "00"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = Items()
    ds.ReferencedSeriesSequence = referenced_series(sources, planes)
    _describe_frames(ds, result, frames)
    _set_pixels(ds, frames)
    settle_character_set(ds, source)
    return ds


def _describe_frames(ds: Dataset, result: NumberingResult, frames: Sequence[Frame]) -> None:
    """Multi-frame Functional Groups and Dimension (PS3.3 C.7.6.16, C.7.6.17): by position."""
    organization = Dataset()
    organization.DimensionOrganizationUID = derived_uid(result.identity(), "PM dimensions")
    ds.DimensionOrganizationSequence = Items([organization])
    index = Dataset()
    index.DimensionOrganizationUID = organization.DimensionOrganizationUID
    index.DimensionIndexPointer, index.FunctionalGroupPointer = (
        Tag("ImagePositionPatient"),
        Tag("PlanePositionSequence"),
    )
    ds.DimensionIndexSequence = Items([index])
    groups = [_frame(number, heat, one) for number, (heat, one) in enumerate(frames, start=1)]
    shared = Dataset()
    set_planes(shared, zip(groups, (one for _, one in frames), strict=True))
    kind = Dataset()
    kind.FrameType = ds.ImageType
    shared.ParametricMapFrameTypeSequence = Items([kind])
    shared.PixelValueTransformationSequence = Items([_identity()])
    shared.FrameVOILUTSequence = Items([_window()])
    shared.RealWorldValueMappingSequence = Items([_mapping()])
    ds.SharedFunctionalGroupsSequence = Items([shared])
    ds.PerFrameFunctionalGroupsSequence = Items(groups)


def _frame(number: int, heat: HeatMap | None, one: SourcePlane) -> Dataset:
    source = reference(one.image.sop_class_uid, one.image.sop_instance_uid, one.plane.frame)
    source.PurposeOfReferenceCodeSequence = coded(_SOURCE)
    source.SpatialLocationsPreserved = "YES"
    derivation, anatomy, content, groups = Dataset(), Dataset(), Dataset(), Dataset()
    derivation.SourceImageSequence = Items([source])
    derivation.DerivationCodeSequence = coded(_DERIVED)
    what = codes.level_of(Disc.parse(heat.level)).meaning if heat is not None else "no disc: nothing"
    derivation.DerivationDescription = f"Grad-CAM for {what}"
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = coded(SPINE if heat is None else codes.disc(Disc.parse(heat.level)))
    content.DimensionIndexValues = [number]
    groups.DerivationImageSequence = Items([derivation])
    groups.FrameAnatomySequence = Items([anatomy])
    groups.FrameContentSequence = Items([content])
    return groups


def _identity() -> Dataset:
    """Identity Pixel Value Transformation (PS3.3 C.7.6.16.2.9b)."""
    item = Dataset()
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = "0", "1", "US"
    return item


def _window() -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth = "0.5", "1"
    return item


def _mapping() -> Dataset:
    """Real World Value Mapping (PS3.3 C.7.6.16.2.11): 0 … 1 of the map's own greatest value."""
    quantity = Dataset()
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence = coded(_QUANTITY)
    quantity.ConceptCodeSequence = coded(GRAD_CAM)
    item = Dataset()
    item.LUTLabel, item.LUTExplanation = "GRAD-CAM", "Share of the map's greatest value"
    item.MeasurementUnitsCodeSequence = coded(NO_UNITS)
    item.QuantityDefinitionSequence = Items([quantity])
    item.DoubleFloatRealWorldValueFirstValueMapped, item.DoubleFloatRealWorldValueLastValueMapped = 0.0, 1.0
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 0.0, 1.0
    return item


def _set_pixels(ds: Dataset, frames: Sequence[Frame]) -> None:
    """Floating Point Image Pixel (PS3.3 C.7.6.24)."""
    plane = frames[0][1].plane
    ds.Rows, ds.Columns, ds.NumberOfFrames = plane.rows, plane.columns, len(frames)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.BitsAllocated = 1, "MONOCHROME2", 32
    values = np.zeros((len(frames), plane.rows, plane.columns), "<f4")
    for index, (heat, _) in enumerate(frames):
        if heat is not None:
            values[index] = over_image(heat, plane.rows, plane.columns)
    ds.FloatPixelData = values.tobytes()
