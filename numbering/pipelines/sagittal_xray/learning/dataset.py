"""Labelled lateral films: ``images/`` and one JSON a film, ``{"levels": {"L1": [[x, y] × 4], …, "S1": [[x, y] × 2]}}``.

Simulated films say more (`simulate`): every vertebra with its ordinal and ribs. Reserved patients are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.anatomy import USUAL, Level, Variant
from numbering.phantom.splits import refuse_reserved
from numbering.pipelines.films import collimated_region
from numbering.pipelines.sagittal_xray.levels import CORNERS, LEVELS24, SACRUM, channels

Points = NDArray[np.float64]

WATCHED_EVERY = 16
"""Of so many patients one watches the training (plateaus, the best checkpoint) and does not train."""


@dataclass(frozen=True)
class Body:
    """One labelled vertebra: its place counted from C1, whether it bears ribs, corners ``(4, 2)`` in film pixels."""

    ordinal: int
    rib_bearing: bool
    corners: Points


@dataclass(frozen=True, kw_only=True)
class LabelledFilm:
    """One film with what is known of it; ``bodies`` head to foot, also those that are cut off."""

    name: str
    path: Path
    bodies: tuple[Body, ...]
    lowest: int
    """Ordinal of the lowest presacral vertebra."""
    s1: Points | None
    """Ends ``(2, 2)`` of S1's upper endplate; None when it is unknown."""
    patient: int
    whole_spine: bool

    def pixels(self) -> NDArray[np.uint8]:
        """Grey values ``[row, column]``, bright means dense."""
        with Image.open(self.path) as image:
            return np.asarray(image.convert("L"))

    @property
    def watches(self) -> bool:
        """Whether this film's patient watches the training instead of training."""
        return self.patient % WATCHED_EVERY == 0


def read_films(folder: Path) -> list[LabelledFilm]:
    """All films of a folder, by name. ``ReservedPatient`` when one may not train; ``ValueError`` names a bad label."""
    films: list[LabelledFilm] = []
    for place in sorted(folder.glob("*.json")):
        truth = json.loads(place.read_text())
        if "seed" in truth:
            refuse_reserved(place.name, truth["seed"], truth["shapes"])
        films.append(_film(place, truth, len(films)))
    if not films:
        raise ValueError(f"{folder}: no film found, expected one JSON a film and images/ with the pictures")
    return films


def _film(place: Path, truth: dict[str, Any], index: int) -> LabelledFilm:
    picture = next(place.parent.glob(f"images/{place.stem}.*"), None)
    if picture is None:
        raise ValueError(f"{place}: no picture of that name in images/")
    s1: Points | None
    if "vertebrae" in truth:
        bodies = [Body(one["ordinal"], one["rib_bearing"], _points(one["corners"])) for one in truth["vertebrae"]]
        lowest, s1 = truth["lowest_ordinal"], _points(truth["s1"])
        whole = truth["field_of_view"] == "whole-spine"
    else:
        bodies, lowest, s1 = _named(place, truth["levels"])
        whole = len(bodies) > 12
    return LabelledFilm(
        name=place.stem,
        path=picture,
        bodies=tuple(sorted(bodies, key=lambda body: body.ordinal)),
        lowest=lowest,
        s1=s1,
        patient=truth.get("seed", index),
        whole_spine=whole,
    )


def _named(place: Path, levels: dict[str, Any]) -> tuple[list[Body], int, Points | None]:
    """Bodies of films that were labelled by name alone; the names tell which spine it is."""
    try:
        named = {Level.parse(name): _points(points) for name, points in levels.items()}
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    variant = _variant_of(set(named))
    bodies = [
        Body(variant.ordinal(level), level.region == "T", points)
        for level, points in named.items()
        if level.region != "S"
    ]
    return bodies, variant.ordinal(Level.S1) - 1, named.get(Level.S1)


def _variant_of(levels: set[Level]) -> Variant:
    """The spine that these names speak of: T13 and L6 say so, a missing L5 above S1 or T12 above L1 likewise."""
    thoracic = 13 if Level.T13 in levels else 12
    if {Level.T11, Level.L1} <= levels and Level.T12 not in levels:
        thoracic = 11
    lumbar = 6 if Level.L6 in levels else 5
    if {Level.L4, Level.S1} <= levels and Level.L5 not in levels:
        lumbar = 4
    return Variant(thoracic, lumbar) if (thoracic, lumbar) != (12, 5) else USUAL


def _points(points: Sequence[Sequence[float]]) -> Points:
    return np.asarray(points, float)


@dataclass(frozen=True)
class Labels:
    """What the networks of step I should say of a region of a film."""

    corners: Points
    """``(24, 4, 2)`` film pixels."""
    corner_known: NDArray[np.bool_]
    """``(24, 4)``."""
    present: NDArray[np.bool_]
    """``(24,)``: the whole body is in view."""
    judged: NDArray[np.bool_]
    """``(24,)``: false for bodies that the region's edge cuts."""


def labels(film: LabelledFilm, region: tuple[float, float, float, float]) -> Labels:
    """Of what lies in a region (left, top, right, bottom from outer pixel corners)."""
    corners = np.zeros((len(LEVELS24), len(CORNERS), 2))
    known = np.zeros(corners.shape[:2], bool)
    present, judged = np.zeros(len(LEVELS24), bool), np.ones(len(LEVELS24), bool)
    shown = [_inside(body.corners, region) for body in film.bodies]
    sacrum = film.s1 is not None and bool(_inside(film.s1, region).all())
    seen = [body for body, inside in zip(film.bodies, shown, strict=True) if inside.all()]
    cut = [body for body, inside in zip(film.bodies, shown, strict=True) if inside.any() and not inside.all()]
    in_order = sorted([*seen, *cut], key=lambda body: body.ordinal)
    for body, channel in zip(in_order, channels(in_order, film.lowest, sacrum_in_view=sacrum), strict=True):
        if channel is None:
            continue
        if any(body is one for one in cut):
            judged[channel] = False
            continue
        corners[channel], known[channel], present[channel] = body.corners, True, True
    if film.s1 is not None:
        some = _inside(film.s1, region)
        judged[SACRUM] = some.all() or not some.any()
        if sacrum:
            corners[SACRUM, :2], known[SACRUM, :2], present[SACRUM] = film.s1, True, True
    return Labels(corners, known, present, judged)


def _inside(points: Points, region: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    left, top, right, bottom = region
    x, y = points[:, 0] + 0.5, points[:, 1] + 0.5
    return np.asarray((x > left) & (x < right) & (y > top) & (y < bottom))


def open_region(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The film inside its shutters, as serving finds it."""
    return collimated_region(pixels.astype(np.float32))
