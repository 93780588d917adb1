"""The two 3-D U-Nets (Çiçek 2016, of MONAI's blocks). Volumes ``(n, channels, slices, rows, columns)``, values 0…1.

Group normalisation, dropout and leaky ReLU in every layer (paper, figure 1). The paper does not say whether its group
size of 16 is the number of groups or of channels: here it is the number of groups.
"""

from __future__ import annotations

from typing import cast

import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import Tensor, nn
from torch.nn import functional

from numbering.pipelines.ct.sizes import CLASSES, SIGNS, STRIDE, Size

SLOPE = 0.1
"""Of the leaky ReLU."""
MIDDLE_LEVEL, LEVEL_SCALE = 16.0, 8.0
"""The level is ``MIDDLE_LEVEL + LEVEL_SCALE * output``: a fresh network starts in the middle of the spine."""
LEAST_SPREAD = 0.05


class DirectNetwork(nn.Module):
    """Whole volumes ``(n, 1, …)`` to logits ``(n, classes, …)`` (Methods 2.2)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.unet = _unet(1, len(CLASSES[size.classes]), size.direct_features, size)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.unet(x))


class InstanceNetwork(nn.Module):
    """Patches to mask logits ``(n, 1, …)``, level ``(n, 2)`` (mean, spread), signs ``(n, 4)`` (logits of `SIGNS`).

    Channels of a patch: HU, memory 0 or 1, direction +1 (down) or -1 (up) everywhere (Methods 2.3; the direction is
    ours, for an empty memory does not tell it).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.unet = _unet(3, 1, size.instance_features, size)
        deep, fine = size.instance_features[4], size.instance_features[5]
        self.hidden = nn.Linear(2 * deep + fine, 128)
        self.level = nn.Linear(128, 2)
        self.signs = nn.Linear(128, len(SIGNS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        unet = self.unet
        x0 = unet.conv_0(x)
        x1 = unet.down_1(x0)
        x2 = unet.down_2(x1)
        x3 = unet.down_3(x2)
        x4 = unet.down_4(x3)
        found = unet.upcat_1(unet.upcat_2(unet.upcat_3(unet.upcat_4(x4, x3), x2), x1), x0)
        mask = unet.final_conv(found)
        seen = functional.leaky_relu(self.hidden(self._summary(x4, found, mask)), SLOPE)
        mean, spread = self.level(seen).unbind(1)
        spread = LEAST_SPREAD + functional.softplus(spread)
        return mask, torch.stack([MIDDLE_LEVEL + LEVEL_SCALE * mean, spread], 1), self.signs(seen)

    def _summary(self, deep: Tensor, fine: Tensor, mask: Tensor) -> Tensor:
        """Deep features of the patch and of the vertebra that the mask shows, and fine ones of the latter."""
        share = torch.sigmoid(mask)
        coarse = functional.avg_pool3d(share, STRIDE)
        whole = deep.mean((-3, -2, -1))
        there = (deep * coarse).sum((-3, -2, -1)) / (coarse.sum((-3, -2, -1)) + 1e-3)
        near = (fine * share).sum((-3, -2, -1)) / (share.sum((-3, -2, -1)) + 1.0)
        return torch.cat([whole, there, near], 1)


def _unet(channels: int, outputs: int, features: tuple[int, ...], size: Size) -> BasicUNet:
    return BasicUNet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=outputs,
        features=features,
        act=("LeakyReLU", {"negative_slope": SLOPE, "inplace": True}),
        norm=("group", {"num_groups": size.groups}),
        dropout=size.dropout,
    )


def build(size: Size) -> dict[str, nn.Module]:
    """Freshly initialised networks of a size by name."""
    return {"direct": DirectNetwork(size), "instance": InstanceNetwork(size)}
