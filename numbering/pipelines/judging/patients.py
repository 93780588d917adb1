"""Simulated patients that never train, to calibrate and to judge with: seeds and shapes of ``splits.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from numbering.phantom.splits import reserved, split_of

SPLITS: Mapping[str, Literal["test", "validation"]] = {"test": "test", "val": "validation"}
"""By the names that ``--split`` takes."""
ANATOMIES = ("normal", "anomalous")
NORMAL = "normal"
FIRST_ANOMALOUS = 50_000
"""From here on within a range of seeds lie the anomalous patients."""
OVERSAMPLED = (
    "L6", "L4", "T13", "T11", "T11-L6", "T13-L4", "lumbarisation", "castellvi-IIIb", "castellvi-IV", "squared-s1",
    "absent-rib-12", "lumbar-rib", "wedge-fracture", "biconcave-fracture", "wedge-fracture+L6", "spondylolisthesis",
    "block-vertebra", "hemivertebra", "severe-scoliosis", "pedicle-screws", "cage", "cement", "sacralisation",
)  # fmt: skip
"""Anomalies of the anomalous patients, in turn."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who is simulated. ``anomaly`` None is drawn from the population; ``shapes`` as `stage.shape_source` takes it."""

    seed: int
    anomaly: str | None
    shapes: str

    @property
    def source(self) -> str:
        """What the bones are drawn from, without a path."""
        return shape_name(self.shapes)


def shape_name(shapes: str) -> str:
    """``atlas:/some/where/spl`` → ``spl``: no path goes into the truth."""
    return shapes if shapes == "procedural" else Path(shapes.partition(":")[2]).name


def person(index: int, split: str, anatomy: str, shapes: str) -> Person:
    """The reserved patient of this number; ``ValueError`` when these seeds and shapes belong to another split."""
    first, _ = reserved().seeds[SPLITS[split]]
    seed = first + index + (FIRST_ANOMALOUS if anatomy == "anomalous" else 0)
    anomaly = "none" if anatomy == NORMAL else OVERSAMPLED[index % len(OVERSAMPLED)]
    found = split_of(seed, shape_name(shapes))
    if found != SPLITS[split]:
        raise ValueError(f"seed {seed}, shapes {shapes!r} belong to {found}: expected {SPLITS[split]}")
    return Person(seed=seed, anomaly=anomaly, shapes=shapes)


def is_of_split(truth: Mapping[str, object], split: str) -> bool:
    """Whether what a ``truth`` describes may be judged with in this split; images of real people always may."""
    if "seed" not in truth:
        return True
    seed, shapes = truth["seed"], truth.get("shapes", "procedural")
    styles = truth.get("styles", ())
    if not isinstance(seed, int) or not isinstance(shapes, str) or not isinstance(styles, Sequence):
        raise ValueError("truth of a simulated patient: expected a number as seed, a word as shapes, words as styles")
    return split_of(seed, shapes, [str(style) for style in styles]) == SPLITS[split]
