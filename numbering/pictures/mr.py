"""Axial MR slices with the level that each lies at and where the evidence for it lay, and all slices on one sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.heat import over_image
from numbering.labels import labels
from numbering.marks import marks_on, name_of
from numbering.packed import HeatMap, Place
from numbering.pictures.pen import AMBER, BLUE, GREEN, Pen, headline
from numbering.pipelines.films import window_to_grey
from numbering.plane import Plane
from numbering.result import Findings
from numbering.stack import Stack

SLICE_SIDE, SHEET_SIDE = 900, 240
"""Pixels of the longer side of a slice's picture, alone and on the sheet."""
SHEET_COLUMNS = 6
MOST_HEAT = 0.6
"""Of the picture's colour that heat may take, where it is greatest."""
HEAT = np.array([(0, 0, 0), (110, 20, 90), (225, 80, 40), (250, 190, 40), (255, 255, 190)], float)
"""From nothing to the map's greatest value."""


def draw_axial_mr(stack: Stack, findings: Findings, folder: Path) -> list[Path]:
    """Write a sheet of all slices, head first, and each numbered slice by itself, as PNG; say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    heat = {(one.sop_instance_uid, one.frame): one for one in findings.heat_maps}
    numbered = {(one.sop_instance_uid, one.frame) for one in findings.discs}
    written = [folder / f"{stack.planes[0].sop_instance_uid}-sheet.png"]
    _sheet(stack, findings, heat).save(written[0])
    for index, plane in enumerate(stack.planes):
        place = plane.sop_instance_uid, plane.frame
        if place in numbered:
            picture = _picture(stack.pixels(index), plane, heat.get(place), SLICE_SIDE)
            _write_marks(picture, plane, findings)
            Pen(ImageDraw.Draw(picture), 1.0).head(headline(findings), 14.0)
            written.append(folder / f"{plane.name.replace('#', '_')}.png")
            picture.save(written[-1])
    return written


def blended(pixels: NDArray[np.float32], heat: HeatMap | None) -> NDArray[np.uint8]:
    """``[row, column, colour]``: the slice in grey, with its heat over it."""
    grey = np.repeat(window_to_grey(pixels)[..., None], 3, axis=2)
    if heat is None:
        return grey
    values = over_image(heat, *pixels.shape)[..., None].astype(float)
    at = np.linspace(0, 1, len(HEAT))
    colour = np.concatenate([np.interp(values, at, HEAT[:, channel]) for channel in range(3)], axis=2)
    share = MOST_HEAT * values
    mixed: NDArray[np.uint8] = ((1 - share) * grey + share * colour + 0.5).astype(np.uint8)
    return mixed


def _picture(pixels: NDArray[np.float32], plane: Plane, heat: HeatMap | None, side: int) -> Image.Image:
    """Of square pixels, the longer side as asked for."""
    down, across = plane.spacing_mm
    scale = side / max(plane.rows * down, plane.columns * across)
    size = (max(1, round(plane.columns * across * scale)), max(1, round(plane.rows * down * scale)))
    return Image.fromarray(blended(pixels, heat)).resize(size, Image.Resampling.BICUBIC)


def _write_marks(picture: Image.Image, plane: Plane, findings: Findings) -> None:
    stretch = plane.spacing_mm[0] / plane.spacing_mm[1]
    pen = Pen(ImageDraw.Draw(picture), picture.width / plane.columns)
    marks = [mark for mark in marks_on(findings, plane.sop_instance_uid) if mark.frame == plane.frame]
    for mark, name in zip(marks, labels(marks, (), plane.rows, plane.columns), strict=True):
        if mark.outline:
            pen.line([(x, (y + 0.5) * stretch - 0.5) for x, y in mark.outline], GREEN, closed=mark.closed)
        pen.write(name, GREEN)


def _sheet(stack: Stack, findings: Findings, heat: dict[Place, HeatMap]) -> Image.Image:
    """All slices, head first from left to right; key images are framed, slices of no disc say so."""
    keys = {(one.sop_instance_uid, one.frame) for one in findings.key_images}
    names = {(one.sop_instance_uid, one.frame): name_of(one, findings) for one in findings.discs}
    lines = -(-len(stack) // SHEET_COLUMNS)
    gap, head = 6, 34
    whole = Image.new("RGB", (SHEET_COLUMNS * (SHEET_SIDE + gap) + gap, head + lines * (SHEET_SIDE + gap)))
    for index, plane in enumerate(stack.planes):
        place = plane.sop_instance_uid, plane.frame
        small = _picture(stack.pixels(index), plane, heat.get(place), SHEET_SIDE)
        draw = ImageDraw.Draw(small)
        name = names.get(place)
        Pen(draw, 1.0).name((small.width / 2, 14.0), name or "no disc", GREEN if name else BLUE, 18.0)
        if place in keys:
            draw.rectangle((0, 0, small.width - 1, small.height - 1), outline=AMBER, width=3)
        line, column = divmod(index, SHEET_COLUMNS)
        left = gap + column * (SHEET_SIDE + gap) + (SHEET_SIDE - small.width) // 2
        whole.paste(small, (left, head + line * (SHEET_SIDE + gap)))
    Pen(ImageDraw.Draw(whole), 1.0).head(headline(findings), 16.0)
    return whole
