from __future__ import annotations

import numpy as np
import pytest

from numbering.pipelines.films import (
    PADDING_GREY,
    collimated_region,
    letterbox,
    window_to_grey,
)


def film(rows: int = 300, columns: int = 170) -> np.ndarray:
    return np.random.default_rng(0).normal(1000, 200, (rows, columns)).astype(np.float32)


def test_shutters_are_cut_away_and_the_picture_stays() -> None:
    image = film()
    image[:20], image[-31:], image[:, :11], image[:, -7:] = 0, 0, 4095, 0
    assert collimated_region(image) == (11, 20, 163, 269)


def test_a_film_without_shutters_stays_whole() -> None:
    assert collimated_region(film()) == (0, 0, 170, 300)


def test_a_flat_film_does_not_break_anything() -> None:
    flat = np.full((90, 70), 7, np.float32)
    left, top, right, bottom = collimated_region(flat)
    assert right > left
    assert bottom > top
    assert window_to_grey(flat).max() == 0


def test_windowing_ignores_a_few_extreme_pixels() -> None:
    image = film()
    image[0, 0] = 1e6
    assert 80 < np.median(window_to_grey(image)) < 170


@pytest.mark.parametrize("shape", [(301, 117), (117, 301), (64, 64), (33, 400)])
def test_boxes_on_the_canvas_lead_back_to_film_pixels(shape: tuple[int, int]) -> None:
    grey = np.zeros(shape, np.uint8)
    y0, y1, x0, x1 = shape[0] // 4, shape[0] // 2, shape[1] // 3, shape[1] * 3 // 4
    grey[y0:y1, x0:x1] = 255
    canvas, placed = letterbox(grey, 384, origin=(5, 9))
    assert not any(side % 32 for side in canvas.shape)
    assert max(canvas.shape) == 384
    ys, xs = np.where(canvas > 128)
    # The drawn rectangle on the canvas, corner-based, and padding left out: it is darker than 128.
    assert PADDING_GREY < 128
    box = placed.to_film(np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]))[0]
    np.testing.assert_allclose(box, [x0 + 4.5, y0 + 8.5, x1 + 4.5, y1 + 8.5], atol=1.01 / placed.scale)
