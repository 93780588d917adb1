"""Labelled axial slices of three layouts: the simulator's series, folders named by level, simulated patients' DICOM.

Reserved patients are refused, whatever the layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.anatomy import Disc, Variant
from numbering.phantom.splits import refuse_reserved, refuse_reserved_truth
from numbering.pipelines.axial_mr.canvas import BACK, LEFT, lay
from numbering.pipelines.axial_mr.classes import CLASSES, NONE, class_of
from numbering.pipelines.axial_mr.sizes import Size
from numbering.stack import Stack

WATCHED_EVERY = 16
"""Of so many patients one watches the training (the best checkpoint) and does not train."""
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
USUAL_FIELD_MM = 200.0
"""What the longer side of a picture without spacing is taken for."""


class Stored(NamedTuple):
    """A slice as it is stored: ``pixels [row, column]``, spacing (row, column), directions of growing x and y, LPS."""

    pixels: NDArray[Any]
    spacing_mm: tuple[float, float]
    row_direction: Sequence[float] = LEFT
    column_direction: Sequence[float] = BACK


@dataclass(frozen=True, kw_only=True)
class LabelledSlice:
    """One slice and what it shows; pixels are read when asked for.

    ``likely`` sums to one over `CLASSES`: a slice at an endplate is a disc for the share of its thickness in the disc,
    where that is known.
    """

    read: Callable[[], Stored]
    true: int
    """Its class by the middle of its thickness."""
    likely: tuple[float, ...]
    patient: int

    @property
    def watches(self) -> bool:
        """Whether this slice's patient watches the training instead of training."""
        return self.patient % WATCHED_EVERY == 0

    def picture(self, size: Size) -> NDArray[np.float32]:
        """As the network sees it, in training and in serving."""
        pixels, spacing_mm, along_row, along_column = self.read()
        return lay(pixels, spacing_mm, size.pixels, size.field_mm, along_row, along_column)[0]


def read_slices(folder: Path) -> list[LabelledSlice]:
    """All slices of a folder, by name: the layout is seen from what lies there.

    ``ReservedPatient`` when one may not train; ``ValueError`` when there is no slice, or a label without its picture.
    """
    if next(folder.rglob("truth.json"), None):
        found = list(_of_phantoms(folder))
    elif next(folder.glob("*.json"), None):
        found = [one for place in sorted(folder.glob("*.json")) for one in _of_series(place)]
    else:
        found = list(_by_level(folder))
    if not found:
        raise ValueError(
            f"{folder}: no axial slice found; expected one JSON a series and images/ with the pictures (simulate), "
            f"folders named {', '.join(CLASSES)} with DICOM or pictures, or simulated patients with truth.json"
        )
    return found


def _only(number: int) -> tuple[float, ...]:
    return tuple(float(other == number) for other in range(len(CLASSES)))


def _of_series(place: Path) -> Iterator[LabelledSlice]:
    """What `simulate` writes."""
    truth = json.loads(place.read_text())
    refuse_reserved(place.name, truth["seed"], truth["shapes"], [truth["style"]])
    picture = place.parent / "images" / f"{place.stem}.png"
    if not picture.is_file():
        raise ValueError(f"{place}: no picture of that name in images/")
    slices, spacing_mm = truth["slices"], tuple(truth["spacing_mm"])
    for index, one in enumerate(slices):
        shares = np.zeros(len(CLASSES))
        shares[NONE] = 1 - one["share"]
        shares[one["nearest"]] += one["share"]
        yield LabelledSlice(
            read=partial(_of_strip, picture, index, len(slices), spacing_mm),
            true=one["class"],
            likely=tuple(shares.tolist()),
            patient=truth["seed"],
        )


def _of_strip(path: Path, index: int, count: int, spacing_mm: tuple[float, float]) -> Stored:
    return Stored(np.split(_opened(path), count)[index], spacing_mm)


@lru_cache(4)
def _opened(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def _by_level(folder: Path) -> Iterator[LabelledSlice]:
    """Slices whose file names begin alike, up to the first ``_`` or ``-``, are of one patient."""
    patients: dict[str, int] = {}
    for number, name in enumerate(CLASSES):
        for path in sorted(one for one in (folder / name).glob("*") if one.is_file()):
            who = path.stem.replace("-", "_").partition("_")[0]
            yield LabelledSlice(
                read=partial(_of_picture if path.suffix.lower() in PICTURES else _of_dicom, path),
                true=number,
                likely=_only(number),
                patient=patients.setdefault(who, len(patients)),
            )


def _of_picture(path: Path) -> Stored:
    pixels = _opened(path)
    pixel = USUAL_FIELD_MM / max(pixels.shape)
    return Stored(pixels, (pixel, pixel))


def _of_dicom(path: Path) -> Stored:
    return _of_stack(_stack((path,)), 0)


def _of_phantoms(folder: Path) -> Iterator[LabelledSlice]:
    """The axial series of ``numbering phantom``."""
    for place in sorted(folder.rglob("truth.json")):
        truth = json.loads(place.read_text())
        refuse_reserved_truth(str(place.parent), truth)
        variant = Variant(truth["variant"]["thoracic"], truth["variant"]["lumbar"])
        for series in (one for one in truth["mr"] if one["plane"] == "axial"):
            files = tuple(sorted((place.parent / series["folder"]).glob("*.dcm")))
            for one in series["slices"]:
                number = class_of(Disc.parse(one["disc"]) if one["disc"] else None, variant)
                yield LabelledSlice(
                    read=partial(_named, files, one["sop_instance_uid"], one["frame"]),
                    true=number,
                    likely=_only(number),
                    patient=truth["seed"],
                )


def _named(files: tuple[Path, ...], uid: str, frame: int | None) -> Stored:
    stack = _stack(files)
    at = next(index for index, one in enumerate(stack.planes) if (one.sop_instance_uid, one.frame) == (uid, frame))
    return _of_stack(stack, at)


@lru_cache(2)
def _stack(files: tuple[Path, ...]) -> Stack:
    from numbering.dicom.read import read_series
    from numbering.dicom.stacks import stack
    from numbering.study import View

    (series,) = read_series(files)
    return stack(series, View.AXIAL)


def _of_stack(stack: Stack, index: int) -> Stored:
    plane = stack.planes[index]
    return Stored(stack.pixels(index), plane.spacing_mm, plane.row_direction, plane.column_direction)
