"""Fits the likelihoods of `numbering.enumeration.learned` to scans with a truth.

The networks and the chain's own weights are fitted together, by the probability of the true numbering among all that a
reader could confuse it with: the same candidates three levels up to three levels down, in each of six variants. So
evidence that neighbours share counts once. A second term teaches which candidates are no vertebra at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.vid_keypoints.lessons import IMPOSSIBLE, NEVER, Lesson, allowed, changed, lesson
from benchmarks.vid_keypoints.scans import Scan
from numbering.anatomy import Level
from numbering.enumeration.detections import bodies_of
from numbering.enumeration.graph import LEVELS
from numbering.enumeration.learned import KINDS, SPURIOUS
from numbering.enumeration.model import SPACING_MM, SpineModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How the networks are fitted."""

    members: int = 3
    hidden: int = 128
    epochs: int = 60
    copies: int = 5
    cropped: float = 0.2
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    batch: int = 64
    spurious_weight: float = 0.3
    missed: float = 0.01
    nothing: float = -5.0
    seed: int = 0


class Network(nn.Module):
    """One member, with the chain's weights that it is fitted with."""

    def __init__(self, width: int, recipe: Recipe) -> None:
        super().__init__()
        self.first = nn.Linear(width, recipe.hidden)
        self.second = nn.Linear(recipe.hidden, recipe.hidden)
        self.third = nn.Linear(recipe.hidden, SPURIOUS + 1)
        self.direct = nn.Linear(width, SPURIOUS + 1, bias=False)
        self.inputs, self.drop = nn.Dropout(0.05), nn.Dropout(recipe.dropout)
        self.start, self.end = (nn.Parameter(torch.zeros(len(LEVELS))) for _ in range(2))
        self.spacing_weight = nn.Parameter(torch.tensor(0.3))

    def forward(self, rows: Tensor) -> Tensor:
        """Log-likelihoods ``(…, 27)``."""
        rows = self.inputs(rows)
        hidden = self.drop(torch.relu(self.first(rows)))
        hidden = self.drop(torch.relu(self.second(hidden)))
        return torch.log_softmax(self.third(hidden) + self.direct(rows), -1)


def loss(network: Network, lessons: Sequence[Lesson], centre: Array, spread: Array, spurious_weight: float) -> Tensor:
    """Minus the log probability of the true numbering among its rivals, and of what is no vertebra; a mean."""
    longest = max(len(one.rows) for one in lessons)

    def stack(name: str, fill: float, dtype: torch.dtype) -> Tensor:
        parts = [np.asarray(getattr(one, name)) for one in lessons]
        padded = [np.concatenate([p, np.full((longest - len(p), *p.shape[1:]), fill, p.dtype)]) for p in parts]
        return torch.as_tensor(np.stack(padded), dtype=dtype)

    def each(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.as_tensor(np.stack([getattr(one, name) for one in lessons]), dtype=dtype)

    real = torch.as_tensor(np.stack([np.arange(longest) < len(one.rows) for one in lessons]))
    logs = network((stack("rows", 0, torch.float32) - torch.as_tensor(centre)) / torch.as_tensor(spread))
    none = logs[..., SPURIOUS]
    never = torch.full_like(logs[..., :2], NEVER)
    by_level = torch.cat([logs[..., torch.as_tensor(KINDS)], never], -1)
    here = torch.gather(by_level, 2, stack("levels", IMPOSSIBLE, torch.int64))
    allowed_none = none.masked_fill(~stack("may_be_none", True, torch.bool), NEVER)[..., None]
    among = torch.logaddexp(here, none[..., None].expand_as(here))
    true = torch.logaddexp(here.masked_fill(~stack("true", False, torch.bool), NEVER), allowed_none.expand_as(here))
    ends = torch.full((2,), NEVER)
    weight = each("prior") + torch.cat([network.start, ends])[each("first", torch.int64)]
    weight = weight + torch.cat([network.end, ends])[each("last", torch.int64)]
    weight = weight + torch.logsumexp(network.spacing_weight * each("spacing"), -1)
    total = torch.logsumexp((among * real[..., None]).sum(1) + weight, -1)
    right = torch.logsumexp((true * real[..., None]).sum(1) + weight, -1)
    surely = stack("surely_none", False, torch.bool)
    vertebra = ~stack("may_be_none", True, torch.bool)
    told = surely * none + vertebra * torch.log1p(-none.exp().clamp(max=1 - 1e-6))
    return ((total - right).clamp(max=30) - spurious_weight * told.sum(1)).mean()


def spacing(scans: Sequence[Scan]) -> tuple[Array, Array]:
    """Mean distance ``(31,)`` from each level to the next, and its spread beyond the patient's scale, mm."""
    known = {level: [SPACING_MM[str(level)][0]] for level in LEVELS if str(level) in SPACING_MM}
    found: dict[Level, list[float]] = defaultdict(list)
    for scan in scans:
        for level, way in zip(scan.levels, np.diff(scan.centres, axis=0), strict=False):
            found[level].append(float(np.linalg.norm(way)))
    mean = {level: np.mean(found[level] if len(found[level]) > 5 else known.get(level, [28.0])) for level in LEVELS}
    left: dict[Level, list[float]] = defaultdict(list)
    for scan in scans:
        ways = np.linalg.norm(np.diff(scan.centres, axis=0), axis=1)
        expected = np.array([mean[level] for level in scan.levels[:-1]])
        if len(ways):
            for level, rest in zip(scan.levels, ways - expected * ways.sum() / expected.sum(), strict=False):
                left[level].append(float(rest))
    default = {level: SPACING_MM.get(str(level), (0, 5.0))[1] for level in LEVELS}
    spread = {level: max(1.5, np.std(left[level])) if len(left[level]) > 5 else default[level] for level in LEVELS}
    return np.array([mean[level] for level in LEVELS]), np.array([spread[level] for level in LEVELS])


def fit(scans: Sequence[Scan], recipe: Recipe) -> dict[str, Array]:
    """The arrays of a `DetectionModel`, fitted to these scans."""
    torch.set_num_threads(1)
    mean, spread = spacing(scans)
    model = SpineModel(spacing_mm=mean, spacing_sd_mm=spread)
    rng = np.random.default_rng(recipe.seed)
    lessons: list[list[Lesson]] = []
    for scan in scans:
        bodies = bodies_of(scan.found)
        table = allowed(scan, bodies)
        copies = [lesson(scan, bodies, table, model)]
        for _ in range(recipe.copies):
            other, kept = changed(bodies, rng, recipe.cropped)
            copies.append(lesson(scan, other, table[kept], model))
        if good := [one for one in copies if one is not None]:
            lessons.append(good)
    rows = np.concatenate([copies[0].rows for copies in lessons])
    centre, width = rows.mean(0).astype(np.float32), np.maximum(rows.std(0), 0.05).astype(np.float32)
    members = [_member(lessons, centre, width, recipe, recipe.seed + one) for one in range(recipe.members)]
    return {**_arrays(members, centre, width), "spacing_mm": mean, "spacing_sd_mm": spread} | {
        "missed": np.array(recipe.missed),
        "nothing": np.array(recipe.nothing),
    }


def _member(lessons: list[list[Lesson]], centre: Array, spread: Array, recipe: Recipe, seed: int) -> Network:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(len(centre), recipe)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    batches = -(-len(lessons) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * batches + 1, pct_start=0.2
    )
    sizes = np.array([len(copies[0].rows) for copies in lessons])
    for _ in range(recipe.epochs):
        network.train()
        order = np.argsort(sizes + 2 * rng.random(len(sizes)))
        for batch in rng.permutation(batches):
            chosen = order[batch * recipe.batch : (batch + 1) * recipe.batch]
            drawn = [lessons[i][rng.integers(len(lessons[i]))] for i in chosen]
            optimiser.zero_grad()
            loss(network, drawn, centre, spread, recipe.spurious_weight).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def _arrays(members: Sequence[Network], centre: Array, spread: Array) -> dict[str, Array]:
    def stacked(name: str, *, turned: bool = False) -> Array:
        values = [member.get_parameter(name).detach().numpy() for member in members]
        return np.stack([value.T if turned else value for value in values])

    layers = {name: stacked(f"{name}.weight", turned=True) for name in ("first", "second", "third", "direct")}
    offsets = {f"{name}_offset": stacked(f"{name}.bias") for name in ("first", "second", "third")}
    chain = {name: stacked(name).mean(0) for name in ("start", "end", "spacing_weight")}
    chain["spacing_weight"] = np.maximum(chain["spacing_weight"], 0)
    return {
        **layers,
        **offsets,
        **chain,
        "centre": np.stack([centre] * len(members)),
        "spread": np.stack([spread] * len(members)),
    }
