"""Fits the likelihoods of `numbering.enumeration.learned` to scans with a truth.

The networks and the chain's own weights are fitted together, by the probability of the true numbering among all that a
reader could confuse it with: the same candidates three levels up to three levels down, in each of six variants. So
evidence that neighbours share counts once. A second term teaches which candidates are no vertebra at all.

What a candidate may be in the truth: the level of the nearest true vertebra, where the two are each other's nearest
within 20 mm; below the last lumbar vertebra the sacrum or nothing; beyond the truth's end the next levels or nothing;
else nothing.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.vid_keypoints.identification import NEAR_MM
from benchmarks.vid_keypoints.scans import Scan
from numbering.anatomy import Level
from numbering.enumeration.detections import Bodies, bodies_of
from numbering.enumeration.features import features
from numbering.enumeration.graph import COLUMN, LEVELS, LOWEST
from numbering.enumeration.learned import KINDS, SPURIOUS
from numbering.enumeration.model import ODD_MM, PREVALENCE, SPACING_MM, SpineModel

Array = NDArray[np.float64]
NONE, IMPOSSIBLE = len(LEVELS), len(LEVELS) + 1
NEVER = -1e4
VARIANTS = list(PREVALENCE)[:6]
SHIFT = 3
RIVALS = len(VARIANTS) * (2 * SHIFT + 1)
ABOVE, BELOW = 8, 32
OFF = -99
"""Slot of a candidate that lies on no level of the spine."""


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


@dataclass(frozen=True)
class Lesson:
    """One spine to learn from. Arrays ``(n, RIVALS)`` hold for each candidate its level in each rival numbering.

    ``true`` says where that level is what the truth allows; ``may_be_none`` ``(n,)`` where none is allowed;
    ``spacing`` ``(RIVALS, scales)`` is the log density of the distances; ``first`` and ``last`` the rivals' end levels.
    """

    rows: Array
    levels: NDArray[np.intp]
    true: NDArray[np.bool_]
    may_be_none: NDArray[np.bool_]
    surely_none: NDArray[np.bool_]
    prior: Array
    spacing: Array
    first: NDArray[np.intp]
    last: NDArray[np.intp]


def allowed(scan: Scan, bodies: Bodies) -> NDArray[np.bool_]:
    """``(n, 32)``: which levels each candidate may have in the truth; the last column is none."""
    table = np.zeros((len(bodies), len(LEVELS) + 1), bool)
    if not len(bodies):
        return table
    away = np.linalg.norm(bodies.centres[:, None] - scan.centres[None], axis=2)
    for true, level in enumerate(scan.levels):
        nearest = away[:, true].argmin()
        if away[nearest, true] < NEAR_MM and away[nearest].argmin() == true:
            table[nearest, COLUMN[level]] = True
    free = ~table.any(1)
    table[free, NONE] = True
    above, below = (bodies.centres[:, 2] > scan.centres[0, 2] + 8), (bodies.centres[:, 2] < scan.centres[-1, 2] - 8)
    first, last = COLUMN[scan.levels[0]], COLUMN[scan.levels[-1]]
    table[free & above, max(0, first - 3) : first] = True
    if scan.levels[-1] in (Level.L4, Level.L5, Level.L6):
        table[free & below, COLUMN[Level.S1] : COLUMN[LOWEST] + 1] = True
        if scan.levels[-1] is Level.L4:
            table[free & below, COLUMN[Level.L5]] = True
    else:
        table[free & below, last + 1 : last + 4] = True
    return table


def slots(scan: Scan, bodies: Bodies, table: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many levels below the first true vertebra found each candidate lies; `OFF` where on none."""
    sure = np.flatnonzero((table.sum(1) == 1) & ~table[:, NONE])
    slot = np.full(len(bodies), OFF)
    if not len(sure):
        return slot
    place = {COLUMN[level]: index for index, level in enumerate(scan.levels)}
    slot[sure] = [place[int(table[i].argmax())] for i in sure]
    slot[sure] -= slot[sure[0]]
    for run, step, spacing in (
        (range(sure[-1] + 1, len(bodies)), 1, 33.0),
        (range(sure[0] - 1, -1, -1), -1, 24.0),
    ):
        end = sure[-1] if step > 0 else sure[0]
        reached = slot[end]
        for i in run:
            away = abs(bodies.centres[i, 2] - bodies.centres[end, 2])
            at = slot[end] + step * max(1, round(float(away) / spacing))
            if table[i].sum() > 1 and (at - reached) * step > 0 and -ABOVE <= at < BELOW - 2:
                slot[i] = reached = at
    return slot


def rivals(first: Level) -> tuple[NDArray[np.intp], Array]:
    """Columns of levels ``(RIVALS, ABOVE + BELOW)`` around the first slot, and log priors ``(RIVALS,)``."""
    table, prior = np.full((RIVALS, ABOVE + BELOW), IMPOSSIBLE), np.full(RIVALS, NEVER)
    for one, variant in enumerate(VARIANTS):
        levels = [level for level in variant.levels() if level <= LOWEST]
        start = levels.index(first) if first in levels else next(i for i, x in enumerate(levels) if x > first)
        for shift in range(-SHIFT, SHIFT + 1):
            row = one * (2 * SHIFT + 1) + shift + SHIFT
            for slot in range(-ABOVE, BELOW):
                if 0 <= start + shift + slot < len(levels):
                    table[row, slot + ABOVE] = COLUMN[levels[start + shift + slot]]
            if table[row, ABOVE] != IMPOSSIBLE:
                prior[row] = np.log(PREVALENCE[variant])
    return table, prior


def lesson(scan: Scan, bodies: Bodies, table: NDArray[np.bool_], model: SpineModel) -> Lesson | None:
    """What this spine teaches; None when nothing true was found in it."""
    slot = slots(scan, bodies, table)
    sure = np.flatnonzero((table.sum(1) == 1) & ~table[:, NONE])
    if not len(sure):
        return None
    columns, prior = rivals(LEVELS[int(table[sure[0]].argmax())])
    levels = np.where(slot[:, None] == OFF, IMPOSSIBLE, columns[:, np.clip(slot, -ABOVE, BELOW - 1) + ABOVE].T)
    permitted = np.concatenate([table[:, :NONE], np.zeros((len(table), 2), bool)], 1)
    mean = np.append(model.spacing_mm, [30.0, 30.0])
    variance = np.append(model.spacing_sd_mm, [3.0, 3.0]) ** 2
    spacing = np.zeros((RIVALS, len(model.scales)))
    for one, other in itertools.pairwise(sure):
        gap = np.linalg.norm(bodies.centres[other] - bodies.centres[one])
        passed = columns[:, slot[one] + ABOVE : slot[other] + ABOVE]
        spread = np.sqrt(variance[passed].sum(1))[:, None]
        away = (gap - mean[passed].sum(1)[:, None] * model.scales) / spread
        usual = np.exp(-0.5 * away**2) / (spread * np.sqrt(2 * np.pi))
        spacing += np.log((1 - model.odd_spacing) * usual + model.odd_spacing / ODD_MM)
    return Lesson(
        rows=features(bodies),
        levels=levels,
        true=np.take_along_axis(permitted, levels, 1),
        may_be_none=table[:, NONE],
        surely_none=table[:, NONE] & (table.sum(1) == 1),
        prior=prior,
        spacing=spacing + np.log(model.scale_weights),
        first=levels[sure[0]],
        last=levels[sure[-1]],
    )


def changed(bodies: Bodies, rng: np.random.Generator, cropped: float) -> tuple[Bodies, NDArray[np.bool_]]:
    """The spine as another patient's: scaled, shaken, perhaps mirrored, sometimes cut short; and which are left."""
    count = len(bodies)
    kept = np.ones(count, bool)
    if count > 3 and rng.random() < cropped:
        if rng.random() < 0.3:
            kept[: rng.integers(1, max(2, count // 2))] = False
        if rng.random() < 0.3:
            kept[count - rng.integers(1, max(2, count // 3)) :] = False
        kept &= rng.random(count) > 0.02
    if kept.sum() < 2:
        kept[:] = True
    left = int(kept.sum())
    centres = bodies.centres[kept] * rng.normal(1, 0.03) + rng.normal(0, 0.5, (left, 3))
    pedicles = bodies.pedicles[kept] * rng.normal(1, 0.03) + rng.normal(0, 0.5, (left, 2, 3))
    if rng.random() < 0.5:
        centres, pedicles = centres * [-1, 1, 1], pedicles[:, ::-1] * [-1, 1, 1]
    pedicles[rng.random((left, 2)) < 0.02] = np.nan
    scores = np.clip(bodies.segments[kept], 0.005, 0.995)
    logits = np.log(scores / (1 - scores)) + rng.normal(0, 0.15, scores.shape)
    return Bodies(centres, 1 / (1 + np.exp(-logits)), pedicles, bodies.found[kept]), kept


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
