"""Contact sheets of simulated patients: every view of each with its truth drawn on it; or beside real images.

    numbering phantom --out PATIENTS --count 24 --views all --field-of-view lumbar,whole-spine
    python -m tools.phantom_pages PATIENTS --out docs/pictures/phantom
    python -m tools.phantom_pages PATIENTS --out /tmp/beside --real ap-lumbar=/data/films

Writes one PNG a view (``ap-lumbar.png``, ``ct.png``, ``mr-sagittal-T2.png``, …). With ``--real`` real images alternate
with simulated ones, small and without names: where the pages go, no real image may be made public.
Pages have as few greys as keep each below 450 KB.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from PIL import Image, ImageDraw

from numbering.phantom.preview import BOX, CORNERS, LOWEST, sheet

CELL = (240, 320)
"""Largest width and height of one picture."""
MOST_BYTES = 450_000
GREYS = (64, 40, 28, 20, 14, 10)
"""How many a sheet may have: the most that stay within `MOST_BYTES`."""


def views(folder: Path) -> dict[str, list[Path]]:
    """The pictures below a folder by view; series numbers of MR are left out of its name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.png")):
        name = re.sub(r"^mr-\d+-", "mr-", path.stem).removesuffix("-block")
        found.setdefault(name, []).append(path)
    return found


def shrunk(path: Path) -> Image.Image:
    """One picture of the sheet."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail(CELL, Image.Resampling.LANCZOS)
    return small


def cell(picture: Image.Image, caption: str, size: tuple[int, int]) -> Image.Image:
    """The picture in a cell that leaves ``size`` to pictures, its caption below."""
    whole = Image.new("RGB", (size[0] + 4, size[1] + 18))
    whole.paste(picture, ((size[0] - picture.width) // 2 + 2, (size[1] - picture.height) // 2 + 2))
    ImageDraw.Draw(whole).text((4, size[1] + 4), caption, fill=(200, 200, 200))
    return whole


def patient_of(path: Path) -> str:
    """The patient's folder, and the visit where there are several."""
    return " ".join(part for part in path.parts if part.startswith(("patient-", "visit-")))


def real_images(option: str) -> tuple[str, list[Path]]:
    """The view, and the JPEG and PNG files of the folder, of ``VIEW=FOLDER``."""
    view, _, folder = option.partition("=")
    return view, sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def page(pictures: Sequence[Path], real: Sequence[Path], columns: int) -> Image.Image:
    """A sheet; real images between the simulated ones."""
    captioned = [(shrunk(path), patient_of(path)) for path in pictures]
    others = [(shrunk(path), "real") for path in real[: len(captioned)]]
    mixed = list(chain.from_iterable(zip(captioned, others, strict=False))) if others else captioned
    size = max(one.width for one, _ in mixed), max(one.height for one, _ in mixed)
    return sheet([cell(one, caption, size) for one, caption in mixed], columns)


def save(whole: Image.Image, path: Path) -> None:
    """As PNG of few greys and the colours that the truth is drawn in."""
    truth = (CORNERS, LOWEST, BOX)
    for greys in GREYS:
        steps = [round(255 * step / (greys - 1)) for step in range(greys)]
        palette = Image.new("P", (1, 1))
        palette.putpalette([value for colour in (*((step,) * 3 for step in steps), *truth) for value in colour])
        whole.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return


def main() -> int:
    """Draw the pages and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--real", action="append", default=[], metavar="VIEW=FOLDER")
    options = parser.parse_args()
    real = dict(real_images(one) for one in options.real)
    found = views(options.patients)
    if not found:
        print(f"{options.patients}: no pictures of simulated patients below it", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for view, pictures in found.items():
        path = options.out / f"{view}.png"
        save(page(pictures, real.get(view, []), options.columns), path)
        print(f"{path}: {len(pictures)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
