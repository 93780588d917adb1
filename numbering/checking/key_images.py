"""Key images of a check: the mark and what is named about it, on the image itself; and where the planned name is.

A picture shows a patient's image: it is kept like the images themselves, and never goes into a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_series
from numbering.errors import NumberingError
from numbering.levelcheck import Check, Verdict
from numbering.levelcheck.answer import Found, Place
from numbering.levelcheck.regions import Region, regions
from numbering.pipelines.films import window_to_grey
from numbering.record import PatientRecord
from numbering.study import Radiograph

Colour = tuple[int, int, int]
COLOURS: dict[Verdict, Colour] = {
    Verdict.AGREES: (60, 230, 90),
    Verdict.DISAGREES: (255, 60, 60),
    Verdict.CANNOT_CONFIRM: (255, 176, 0),
}
WHITE, GREY, BLACK = (255, 255, 255), (170, 200, 220), (0, 0, 0)
LONG_SIDE = 1400
"""Pixels of a picture's longer side, without the band of words."""
FONT = 26

FileOf = Callable[[str], Path | None]


def key_images(check: Check, record: PatientRecord, file: FileOf) -> list[bytes]:
    """PNGs: the marked image, and one that shows the planned name where that is elsewhere. None for a missing file."""
    frames = (_frame(where, file) for where in shown(check, record))
    return [_png(_drawn(frame, check, record)) for frame in frames if frame is not None]


def shown(check: Check, record: PatientRecord) -> list[tuple[str, int | None]]:
    """The images and frames that are drawn.

    A mark on another patient's image is not: two patients do not belong in one answer.
    """
    known = {image for entry in record.series for image in entry.images}
    places = [*([check.mark.place] if check.mark else []), *(one.place for one in check.known[:1])]
    wanted = dict.fromkeys((place.sop_instance_uid, place.frame) for place in places)
    return [where for where in wanted if where[0] in known]


def _frame(where: tuple[str, int | None], file: FileOf) -> Radiograph | None:
    path = file(where[0])
    if path is None or not path.is_file():
        return None
    try:
        (series,) = read_series([path])
        return next((one for one in radiographs(series) if one.frame == where[1]), None)
    except NumberingError:
        return None


def _drawn(frame: Radiograph, check: Check, record: PatientRecord) -> Image.Image:
    grey = window_to_grey(frame.pixels)
    scale = LONG_SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    picture = Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pen = _Pen(picture, scale)
    where = frame.sop_instance_uid, frame.frame
    for region in _regions_on(where, record):
        found = check.found is not None and _is(region, check.found, where)
        planned = any(_is(region, one, where) for one in check.known)
        if region.structure.is_disc and not (found or planned):
            continue
        pen.outline(region, COLOURS[check.verdict] if found else WHITE if planned else GREY, 5 if found else 2)
    if check.mark is not None and (check.mark.place.sop_instance_uid, check.mark.place.frame) == where:
        pen.mark(check.mark.place, COLOURS[check.verdict])
    return _with_words(picture, check)


def _regions_on(where: tuple[str, int | None], record: PatientRecord) -> Iterator[Region]:
    for entry in record.series:
        here = [one for one in entry.structures if (one.place.sop_instance_uid, one.place.frame) == where]
        yield from regions(here)
        named = {region.structure.name for region in regions(here)}
        yield from (Region(one, 0.0) for one in here if one.name not in named)


def _is(region: Region, found: Found, where: tuple[str, int | None]) -> bool:
    return region.structure.name == found.name and (found.place.sop_instance_uid, found.place.frame) == where


class _Pen:
    """Draws in image coordinates: x right, y down, pixel centres at integers."""

    def __init__(self, picture: Image.Image, scale: float) -> None:
        self._draw, self._scale, self._width = ImageDraw.Draw(picture), scale, picture.width
        self._font = ImageFont.load_default(size=FONT)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x + 0.5) * self._scale, (y + 0.5) * self._scale

    def outline(self, region: Region, colour: Colour, width: int) -> None:
        """The structure's outline, or its centre where its extent is not known, with name and probability."""
        structure = region.structure
        x, y = self._at(structure.place.x, structure.place.y)
        corners = [self._at(*point) for point in region.outline]
        if corners:
            self._draw.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
        else:
            radius = max(region.radius * self._scale, 6.0)
            self._draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=colour, width=width)
        right = max((corner[0] for corner in corners), default=x)
        presumed = "" if structure.basis.confirmed else " presumed"
        text = f"{structure.name}{presumed} {int(structure.probability * 100) / 100:.2f}"
        room = self._width - self._font.getlength(text) - 6
        self._text(text, (max(6.0, min(right + 10, room)), y), colour, "lm")

    def mark(self, place: Place, colour: Colour) -> None:
        """A cross in a circle that hides nothing of the place itself."""
        x, y = self._at(place.x, place.y)
        for fill, width in ((BLACK, 7), (colour, 3)):
            self._draw.ellipse([x - 22, y - 22, x + 22, y + 22], outline=fill, width=width)
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                self._draw.line([x + 8 * dx, y + 8 * dy, x + 34 * dx, y + 34 * dy], fill=fill, width=width)
        self._text("mark", (x - 40, y), colour, "rm")

    def _text(self, text: str, at: tuple[float, float], colour: Colour, anchor: str) -> None:
        self._draw.text(at, text, fill=colour, font=self._font, anchor=anchor, stroke_width=3, stroke_fill=BLACK)


def _with_words(picture: Image.Image, check: Check) -> Image.Image:
    """The picture below a band with verdict, plan and statement; nothing of the patient."""
    font, large = ImageFont.load_default(size=FONT), ImageFont.load_default(size=2 * FONT)
    width = max(picture.width, LONG_SIDE // 2)
    lines = _wrapped(check.statement.removeprefix(f"{check.verdict}. "), font, width - 30)
    line_height = round(1.35 * FONT)
    band = round(2.9 * FONT) + line_height * (len(lines) + 1) + FONT
    whole = Image.new("RGB", (width, picture.height + band), BLACK)
    whole.paste(picture, ((width - picture.width) // 2, band))
    draw = ImageDraw.Draw(whole)
    draw.text((15, 10), str(check.verdict), fill=COLOURS[check.verdict], font=large)
    planned = check.planned.name or "not understood"
    side = f", side {check.planned.side}" if check.planned.side else ""
    for number, text in enumerate([f"Planned: {planned}{side}.", *lines]):
        draw.text((15, round(2.9 * FONT) + line_height * number), text, fill=WHITE, font=font)
    return whole


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> Sequence[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
