"""Samples without end: a few patients are held at a time, so that one batch shows several and files are read seldom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from numbering.pipelines.ct.learning.dataset import LabelledCt, Volume, read_volume
from numbering.pipelines.ct.learning.fields import scanned
from numbering.pipelines.ct.learning.patches import Sample, patch, visible
from numbering.pipelines.ct.learning.wholes import whole
from numbering.pipelines.ct.sizes import Size

HELD = 8
"""Scans in memory at a time."""
SAMPLES_PER_SCAN = {"direct": 1, "instance": 6}
SCANS_PER_READING = 2
"""Different scans cut from a patient each time that the file is read."""

Draw = Callable[[np.random.Generator], Sample]


@dataclass
class _Held:
    draw: Draw
    left: int


class Stream(IterableDataset[Sample]):
    """Augmented samples of ``name``'s network, in an order that the seed decides."""

    def __init__(self, volumes: Sequence[LabelledCt], size: Size, name: str, seed: int) -> None:
        super().__init__()
        self.volumes, self.size, self.name, self.seed = volumes, size, name, seed

    def __iter__(self) -> Iterator[Sample]:
        rng = np.random.default_rng([self.seed, 80])
        scans = self._scans(rng)
        held = [next(scans) for _ in range(HELD if self.name == "instance" else 2)]
        while True:
            chosen = int(rng.integers(len(held)))
            yield held[chosen].draw(rng)
            held[chosen].left -= 1
            if not held[chosen].left:
                held[chosen] = next(scans)

    def _scans(self, rng: np.random.Generator) -> Iterator[_Held]:
        while True:
            for index in rng.permutation(len(self.volumes)):
                volume = read_volume(self.volumes[index], self.size.spacing_mm)
                for _ in range(SCANS_PER_READING):
                    scan = scanned(volume, self.size.spacing_mm, rng)
                    yield _Held(_drawing(scan, self.size, self.name, augment=True), SAMPLES_PER_SCAN[self.name])


class Watched(Dataset[Sample]):
    """The same samples every time, several a patient, not augmented."""

    def __init__(self, volumes: Sequence[LabelledCt], size: Size, name: str) -> None:
        self.size, self.name = size, name
        self.samples = [sample for index, one in enumerate(volumes) for sample in self._of(one, index)]

    def _of(self, one: LabelledCt, index: int) -> list[Sample]:
        rng = np.random.default_rng([index, 81])
        volume = read_volume(one, self.size.spacing_mm)
        found = []
        for _ in range(SCANS_PER_READING):
            draw = _drawing(scanned(volume, self.size.spacing_mm, rng), self.size, self.name, augment=False)
            found += [draw(rng) for _ in range(SAMPLES_PER_SCAN[self.name])]
        return found

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def _drawing(scan: Volume, size: Size, name: str, *, augment: bool) -> Draw:
    if name == "direct":
        return lambda rng: whole(scan, size, rng, augment=augment)
    seen = visible(scan, size)
    return lambda rng: patch(scan, seen, size, rng, augment=augment)
