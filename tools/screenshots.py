"""What viewers show of a numbered film: OHIF draws the SR, DCMTK applies the presentation state.

    python -m tools.screenshots FILM.dcm [SR.dcm GSPS.dcm] --out FOLDER

Without SR and presentation state the film is numbered first, as by ``numbering run``. It starts an archive, stores the
objects there by C-STORE, opens the study in OHIF in a headless Chromium and writes

    ohif.png    the SR's regions, drawn by OHIF
    gsps.png    the film under the presentation state, its graphics drawn

and one JSON line: what OHIF drew, and by how much the presentation state changed the grey levels (0 is right). Grey
levels come from DCMTK's dcmp2pgm, which draws no graphics; those are drawn here, at the state's own coordinates.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from deploy.ohif.fetch import PLAYWRIGHT, fetch
from deploy.ohif.serve import viewer
from numbering.pipelines.loaded import Pipelines
from numbering.run import run
from tests.archive import Archive, running_archive

OVERLAY_COLOUR = (255, 255, 0)
SENDER = "NUMBERING"


def numbered(film: Path, out: Path) -> list[Path]:
    """SR and presentation state of a film, by the installed pipeline."""
    (study,) = run([film], out, Pipelines()).report.studies
    (series,) = study.series
    return [out / written.path for written in series.objects]


def store(paths: list[Path], archive: Archive) -> None:
    """C-STORE with DCMTK; raises `CalledProcessError`."""
    command = ["storescu", "-R", "-aet", SENDER, "-aec", "ARCHIVE", "127.0.0.1", str(archive.dicom_port)]
    subprocess.run([*command, *map(str, paths)], check=True)


def photograph(study_uid: str, archive: Archive, out: Path) -> dict[str, Any]:
    """A screenshot of a study in OHIF; returns what the viewer drew (see ``ohif.mjs``)."""
    script = Path(__file__).with_name("ohif.mjs")
    with viewer(archive.url) as url:
        page = f"{url}/viewer?StudyInstanceUIDs={study_uid}"
        command = ["node", str(script), str(fetch(PLAYWRIGHT)), page, str(out)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=400)
    drawn: dict[str, Any] = json.loads(done.stdout)
    return drawn


def greys(film: Path, state: Path | None = None) -> NDArray[np.uint8]:
    """The film's grey levels for a display, [row, column], as dcmp2pgm renders them with or without a state."""
    with tempfile.TemporaryDirectory() as folder:
        bitmap = Path(folder) / "film.pgm"
        options = ["-p", str(state)] if state else []
        subprocess.run(["dcmp2pgm", *options, str(film), str(bitmap)], check=True, capture_output=True)
        return np.asarray(Image.open(bitmap))


def _points(graphic: Dataset) -> list[tuple[float, float]]:
    values = [float(value) for value in graphic.GraphicData]
    # PIXEL units have their origin at the outer corner of the first pixel (PS3.3 C.10.5.1.2), PIL at its centre.
    return [(x - 0.5, y - 0.5) for x, y in zip(values[0::2], values[1::2], strict=True)]


def _box(text: Dataset, size: tuple[int, int]) -> list[float]:
    """Left, top, right, bottom of a text's box in pixel centres; ``DISPLAY`` units are shares of what is displayed."""
    corners = [*text.BoundingBoxTopLeftHandCorner, *text.BoundingBoxBottomRightHandCorner]
    if text.BoundingBoxAnnotationUnits == "DISPLAY":
        return [float(value) * side for value, side in zip(corners, [*size, *size], strict=True)]
    return [float(value) - 0.5 for value in corners]


def _write(draw: ImageDraw.ImageDraw, text: Dataset, size: tuple[int, int]) -> None:
    """The text as tall as its box, at the side that it is justified to."""
    left, top, right, bottom = _box(text, size)
    font = ImageFont.load_default(size=max(8.0, 0.9 * (bottom - top)))
    place, anchor = (
        ((right, top), "ra") if text.BoundingBoxTextHorizontalJustification == "RIGHT" else ((left, top), "la")
    )
    draw.text(place, text.UnformattedTextValue, fill=OVERLAY_COLOUR, font=font, anchor=anchor)


def under_state(film: Path, state: Path) -> Image.Image:
    """The film as a viewer shows it under the presentation state, graphics and texts included."""
    picture = Image.fromarray(greys(film, state)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    width = max(1, picture.width // 400)
    for annotation in pydicom.dcmread(state).get("GraphicAnnotationSequence", []):
        for graphic in annotation.get("GraphicObjectSequence", []):
            draw.line(_points(graphic), fill=OVERLAY_COLOUR, width=width)
        for text in annotation.get("TextObjectSequence", []):
            _write(draw, text, picture.size)
    return picture


def main() -> None:
    """Store, photograph, compare."""
    options = argparse.ArgumentParser(description="What viewers show of a numbered film.")
    options.add_argument("film", type=Path)
    options.add_argument("results", type=Path, nargs="*", help="its SR and its presentation state")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    study_uid = str(pydicom.dcmread(chosen.film, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)

    with tempfile.TemporaryDirectory() as name, running_archive(Path(name) / "archive") as archive:
        report, state = chosen.results or numbered(chosen.film, Path(name) / "results")
        store([chosen.film, report, state], archive)
        drawn = photograph(study_uid, archive, chosen.out / "ohif.png")
        under_state(chosen.film, state).save(chosen.out / "gsps.png")
        change = np.abs(greys(chosen.film, state).astype(int) - greys(chosen.film)).max()
    print(json.dumps({"ohif": drawn, "gsps_largest_grey_change": int(change)}))


if __name__ == "__main__":
    main()
