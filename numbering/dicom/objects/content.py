"""Content items of a structured report (PS3.3 C.17.3), one function for each value type that we write.

Built here and not with highdicom, whose image library needs elements that real radiographs lack and whose documents
are dated with the clock; highdicom, DCMTK and dcmqi read them in the tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from numbering.dicom.objects.codes import coded

CONTAINS = "CONTAINS"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"

NO_UNITS = Code("1", "UCUM", "no units")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
UNITS = {
    "": NO_UNITS,
    "1": NO_UNITS,
    "mm": MILLIMETRE,
    "deg": Code("deg", "UCUM", "degree"),
    "%": Code("%", "UCUM", "Percent"),
    "HU": Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "cm3": Code("cm3", "UCUM", "cubic centimeter"),
    "mm3": Code("mm3", "UCUM", "cubic millimeter"),
}
"""By `Measurement.unit`."""


def _item(value_type: str, relationship: str, name: Code | None) -> Dataset:
    item = Dataset()
    item.RelationshipType = relationship
    item.ValueType = value_type
    if name is not None:
        item.ConceptNameCodeSequence = coded(name)
    return item


def container(name: Code, children: list[Dataset], *, template: str = "", relationship: str = CONTAINS) -> Dataset:
    """CONTAINER; `template` is its TID when it has one of its own."""
    item = _item("CONTAINER", relationship, name)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        identification = Dataset()
        identification.MappingResource = "DCMR"
        identification.TemplateIdentifier = template
        item.ContentTemplateSequence = Sequence([identification])
    item.ContentSequence = Sequence(children)
    return item


def code(relationship: str, name: Code, value: Code, children: list[Dataset] | None = None) -> Dataset:
    """CODE."""
    item = _item("CODE", relationship, name)
    item.ConceptCodeSequence = coded(value)
    if children:
        item.ContentSequence = Sequence(children)
    return item


def text(relationship: str, name: Code, value: str) -> Dataset:
    """TEXT."""
    item = _item("TEXT", relationship, name)
    item.TextValue = value
    return item


def uidref(relationship: str, name: Code, value: str) -> Dataset:
    """UIDREF."""
    item = _item("UIDREF", relationship, name)
    item.UID = value
    return item


def num(
    relationship: str, name: Code, value: float, unit: Code = NO_UNITS, *, children: list[Dataset] | None = None
) -> Dataset:
    """NUM."""
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = coded(unit)
    measured.NumericValue = decimal(value)
    item = _item("NUM", relationship, name)
    item.MeasuredValueSequence = Sequence([measured])
    if children:
        item.ContentSequence = Sequence(children)
    return item


def image(
    relationship: str, name: Code | None, sop_class_uid: str, sop_instance_uid: str, frame: int | None = None
) -> Dataset:
    """IMAGE, or one frame of it (1-based)."""
    item = _item("IMAGE", relationship, name)
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    item.ReferencedSOPSequence = Sequence([reference])
    return item


def region(points: NDArray[np.float64], source: Dataset) -> Dataset:
    """SCOORD "Image Region": a POLYLINE through graphic points ``(n, 2)``, selected from an IMAGE item."""
    return _drawn(CONTAINS, Code("111030", "DCM", "Image Region"), points, source)


def centre(point_mm: tuple[float, float, float], frame_of_reference_uid: str) -> Dataset:
    """SCOORD3D "Center": a point in mm of a frame of reference."""
    item = _item("SCOORD3D", CONTAINS, Code("111010", "DCM", "Center"))
    item.GraphicType = "POINT"
    item.GraphicData = list(point_mm)
    item.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    return item


def path(points: NDArray[np.float64], source: Dataset) -> Dataset:
    """SCOORD "Path" that a number was inferred from (TID 320): graphic points ``(n, 2)``, selected from an IMAGE."""
    return _drawn(INFERRED_FROM, Code("121055", "DCM", "Path"), points, source)


def _drawn(relationship: str, name: Code, points: NDArray[np.float64], source: Dataset) -> Dataset:
    item = _item("SCOORD", relationship, name)
    item.GraphicType = "POLYLINE"
    item.GraphicData = [float(value) for value in points.ravel()]
    item.ContentSequence = Sequence([source])
    return item


def point(x: float, y: float, source: Dataset) -> Dataset:
    """SCOORD "Image Region": one POINT in graphic coordinates, selected from an IMAGE item."""
    item = _item("SCOORD", CONTAINS, Code("111030", "DCM", "Image Region"))
    item.GraphicType = "POINT"
    item.GraphicData = [float(x), float(y)]
    item.ContentSequence = Sequence([source])
    return item


def decimal(value: float) -> str:
    """The number as a DS of at most 16 characters, six significant digits."""
    return f"{value:.6g}"
