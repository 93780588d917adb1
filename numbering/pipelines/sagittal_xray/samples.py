"""What the networks train on: augmented regions of films for step I, augmented crops of bodies for step II.

A sample is a dictionary of tensors: ``image`` ``(1, rows, columns)``; ``corners`` ``(…, 2)`` in the coordinates of
`dsnt`, ``known`` ``(…)`` which of them count; ``said`` what the logits should be and ``judged`` which of them count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from numbering.pipelines.sagittal_xray.augment import Region, developed, moved, random_region, resized
from numbering.pipelines.sagittal_xray.dataset import Body, LabelledFilm, Points, labels, open_region
from numbering.pipelines.sagittal_xray.levels import CORNERS
from numbering.pipelines.sagittal_xray.preprocess import Placement, canvas_shape, crop_square
from numbering.pipelines.sagittal_xray.sizes import Size

Sample = dict[str, Tensor]
Key = tuple[int, float]
"""Index of a film, and how many times as tall as wide its picture shall be: below 1 the film lies on a side; 0: the
film as it is, nothing changed."""
LUMBAR_SHAPES, WHOLE_SHAPES = (1.0, 1.25, 1.6), (1.25, 1.6, 2.1, 2.7)
WRONG_SHARE = 0.06
"""Share of films lying on a side, and of films upside down: as far as CNN 1 is asked, no level is in view."""
CROPS_PER_FILM = 8
ROOM = 1.35
"""A crop is cut this much larger before it is turned, so that no black corner is turned into it."""
STRAY_SHARE, MEANT = 0.15, 0.42
"""Share of crops around a place beside a body; a body nearer to it than this share of its size is the one that is
meant, else there is none."""


class _Films:
    """Films with their pixels kept in memory."""

    def __init__(self, films: Sequence[LabelledFilm], size: Size, seed: int | None = None) -> None:
        self.films, self.size, self.seed = films, size, seed
        self._kept: dict[int, tuple[NDArray[np.uint8], tuple[int, int, int, int]]] = {}

    def opened(self, index: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
        """Pixels, and the region inside the shutters."""
        if index not in self._kept:
            pixels = self.films[index].pixels()
            self._kept[index] = pixels, open_region(pixels)
        return self._kept[index]

    def rng(self, index: int) -> np.random.Generator:
        """Fresh chances at every call; without a seed of our own they follow torch's, with one they stay the same."""
        if self.seed is not None:
            return np.random.default_rng([self.seed, index])
        return np.random.default_rng(int(torch.randint(2**62, ()).item()))


class Regions(_Films, Dataset[Sample]):
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
            "corners": _normalised(points, rows, columns),
            "known": torch.from_numpy(true.corner_known),
            "said": torch.from_numpy(true.present).float(),
            "judged": torch.from_numpy(true.judged),
        }


def _augmented(sample: Sample, rng: np.random.Generator) -> Sample:
    """Moved and developed otherwise; a body that the edge cuts now is not judged."""
    rows, columns = sample["image"].shape[-2:]
    points = _pixels(sample["corners"].reshape(-1, 2), rows, columns)
    picture, points = moved(sample["image"], points, rng)
    points = points.view(sample["corners"].shape)
    known, present = sample["known"], sample["said"] > 0
    inside = _on(points, rows, columns)
    whole, some = (inside | ~known).all(1), (inside & known).any(1)
    return {
        "image": developed(picture, rng),
        "corners": _normalised(points, rows, columns),
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


def _on(points: Tensor, rows: int, columns: int) -> Tensor:
    x, y = points[..., 0], points[..., 1]
    return (x > -0.5) & (y > -0.5) & (x < columns - 0.5) & (y < rows - 0.5)


def _normalised(points: Tensor, rows: int, columns: int) -> Tensor:
    """Canvas pixels to the coordinates of `dsnt`."""
    return (2 * points + 1) / torch.tensor([columns, rows], dtype=points.dtype) - 1


def _pixels(coordinates: Tensor, rows: int, columns: int) -> Tensor:
    """And back."""
    return ((coordinates + 1) * torch.tensor([columns, rows], dtype=coordinates.dtype) - 1) / 2


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


class Crops(_Films, Dataset[Sample]):
    """Step II: several crops of one film, stacked; some where no body is."""

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, index: int) -> Sample:
        film, (pixels, opened) = self.films[index], self.opened(index)
        rng = self.rng(index)
        bodies = self._whole(film, opened)
        crops = [self._one(pixels, bodies, bodies[int(rng.integers(len(bodies)))], rng) for _ in range(CROPS_PER_FILM)]
        return {key: torch.stack([crop[key] for crop in crops]) for key in crops[0]}

    def _whole(self, film: LabelledFilm, opened: tuple[int, int, int, int]) -> list[Body]:
        """Bodies wholly inside the shutters; the top of the sacrum as a body with two corners."""
        left, top, right, bottom = opened
        every = list(film.bodies)
        if film.s1 is not None:
            every.append(Body(film.lowest + 1, False, film.s1))
        inside = [
            body
            for body in every
            if (body.corners > [left, top]).all() and (body.corners < [right - 1, bottom - 1]).all()
        ]
        return inside or every[-1:]

    def _one(self, pixels: NDArray[np.uint8], bodies: list[Body], body: Body, rng: np.random.Generator) -> Sample:
        side = float(np.ptp(body.corners, axis=0).max())
        guessed = body.corners + rng.normal(0, 0.06 * side, 2) + rng.normal(0, 0.04 * side, body.corners.shape)
        there = True
        if rng.random() < STRAY_SHARE:
            angle = rng.uniform(0, 2 * np.pi)
            guessed = body.corners + rng.uniform(0.5, 1.6) * side * np.array([np.cos(angle), np.sin(angle)])
            body, there = _nearest(guessed, bodies)
        left, top, length = crop_square(guessed, self.size)
        length, grown = length * float(np.exp(rng.normal(0, 0.1))), ROOM
        middle = np.array([left, top]) + length / 2
        canvas = round(self.size.crop * grown)
        reach = length * canvas / self.size.crop
        region = (*(middle - reach / 2), *(middle + reach / 2))
        picture = resized(pixels, region, canvas, canvas)
        placed = Placement(region[0], region[1], canvas / reach, canvas / reach, canvas, canvas)
        points = torch.from_numpy(placed.to_canvas(body.corners).astype(np.float32))
        picture, points = moved(picture, points, rng) if self.seed is None else (picture, points)
        start = (canvas - self.size.crop) // 2
        picture = _windowed(picture[:, start : start + self.size.crop, start : start + self.size.crop])
        points = points - start
        picture = developed(picture, rng) if self.seed is None else picture
        return self._sample(picture, points, body, there)

    def _sample(self, picture: Tensor, points: Tensor, body: Body, there: bool) -> Sample:
        corners, known = torch.zeros(len(CORNERS), 2), torch.zeros(len(CORNERS), dtype=torch.bool)
        corners[: len(points)] = _normalised(points, self.size.crop, self.size.crop)
        known[: len(points)] = _on(points, self.size.crop, self.size.crop)
        sacral = len(points) == 2
        return {
            "image": picture.contiguous(),
            "corners": corners,
            "known": known & there,
            "said": torch.tensor([float(body.rib_bearing), float(there)]),
            "judged": torch.tensor([there and not sacral, True]),
        }


def _nearest(guessed: Points, bodies: list[Body]) -> tuple[Body, bool]:
    """The body next to the middle of a crop, and whether it is near enough to be meant."""
    middle = guessed.mean(0)
    apart = [
        float(np.linalg.norm(middle - body.corners.mean(0))) / max(float(np.ptp(body.corners, axis=0).max()), 1.0)
        for body in bodies
    ]
    best = int(np.argmin(apart))
    return bodies[best], apart[best] < MEANT


def _windowed(picture: Tensor) -> Tensor:
    """Stretched to 0…1 as serving stretches a crop."""
    from numbering.pipelines.films import window_to_grey

    return torch.from_numpy(window_to_grey(picture[0].numpy()).astype(np.float32) / 255)[None]


def stacked(samples: list[Sample]) -> Sample:
    """A batch of `Crops`: all crops of all films."""
    return {key: torch.cat([sample[key] for sample in samples]) for key in samples[0]}
