"""Looking at a film to see which view it is: calibrated probabilities, and a kind only where that is sure enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines import openvino_ir
from numbering.pipelines.view.kinds import KINDS, Kind, picture
from numbering.result import ModelIdentity
from numbering.study import Radiograph
from numbering.weights import Entry, registry

NAME = "view"
"""Entry in the weights registry."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What a film looks like: the probability of each kind, and the kind, None where that is not sure enough."""

    probabilities: Mapping[Kind, float]
    kind: Kind | None

    @property
    def words(self) -> str:
        """``lateral with probability 0.99``: the likeliest kind, for messages."""
        best = max(self.probabilities, key=lambda kind: self.probabilities[kind], default=None)
        return (
            "too small to be looked at" if best is None else f"{best} with probability {self.probabilities[best]:.2f}"
        )


class Network(Protocol):
    """Pictures ``(n, 1, SIDE, SIDE)`` to logits ``(n, 3)``."""

    runtime: str
    file: str
    sha256: str

    def logits(self, pictures: Array) -> Array:
        """In the order of `KINDS`."""
        ...


class ViewClassifier:
    """Looks at films as they are and mirrored. ``TryAgainLater`` when the weights cannot be read."""

    def __init__(self, threads: int = 0, entry: Entry | None = None) -> None:
        entry = entry or registry()[NAME]
        self._network = _open(entry, threads)
        self.temperature = entry.operating_point["temperature"]
        self.answer = entry.operating_point["answer"]
        self.settings = {"view answer": f"{self.answer:g}", "view weights": self._network.sha256}
        self.identity = ModelIdentity(
            name=entry.name,
            version=entry.version,
            weights_file=self._network.file,
            weights_sha256=self._network.sha256,
            trained_on=entry.trained_on,
            runtime=self._network.runtime,
        )

    def look(self, film: Radiograph) -> Seen:
        """What this film looks like."""
        logits = self.logits(film.pixels)
        if logits is None:
            return Seen({}, None)
        return seen(logits, self.temperature, self.answer)

    def logits(self, pixels: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Mean logits ``(3,)`` of the film and its mirror image; None when it is too small to be looked at."""
        small = picture(pixels)
        if small is None:
            return None
        both = np.stack([small, small[:, ::-1]])[:, None]
        logits: NDArray[np.float64] = self._network.logits(np.ascontiguousarray(both)).astype(float).mean(0)
        return logits


def seen(logits: NDArray[np.float64], temperature: float, answer: float) -> Seen:
    """Probabilities by temperature scaling; a kind from probability ``answer`` on."""
    tempered = logits / temperature
    shares = np.exp(tempered - tempered.max())
    shares /= shares.sum()
    probabilities = {kind: float(share) for kind, share in zip(KINDS, shares, strict=True)}
    best = max(KINDS, key=lambda kind: probabilities[kind])
    return Seen(probabilities, best if probabilities[best] >= answer else None)


def agreed(looks: Sequence[Seen]) -> Kind | None:
    """The kind that all films of a series are; None when one is unsure or they differ."""
    kinds = {look.kind for look in looks}
    return kinds.pop() if len(kinds) == 1 else None


class _OpenVino:
    def __init__(self, entry: Entry, threads: int) -> None:
        self._model, self.runtime = openvino_ir.compiled(entry, NAME, threads)
        _, weights = entry.intermediate(NAME)
        self.file, self.sha256 = weights.file, weights.sha256

    def logits(self, pictures: Array) -> Array:
        return np.asarray(self._model(pictures)[0])


class _Torch:
    def __init__(self, entry: Entry) -> None:
        import torch

        from numbering.pipelines.view.network import load

        self._torch, self._network = torch, load(entry.path(entry.torch))
        self.runtime = f"torch {torch.__version__} cpu f32"
        self.file, self.sha256 = entry.torch.file, entry.torch.sha256

    def logits(self, pictures: Array) -> Array:
        with self._torch.inference_mode():
            return np.asarray(self._network(self._torch.from_numpy(pictures)).numpy())


def _open(entry: Entry, threads: int) -> Network:
    """OpenVINO where there is an IR, else torch on the CPU: so small a network gains nothing from a GPU."""
    return _OpenVino(entry, threads) if entry.openvino is not None else _Torch(entry)
