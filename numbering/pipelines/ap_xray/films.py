"""Labelled AP films for training and evaluation: reading, splitting by patient, and crops of varying extent.

``aasce`` is the layout of the AASCE 2019 set: ``images/``, ``filenames.csv`` and ``landmarks.csv`` (68 x then 68 y as
fractions of width and height; 17 vertebrae T1…L5 with four corners each).
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.csgraph import connected_components

from numbering.phantom.splits import refuse_reserved_truth
from numbering.pipelines.films import resize, window_to_grey

DOUBLE_LABEL_DISTANCE = 0.01
"""Two vertebra centres closer than this share of the film's height are one vertebra labelled twice."""
NEAR_DUPLICATE_CORRELATION = 0.97
"""Two films whose thumbnails correlate above this are taken for the same patient, whatever their names say."""
SPLITS = ("train", "val", "test")
RIGHT = "right"
"""The labelled L5 is the lowest lumbar-type vertebra of the film, and its box fits."""


class ReservedFilm(ValueError):
    """A film reserved for testing was handed to training. Train on the other films; see ``splits.json``."""


@dataclass(frozen=True, kw_only=True)
class Film:
    """One labelled film. ``vertebrae`` is ``(n, 4, 2)``: corners x, y in pixels, head to foot, the last one L5."""

    name: str
    path: Path
    vertebrae: NDArray[np.float64]
    label: str = RIGHT
    """What reading the L5 label again against the film said (`label_findings`)."""

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Upright boxes ``(n, 4)`` around the vertebral bodies, head to foot."""
        return np.concatenate([self.vertebrae.min(1), self.vertebrae.max(1)], axis=1)

    def pixels(self) -> NDArray[np.float32]:
        """Grey values ``[row, column]``, bright means dense."""
        if self.path.suffix == ".dcm":
            from numbering.dicom.pixels import radiographs
            from numbering.dicom.read import read_series

            (film,) = radiographs(read_series([self.path])[0])
            return film.pixels
        with Image.open(self.path) as image:
            return np.asarray(image.convert("L"), np.float32)

    def patient(self) -> str:
        """The patient's running number in the set: what follows the date in the file's name."""
        match = re.search(r"-\d{4}-(\d+)", self.name)
        return match.group(1) if match else self.name


def read_aasce(data: Path) -> tuple[list[Film], list[str]]:
    """The films of an AASCE folder, and the names of those left out because a vertebra is labelled twice.

    Some rows list the vertebrae out of order: they are sorted by height, so that the last is the lowest.
    """
    names = [line.strip() for line in (data / "filenames.csv").read_text().splitlines() if line.strip()]
    with (data / "landmarks.csv").open() as handle:
        rows = np.array([[float(value) for value in row] for row in csv.reader(handle) if row])
    if len(names) != len(rows):
        raise ValueError(f"{data}: {len(names)} names in filenames.csv but {len(rows)} rows in landmarks.csv")
    corners = np.stack([rows[:, :68], rows[:, 68:]], -1).reshape(-1, 17, 4, 2)
    films, left_out = [], []
    for name, fractions in zip(names, corners, strict=True):
        ordered = fractions[np.argsort(fractions.mean(1)[:, 1])]
        if (np.linalg.norm(np.diff(ordered.mean(1), axis=0), axis=1) < DOUBLE_LABEL_DISTANCE).any():
            left_out.append(name)
            continue
        with Image.open(data / "images" / name) as image:
            size = image.size
        # Fractions of the width are outer-corner coordinates; pixel centres stand at integers.
        films.append(
            Film(
                name=name,
                path=data / "images" / name,
                vertebrae=ordered * size - 0.5,
                label=label_findings().get(name, RIGHT),
            )
        )
    return films, left_out


def read_phantoms(folder: Path) -> list[Film]:
    """The simulated AP films below a folder, with the vertebrae in view, to train with.

    ``ReservedPatient`` names a patient that `numbering.phantom.splits` reserves for validation or test.
    """
    films = []
    for truth_file in sorted(folder.rglob("truth.json")):
        truth = json.loads(truth_file.read_text())
        refuse_reserved_truth(str(truth_file.parent), truth)
        for image in truth["images"]:
            if image["view"] != "AP":
                continue
            bodies = [vertebra["corners"] for vertebra in image["vertebrae"] if vertebra["in_view"]]
            path = truth_file.parent / image["file"]
            films.append(Film(name=str(path.relative_to(folder)), path=path, vertebrae=np.array(bodies)))
    return films


def thumbnail(film: Film) -> NDArray[np.float64]:
    """A 32 × 96 picture with zero mean and unit length: the dot product of two is their correlation."""
    small = resize(window_to_grey(film.pixels()), 32, 96).astype(float).ravel()
    small -= small.mean()
    normalised: NDArray[np.float64] = small / np.linalg.norm(small)
    return normalised


def patient_groups(films: list[Film]) -> list[int]:
    """A group number for each film: one patient's films, and films that look the same, share a group."""
    pictures = np.stack([thumbnail(film) for film in films])
    alike = pictures @ pictures.T > NEAR_DUPLICATE_CORRELATION
    patients = np.array([film.patient() for film in films])
    alike |= patients[:, None] == patients[None, :]
    return [int(group) for group in connected_components(alike)[1]]


def split_by_patient(films: list[Film], seed: int, val: float = 0.10, test: float = 0.18) -> dict[str, list[str]]:
    """Film names for train, val and test, with every group of `patient_groups` whole on one side."""
    groups = np.array(patient_groups(films))
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    # Large groups (many films that look alike) train: a test set wants many different patients.
    small_first = sorted(order.tolist(), key=lambda group: bool((groups == group).sum() > 6))
    splits: dict[str, list[str]] = {name: [] for name in SPLITS}
    for group in small_first:
        members = [film.name for film, g in zip(films, groups, strict=True) if g == group]
        if len(splits["test"]) < test * len(films):
            splits["test"] += members
        elif len(splits["val"]) < val * len(films):
            splits["val"] += members
        else:
            splits["train"] += members
    return {name: sorted(members) for name, members in splits.items()}


def reserved_splits() -> dict[str, list[str]]:
    """The names of the films reserved for validation and test (``splits.json``)."""
    text = files("numbering.pipelines.ap_xray").joinpath("splits.json").read_text()
    splits: dict[str, list[str]] = json.loads(text)["aasce"]
    return splits


def label_findings() -> dict[str, str]:
    """What is wrong with the L5 label of which films (``labels.json``); films that it does not name are right.

    Every label was read again against its film, reserved ones twice, by vision models, not by people (see
    ``docs/ap-xray.md``). In many films the label stands one or two vertebrae above the lowest lumbar-type one, or on
    the sacrum.
    """
    text = files("numbering.pipelines.ap_xray").joinpath("labels.json").read_text()
    findings: dict[str, str] = json.loads(text)["aasce"]
    return findings


def films_for(split: str, films: list[Film]) -> list[Film]:
    """The films of one split; a film that ``splits.json`` does not name trains.

    Films whose L5 label is wrong or in doubt neither train nor validate; they stay in the test split, told apart.
    """
    reserved = reserved_splits()
    if split == "test":
        return [film for film in films if film.name in set(reserved["test"])]
    fit = [film for film in films if film.label == RIGHT]
    if split == "val":
        return [film for film in fit if film.name in set(reserved["val"])]
    held = {name for names in reserved.values() for name in names}
    return [film for film in fit if film.name not in held]


def refuse_test_films(films: list[Film]) -> None:
    """Raise `ReservedFilm` when one of these films is reserved for testing. Every training loader calls this."""
    reserved = set(reserved_splits()["test"])
    found = [film.name for film in films if film.name in reserved]
    if found:
        raise ReservedFilm(f"{len(found)} test film(s) in the training data, the first is {found[0]}: remove them")


@dataclass(frozen=True)
class Crop:
    """A region of a film, ``[left, top, right, bottom]`` in whole pixels (right and bottom exclusive)."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The pixels inside."""
        return image[self.top : self.bottom, self.left : self.right]


def lumbar_crop(film: Film, shape: tuple[int, int], rng: np.random.Generator) -> Crop:
    """A crop as of a lumbar film: top between T10 and L2, bottom below L5 as far as the film goes, random width."""
    rows, columns = shape
    boxes, height = film.boxes, _body_height(film)
    upper = boxes[rng.integers(len(boxes) - 8, len(boxes) - 3)]
    top = max(0, int(upper[1] - rng.uniform(0, 1) * height))
    bottom = min(rows, int(boxes[-1, 3] + rng.uniform(0.5, 4) * height))
    left, right = _random_width(boxes[-6:], bottom - top, columns, rng)
    return Crop(left, top, right, bottom)


def crop_without_l5(film: Film, shape: tuple[int, int], rng: np.random.Generator) -> Crop:
    """A crop that ends above L5 or cuts through its upper third: there is no L5 to find in it."""
    rows, columns = shape
    boxes, height = film.boxes, _body_height(film)
    lowest = int(rng.integers(len(boxes) - 5, len(boxes)))
    bottom = int(boxes[lowest, 1] + rng.uniform(-0.1, 0.35) * height)
    top = max(0, int(bottom - rng.uniform(5, 14) * height))
    left, right = _random_width(boxes[:lowest][-8:], bottom - top, columns, rng)
    return Crop(left, top, right, min(rows, bottom))


def whole_film(film: Film, shape: tuple[int, int], rng: np.random.Generator) -> Crop:
    """The film, trimmed a little at the sides and head, never below L5."""
    rows, columns = shape
    boxes = film.boxes
    left = int(rng.uniform(0, 0.7) * max(0.0, boxes[:, 0].min()))
    right = columns - int(rng.uniform(0, 0.7) * max(0.0, columns - boxes[:, 2].max()))
    return Crop(left, int(rng.uniform(0, 0.9) * max(0.0, boxes[0, 1])), right, rows)


def _body_height(film: Film) -> float:
    return float(np.median(np.diff(film.vertebrae.mean(1)[-6:, 1])))


def _random_width(boxes: NDArray[np.float64], height: int, columns: int, rng: np.random.Generator) -> tuple[int, int]:
    """Left and right of a crop around these boxes, 0.5–1.1 times as wide as high, as far as the film goes."""
    centre = (boxes[:, 0].min() + boxes[:, 2].max()) / 2 + rng.normal(0, 0.05) * height
    half = max(rng.uniform(0.5, 1.1) * height / 2, 0.6 * (boxes[:, 2].max() - boxes[:, 0].min()))
    return max(0, int(centre - half)), min(columns, int(centre + half))


def labels_in(film: Film, crop: Crop) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes ``(n, 4)`` in crop pixels measured from its outer corner, clipped to it, and which one is L5.

    A body of which less than half is in the crop is not labelled; L5 must be in it by two thirds to be called so.
    """
    boxes = film.boxes + 0.5 - [crop.left, crop.top] * 2
    width, height = crop.right - crop.left, crop.bottom - crop.top
    clipped = np.clip(boxes, 0, [width, height] * 2)
    area, seen = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, clipped))
    share = seen / area
    is_l5 = np.zeros(len(boxes), bool)
    is_l5[-1] = True
    keep = share > np.where(is_l5, 0.66, 0.5)
    return clipped[keep], is_l5[keep]
