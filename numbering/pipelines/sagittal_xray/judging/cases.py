"""Evaluation cases: lateral films with their truth, as the pipeline would meet them.

Two layouts are read. ``films``: ``images/`` and one JSON a film beside it, of which only ``levels`` must be
there. ``phantom``: folders of simulated patients (``truth.json`` and DICOM).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.anatomy import Level
from numbering.phantom.splits import split_of
from numbering.pipelines.judging.patients import NORMAL, SPLITS, is_of_split
from numbering.study import Radiograph

Corners = NDArray[np.float64]
"""``(4, 2)`` x, y of a body in the order of CONVENTIONS for lateral films; of S1 ``(2, 2)``: its upper endplate."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One film and its truth.

    ``levels`` are the vertebrae in view with their true names, head to foot; ``angles`` the true ones in degrees, named
    as the pipeline's measurements. ``read_as`` is what a perfect reader of this film alone would call each of them (by
    true name; empty when the film justifies no names): six lumbar vertebrae cannot be told on a lumbar film.
    ``patient`` groups cases for the bootstrap; ``shapes`` says what the bones were drawn from; ``anatomy`` is
    `NORMAL` or names the anomalies.
    """

    name: str
    patient: str
    film: Radiograph
    levels: Mapping[str, Corners]
    angles: Mapping[str, float] = field(default_factory=dict)
    read_as: Mapping[str, str] = field(default_factory=dict)
    shapes: str = "real"
    anatomy: str = NORMAL
    field_of_view: str = "film"

    @property
    def normal(self) -> bool:
        """Whether nothing about this patient's anatomy is unusual."""
        return self.anatomy == NORMAL


def cases(data: Path, layout: str = "auto", split: str = "test") -> Iterator[Case]:
    """Cases of a folder; simulated ones only of the split (``test``, ``val``): nothing that trained counts."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: expected {' or '.join(SPLITS)}")
    readers = {"films": _films, "phantom": _phantoms}
    layout = layout_of(data) if layout == "auto" else layout
    if layout not in readers:
        raise ValueError(f"unknown layout {layout!r}: expected {' or '.join(readers)}")
    return readers[layout](data, split)


def layout_of(data: Path) -> str:
    """Which layout a folder has; ``ValueError`` says what was expected."""
    if (data / "images").is_dir():
        return "films"
    if next(data.rglob("truth.json"), None):
        return "phantom"
    raise ValueError(
        f"{data}: no labelled films found; expected images/ with one JSON a film (films) or truth.json (phantom)"
    )


def _films(data: Path, split: str) -> Iterator[Case]:
    for path in sorted((data / "images").iterdir()):
        label = data / f"{path.stem}.json"
        if not label.is_file():
            raise ValueError(f"{path}: expected its corners in {label}")
        truth = json.loads(label.read_text())
        if is_of_split(truth, split):
            yield _film(path.stem, path, truth)


def _film(stem: str, path: Path, truth: Mapping[str, Any]) -> Case:
    with Image.open(path) as image:
        pixels = np.asarray(image if image.mode.startswith("I") else image.convert("L"), np.float32)
    spacing = truth.get("spacing_mm")
    return Case(
        name=stem,
        patient=str(truth.get("seed", stem)),
        film=Radiograph(
            sop_instance_uid=stem, frame=None, pixels=pixels, spacing_mm=tuple(spacing) if spacing else None
        ),
        levels=_ordered({name: np.asarray(points, float) for name, points in truth["levels"].items()}),
        angles=truth.get("angles", {}),
        read_as=truth.get("read_as", {}),
        shapes=truth.get("shapes", "real"),
        anatomy=", ".join(truth.get("anomalies", ())) or NORMAL,
        field_of_view=truth.get("field_of_view", "film"),
    )


def _phantoms(data: Path, split: str) -> Iterator[Case]:
    from numbering.dicom.pixels import radiographs
    from numbering.dicom.read import read_series

    for folder in sorted(path.parent for path in data.rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text())
        if split_of(truth["seed"], truth["shapes"]) != SPLITS[split]:
            continue
        for image in truth["images"]:
            if image["view"] != "lateral":
                continue
            (series,) = read_series([folder / image["file"]])
            for film in radiographs(series):
                yield Case(
                    name=str((folder / image["file"]).relative_to(data)),
                    patient=str(folder),
                    film=film,
                    levels=levels_in_view(image),
                    angles={one["name"]: one["value"] for one in image["angles"]},
                    read_as=read_as(image),
                    shapes=truth["shapes"],
                    anatomy=", ".join(truth["anomalies"]) or NORMAL,
                    field_of_view=image["field_of_view"],
                )


def levels_in_view(image: Mapping[str, Any]) -> dict[str, Corners]:
    """Corners by true name of what a lateral `TrueImage` (as JSON) shows whole, S1's upper endplate included."""
    found = {one["level"]: np.array(one["corners"]) for one in image["vertebrae"] if one["in_view"]}
    if image["sacrum_in_view"] and image["s1"] is not None:
        found["S1"] = np.array(image["s1"])
    return _ordered(found)


def read_as(image: Mapping[str, Any]) -> dict[str, str]:
    """What a perfect reader of this `TrueImage` (as JSON) alone calls each vertebra, by its true name."""
    justified = image["justified"] or {}
    reading = justified.get("reading")
    if not reading:
        return {}
    names = {one["ordinal"]: one["level"] for one in image["vertebrae"]}
    return {names[ordinal]: level for ordinal, level in zip(reading["ordinals"], reading["levels"], strict=True)}


def _ordered(levels: Mapping[str, Corners]) -> dict[str, Corners]:
    return {name: levels[name] for name in sorted(levels, key=Level.parse)}
