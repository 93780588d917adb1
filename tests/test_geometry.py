import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbering.geometry import closed_polyline, corners_of, intersection_over_union, to_graphic

numbers = st.floats(0, 4000, allow_nan=False)
boxes = st.tuples(numbers, numbers, st.floats(1, 900), st.floats(1, 900)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def test_corners_go_round_clockwise_from_the_upper_left_of_the_image():
    assert corners_of((10, 20, 40, 70)) == ((10, 20), (40, 20), (40, 70), (10, 70))


def test_graphics_count_from_the_outer_corner_of_the_first_pixel():
    assert to_graphic([(0, 0), (3, 7)]).tolist() == [[0.5, 0.5], [3.5, 7.5]]


def test_one_point_alone_becomes_one_graphic_point():
    assert to_graphic((3, 7)).tolist() == [[3.5, 7.5]]


def test_an_outline_ends_where_it_began():
    outline = closed_polyline(corners_of((10, 20, 40, 70)), rows=300, columns=100)
    assert outline.shape == (5, 2)
    assert outline[0].tolist() == outline[-1].tolist() == [10.5, 20.5]


def test_an_outline_stays_inside_an_image_that_is_higher_than_wide():
    outline = closed_polyline(corners_of((-5, -6, 140, 340)), rows=300, columns=100)
    assert outline.min(axis=0).tolist() == [0, 0]
    assert outline.max(axis=0).tolist() == [100, 300]


def test_boxes_that_share_a_third_overlap_by_a_third():
    overlap = intersection_over_union([(0, 0, 10, 20)], [(5, 0, 15, 20), (0, 10, 10, 30), (50, 50, 60, 60)])
    assert overlap.shape == (1, 3)
    assert overlap[0] == pytest.approx([1 / 3, 1 / 3, 0])


def test_no_boxes_give_an_empty_matrix():
    assert intersection_over_union([], [(0, 0, 1, 1)]).shape == (0, 1)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_nothing_and_all(a, b):
    forth, back = intersection_over_union([a], [b])[0, 0], intersection_over_union([b], [a])[0, 0]
    assert 0 <= forth <= 1 + 1e-9
    assert forth == pytest.approx(back)


@given(boxes)
def test_a_box_overlaps_itself_fully(box):
    assert np.diag(intersection_over_union([box], [box])) == pytest.approx([1])
