"""The network as lightning trains it: its loss, what is watched, its optimiser and schedule."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from numbering.pipelines.axial_mr.classes import NONE
from numbering.pipelines.axial_mr.learning.augment import augmented
from numbering.pipelines.axial_mr.model.network import SliceNetwork, build
from numbering.pipelines.axial_mr.sizes import Size
from numbering.pipelines.cpu_torchvision import prepare_torchvision

prepare_torchvision()  # lightning's metrics import torchvision
from lightning.pytorch import LightningModule  # noqa: E402
from lightning.pytorch.callbacks import Timer  # noqa: E402

WATCHED = "watched"
"""The loss on the patients that watch."""
WARM = 0.03
"""Share of the training in which the learning rate rises from nothing."""
LAST = 0.02
"""The learning rate at the end, as a share of the highest."""


class Task(LightningModule):
    """A network of a size and what it is trained for; ``hours`` fits its schedule into that time."""

    def __init__(self, size: Size, hours: float | None = None, seed: int = 0) -> None:
        super().__init__()
        self.size, self._hours, self._started = size, hours, time.monotonic()
        self.network: SliceNetwork = build(size).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._chance = torch.Generator().manual_seed(seed)

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        logits, _ = self.network(_ready(augmented(batch["image"] / 255, self._chance)))
        loss = functional.cross_entropy(logits, batch["likely"])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        logits, _ = self.network(_ready(batch["image"] / 255))
        true, found = batch["true"], logits.argmax(1)
        discs = true != NONE
        self.log(WATCHED, functional.cross_entropy(logits, batch["likely"]), batch_size=len(true), prog_bar=True)
        self.log("watched/right", (found == true).float().mean(), batch_size=len(true))
        if discs.any():
            # The paper's question: which of five is it, where it is a disc.
            named = logits[discs, :NONE].argmax(1)
            self.log("watched/disc right", (named == true[discs]).float().mean(), batch_size=int(discs.sum()))

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters(), lr=self.size.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(self.progress(step)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def progress(self, step: int) -> float:
        """Share of the training that is done, by steps or by time, whichever ends first."""
        steps = self.trainer.estimated_stepping_batches
        hours = (time.monotonic() - self._started) / 3600
        return max(step / max(steps, 1), hours / self._hours if self._hours else 0.0)


class Session(Timer):
    """Ends this run after its time; what earlier runs took does not count."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing of it."""


def rate(progress: float) -> float:
    """The learning rate as a share of the highest: up at once, then down along a cosine."""
    if progress < WARM:
        return max(progress / WARM, LAST)
    rest = min(1.0, (progress - WARM) / (1 - WARM))
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * rest))


def _ready(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
