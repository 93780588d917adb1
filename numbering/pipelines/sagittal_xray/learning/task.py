"""One network as lightning trains it: its losses, what is watched, its optimiser and schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from numbering.pipelines.lightning_run import WATCHED, LightningModule, Session, cosine
from numbering.pipelines.sagittal_xray.learning.samples import Sample
from numbering.pipelines.sagittal_xray.levels import CORNERS
from numbering.pipelines.sagittal_xray.model.dsnt import coordinates, cross_entropy, euclidean, jensen_shannon
from numbering.pipelines.sagittal_xray.model.networks import build
from numbering.pipelines.sagittal_xray.sizes import Size

STEEP = 0.2
"""Weight of the cross entropy: about as large as the distance at the start."""
AUXILIARY = 0.4
"""Weight of the auxiliary output's loss, as Inception v3 was trained."""
FACTOR, PATIENCE = 0.1, 10
"""The learning rate falls by this when so many epochs brought nothing (Cina 2021, Methods)."""


class Task(LightningModule):
    """A network of a size and what it is trained for."""

    def __init__(self, size: Size, name: str, session: Session | None = None) -> None:
        super().__init__()
        self.size, self.name, self.session = size, name, session
        self.network: nn.Module = build(size)[name].to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def training_step(self, batch: Sample, index: int) -> Tensor:
        losses = self._losses(batch)
        for kind, value in losses.items():
            self.log(f"train/{kind}", value, prog_bar=True)
        return torch.stack(list(losses.values())).sum()

    def validation_step(self, batch: Sample, index: int) -> None:
        losses = self._losses(batch)
        for kind, value in losses.items():
            self.log(f"watched/{kind}", value, batch_size=len(batch["image"]))
        self.log(WATCHED, torch.stack(list(losses.values())).sum(), batch_size=len(batch["image"]), prog_bar=True)
        for kind, value in self._figures(batch).items():
            self.log(f"watched/{kind}", value, batch_size=len(batch["image"]))

    def configure_optimizers(self) -> Any:
        rate = self.size.learning_rate[self.name]
        optimiser = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=1e-4)
        if self.size.schedule == "cosine":
            falling = torch.optim.lr_scheduler.LambdaLR(optimiser, self._share)
            return {"optimizer": optimiser, "lr_scheduler": {"scheduler": falling, "interval": "step"}}
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=FACTOR, patience=PATIENCE)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": plateau, "monitor": WATCHED}}

    def _share(self, step: int) -> float:
        return cosine(step, float(self.trainer.estimated_stepping_batches), self.session)

    def _outputs(self, batch: Sample) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Heat maps, logits, auxiliary heat maps; None for what the network does not give."""
        found = self.network(batch["image"].contiguous(memory_format=torch.channels_last))
        if self.name == "levels":
            return None, found, None
        if self.name == "corners" and not self.size.shared:
            heat, auxiliary = found if isinstance(found, tuple) else (found, None)
            return heat, None, auxiliary
        heat, logits, *rest = found
        return heat, logits, rest[0] if rest else None

    def placing(self, heat: Tensor, batch: Sample) -> tuple[Tensor, Tensor]:
        """Mean distance of the known corners, and mean divergence of their maps (DSNT and its regularisation)."""
        maps, true = _by_corner(heat)[batch["known"]], batch["corners"][batch["known"]]
        if not len(maps):
            return heat.sum() * 0, heat.sum() * 0
        distance = euclidean(coordinates(maps), true).mean()
        if self.size.regularisation == "jensen-shannon":
            return distance, jensen_shannon(maps, true).mean()
        return distance, STEEP * cross_entropy(maps, true).mean()

    def _losses(self, batch: Sample) -> dict[str, Tensor]:
        heat, logits, auxiliary = self._outputs(batch)
        losses = {}
        if heat is not None:
            losses["place"], losses["shape"] = self.placing(heat, batch)
        if auxiliary is not None:
            losses["auxiliary"] = AUXILIARY * torch.stack(self.placing(auxiliary, batch)).sum()
        if logits is not None:
            each = functional.binary_cross_entropy_with_logits(logits, batch["said"], reduction="none")
            losses["logits"] = (each * batch["judged"]).sum() / batch["judged"].sum().clamp_min(1)
        return losses

    def _figures(self, batch: Sample) -> dict[str, Tensor]:
        """Mean corner error in pixels of the canvas, share of logits on the right side."""
        heat, logits, _ = self._outputs(batch)
        figures = {}
        if heat is not None and batch["known"].any():
            rows, columns = batch["image"].shape[-2:]
            half = torch.tensor([columns / 2, rows / 2], device=heat.device)
            found, true = coordinates(_by_corner(heat)[batch["known"]]), batch["corners"][batch["known"]]
            figures["pixels"] = euclidean(found * half, true * half).mean()
        if logits is not None:
            right = ((logits > 0) == (batch["said"] > 0.5)) & batch["judged"]
            figures["right"] = right.sum() / batch["judged"].sum().clamp_min(1)
        return figures


def _by_corner(heat: Tensor) -> Tensor:
    """``(n, 96, h, w)`` → ``(n, 24, 4, h, w)``; ``(n, 4, h, w)`` stays."""
    if heat.shape[1] == len(CORNERS):
        return heat
    return heat.view(len(heat), -1, len(CORNERS), *heat.shape[-2:])
