"""A CT with what was found: down the middle of the spine from the side and from the front, and the slice of L1.

The two long pictures follow the spine: each of their rows is a slice, cut where the spine lies in it. Rows are slices
as they are stacked, so a tilted gantry leans in them as it does in the scanner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.marks import name_of
from numbering.packed import LabelVolume, Place, unpacked
from numbering.pictures.pen import AMBER, GREEN, LONG_SIDE, Colour, Pen, headline
from numbering.result import Findings, KeyImage, Status, Vertebra
from numbering.stack import Stack

BONE_WINDOW_HU = (-450.0, 1050.0)
MOST_ROWS = 600
"""Slices that a long picture is made of, at most; of a longer stack every second, third … is read."""
COLOURS: tuple[Colour, ...] = ((60, 230, 90), (255, 176, 0), (110, 190, 255), (255, 120, 160), (200, 160, 255))
"""Neighbours differ."""
TINT = 0.25


@dataclass(frozen=True)
class _Cut:
    """Grey and labels ``[row, column]`` of a picture, and mm from one row and one column to the next."""

    hu: NDArray[np.float32]
    labels: NDArray[np.uint8]
    spacing_mm: tuple[float, float]


def draw_ct(stack: Stack, findings: Findings, folder: Path) -> list[Path]:
    """Write ``sagittal``, ``coronal`` and a picture for each key image as PNG, and say where they are.

    ``ValueError`` where the slices differ in size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = _Labels(findings.segmentation)
    sagittal, coronal = _along_the_spine(stack, findings, labels)
    stem = stack.planes[0].sop_instance_uid
    written = [
        _save(sagittal, findings, folder / f"{stem}-sagittal.png"),
        _save(coronal, findings, folder / f"{stem}-coronal.png"),
    ]
    for key in findings.key_images:
        found = _slice(stack, key, labels)
        if found is not None:
            written.append(_save(found, findings, folder / f"{stem}-{key.level}.png", key))
    return written


class _Labels:
    """The values of a plane, zero where it has none."""

    def __init__(self, volume: LabelVolume | None) -> None:
        self._volume = volume
        planes = volume.planes if volume else ()
        self._packed: Mapping[Place, str] = {(one.sop_instance_uid, one.frame): one.packed for one in planes}

    def on(self, place: Place, rows: int, columns: int) -> NDArray[np.uint8]:
        """``[row, column]``."""
        packed = self._packed.get(place)
        if packed is None or self._volume is None:
            return np.zeros((rows, columns), np.uint8)
        return unpacked(packed, self._volume.rows, self._volume.columns)


def _along_the_spine(stack: Stack, findings: Findings, labels: _Labels) -> tuple[_Cut, _Cut]:
    step = max(1, -(-len(stack) // MOST_ROWS))
    chosen = range(0, len(stack), step)
    first = stack.planes[0]
    if any((stack.planes[index].rows, stack.planes[index].columns) != (first.rows, first.columns) for index in chosen):
        raise ValueError("slices differ in size: expected those of one series")
    middle = _middle(stack, findings)
    from_side, from_front, of_side, of_front = [], [], [], []
    for index in chosen:
        plane = stack.planes[index]
        x, y = middle[index]
        column = int(np.clip(round(x), 0, plane.columns - 1))
        row = int(np.clip(round(y), 0, plane.rows - 1))
        hu, values = stack.pixels(index), labels.on((plane.sop_instance_uid, plane.frame), plane.rows, plane.columns)
        from_side.append(hu[:, column])
        of_side.append(values[:, column])
        from_front.append(hu[row])
        of_front.append(values[row])
    between = step * _distance_mm(stack)
    down, across = first.spacing_mm
    # The front on the left; the patient's right on the left
    back, left = first.column_direction[1] >= 0, first.row_direction[0] >= 0
    return (
        _turned(_Cut(np.stack(from_side), np.stack(of_side), (between, down)), back),
        _turned(_Cut(np.stack(from_front), np.stack(of_front), (between, across)), left),
    )


def _turned(cut: _Cut, as_it_is: bool) -> _Cut:
    return cut if as_it_is else _Cut(cut.hu[:, ::-1], cut.labels[:, ::-1], cut.spacing_mm)


def _distance_mm(stack: Stack) -> float:
    """Of neighbouring slices, in the mean."""
    if len(stack) < 2:
        return stack.planes[0].thickness_mm or 1.0
    ends = np.subtract(stack.planes[-1].position_mm, stack.planes[0].position_mm)
    return max(float(np.linalg.norm(ends)) / (len(stack) - 1), 0.05)


def _middle(stack: Stack, findings: Findings) -> NDArray[np.float64]:
    """``(slices, 2)`` x and y where the spine lies in each slice, straight beyond its ends; the image's middle without
    any vertebra."""
    planes = stack.planes
    centres = [one.centre_mm for one in findings.vertebrae if one.centre_mm is not None]
    if not centres:
        return np.array([((one.columns - 1) / 2, (one.rows - 1) / 2) for one in planes])
    nearest = [int(np.argmin([abs(float(plane.off_mm(centre))) for plane in planes])) for centre in centres]
    order = np.argsort(nearest, kind="stable")
    at = np.array([planes[nearest[index]].to_pixel(centres[index]) for index in order])
    slices = np.arange(len(planes))
    return np.stack([np.interp(slices, np.array(nearest)[order], at[:, axis]) for axis in (0, 1)], axis=1)


def _slice(stack: Stack, key: KeyImage, labels: _Labels) -> _Cut | None:
    place = key.sop_instance_uid, key.frame
    for index, plane in enumerate(stack.planes):
        if (plane.sop_instance_uid, plane.frame) == place:
            return _Cut(stack.pixels(index), labels.on(place, plane.rows, plane.columns), plane.spacing_mm)
    return None


def _save(cut: _Cut, findings: Findings, path: Path, key: KeyImage | None = None) -> Path:
    rows, columns = cut.hu.shape
    high, wide = rows * cut.spacing_mm[0], columns * cut.spacing_mm[1]
    scale = LONG_SIDE / max(high, wide)
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    low, top = BONE_WINDOW_HU
    grey = (np.clip((cut.hu - low) / (top - low), 0, 1) * 255).astype(np.uint8)
    picture = np.asarray(Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.BICUBIC)).copy()
    labels = np.asarray(Image.fromarray(cut.labels).resize(size, Image.Resampling.NEAREST))
    names = list(_names(labels, findings, picture))
    image = Image.fromarray(picture)
    pen = Pen(ImageDraw.Draw(image), 1.0)
    for at, words, colour in names:
        pen.name(at, words, colour, size[1] / 45)
    said = headline(findings)
    pen.head(f"{key.level}: {key.shows}. {said}" if key else said, max(12.0, size[0] / 50))
    image.save(path)
    return path


def _names(
    labels: NDArray[np.uint8], findings: Findings, picture: NDArray[np.uint8]
) -> Iterator[tuple[tuple[float, float], str, Colour]]:
    """Tints and outlines each vertebra in ``picture``; gives its name and where it stands."""
    volume = findings.segmentation
    if volume is None or findings.status is Status.ABSTAINED:
        return
    by_level: dict[str, Vertebra] = {one.level: one for one in findings.vertebrae}
    for value, level in enumerate(volume.levels, start=1):
        mask = labels == value
        if not mask.any():
            continue
        colour = COLOURS[value % len(COLOURS)]
        picture[mask] = (1 - TINT) * picture[mask] + TINT * np.array(colour)
        picture[_edge(mask)] = colour
        rows, columns = np.nonzero(mask)
        sure = by_level[level].probability
        words = name_of(by_level[level], findings)
        yield (float(columns.mean()), float(rows.mean())), words, AMBER if sure < 0.5 else GREEN


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask's outermost pixels, two wide."""
    inner = mask.copy()
    for _ in range(2):
        worn = inner.copy()
        worn[1:] &= inner[:-1]
        worn[:-1] &= inner[1:]
        worn[:, 1:] &= inner[:, :-1]
        worn[:, :-1] &= inner[:, 1:]
        inner = worn
    return mask & ~inner
