"""Measurements in a report: the number with its uncertainty and the lines it was taken from, or why it is not given.

OHIF 3.13 stumbles over a group without a region whose NUM has nothing beneath it, and over a group without a NUM; it
then draws no group at all. So every number names its finding site itself, and what is not given stands with its
vertebra or under "Qualitative Evaluations". Lordosis is TID 1410 with the region between its lines; a region for each
of the many others would hide the film.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS, HAS_PROPERTIES
from numbering.dicom.objects.group_parts import COMMENT, GROUP, algorithm, finding_site, on_image, region, tracking
from numbering.dicom.objects.references import image_of
from numbering.marks import DRAWN
from numbering.result import Measurement, NumberingResult, Vertebra

_FAILURE = Code("114006", "DCM", "Measurement failure")
_PLUS_MINUS = Code("371884006", "SCT", "+/-, range of measurement uncertainty")


def measurement_groups(result: NumberingResult) -> Iterator[Dataset]:
    """A group for each measurement that is given and not of one vertebra alone: those stand in its group."""
    for index, measured in enumerate(result.findings.measurements):
        if measured.value is not None and _owner(result, measured) is None:
            yield _group(result, index, measured)


def not_given(result: NumberingResult) -> Iterator[Dataset]:
    """What was not measured, and why, of all but those that stand in a vertebra's group."""
    for measured in result.findings.measurements:
        if measured.value is None and _owner(result, measured) is None:
            yield measurement(result, measured)


def measurements_of(result: NumberingResult, vertebra: Vertebra) -> Iterator[Dataset]:
    """TID 1419 of each measurement of this vertebra alone."""
    for measured in result.findings.measurements:
        if _owner(result, measured) is vertebra:
            yield measurement(result, measured)


def measurement(result: NumberingResult, measured: Measurement) -> Dataset:
    """NUM with site, uncertainty and lines (TID 1419, TID 320); a failure is a CODE, for readers stumble over a NUM
    without a value."""
    name, unit = codes.measurement(measured.name), content.UNITS[measured.unit]
    children = [finding_site(level) for level in measured.levels]
    if measured.value is None:
        if measured.reason is not None:
            children.append(content.text(HAS_PROPERTIES, COMMENT, measured.reason))
        return content.code(CONTAINS, name, _FAILURE, children)
    if measured.uncertainty is not None:
        children.append(content.num(HAS_PROPERTIES, _PLUS_MINUS, measured.uncertainty, unit))
    if measured.volume_mm3 is not None:
        children.append(content.num(HAS_PROPERTIES, codes.MEASURED_VOLUME, measured.volume_mm3, content.UNITS["mm3"]))
    children += _paths(result, measured)
    return content.num(CONTAINS, name, measured.value, unit, children=children)


def _owner(result: NumberingResult, measured: Measurement) -> Vertebra | None:
    """The vertebra that alone was measured, on the image that was measured."""
    image = measured.sop_instance_uid
    named = [found for found in result.findings.vertebrae if measured.levels == (found.level,)]
    here = [found for found in named if image in (None, found.sop_instance_uid)]
    return here[0] if here else None


def _group(result: NumberingResult, index: int, measured: Measurement) -> Dataset:
    """TID 1410 with the region that the lines span where it is to be drawn, else TID 1501."""
    children = [
        *tracking(result, f"measurement {index}", measured.name),
        *(finding_site(level) for level in measured.levels),
        *algorithm(result),
    ]
    image, template = measured.sop_instance_uid, "1501"
    if image is not None and len(measured.lines) == 2 and _drawn(measured):
        first, last = measured.lines
        children.append(region(result, image, measured.frame, (*first, *reversed(last))))
        template = "1410"
    children.append(measurement(result, measured))
    return content.container(GROUP, children, template=template)


def _drawn(measured: Measurement) -> bool:
    """OHIF draws every line that it finds beneath a number: those of discs and slips are edges of outlines anyway."""
    return measured.name.startswith(tuple(DRAWN))


def _paths(result: NumberingResult, measured: Measurement) -> Iterator[Dataset]:
    image = measured.sop_instance_uid
    if image is None or not _drawn(measured):
        return
    for line in measured.lines:
        source = image_of(content.SELECTED_FROM, result, image, measured.frame)
        yield content.path(on_image(result, image, line, closed=False), source)
