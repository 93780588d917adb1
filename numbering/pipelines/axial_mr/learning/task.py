"""The network as lightning trains it: its loss, what is watched, its optimiser and schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from numbering.pipelines.axial_mr.classes import NONE
from numbering.pipelines.axial_mr.learning.augment import augmented
from numbering.pipelines.axial_mr.model.network import SliceNetwork, build
from numbering.pipelines.axial_mr.sizes import Size
from numbering.pipelines.lightning_run import WATCHED, LightningModule, Session, cosine


class Task(LightningModule):
    """A network of a size and what it is trained for; its schedule fits into the session."""

    def __init__(self, size: Size, session: Session | None = None, seed: int = 0) -> None:
        super().__init__()
        self.size, self.session = size, session
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
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._share)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share(self, step: int) -> float:
        return cosine(step, float(self.trainer.estimated_stepping_batches), self.session)


def _ready(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
