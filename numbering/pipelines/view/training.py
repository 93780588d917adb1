"""Training of the view network: minutes on two cores."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from numbering.pipelines.view.kinds import KINDS, SIDE, Kind
from numbering.pipelines.view.network import ARCHITECTURE, ViewNetwork, save

SEED = 20261121
EPOCHS = 24
BATCH = 64
LEARNING_RATE = 3e-3
SMALLEST_CROP = 0.6
"""A training picture shows at least this share of each side: no look at a film is a view any more when it is less."""

Grey = NDArray[np.uint8]
Picture = NDArray[np.float32]


def read_split(data: Path, split: str) -> list[tuple[Grey, Kind, str]]:
    """The pictures of a split, their kinds and sources (a name's first word); ``ValueError`` when a kind is missing."""
    found = []
    for kind in KINDS:
        paths = sorted((data / split / kind).glob("*.png"))
        if not paths:
            raise ValueError(f"{data / split / kind}: no pictures; expected SPLIT/KIND/NAME.png (view.pictures)")
        for path in paths:
            with Image.open(path) as image:
                found.append((np.asarray(image.convert("L")), kind, path.name.partition("-")[0]))
    return found


def train(data: Path, out: Path, *, epochs: int = EPOCHS, hours: float | None = None, seed: int = SEED) -> Path:
    """Train on the pictures of ``train`` and write ``out`` (safetensors). The same seed gives the same weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures = read_split(data, "train")
    labels = np.array([KINDS.index(kind) for _, kind, _ in pictures])
    weights = evenly([(kind, source) for _, kind, source in pictures])
    network = ViewNetwork().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    steps = max(1, len(pictures) // BATCH) * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    ends = time.monotonic() + hours * 3600 if hours else np.inf
    for step in range(steps):
        chosen = rng.choice(len(pictures), BATCH, p=weights)
        batch = torch.from_numpy(np.stack([vary(pictures[index][0], rng) for index in chosen]))[:, None]
        loss = functional.cross_entropy(network(batch), torch.from_numpy(labels[chosen]), label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            sys.stderr.write(f"step {step}/{steps}: loss {loss.item():.4f}\n")
        if time.monotonic() > ends:
            break
    return save(network, out, {"architecture": ARCHITECTURE, "classes": ",".join(KINDS), "pixels": str(SIDE)})


def evenly(groups: Sequence[tuple[Kind, str]]) -> NDArray[np.float64]:
    """How often each picture is met: each kind equally often, and each source of a kind, however many they have."""
    sources = {kind: len({source for one, source in groups if one is kind}) for kind in KINDS}
    counts = Counter(groups)
    weights = np.array([1 / (counts[kind, source] * sources[kind]) for kind, source in groups])
    return np.asarray(weights / weights.sum())


def vary(grey: Grey, rng: np.random.Generator) -> Picture:
    """A picture ``(SIDE, SIDE)`` 0…1 as another department would have it: cropped, turned, processed, written on.

    What differs between simulated and real films (sharpness, noise, contrast) is varied beyond either.
    """
    image = Image.fromarray(_cropped(grey, rng))
    if rng.random() < 0.5:
        small = int(rng.integers(SIDE // 2, SIDE))
        image = image.resize((small, small), Image.Resampling.BILINEAR)
    values: Picture = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / np.float32(255)
    if rng.random() < 0.5:
        values = np.rot90(values, int(rng.integers(4)))
    if rng.random() < 0.5:
        values = values[:, ::-1]
    values = _processed(values, rng)
    if rng.random() < 0.25:
        values = _shuttered(values, rng)
    return np.ascontiguousarray(np.clip(values, 0, 1), np.float32)


def _cropped(grey: Grey, rng: np.random.Generator) -> Grey:
    """A part of the picture, turned by some degrees."""
    image = Image.fromarray(grey).rotate(float(rng.normal(0, 4)), Image.Resampling.BILINEAR)
    width, height = image.size
    wide, tall = (int(length * rng.uniform(SMALLEST_CROP, 1)) for length in (width, height))
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - tall + 1))
    return np.asarray(image.crop((left, top, left + wide, top + tall)))


def _processed(values: Picture, rng: np.random.Generator) -> Picture:
    """Another tone curve, slow shading, noise."""
    low, high = np.percentile(values, [0.5, 99.5])
    stretched = np.clip((values - low) / max(float(high - low), 1e-3), 0, 1) ** float(np.exp(rng.normal(0, 0.45)))
    if rng.random() < 0.4:  # local contrast, as vendors lift it
        coarse = _blurred(stretched)
        stretched = (
            0.5 + (stretched - coarse) * float(rng.uniform(1, 2.5)) + (coarse - 0.5) * float(rng.uniform(0.2, 1))
        )
    noise = rng.normal(0, rng.uniform(0, 0.06), values.shape)
    return np.asarray(stretched + noise, np.float32)


def _blurred(values: Picture) -> Picture:
    pooled: Tensor = functional.avg_pool2d(torch.from_numpy(np.ascontiguousarray(values))[None, None], 15, 1, 7)
    return np.asarray(pooled[0, 0].numpy(), np.float32)


def _shuttered(values: Picture, rng: np.random.Generator) -> Picture:
    """Borders that the collimation finder missed."""
    closed = np.rot90(values, int(rng.integers(4))).copy()
    closed[: int(rng.uniform(0.03, 0.2) * SIDE)] = float(rng.integers(2))
    return closed
