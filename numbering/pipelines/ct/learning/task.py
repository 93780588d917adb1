"""One network as lightning trains it: its losses, what is watched, its optimiser and schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from numbering.pipelines.ct.learning.losses import direct_loss, false_positive_weight, instance_loss
from numbering.pipelines.ct.learning.patches import Sample
from numbering.pipelines.ct.model.networks import build
from numbering.pipelines.ct.sizes import SIGNS, Size
from numbering.pipelines.lightning_run import WATCHED, LightningModule, Session, cosine, spent

DECAY = 1e-4


class Task(LightningModule):
    """A network of a size and what it is trained for, over so many steps."""

    def __init__(self, size: Size, name: str, steps: int, session: Session | None = None) -> None:
        super().__init__()
        self.size, self.name, self.steps, self.session = size, name, steps, session
        self.network: nn.Module = build(size)[name].to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def training_step(self, batch: Sample, index: int) -> Tensor:
        weight = false_positive_weight(spent(self.global_step, self.steps, self.session))
        losses = self._losses(batch, self._outputs(batch), weight)
        for kind, value in losses.items():
            self.log(f"train/{kind}", value)
        return torch.stack(list(losses.values())).sum()

    def validation_step(self, batch: Sample, index: int) -> None:
        outputs, count = self._outputs(batch), len(batch["image"])
        losses = self._losses(batch, outputs, 1.0)
        self.log(WATCHED, torch.stack(list(losses.values())).sum(), batch_size=count)
        figures = self._direct_figures(outputs, batch) if self.name == "direct" else _instance_figures(outputs, batch)
        for kind, (values, weight) in figures.items():
            if weight:
                self.log(f"watched/{kind}", values, batch_size=weight)

    def configure_optimizers(self) -> Any:
        rate = self.size.learning_rate[self.name]
        optimiser = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._share)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share(self, step: int) -> float:
        return cosine(step, self.steps, self.session)

    def _outputs(self, batch: Sample) -> Any:
        return self.network(batch["image"].contiguous(memory_format=torch.channels_last_3d))

    def _losses(self, batch: Sample, outputs: Any, weight: float) -> dict[str, Tensor]:
        if self.name == "direct":
            voxel = (self.size.spacing_mm * self.size.direct_every) ** 3
            return direct_loss(outputs, batch["mask"], voxel_mm3=voxel)
        given = (batch[key] for key in ("mask", "level", "signs", "judged"))
        voxel, misses = self.size.spacing_mm**3, self.size.misses
        return instance_loss(outputs, *given, voxel_mm3=voxel, weight=weight, misses=misses)

    def _direct_figures(self, logits: Tensor, batch: Sample) -> dict[str, tuple[Tensor, int]]:
        """Of L1: Dice, craniocaudal error in voxels, share found; volume marked where there is none, in voxels."""
        shown, mask = logits[:, 0].sigmoid() > 0.5, batch["mask"][:, 0]
        there = mask.sum((1, 2, 3)) > 0.25 * 50_000 / (self.size.spacing_mm * self.size.direct_every) ** 3
        marked = shown.sum((1, 2, 3)).float()
        both = there & (marked > 0)
        dice = 2 * (shown * mask).sum((1, 2, 3)) / (marked + mask.sum((1, 2, 3))).clamp_min(1)
        error = (_height(shown.float()) - _height(mask)).abs()
        return {
            "dice": (dice[there].mean(), int(there.sum())),
            "slices": (error[both].mean(), int(both.sum())),
            "found": ((marked > 0)[there].float().mean(), int(there.sum())),
            "false voxels": (marked[~there].mean(), int((~there).sum())),
        }


def _height(mask: Tensor) -> Tensor:
    """Mean slice of masks ``(n, slices, rows, columns)``."""
    along = mask.sum((2, 3))
    at = torch.arange(mask.shape[1], device=mask.device, dtype=along.dtype)
    return (along * at).sum(1) / along.sum(1).clamp_min(1e-6)


def _instance_figures(outputs: Any, batch: Sample) -> dict[str, tuple[Tensor, int]]:
    """Dice of vertebrae, voxels marked in empty patches, error of levels, share of signs that are right."""
    logits, levels, says = outputs
    shown, mask = logits[:, 0].sigmoid() > 0.5, batch["mask"][:, 0]
    there = mask.sum((1, 2, 3)) > 0
    dice = 2 * (shown * mask).sum((1, 2, 3)) / (shown.sum((1, 2, 3)) + mask.sum((1, 2, 3))).clamp_min(1)
    error = (levels[:, 0] - batch["level"]).abs()
    found = {
        "dice": (dice[there].mean(), int(there.sum())),
        "level error": (error[there].mean(), int(there.sum())),
        "spread": (levels[there, 1].mean(), int(there.sum())),
        "false voxels": (shown[~there].sum((1, 2, 3)).float().mean(), int((~there).sum())),
    }
    right = ((says > 0) == (batch["signs"] > 0.5)).float()
    for column, name in enumerate(SIGNS):
        judged = batch["judged"][:, column]
        found[f"right {name}"] = (right[judged, column].mean(), int(judged.sum()))
    return found
