"""Marks from other people's reports and presentation states: points on an image, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.sr import GraphicTypeValues, ImageRegion, SourceImageForRegion
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from numbering.checking.gather import Asked, question_of
from numbering.checking.question import Misused
from numbering.dicom.marked import NoMarks, Point, marked_document
from numbering.dicom.objects.encode import encode
from numbering.levelcheck import MarkSource
from numbering.priors.source import Patient
from numbering.settings import Settings
from tests.films import make_film
from tests.results import numbered, result_of, source_of

IMAGE, OTHER = "1.2.3.4", "1.2.3.5"
GSPS, SR = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.88.33"


def dataset(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def image(uid: str = IMAGE, frame: Any = None) -> Dataset:
    ds = dataset(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.1.1", ReferencedSOPInstanceUID=uid)
    if frame is not None:
        ds.ReferencedFrameNumber = frame
    return ds


def scoord(*data: float, kind: str = "POINT", images: tuple[Dataset, ...] | None = None, **more: Any) -> Dataset:
    selected = [
        dataset(RelationshipType="SELECTED FROM", ValueType="IMAGE", ReferencedSOPSequence=[one])
        for one in (images if images is not None else (image(),))
    ]
    return dataset(ValueType="SCOORD", GraphicType=kind, GraphicData=list(data), ContentSequence=selected, **more)


def graphic(*data: float, kind: str = "POINT", units: str = "PIXEL") -> Dataset:
    points = len(data) // 2
    return dataset(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=points, GraphicData=list(data),
        GraphicType=kind,
    )  # fmt: skip


def text(x: float, y: float, visible: str = "Y", units: str = "PIXEL") -> Dataset:
    return dataset(
        UnformattedTextValue="L4", AnchorPoint=[x, y], AnchorPointVisibility=visible, AnchorPointAnnotationUnits=units
    )


Write = Callable[..., Path]


@pytest.fixture
def report(tmp_path: Path) -> Write:
    """Writes a report with these content items two containers deep."""

    def write(*items: Dataset, **more: Any) -> Path:
        deep = dataset(
            ValueType="CONTAINER", ContentSequence=[dataset(ValueType="CONTAINER", ContentSequence=[*items])]
        )
        return save(tmp_path, dataset(SOPClassUID=SR, Modality="SR", ContentSequence=[deep], **more))

    return write


@pytest.fixture
def state(tmp_path: Path) -> Write:
    """Writes a presentation state with these graphics and texts on one image, or on these images."""

    def write(*items: Dataset, images: tuple[Dataset, ...] = (image(),), own: bool = True) -> Path:
        annotation = dataset(
            GraphicObjectSequence=[one for one in items if "GraphicType" in one],
            TextObjectSequence=[one for one in items if "AnchorPoint" in one],
        )
        if own:
            annotation.ReferencedImageSequence = list(images)
        series = dataset(SeriesInstanceUID="1.2.3", ReferencedImageSequence=list(images))
        whole = dataset(
            SOPClassUID=GSPS, Modality="PR", ReferencedSeriesSequence=[series], GraphicAnnotationSequence=[annotation]
        )
        return save(tmp_path, whole)

    return write


def save(folder: Path, ds: Dataset) -> Path:
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = ds.SeriesInstanceUID = "1.2.9"
    ds.PatientID, ds.IssuerOfPatientID = ds.get("PatientID", "P7"), "HOSPITAL"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_reports_point_is_a_mark_and_its_origin_is_the_corner_of_the_first_pixel(report: Write) -> None:
    found = marked_document(report(scoord(310.5, 702.25)))
    assert found.points == (Point(IMAGE, None, 310.0, 701.75),)
    assert (found.source, found.patient) == (MarkSource.SR, Patient("P7", "HOSPITAL"))


def test_a_reports_point_may_be_on_a_frame(report: Write) -> None:
    assert marked_document(report(scoord(1, 2, images=(image(frame=3),)))).points == (Point(IMAGE, 3, 0.5, 1.5),)


def test_a_presentation_states_point_is_a_mark(state: Write) -> None:
    found = marked_document(state(graphic(310.5, 702)))
    assert (found.points, found.source) == ((Point(IMAGE, None, 310.0, 701.5),), MarkSource.GSPS)
    assert marked_document(state(graphic(310.5, 702), own=False)).points == found.points


def test_the_visible_anchor_of_a_text_is_a_mark_and_an_invisible_one_is_none(state: Write) -> None:
    assert marked_document(state(text(20, 30))).points == (Point(IMAGE, None, 19.5, 29.5),)
    assert marked_document(state(text(20, 30, visible="N"))).points == ()


def test_outlines_and_lines_are_no_marks(report: Write, state: Write) -> None:
    outline = (1, 1, 5, 1, 5, 5, 1, 1)
    assert marked_document(report(scoord(*outline, kind="POLYLINE"), scoord(1, 1, 3, 3, kind="CIRCLE"))).points == ()
    assert marked_document(state(graphic(*outline, kind="POLYLINE"))).points == ()


def test_one_point_told_twice_is_one_mark(report: Write) -> None:
    assert len(marked_document(report(scoord(1, 2), scoord(1, 2))).points) == 1


@pytest.mark.parametrize(
    "item",
    [
        scoord(1, 2, images=()),
        scoord(1, 2, images=(image(), image(OTHER))),
        scoord(1, 2, images=(image(frame=[1, 2]),)),
        scoord(1, 2, 3, 4, kind="MULTIPOINT"),
        scoord(1, 2, PixelOriginInterpretation="VOLUME"),
        dataset(ValueType="SCOORD3D", GraphicType="POINT", GraphicData=[1.0, 2.0, 3.0]),
    ],
)
def test_a_report_with_a_point_that_cannot_be_placed_has_no_marks_at_all(report: Write, item: Dataset) -> None:
    with pytest.raises(NoMarks):
        marked_document(report(scoord(5, 6), item))


def test_a_state_with_a_point_that_cannot_be_placed_has_no_marks_at_all(state: Write) -> None:
    for path in (
        state(graphic(0.5, 0.5, units="DISPLAY")),
        state(text(0.5, 0.5, units="DISPLAY")),
        state(graphic(1, 2), images=(image(), image(OTHER))),
        state(graphic(1, 2), images=(image(), image(OTHER)), own=False),
    ):
        with pytest.raises(NoMarks):
            marked_document(path)


def test_our_own_objects_and_images_mark_nothing(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    uid = source_of(film).sop_instance_uid
    for ds in encode(result_of([film], numbered(uid)), {uid: film}):
        with pytest.raises(NoMarks, match="this software"):
            marked_document(save(tmp_path, ds))
    with pytest.raises(NoMarks, match="structured report"):
        marked_document(film)
    (tmp_path / "junk").write_bytes(b"\0" * 200)
    with pytest.raises(NoMarks):
        marked_document(tmp_path / "junk")


def test_a_point_that_another_toolkit_wrote_is_read(tmp_path: Path) -> None:
    source = SourceImageForRegion(DigitalXRayImageStorageForPresentation, IMAGE, referenced_frame_numbers=[2])
    point = np.array([[310.5, 702.25]])
    region = ImageRegion(graphic_type=GraphicTypeValues.POINT, graphic_data=point, source_image=source)
    path = save(tmp_path, dataset(SOPClassUID=SR, Modality="SR", ContentSequence=[region]))
    assert marked_document(path).points == (Point(IMAGE, 2, 310.0, 701.75),)


def asked(path: Path, **more: Any) -> Any:
    return question_of(Asked(planned="L4", mark_from="it", **more), Settings(), lambda name: path)


def test_the_question_takes_the_one_point_and_whose_the_document_is(report: Write) -> None:
    question = asked(report(scoord(310.5, 702.25)), side="R")
    assert question.mark.place.model_dump() == {"sop_instance_uid": IMAGE, "frame": None, "x": 310.0, "y": 701.75}
    assert (question.mark.source, question.mark.side) == (MarkSource.SR, "R")
    assert question.patients == (Patient("P7", "HOSPITAL"),)


def test_several_points_or_none_or_no_patient_are_misuse(report: Write) -> None:
    for path in (report(), report(scoord(1, 2), scoord(3, 4)), report(scoord(1, 2), PatientID="")):
        with pytest.raises(Misused):
            asked(path)
