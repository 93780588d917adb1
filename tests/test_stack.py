"""Slices in space: their order, their geometry, and what of their pixels is read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from numbering.plane import Plane
from numbering.stack import KEPT_SLICES, Gap, Stack
from numbering.study import View
from tests.volumes import affine, field, planes_of, volume_of

TILT = np.radians(14.0)


def tilted(degrees: float, at: tuple[float, float, float], count: int = 4) -> list[Plane]:
    """A stack along a disc: slices turned about the left-right axis, 4 mm apart, around ``at``."""
    angle = np.radians(degrees)
    down, normal = np.array([0, np.cos(angle), np.sin(angle)]), np.array([0, np.sin(angle), -np.cos(angle)])
    middle = np.array(at) - 1.5 * 4 * normal - 2 * 0.75 * down
    matrix = affine(step=4 * normal, down=0.75 * down, at=middle)
    return planes_of(matrix, (count, 5, 4), series_uid=f"1.2.{int(degrees) + 50}", modality="MR")


GRIDS = {
    "from the head": affine(),
    "from the feet": affine(step=(0, 0, 2)),
    "rows from left to right": affine(along=(-0.5, 0, 0)),
    "prone, feet first": affine(step=(0, 0, 2), down=(0, -0.75, 0), along=(-0.5, 0, 0)),
    "gantry tilted": affine(down=(0, 0.75 * np.cos(TILT), 0.75 * np.sin(TILT))),
    "oblique": affine(
        step=(-0.5, -1.0, -1.75), down=np.array([3, -6, 2]) * 0.75 / 7, along=np.array([6, 2, -3]) * 0.5 / 7
    ),
    "sagittal": affine(step=(3, 0, 0), down=(0, 0, -0.75), along=(0, 0.5, 0)),
    "sagittal, from the left": affine(step=(-3, 0, 0), down=(0, 0, -0.75), along=(0, 0.5, 0)),
    "coronal": affine(step=(0, 3, 0), down=(0, 0, -0.75), along=(0.5, 0, 0)),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_every_pixel_lies_where_its_plane_and_the_affine_say(grid: NDArray[np.float64]) -> None:
    stack = Stack.of_array(volume_of(grid), grid)
    assert stack.uniform
    assert stack.affine is not None
    for index, plane in enumerate(stack.planes):
        for row, column in ((0, 0), (4, 0), (0, 3), (3, 2)):
            value = stack.pixels(index)[row, column]
            assert value == field(plane.to_mm((column, row)))
            assert value == field((stack.affine @ [index, row, column, 1])[:3])


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_slices_run_from_head_to_feet_right_to_left_front_to_back(grid: NDArray[np.float64]) -> None:
    stack = Stack.of_array(volume_of(grid), grid)
    axis, towards = {View.AXIAL: (2, -1), View.SAGITTAL: (0, 1), View.CORONAL: (1, 1)}[stack.view]
    positions = np.array([plane.centre_mm[axis] for plane in stack.planes])
    assert (np.diff(positions) * towards > 0).all()
    assert stack.heights_mm[0] == 0
    assert (np.diff(stack.heights_mm) > 0).all()


def test_the_views_are_told_apart() -> None:
    views = {name: Stack.of_array(volume_of(grid), grid).view for name, grid in GRIDS.items()}
    assert {name for name, view in views.items() if view is View.SAGITTAL} == {"sagittal", "sagittal, from the left"}
    assert views["coronal"] is View.CORONAL
    assert views["oblique"] is View.AXIAL


def test_a_tilted_gantry_is_told_and_distances_are_along_the_normal() -> None:
    stack = Stack.of_array(volume_of(GRIDS["gantry tilted"]), GRIDS["gantry tilted"])
    assert stack.sheared
    assert stack.shear_degrees == pytest.approx(14)
    assert stack.spacing_mm == pytest.approx(2 * np.cos(TILT))
    assert not Stack.of_array(volume_of(affine()), affine()).sheared


def test_missing_slices_are_a_gap_and_the_stack_is_not_uniform() -> None:
    planes = planes_of(affine(), (9, 5, 4))
    stack = Stack.of([*planes[5:], *planes[:3]], lambda plane: np.zeros((5, 4), np.float32))
    assert stack.gaps == (Gap(after=2, mm=6.0),)
    assert not stack.uniform
    assert stack.affine is None
    np.testing.assert_allclose(stack.heights_mm, [0, 2, 4, 10, 12, 14, 16])


def test_uneven_slices_are_not_uniform_and_have_no_gap() -> None:
    planes = [
        plane.model_copy(update={"position_mm": (-40.0, -150.0, z)})
        for plane, z in zip(planes_of(affine()), (300, 298, 296, 293.5, 291, 289), strict=True)
    ]
    stack = Stack.of(planes, lambda plane: np.zeros((5, 4), np.float32))
    assert (stack.uniform, stack.gaps) == (False, ())


def test_rounded_headers_are_still_uniform() -> None:
    planes = [
        plane.model_copy(update={"position_mm": (-40.0, -150.0, round(300 - 0.625 * index, 1))})
        for index, plane in enumerate(planes_of(affine(step=(0, 0, -0.625)), (9, 5, 4)))
    ]
    assert Stack.of(planes, lambda plane: np.zeros((5, 4), np.float32)).uniform


def test_stacks_along_discs_are_groups_in_the_order_of_the_spine() -> None:
    upper, lower = tilted(-8, (0, -100, 260)), tilted(30, (0, -90, 215))
    stack = Stack.of([*lower, *upper], lambda plane: np.zeros((5, 4), np.float32), modality="MR")
    assert stack.groups == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert [plane.sop_instance_uid for plane in stack.planes] == [plane.sop_instance_uid for plane in (*upper, *lower)]
    assert (stack.spacing_mm, stack.gaps, stack.uniform) == (pytest.approx(4), (), False)


def test_planes_that_cross_steeply_have_no_order() -> None:
    planes = [*planes_of(GRIDS["sagittal"]), *planes_of(GRIDS["coronal"], series_uid="1.2.4")]
    with pytest.raises(ValueError, match="cross each other"):
        Stack.of(planes, lambda plane: np.zeros((5, 4), np.float32))


def test_a_stack_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Stack.of([], lambda plane: np.zeros((1, 1), np.float32))


def test_one_slice_is_a_stack() -> None:
    stack = Stack.of_array(volume_of(affine(), (1, 5, 4)), affine())
    assert (len(stack), stack.spacing_mm, stack.uniform, stack.view) == (1, None, True, View.AXIAL)
    np.testing.assert_allclose(stack.affine, affine())


def test_only_what_is_asked_for_is_decoded_and_few_slices_are_kept() -> None:
    planes = planes_of(affine(), (3 * KEPT_SLICES, 5, 4))
    asked: list[str] = []

    def decode(plane: Plane) -> NDArray[np.float32]:
        asked.append(plane.sop_instance_uid)
        return np.zeros((5, 4), np.float32)

    stack = Stack.of(planes, decode)
    assert (stack.heights_mm[-1], stack.uniform, asked) == (pytest.approx(46), True, [])
    stack.pixels(3)
    stack.pixels(3)
    assert asked == ["1.2.3.4"]
    stack.block(slice(0, 24, 2))
    assert len(asked) == 13
    stack.pixels(22)
    assert len(asked) == 13, "the last ones are kept"
    stack.pixels(0)
    assert len(asked) == 14, "the first ones are not"
    for index in (10, 1, 10):
        stack.pixels(index)
    assert len(asked) == 15, "what was looked at last is kept longest"


def test_a_block_is_every_so_manieth_slice_row_and_column() -> None:
    volume = volume_of(affine())
    block = Stack.of_array(volume, affine()).block(slice(1, 6, 2), (2, 3))
    np.testing.assert_array_equal(block, volume[1:6:2, ::2, ::3])


def test_slices_of_several_sizes_are_no_block() -> None:
    planes = [planes_of(affine())[0], planes_of(affine(), (2, 7, 4))[1]]
    stack = Stack.of(planes, lambda plane: np.zeros((plane.rows, plane.columns), np.float32))
    with pytest.raises(ValueError, match="2 sizes"):
        stack.block()
    assert not stack.uniform


def test_pixels_cannot_be_changed_behind_the_stacks_back() -> None:
    pixels = Stack.of_array(volume_of(affine()), affine()).pixels(-1)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def test_a_slice_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Stack.of_array(volume_of(affine()), affine()).pixels(6)


def test_points_go_to_the_plane_and_back() -> None:
    plane = planes_of(GRIDS["oblique"])[2]
    points = np.array([[0.0, 0.0], [3.0, 1.0], [-7.25, 12.5]])
    np.testing.assert_allclose(plane.to_pixel(plane.to_mm(points)), points, atol=1e-9)
    off = plane.to_mm(points) + 5 * plane.normal
    np.testing.assert_allclose(plane.to_pixel(off), points, atol=1e-9)
    np.testing.assert_allclose(plane.off_mm(off), 5)
    np.testing.assert_allclose(plane.normal, np.array([-2, -3, -6]) / 7)


def test_an_image_reaches_half_a_pixel_beyond_its_outer_centres() -> None:
    plane = planes_of(affine())[0]
    inside = plane.shows([(-0.5, -0.5), (3.5, 4.5), (3.6, 0), (0, 4.6), (-0.6, 0)])
    assert inside.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"row_direction": (1, 0.1, 0)},
        {"row_direction": (0, 1, 0)},
        {"spacing_mm": (0.0, 1.0)},
        {"spacing_mm": (float("inf"), 1.0)},
        {"position_mm": (0.0, float("nan"), 0.0)},
        {"rows": 0},
        {"frame": 0},
    ],
    ids=str,
)
def test_a_plane_that_exists_is_one(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Plane.model_validate(planes_of(affine())[0].model_dump() | wrong)
