"""Labelled axial slices: series of the simulator, or pictures in folders named by their level.

Reserved patients are refused. Slices are laid on the network's picture as serving does (`canvas.lay`), and kept so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, from_numpy, tensor
from torch.utils.data import Dataset

from numbering.phantom.splits import refuse_reserved
from numbering.pipelines.axial_mr.canvas import lay
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.sizes import Size

WATCHED_EVERY = 16
"""Of so many patients one watches the training (the best checkpoint) and does not train."""
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
USUAL_FIELD_MM = 200.0
"""What the longer side of a picture without spacing is taken for."""


@dataclass(frozen=True, kw_only=True)
class LabelledSlice:
    """One slice of a picture file, and what it shows.

    ``likely`` sums to one over `CLASSES`: a slice at an endplate is a disc for the share of its thickness in the disc.
    """

    path: Path
    index: int
    count: int
    """Slices of the file, below each other."""
    spacing_mm: tuple[float, float] | None
    true: int
    """Its class by the middle of its thickness."""
    likely: tuple[float, ...]
    patient: int

    @property
    def watches(self) -> bool:
        """Whether this slice's patient watches the training instead of training."""
        return self.patient % WATCHED_EVERY == 0

    def pixels(self) -> NDArray[np.uint8]:
        """Grey values ``[row, column]``, upright."""
        return np.asarray(np.split(_opened(self.path), self.count)[self.index])

    def picture(self, size: Size) -> NDArray[np.float32]:
        """As the network sees it."""
        pixels = self.pixels()
        spacing = self.spacing_mm or (USUAL_FIELD_MM / max(pixels.shape),) * 2
        return lay(pixels, spacing, size.pixels, size.field_mm)[0]


@lru_cache(4)
def _opened(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def read_slices(folder: Path) -> list[LabelledSlice]:
    """All slices of a folder, by name. ``ReservedPatient`` when one may not train; ``ValueError`` when there are none.

    Of a folder without the simulator's JSON files, the sub-folders' names are the levels; slices whose file names
    begin alike, up to the first ``_`` or ``-``, are of one patient.
    """
    found = [one for place in sorted(folder.glob("*.json")) for one in _of_series(place)] or list(_by_level(folder))
    if not found:
        raise ValueError(
            f"{folder}: no slice found; expected one JSON a series and images/ with the pictures, or folders "
            f"named {', '.join(CLASSES)} with pictures"
        )
    return found


def _of_series(place: Path) -> list[LabelledSlice]:
    truth = json.loads(place.read_text())
    refuse_reserved(place.name, truth["seed"], truth["shapes"], [truth["style"]])
    picture = place.parent / "images" / f"{place.stem}.png"
    if not picture.is_file():
        raise ValueError(f"{place}: no picture of that name in images/")
    slices = truth["slices"]
    return [
        LabelledSlice(
            path=picture,
            index=index,
            count=len(slices),
            spacing_mm=tuple(truth["spacing_mm"]),
            true=one["class"],
            likely=_likely(one),
            patient=truth["seed"],
        )
        for index, one in enumerate(slices)
    ]


def _likely(one: dict[str, Any]) -> tuple[float, ...]:
    shares = [0.0] * len(CLASSES)
    shares[NONE] = 1 - one["share"]
    shares[one["nearest"]] += one["share"]
    return tuple(shares)


def _by_level(folder: Path) -> Iterator[LabelledSlice]:
    patients: dict[str, int] = {}
    for number, name in enumerate(CLASSES):
        for path in sorted((folder / name).glob("*")):
            if path.suffix.lower() not in PICTURES:
                continue
            who = path.stem.replace("-", "_").partition("_")[0]
            yield LabelledSlice(
                path=path,
                index=0,
                count=1,
                spacing_mm=None,
                true=number,
                likely=tuple(float(other == number) for other in range(len(CLASSES))),
                patient=patients.setdefault(who, len(patients)),
            )


class Pictures(Dataset[dict[str, Tensor]]):
    """Slices as the network sees them, kept in memory: ``image (1, side, side)`` uint8, ``likely (6,)``, ``true``."""

    def __init__(self, slices: Sequence[LabelledSlice], size: Size) -> None:
        self.slices, self.size = slices, size
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.slices)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        one = self.slices[index]
        if index not in self._kept:
            self._kept[index] = np.asarray(one.picture(self.size) * 255 + 0.5, np.uint8)
        return {
            "image": from_numpy(self._kept[index][None]),
            "likely": tensor(one.likely),
            "true": tensor(one.true),
        }
