"""ultralytics' trainer with two changes for CPUs: forward passes in bfloat16 where they have it, and every core.

Imported only for training, after `network.prepare_ultralytics`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import ultralytics.utils.torch_utils as torch_utils
from safetensors.torch import load_file
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import RANK

from numbering.pipelines.devices import native_bfloat16

vars(torch_utils)["NUM_THREADS"] = os.cpu_count() or 1  # ultralytics leaves one core idle


class BfloatModel(DetectionModel):
    """A `DetectionModel` that trains forward in bfloat16 on a CPU that has it; the loss stays in float32."""

    def loss(self, batch: Any, preds: Any = None) -> Any:
        if preds is None:
            image = batch["img"].contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=image.device.type == "cpu" and native_bfloat16()):
                preds = _float32(self.forward(image))
        return super().loss(batch, preds)


def _float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float()
    if isinstance(value, dict):
        return {key: _float32(item) for key, item in value.items()}
    return type(value)(_float32(item) for item in value) if isinstance(value, list | tuple) else value


class Trainer(DetectionTrainer):
    """`DetectionTrainer` that builds a `BfloatModel` in channels-last memory order.

    ``start`` is a safetensors file of the same architecture to begin from.
    """

    start: Path | None = None

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        model = BfloatModel(cfg, nc=self.data["nc"], ch=self.data["channels"], verbose=verbose and RANK == -1)
        if weights:
            model.load(weights)
        elif self.start:
            kept = {key: value.float() for key, value in load_file(self.start).items()}
            missing = set(kept) - set(model.state_dict())
            if missing:
                raise ValueError(f"{self.start}: {len(missing)} tensors fit no layer; expected the same architecture")
            model.load_state_dict(kept, strict=False)
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
