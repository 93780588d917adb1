"""The network: a backbone, the average of its last features, and one linear layer. Heat maps come with the logits."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from numbering.pipelines.axial_mr.classes import CLASSES
from numbering.pipelines.axial_mr.model.xception import Xception
from numbering.pipelines.axial_mr.sizes import Size
from numbering.pipelines.lite0 import Lite0

DROPPED = 0.3
"""Share of the averaged features left out in a training step."""
LAST_OF_LITE0 = 320
"""Features that are averaged."""


class SliceNetwork(nn.Module):
    """Pictures ``(n, 1, rows, columns)`` grey 0…1 to logits ``(n, 6)`` and maps ``(n, 6, h, w)``.

    The mean of a map over its cells plus the bias of its class is the logit (without dropout). So maps say exactly
    which cells speak for a class, and are Grad-CAM up to a factor (see `heat`).
    """

    def __init__(self, features: nn.Module, channels: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(channels, len(CLASSES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x * 2 - 1)
        pooled = functional.dropout(features.mean((-2, -1)), DROPPED, self.training)
        maps = torch.einsum("nkhw,ck->nchw", features, self.head.weight)
        return cast(Tensor, self.head(pooled)), maps


def build(size: Size) -> SliceNetwork:
    """A freshly initialised network of this size. DenseNet and Inception-ResNet need timm (extra ``train``)."""
    if size.backbone == "xception":
        xception = Xception(size.width)
        return SliceNetwork(xception, xception.channels)
    if size.backbone == "efficientnet_lite0":
        return SliceNetwork(FineLite0(), LAST_OF_LITE0)
    return SliceNetwork(*_from_timm(size.backbone))


class FineLite0(nn.Module):
    """EfficientNet-Lite0 down to stride 16, so that a heat map has cells of about 2 cm; pictures in -1…1."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Lite0(deep=False)
        self.last = nn.Sequential(
            nn.Conv2d(self.network.channels[-1], LAST_OF_LITE0, 1, bias=False),
            nn.BatchNorm2d(LAST_OF_LITE0),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.last(self.network((x + 1) / 2)[-1]))


def _from_timm(name: str) -> tuple[nn.Module, int]:
    """A backbone of the paper's comparison, and the channels of its last features."""
    from numbering.pipelines.cpu_torchvision import prepare_torchvision

    prepare_torchvision()
    import timm

    model = timm.create_model(name, in_chans=1, num_classes=0, global_pool="")
    channels = model.num_features
    if not isinstance(channels, int):
        raise TypeError(f"timm's {name} has {channels!r} features: expected a number")
    return model, channels
