"""Likelihoods learnt from real detections: what a body's surroundings say of its level.

A few small networks read each candidate's row of `features` and give a log-likelihood for each kind of vertebra and for
none; their mean is taken. They were fitted together with the chain, by the probability of the true numbering, so that
evidence that neighbours share is not counted twice. Served by numpy alone.

The parameters come from the training split of ImFusion VID (CC BY-SA 4.0) and carry its licence; ``detections.json``
beside them says so, with their sha256.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level
from numbering.enumeration.detections import Bodies, Detections, bodies_of
from numbering.enumeration.evidence import Evidence
from numbering.enumeration.features import features
from numbering.enumeration.graph import LEVELS
from numbering.enumeration.model import SpineModel

STATEMENT = Path(__file__).with_name("detections.json")
Array = NDArray[np.float64]


def kind_of(level: Level) -> int:
    """Which output speaks for this level: T13 shares T12's, and the sacrum's levels share one."""
    number = int(str(level)[1:])
    return {"C": number - 1, "T": 6 + min(number, 12), "L": 18 + number, "S": 25}[level.region]


KINDS = np.array([kind_of(level) for level in LEVELS])
SPURIOUS = 26


@dataclass(frozen=True)
class Networks:
    """Members stacked along the first axis: ``(m, width, h)``, ``(m, h, h)``, ``(m, h, 27)`` and their offsets."""

    centre: Array
    spread: Array
    first: Array
    first_offset: Array
    second: Array
    second_offset: Array
    third: Array
    third_offset: Array
    direct: Array

    def log_likelihood(self, rows: Array) -> Array:
        """``(n, 27)`` for rows ``(n, width)`` of `features`: the members' mean."""
        scaled = (rows[None] - self.centre[:, None]) / self.spread[:, None]
        hidden = np.maximum(scaled @ self.first + self.first_offset[:, None], 0)
        hidden = np.maximum(hidden @ self.second + self.second_offset[:, None], 0)
        values = hidden @ self.third + self.third_offset[:, None] + scaled @ self.direct
        values -= values.max(2, keepdims=True)
        logs: Array = (values - np.log(np.exp(values).sum(2, keepdims=True))).mean(0)
        return logs


class DetectionModel:
    """Evidence from a network's bodies, segment scores and pedicles, with the chain that was fitted with it."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        names = Networks.__dataclass_fields__
        self.networks = Networks(**{name: np.asarray(arrays[name], float) for name in names})
        self.spine = SpineModel(
            start=arrays["start"],
            end=arrays["end"],
            missed=float(arrays["missed"]),
            spacing_mm=arrays["spacing_mm"],
            spacing_sd_mm=arrays["spacing_sd_mm"],
            spacing_weight=float(arrays["spacing_weight"]),
            nothing=float(arrays["nothing"]),
        )

    @classmethod
    def shipped(cls) -> DetectionModel:
        """The parameters of this package; ``ValueError`` when the file is not the one that its statement names."""
        stated: dict[str, Any] = json.loads(STATEMENT.read_text())
        data = STATEMENT.with_name(stated["file"]).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != stated["sha256"]:
            raise ValueError(
                f"{stated['file']}: sha256 {found}, expected {stated['sha256']}; install the package again"
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls({name: arrays[name].astype(float) for name in arrays.files})

    def evidence(self, detections: Detections) -> tuple[Bodies, Evidence]:
        """The candidates in these detections, and what speaks for each."""
        bodies = bodies_of(detections)
        logs = self.networks.log_likelihood(features(bodies))
        return bodies, Evidence(logs[:, KINDS], logs[:, SPURIOUS], bodies.centres)
