"""What the two networks are trained for."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from numbering.pipelines.ct.sizes import Misses

LEAST_FALSE_POSITIVES, STEEPNESS = 0.05, 10.0
"""λ at the start (Methods, equation 1), and how steeply the sigmoid rises to about 1."""
LEVEL_WEIGHT = 1000.0
"""β of equation 1, for counts in mm³."""
SIGN_WEIGHT = 500.0
SPREAD_WEIGHT = 100.0
WHOLE = 100_000.0
"""Losses of an instance are divided by this (mm³): a number near one, and no other optimum."""
SMOOTH_MM3 = 6000.0
"""Added to both parts of the direct network's Dice, about a tenth of a vertebra: where there is no L1 what is marked
still costs."""
CROSS_ENTROPY_WEIGHT = 20.0


def false_positive_weight(spent: float) -> float:
    """λ when this share of the training is over: 0.05 at the start, about 1 at the end, sigmoidal between."""
    if spent <= 0:
        return LEAST_FALSE_POSITIVES
    rise = 1 / (1 + math.exp(-STEEPNESS * (spent - 0.5)))
    return LEAST_FALSE_POSITIVES + (1 - LEAST_FALSE_POSITIVES) * rise


def instance_loss(
    outputs: tuple[Tensor, Tensor, Tensor],
    mask: Tensor,
    level: Tensor,
    signs: Tensor,
    judged: Tensor,
    *,
    voxel_mm3: float,
    weight: float,
    misses: Misses,
) -> dict[str, Tensor]:
    """Equation 1, λ FP + FN + β |p_L - t_L|, each of the first two in mm³ of a patch, and what is ours beside it.

    ``misses`` says how a voxel counts that is told wrongly: ``share`` as in the paper, the probability of the wrong
    answer; ``logarithm``, minus the logarithm of the right one, under the same λ. The former cannot come back from a
    network that marks nothing anywhere, which is where few steps end (the paper warns of it). The spread is fitted to
    the level's error (negative log-likelihood of a Laplace distribution) without moving the level; signs by cross
    entropy where they are known (``judged``).
    """
    logits, levels, says = outputs
    wrong = torch.sigmoid if misses == "share" else functional.softplus
    false_positive = (wrong(logits.float()) * (1 - mask)).sum((1, 2, 3, 4)).mean() * voxel_mm3
    false_negative = (wrong(-logits.float()) * mask).sum((1, 2, 3, 4)).mean() * voxel_mm3
    error, spread = (levels[:, 0].float() - level).abs(), levels[:, 1].float()
    there = judged.any(1)
    likelihood = ((error.detach() / spread + spread.log()) * there).sum() / there.sum().clamp_min(1)
    each = functional.binary_cross_entropy_with_logits(says.float(), signs, reduction="none")
    said = (each * judged).sum() / judged.sum().clamp_min(1)
    return {
        "false positives": weight * false_positive / WHOLE,
        "false negatives": false_negative / WHOLE,
        "level": LEVEL_WEIGHT * error.mean() / WHOLE,
        "spread": SPREAD_WEIGHT * likelihood / WHOLE,
        "signs": SIGN_WEIGHT * said / WHOLE,
    }


def direct_loss(logits: Tensor, mask: Tensor, *, voxel_mm3: float) -> dict[str, Tensor]:
    """Soft Dice of each class and cross entropy of each voxel; ``mask`` are shares 0…1."""
    logits = logits.float()
    shown = torch.sigmoid(logits)
    axes, smooth = (2, 3, 4), SMOOTH_MM3 / voxel_mm3
    overlap = (shown * mask).sum(axes)
    dice = (2 * overlap + smooth) / (shown.sum(axes) + mask.sum(axes) + smooth)
    voxels = functional.binary_cross_entropy_with_logits(logits, mask)
    return {"dice": (1 - dice).mean(), "voxels": CROSS_ENTROPY_WEIGHT * voxels}
