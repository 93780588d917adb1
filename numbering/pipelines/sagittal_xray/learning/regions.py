"""Step I's samples: augmented regions of films, and batches of them that have one shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from numbering.pipelines.sagittal_xray.learning.augment import Region, developed, moved, random_region, resized
from numbering.pipelines.sagittal_xray.learning.dataset import LabelledFilm, labels
from numbering.pipelines.sagittal_xray.learning.samples import Films, Sample, normalised, on_canvas, within
from numbering.pipelines.sagittal_xray.model.preprocess import Placement, canvas_shape
from numbering.pipelines.sagittal_xray.sizes import Size

Key = tuple[int, float]
"""Index of a film, and how many times as tall as wide its picture shall be: below 1 the film lies on a side; 0: the
film as it is, nothing changed."""
LUMBAR_SHAPES, WHOLE_SHAPES = (1.0, 1.25, 1.6), (1.25, 1.6, 2.1, 2.7)
WRONG_SHARE = 0.06
"""Share of films lying on a side, and of films upside down: as far as CNN 1 is asked, no level is in view."""


class Regions(Films, Dataset[Sample]):
    """Step I: regions of films."""

    def __init__(
        self, films: Sequence[LabelledFilm], size: Size, *, seed: int | None = None, caudal: bool = True
    ) -> None:
        super().__init__(films, size, seed)
        self.caudal = caudal

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, key: Key) -> Sample:
        index, shape = key
        upright = 1 / shape if 0 < shape < 1 else shape
        film, (pixels, opened) = self.films[index], self.opened(index)
        rng = self.rng(index)
        left, top, right, bottom = opened
        region = random_region(film, opened, upright, rng, self.caudal) if shape else (left, top, right, bottom)
        sample = self._upright(film, pixels, region, upright)
        if not shape:
            return sample
        turns = int(rng.choice([1, 3])) if shape < 1 else 2 * int(rng.random() < WRONG_SHARE)
        return _turned(_augmented(sample, rng), turns)

    def _upright(self, film: LabelledFilm, pixels: NDArray[np.uint8], region: Region, shape: float) -> Sample:
        """A region on its canvas, nothing changed."""
        left, top, right, bottom = region
        rows, columns = canvas_shape(shape or (bottom - top) / (right - left), 1.0, self.size)
        placed = Placement(left, top, columns / (right - left), rows / (bottom - top), rows, columns)
        true = labels(film, region)
        points = torch.from_numpy(placed.to_canvas(true.corners).astype(np.float32))
        return {
            "image": resized(pixels, region, rows, columns),
            "corners": normalised(points, rows, columns),
            "known": torch.from_numpy(true.corner_known),
            "said": torch.from_numpy(true.present).float(),
            "judged": torch.from_numpy(true.judged),
        }


def _augmented(sample: Sample, rng: np.random.Generator) -> Sample:
    """Moved and developed otherwise; a body that the edge cuts now is not judged."""
    rows, columns = sample["image"].shape[-2:]
    points = on_canvas(sample["corners"].reshape(-1, 2), rows, columns)
    picture, points = moved(sample["image"], points, rng)
    points = points.view(sample["corners"].shape)
    known, present = sample["known"], sample["said"] > 0
    inside = within(points, rows, columns)
    whole, some = (inside | ~known).all(1), (inside & known).any(1)
    return {
        "image": developed(picture, rng),
        "corners": normalised(points, rows, columns),
        "known": known & inside,
        "said": (present & whole).float(),
        "judged": sample["judged"] & (whole | ~some | ~present),
    }


def _turned(sample: Sample, turns: int) -> Sample:
    """Turned by quarters; a film that does not stand upright shows no level."""
    if not turns:
        return sample
    return sample | {
        "image": torch.rot90(sample["image"], turns, (-2, -1)).contiguous(),
        "known": torch.zeros_like(sample["known"]),
        "said": torch.zeros_like(sample["said"]),
    }


class ShapedBatches(Sampler[list[Key]]):
    """Batches of films whose regions have one shape, so that they stack."""

    def __init__(self, films: Sequence[LabelledFilm], batch: int) -> None:
        self.films, self.batch = films, batch

    def __len__(self) -> int:
        kinds = [sum(film.whole_spine == whole for film in self.films) for whole in (True, False)]
        return sum(math.ceil(count / self.batch) for count in kinds)

    def __iter__(self) -> Iterator[list[Key]]:
        batches: list[list[Key]] = []
        for whole, shapes in ((True, WHOLE_SHAPES), (False, LUMBAR_SHAPES)):
            mine = [index for index, film in enumerate(self.films) if film.whole_spine == whole]
            order = [mine[at] for at in torch.randperm(len(mine)).tolist()]
            for start in range(0, len(order), self.batch):
                shape = shapes[int(torch.randint(len(shapes), ()).item())]
                shape = 1 / shape if shape > 1 and torch.rand(()).item() < WRONG_SHARE else shape
                batches.append([(index, shape) for index in order[start : start + self.batch]])
        for at in torch.randperm(len(batches)).tolist():
            yield batches[at]
