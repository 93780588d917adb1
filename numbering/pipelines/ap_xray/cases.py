"""Evaluation cases: labelled films as the pipeline would meet them, from any of the data layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.pipelines.ap_xray.films import (
    RIGHT,
    Crop,
    crop_without_l5,
    films_for,
    labels_in,
    lumbar_crop,
    patient_groups,
    read_aasce,
)
from numbering.study import Radiograph


@dataclass(frozen=True, kw_only=True)
class Case:
    """One film and its truth. ``l5`` is None when there is no L5 to be found in it.

    ``vertebrae`` ``(n, 4)`` are all labelled boxes in view; ``patient`` groups cases for the bootstrap; ``anatomy`` is
    ``normal`` or names the anomaly. ``l5_name`` is what the lowest lumbar-type vertebra is really called.
    """

    name: str
    patient: str
    view: str
    anatomy: str
    film: Radiograph
    l5: NDArray[np.float64] | None
    vertebrae: NDArray[np.float64]
    l5_name: str = "L5"


def cases(data: Path, layout: str, split: str = "test", seed: int = 0, crops: int = 2) -> Iterator[Case]:
    """Cases of a folder in one of the layouts ``aasce``, ``yolo`` or ``phantom`` (``auto`` looks at the folder)."""
    layout = layout_of(data) if layout == "auto" else layout
    if layout == "aasce":
        yield from _aasce(data, split, seed, crops)
    elif layout == "yolo":
        yield from _yolo(data)
    elif layout == "phantom":
        yield from _phantom(data)
    else:
        raise ValueError(f"unknown layout {layout!r}: expected aasce, yolo or phantom")


def layout_of(data: Path) -> str:
    """Which layout a folder has; ``ValueError`` says what was expected."""
    if (data / "landmarks.csv").is_file():
        return "aasce"
    if (data / "labels").is_dir():
        return "yolo"
    if next(data.rglob("truth.json"), None):
        return "phantom"
    raise ValueError(
        f"{data}: no labelled films found; expected landmarks.csv (aasce), a labels/ folder (yolo) "
        "or truth.json (phantom)"
    )


def _aasce(data: Path, split: str, seed: int, crops: int) -> Iterator[Case]:
    films = films_for(split, read_aasce(data)[0])
    for number, (film, patient) in enumerate(zip(films, patient_groups(films), strict=True)):
        pixels = film.pixels()
        rng = np.random.default_rng([seed, number])
        rows, columns = pixels.shape
        views = [("whole film", Crop(0, 0, columns, rows))]
        views += [("lumbar crop", lumbar_crop(film, pixels.shape, rng)) for _ in range(crops)]
        views += [("without L5", crop_without_l5(film, pixels.shape, rng))]
        in_doubt = film.label != RIGHT
        for index, (view, crop) in enumerate(views[:1] if in_doubt else views):
            boxes, is_l5 = labels_in(film, crop)
            name = f"{film.name} {view} {index}"
            yield Case(
                name=name,
                patient=str(patient),
                view=view,
                anatomy="label in doubt" if in_doubt else "normal",
                film=Radiograph(sop_instance_uid=name, frame=None, pixels=crop.of(pixels)),
                l5=boxes[is_l5][0] - 0.5 if is_l5.any() else None,
                vertebrae=boxes - 0.5,
            )


def _yolo(data: Path) -> Iterator[Case]:
    for label in sorted((data / "labels").rglob("*.txt")):
        relative = label.relative_to(data / "labels").with_suffix("")
        path = next((p for p in (data / "images").glob(f"{relative}.*")), None)
        if path is None:
            raise FileNotFoundError(f"{label}: no image of that name in {data / 'images'}")
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"), np.float32)
        rows = np.array([line.split() for line in label.read_text().splitlines() if line.strip()], float).reshape(-1, 5)
        size = np.array([pixels.shape[1], pixels.shape[0]])
        centre, extent = rows[:, 1:3] * size, rows[:, 3:5] * size
        boxes = np.concatenate([centre - extent / 2, centre + extent / 2], 1) - 0.5
        l5 = boxes[rows[:, 0] == 0]
        yield Case(
            name=str(relative), patient=str(relative), view="film", anatomy="normal",
            film=Radiograph(sop_instance_uid=str(relative), frame=None, pixels=pixels),
            l5=l5[0] if len(l5) else None, vertebrae=boxes,
        )  # fmt: skip


def _phantom(data: Path) -> Iterator[Case]:
    from numbering.dicom.pixels import radiographs
    from numbering.dicom.read import read_series

    for folder in sorted(path.parent for path in data.rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text())
        anatomy = ", ".join(truth["anomalies"]) or "normal"
        for image in truth["images"]:
            if image["view"] not in ("AP", "PA"):
                continue
            (series,) = read_series([folder / image["file"]])
            in_view = [vertebra for vertebra in image["vertebrae"] if vertebra["in_view"]]
            lowest = [vertebra for vertebra in in_view if vertebra["lowest_lumbar"]]
            for film in radiographs(series):
                yield Case(
                    name=str((folder / image["file"]).relative_to(data)), patient=str(folder),
                    view=f"simulated {image['field_of_view']}", anatomy=anatomy,
                    film=film, l5=np.array(lowest[0]["box"]) if lowest else None,
                    vertebrae=np.array([vertebra["box"] for vertebra in in_view]).reshape(-1, 4),
                    l5_name=lowest[0]["level"] if lowest else "L5",
                )  # fmt: skip
