"""Grayscale softcopy presentation states: names and outlines on a film, for viewers that draw no SR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from numbering.dicom.objects.graphics import ANGLES, IMAGE_OVERLAYS, NAMES, OUTLINES, graphic_annotations
from numbering.dicom.objects.grey_levels import copy_modality_lut, copy_shutter, copy_voi_lut, lut_shape
from numbering.dicom.objects.header import begin, local_time, notice, settle_character_set, standing
from numbering.dicom.objects.references import reference
from numbering.dicom.spacing import pixel_spacing
from numbering.marks import angles_on, marks_on
from numbering.result import NumberingResult, SourceImage


def presentations(result: NumberingResult, sources: Mapping[str, Dataset]) -> Iterator[Dataset]:
    """One presentation state for each image on which something is marked, in the order of the result's sources."""
    number = 0
    for source in result.sources:
        if marks_on(result.findings, source.sop_instance_uid):
            number += 1
            yield _presentation(result, source, sources[source.sop_instance_uid], number)


def _presentation(result: NumberingResult, image: SourceImage, source: Dataset, number: int) -> Dataset:
    ds = begin(
        result,
        source,
        modality="PR",
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
        kind=f"PR {image.sop_instance_uid}",
        instance_number=number,
    )
    when = local_time(result, source)
    ds.PresentationCreationDate, ds.PresentationCreationTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.BodyPartExamined = "SPINE"  # unpaired, so that Laterality is not asked for (PS3.3 C.7.3.1)
    ds.ContentLabel = "NUMBERING"
    ds.ContentDescription = f"Numbering of vertebrae: {standing(result)}"
    ds.ContentCreatorName = ""
    ds.ReferencedSeriesSequence = _relationship(source, image)
    ds.DisplayedAreaSelectionSequence = _displayed_area(source, image)
    marks = marks_on(result.findings, image.sop_instance_uid)
    angles = angles_on(result.findings, image.sop_instance_uid)
    ds.GraphicAnnotationSequence = Sequence(graphic_annotations(image, marks, angles, notice(result)))
    outlined = any(mark.outline for mark in marks)
    layers = [*([OUTLINES] if outlined else []), NAMES, *([ANGLES] if angles else [])]
    _set_layers(ds, layers)
    copy_shutter(ds, source)
    _copy_overlays(ds, source, layers)
    copy_modality_lut(ds, source)
    copy_voi_lut(ds, source)
    ds.PresentationLUTShape = lut_shape(source)
    settle_character_set(ds, source)
    return ds


def _relationship(source: Dataset, image: SourceImage) -> Sequence:
    """Presentation State Relationship (PS3.3 C.11.11): the whole image, all its frames."""
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedImageSequence = Sequence([reference(image.sop_class_uid, image.sop_instance_uid)])
    return Sequence([series])


def _displayed_area(source: Dataset, image: SourceImage) -> Sequence:
    """The whole image, fitted (PS3.3 C.10.4)."""
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [image.columns, image.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    spacing = pixel_spacing(source)
    if spacing:
        area.PresentationPixelSpacing = list(spacing)
    else:
        area.PresentationPixelAspectRatio = list(source.get("PixelAspectRatio") or [1, 1])
    return Sequence([area])


def _set_layers(ds: Dataset, names: list[str]) -> None:
    ds.GraphicLayerSequence = Sequence()
    for order, name in enumerate(names, start=1):
        layer = Dataset()
        layer.GraphicLayer = name
        layer.GraphicLayerOrder = order
        ds.GraphicLayerSequence.append(layer)


def _copy_overlays(ds: Dataset, source: Dataset, layers: list[str]) -> None:
    """Overlay Activation (PS3.3 C.11.7): the image's own overlays (burned-in side marks) stay visible."""
    groups = [group for group in range(0x6000, 0x6020, 2) if (group, 0x0010) in source]
    for group in groups:
        ds.add_new((group, 0x1001), "CS", IMAGE_OVERLAYS)
    if groups:
        _set_layers(ds, [IMAGE_OVERLAYS, *layers])
