"""A slice on the network's picture: the right part of it, the right way round, and places that come back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from numbering.pipelines.axial_mr.canvas import Placement, lay

SPACING = (0.6, 0.8)


@pytest.fixture(scope="module")
def slice_() -> np.ndarray:
    """Uneven in every direction, with one bright spot at x 100, y 120."""
    y, x = np.mgrid[:300, :260]
    spot = np.exp(-(((x - 100) * SPACING[1]) ** 2) / 400 - ((y - 120) * SPACING[0]) ** 2 / 200)
    return np.asarray(500 * spot + 0.2 * x, np.float32)


def spot_on(picture: np.ndarray, placement: Placement) -> np.ndarray:
    weights = np.clip(picture - 0.6, 0, None)
    y, x = np.mgrid[: placement.side, : placement.side]
    return placement.to_image(np.array([(weights * x).sum(), (weights * y).sum()]) / weights.sum())


@pytest.mark.parametrize(("side", "field"), [(128, 200.0), (64, 120.0), (96, 90.0)])
def test_what_is_seen_on_the_picture_lies_where_it_does_on_the_slice(
    slice_: np.ndarray, side: int, field: float
) -> None:
    picture, placement = lay(slice_, SPACING, side, field)
    assert picture.shape == (side, side)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < picture.max() <= 1
    np.testing.assert_allclose(spot_on(picture, placement), [100, 120], atol=2.5)


def test_the_picture_shows_so_many_mm_around_the_middle(slice_: np.ndarray) -> None:
    _, placement = lay(slice_, SPACING, 100, 120.0)
    x0, y0, x1, y1 = placement.box
    np.testing.assert_allclose([(x1 - x0) * 0.8, (y1 - y0) * 0.6], 120)
    np.testing.assert_allclose([(x0 + x1) / 2, (y0 + y1) / 2], [129.5, 149.5])


def test_what_lies_off_the_slice_is_black(slice_: np.ndarray) -> None:
    picture, placement = lay(slice_ + 1000, SPACING, 100, 300.0)
    assert placement.box[0] < -0.5
    assert not picture[:, :10].any()
    assert not picture[:15].any()
    assert picture[50, 50] > 0


@pytest.mark.parametrize(("turned", "along_x", "along_y"), list(product((False, True), (1, -1), (1, -1))))
def test_however_a_slice_is_stored_the_picture_is_the_same(
    slice_: np.ndarray, turned: bool, along_x: int, along_y: int
) -> None:
    stored, row, column, spacing = slice_[::along_y, ::along_x], (along_x, 0, 0), (0, along_y, 0), SPACING
    if turned:
        stored, row, column, spacing = stored.T, column, row, SPACING[::-1]
    picture, placement = lay(stored, spacing, 96, 200.0, row, column)
    np.testing.assert_allclose(picture, lay(slice_, SPACING, 96, 200.0)[0], atol=1e-6)
    at_x, at_y = spot_on(picture, placement)
    middle = round(float(at_y)), round(float(at_x))
    assert stored[middle] > 0.95 * stored.max()

    heat = np.zeros((4, 4), np.float32)
    heat[tuple(int(one * 4 // 96) for one in np.unravel_index(picture.argmax(), picture.shape))] = 1
    x0, y0, x1, y1 = placement.box
    row_, column_ = np.unravel_index(placement.as_stored(heat).argmax(), (4, 4))
    assert x0 + (x1 - x0) * column_ / 4 <= at_x <= x0 + (x1 - x0) * (column_ + 1) / 4
    assert y0 + (y1 - y0) * row_ / 4 <= at_y <= y0 + (y1 - y0) * (row_ + 1) / 4


def test_an_empty_slice_gives_an_empty_picture() -> None:
    picture, _ = lay(np.zeros((40, 50), np.int16), (1.0, 1.0), 32, 100.0)
    assert not picture.any()


def test_slices_without_numbers_are_read_as_black() -> None:
    picture, _ = lay(np.full((40, 50), np.nan, np.float32), (1.0, 1.0), 32, 40.0)
    assert not picture.any()
