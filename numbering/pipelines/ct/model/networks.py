"""The two 3-D U-Nets (Çiçek 2016, of MONAI's blocks). Volumes ``(n, channels, slices, rows, columns)``, values 0…1.

Group normalisation, dropout and leaky ReLU in every layer (paper, figure 1). The paper does not say whether its group
size of 16 is the number of groups or of channels: here it is the number of groups.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import torch
from monai.networks.blocks.convolutions import Convolution
from monai.networks.blocks.upsample import SubpixelUpsample
from monai.networks.nets.basic_unet import Down, TwoConv, UpCat
from torch import Tensor, nn
from torch.nn import functional

from numbering.pipelines.ct.sizes import CLASSES, SIGNS, Size

SLOPE = 0.1
"""Of the leaky ReLU."""
MIDDLE_LEVEL, LEVEL_SCALE = 16.0, 8.0
"""The level is ``MIDDLE_LEVEL + LEVEL_SCALE * output``: a fresh network starts in the middle of the spine."""
LEAST_SPREAD = 0.05
HIDDEN = 128


class UNet(nn.Module):
    """Fine features of a volume, at its resolution over ``stem``, and the deepest ones.

    ``stem`` 2 halves the volume before the first layer, and `outputs` doubles it again at the end: an eighth of the
    work for edges that are hardly worse.
    """

    def __init__(self, channels: int, features: tuple[int, ...], last: int, size: Size) -> None:
        super().__init__()
        shared: dict[str, Any] = {
            "act": ("LeakyReLU", {"negative_slope": SLOPE, "inplace": True}),
            "norm": ("group", {"num_groups": size.groups}),
            "bias": True,
            "dropout": size.dropout,
        }
        self.stem: nn.Module = nn.Identity()
        if size.stem > 1:
            self.stem, channels = Convolution(3, channels, features[0], strides=size.stem, **shared), features[0]
        self.first = TwoConv(3, channels, features[0], **shared)
        self.down = nn.ModuleList(Down(3, one, two, **shared) for one, two in pairwise(features))
        ends = [last, *features[1:-1]]
        self.up = nn.ModuleList(
            UpCat(3, deep, skip, end, upsample="deconv", halves=place > 0, is_pad=False, **shared)
            for place, (deep, skip, end) in enumerate(zip(features[1:], features[:-1], ends, strict=True))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = [self.first(self.stem(x))]
        for down in self.down:
            found.append(down(found[-1]))
        fine = found[-1]
        for up, skip in zip(reversed(self.up), reversed(found[:-1]), strict=True):
            fine = up(fine, skip)
        return fine, found[-1]


def outputs(channels: int, count: int, size: Size) -> nn.Module:
    """``count`` maps at full resolution from the fine features of a `UNet`."""
    if size.stem == 1:
        return nn.Conv3d(channels, count, 1)
    return SubpixelUpsample(3, channels, count, scale_factor=size.stem, apply_pad_pool=False)


class DirectNetwork(nn.Module):
    """Whole volumes ``(n, 1, …)`` to logits ``(n, classes, …)`` (Methods 2.2)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.unet = UNet(1, size.direct_features, size.last, size)
        self.maps = outputs(size.last, len(CLASSES[size.classes]), size)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.maps(self.unet(x)[0]))


class InstanceNetwork(nn.Module):
    """Patches to mask logits ``(n, 1, …)``, level ``(n, 2)`` (mean, spread), signs ``(n, 4)`` (logits of `SIGNS`).

    Channels of a patch: HU, memory 0 or 1, direction +1 (down) or -1 (up) everywhere (Methods 2.3; the direction is
    ours, for an empty memory does not tell it).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.unet = UNet(3, size.instance_features, size.last, size)
        self.mask = outputs(size.last, 1, size)
        self.hidden = nn.Linear(2 * size.instance_features[-1] + size.last, HIDDEN)
        self.level = nn.Linear(HIDDEN, 2)
        self.signs = nn.Linear(HIDDEN, len(SIGNS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, deep = self.unet(x)
        mask = self.mask(fine)
        seen = functional.leaky_relu(self.hidden(_summary(deep, fine, torch.sigmoid(mask))), SLOPE)
        mean, spread = self.level(seen).unbind(1)
        spread = LEAST_SPREAD + functional.softplus(spread)
        return mask, torch.stack([MIDDLE_LEVEL + LEVEL_SCALE * mean, spread], 1), self.signs(seen)


def _summary(deep: Tensor, fine: Tensor, share: Tensor) -> Tensor:
    """Deep features of the whole patch and about the vertebra that the mask shows, and fine ones of the latter."""
    found = [deep.mean((-3, -2, -1))]
    for features in (deep, fine):
        weight = functional.avg_pool3d(share, share.shape[-1] // features.shape[-1])
        found.append((features * weight).sum((-3, -2, -1)) / (weight.sum((-3, -2, -1)) + 0.01))
    return torch.cat(found, 1)


def build(size: Size) -> dict[str, nn.Module]:
    """Freshly initialised networks of a size by name."""
    return {"direct": DirectNetwork(size), "instance": InstanceNetwork(size)}
