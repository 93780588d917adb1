"""How often the view network is right, wrong and unsure, by kind and by where the pictures come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize_scalar

from numbering.pipelines.commands import Progress, silent
from numbering.pipelines.view.classifier import ViewClassifier, seen
from numbering.pipelines.view.kinds import KINDS, Kind

CAUTION = 0.95
"""A kind is said from this probability on at least, whatever validation allows."""
MARGIN = 0.5
"""The threshold lies this share of the way from the surest wrong validation picture to certainty."""
SURE_AT_MOST = 0.995


@dataclass(frozen=True)
class Looked:
    """One picture: where it comes from, what it is, and the network's logits ``(3,)``."""

    source: str
    kind: Kind
    logits: NDArray[np.float64]


def look_at(classifier: ViewClassifier, data: Path, split: str, progress: Progress = silent) -> list[Looked]:
    """All pictures of a split; ``ValueError`` when there are none."""
    paths = [(path, kind) for kind in KINDS for path in sorted((data / split / kind).glob("*.png"))]
    if not paths:
        raise ValueError(f"{data / split}: no pictures; expected KIND/NAME.png (view.pictures)")
    looked = []
    for done, (path, kind) in enumerate(paths, 1):
        with Image.open(path) as image:
            logits = classifier.logits(np.asarray(image.convert("L"), np.float32))
        if logits is not None:
            looked.append(Looked(path.name.partition("-")[0], kind, logits))
        progress(kind, done, len(paths))
    return looked


def calibrate(looked: Sequence[Looked]) -> dict[str, float]:
    """Temperature by maximum likelihood (each kind weighs the same); threshold above which nothing was wrong."""
    logits = np.array([one.logits for one in looked])
    labels = np.array([KINDS.index(one.kind) for one in looked])
    weights = 1 / np.bincount(labels, minlength=len(KINDS))[labels]

    def loss(log_temperature: float) -> float:
        tempered = logits / np.exp(log_temperature)
        shares = tempered - np.logaddexp.reduce(tempered, axis=1)[:, None]
        return float(-(weights * shares[np.arange(len(labels)), labels]).sum())

    found = minimize_scalar(loss, bounds=(np.log(0.3), np.log(10.0)), method="bounded")
    temperature = float(np.exp(found.x))
    wrong = [
        max(seen(one.logits, temperature, 0).probabilities.values()) for one in looked if not _right(one, temperature)
    ]
    surest = max(wrong, default=0.0)
    answer = min(max(CAUTION, surest + MARGIN * (1 - surest)), SURE_AT_MOST)
    return {"temperature": round(temperature, 4), "answer": round(answer, 4)}


def _right(one: Looked, temperature: float) -> bool:
    return seen(one.logits, temperature, 0).kind is one.kind


def figures(looked: Sequence[Looked], temperature: float, answer: float) -> list[dict[str, Any]]:
    """A row for each kind and source: how many, and the shares right, unsure and wrong."""
    rows = []
    for kind, source in sorted({(one.kind, one.source) for one in looked}):
        kinds = [
            seen(one.logits, temperature, answer).kind for one in looked if (one.kind, one.source) == (kind, source)
        ]
        rows.append(
            {
                "view": kind,
                "anatomy": source,
                "n": len(kinds),
                "figures": {
                    "right": float(np.mean([one is kind for one in kinds])),
                    "unsure": float(np.mean([one is None for one in kinds])),
                    "wrong": float(np.mean([one not in (kind, None) for one in kinds])),
                },
            }
        )
    return rows
