"""A little AASCE folder of drawn spines: 17 bright bodies on a grey film, for tests of training and evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROWS, COLUMNS = 520, 210


def draw_spine(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A film and its corners ``(17, 4, 2)`` in outer-corner pixels: top-left, top-right, bottom-left, bottom-right."""
    rng = np.random.default_rng(seed)
    film = rng.normal(70, 6, (ROWS, COLUMNS))
    corners = []
    top = 30.0
    for index in range(17):
        width, height = 26 + 1.2 * index, 14 + 0.6 * index
        centre = COLUMNS / 2 + 8 * np.sin(index / 4 + seed)
        x0, x1, y1 = centre - width / 2, centre + width / 2, top + height
        film[int(top) : int(y1), int(x0) : int(x1)] += 90
        corners.append([(x0, top), (x1, top), (x0, y1), (x1, y1)])
        top = y1 + 4
    film[int(top) : int(top) + 40, 40 : COLUMNS - 40] += 60  # a sacrum
    return np.clip(film, 0, 255).astype(np.uint8), np.array(corners)


def make_aasce(folder: Path, names: list[str], shuffled: tuple[int, ...] = (), doubled: tuple[int, ...] = ()) -> Path:
    """Write films under these names; rows in ``shuffled`` list vertebrae out of order, in ``doubled`` one twice."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for seed, name in enumerate(names):
        film, corners = draw_spine(seed)
        Image.fromarray(film).save(folder / "images" / name, quality=95)
        fractions = corners / [COLUMNS, ROWS]
        if seed in doubled:
            fractions[5] = fractions[6] + 0.001
        if seed in shuffled:
            fractions = fractions[np.random.default_rng(seed).permutation(17)]
        flat = fractions.reshape(-1, 2)
        lines.append(",".join(f"{value:.6f}" for value in [*flat[:, 0], *flat[:, 1]]))
    (folder / "filenames.csv").write_text("\n".join(names) + "\n")
    (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")
    return folder
