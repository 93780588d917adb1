"""Where images lie, from their headers: the geometry by which names are carried from one series to another."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from numbering.dicom.planes import planes
from numbering.plane import Plane
from numbering.record.filed import FILED_IMAGES, FiledImage
from numbering.stack import Stack
from tests.films import make_film
from tests.volumes import SPACE, affine, item, planes_of, volume_of, write_enhanced, write_series

GRID = affine(step=(0.1, 0.2, -2.5), down=(0.0, 0.6, 0.45), along=(0.5, 0.0, 0.0), at=(-12.5, 30.25, 700.125))


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    return sorted(write_series(tmp_path, Stack.of_array(volume_of(GRID), GRID, thickness_mm=1.5)))


def test_every_slice_is_a_plane_with_the_numbers_of_its_header(slices: list[Path]) -> None:
    space, found = planes(slices)
    assert space == SPACE
    expected = {plane.sop_instance_uid: plane for plane in planes_of(GRID, thickness_mm=1.5)}
    assert len(found) == 6
    for plane in found:
        assert isinstance(plane, Plane)
        wanted = expected[plane.sop_instance_uid]
        assert (plane.frame, plane.rows, plane.columns, plane.thickness_mm) == (None, 5, 4, 1.5)
        assert plane.position_mm == pytest.approx(wanted.position_mm)
        assert plane.row_direction == pytest.approx((1, 0, 0))
        assert plane.column_direction == pytest.approx((0, 0.8, 0.6))
        assert plane.spacing_mm == pytest.approx((0.75, 0.5))


def test_each_frame_of_an_enhanced_object_is_a_plane_of_its_own(tmp_path: Path) -> None:
    wanted = planes_of(GRID, multi_frame=True, thickness_mm=1.5)
    wanted = sorted(wanted, key=lambda plane: plane.frame or 0)
    path = write_enhanced(tmp_path / "ct.dcm", wanted, volume_of(GRID))
    space, found = planes([path])
    assert space == SPACE
    assert [plane.frame for plane in found] == [1, 2, 3, 4, 5, 6]
    for plane, other in zip(found, wanted, strict=True):
        assert isinstance(plane, Plane)
        assert plane.position_mm == pytest.approx(other.position_mm)
        assert plane.column_direction == pytest.approx((0, 0.8, 0.6))
        assert (plane.spacing_mm, plane.thickness_mm) == (pytest.approx((0.75, 0.5)), 1.5)


def test_a_frames_own_word_outweighs_what_all_share(tmp_path: Path) -> None:
    wanted = planes_of(GRID, multi_frame=True)
    path = write_enhanced(tmp_path / "ct.dcm", wanted, volume_of(GRID))
    ds = dcmread(path)
    ds.PerFrameFunctionalGroupsSequence[2].PixelMeasuresSequence = [item(PixelSpacing=[2.0, 3.0])]
    ds.save_as(path)
    _, found = planes([path])
    spacings = [plane.spacing_mm for plane in found if isinstance(plane, Plane)]
    assert spacings[2] == (2.0, 3.0)
    assert spacings[1] == spacings[3] == pytest.approx((0.75, 0.5))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImageOrientationPatient", None),
        ("ImageOrientationPatient", [1, 0, 0, 0.5, 1, 0]),
        ("ImageOrientationPatient", [1, 0, 0]),
        ("PixelSpacing", None),
        ("PixelSpacing", [0.75]),
        ("PixelSpacing", [0, 0.5]),
        ("Rows", 0),
    ],
)
def test_an_image_whose_header_says_no_place_or_an_impossible_one_has_none(
    slices: list[Path], keyword: str, value: object
) -> None:
    changed(slices[2], keyword, value)
    space, found = planes(slices)
    assert space == SPACE
    assert [type(image) for image in found] == [Plane, Plane, FiledImage, Plane, Plane, Plane]
    assert found[2].sop_instance_uid == str(dcmread(slices[2]).SOPInstanceUID)


@pytest.mark.parametrize("value", [None, "0", "-3", "1e400"])
def test_a_thickness_that_cannot_be_is_none(slices: list[Path], value: str | None) -> None:
    changed(slices[0], "SliceThickness", value)
    _, found = planes(slices)
    assert isinstance(found[0], Plane)
    assert found[0].thickness_mm == 0


def test_images_of_two_frames_of_reference_lie_in_none(slices: list[Path]) -> None:
    changed(slices[0], "FrameOfReferenceUID", "1.2.3")
    assert planes(slices) == (None, ())


@pytest.mark.parametrize("value", [None, "", "1.2.x"])
def test_without_a_frame_of_reference_nothing_lies_anywhere(slices: list[Path], value: str | None) -> None:
    changed(slices[0], "FrameOfReferenceUID", value)
    assert planes(slices) == (None, ())


def test_a_projection_lies_nowhere(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm", FrameOfReferenceUID="1.2.3")
    assert planes([film]) == (None, ())


def test_a_damaged_file_leaves_its_series_without_a_place(slices: list[Path]) -> None:
    slices[1].write_bytes(b"no DICOM at all")
    assert planes(slices) == (None, ())


def test_planes_survive_the_table(slices: list[Path]) -> None:
    changed(slices[2], "PixelSpacing", None)
    _, found = planes(slices)
    assert FILED_IMAGES.validate_json(FILED_IMAGES.dump_json(found)) == found


def changed(path: Path, keyword: str, value: object) -> None:
    """Another value of an element; None takes it away."""
    ds = dcmread(path)
    if value is None:
        del ds[keyword]
    else:
        setattr(ds, keyword, value)
    ds.save_as(path)
