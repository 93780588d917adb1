"""Step II's samples: augmented crops of bodies, and of places beside them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from numbering.pipelines.films import window_to_grey
from numbering.pipelines.sagittal_xray.learning.augment import developed, moved, resized
from numbering.pipelines.sagittal_xray.learning.dataset import Body, LabelledFilm, Points
from numbering.pipelines.sagittal_xray.learning.samples import Films, Sample, normalised, within
from numbering.pipelines.sagittal_xray.levels import CORNERS
from numbering.pipelines.sagittal_xray.model.preprocess import Placement, crop_square

CROPS_PER_FILM = 8
ROOM = 1.35
"""A crop is cut this much larger before it is turned, so that no black corner is turned into it."""
STRAY_SHARE, MEANT = 0.15, 0.42
"""Share of crops around a place beside a body; a body nearer to it than this share of its size is the one that is
meant, else there is none."""


class Crops(Films, Dataset[Sample]):
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
        corners[: len(points)] = normalised(points, self.size.crop, self.size.crop)
        known[: len(points)] = within(points, self.size.crop, self.size.crop)
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
    return torch.from_numpy(window_to_grey(picture[0].numpy()).astype(np.float32) / 255)[None]


def stacked(samples: list[Sample]) -> Sample:
    """A batch of `Crops`: all crops of all films."""
    return {key: torch.cat([sample[key] for sample in samples]) for key in samples[0]}
