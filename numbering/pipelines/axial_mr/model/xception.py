"""Xception (Chollet 2017) of any width, for grey pictures. Names of its parameters are those of timm's port.

36 convolutions: an entry flow down to stride 16, eight blocks that keep the size, an exit flow to stride 32.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

MIDDLE_BLOCKS = 8
DIVISOR = 8
"""Channels of a narrower network are multiples of this."""


class SeparableConv2d(nn.Module):
    """A depthwise 3×3 convolution and a pointwise one, without anything in between."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        self.pointwise = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.pointwise(self.conv1(x)))


class Block(nn.Module):
    """Separable convolutions beside a shortcut; ``halves``: both end at half the size."""

    def __init__(self, widths: list[int], *, halves: bool, starts_active: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), SeparableConv2d(before, after), nn.BatchNorm2d(after)]
        if not starts_active:
            layers = layers[1:]
        if halves:
            layers.append(nn.MaxPool2d(3, 2, 1))
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, 2, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])
        self.rep = nn.Sequential(*layers)
        self._halves = halves

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.skipbn(self.skip(x)) if self._halves else x
        return cast(Tensor, self.rep(x) + shortcut)


class Xception(nn.Module):
    """Grey pictures ``(n, 1, rows, columns)`` in -1…1 to the last features ``(n, channels, h, w)`` at stride 32."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stem, entry, low, middle, high, late = 32, 64, *(channels(one, width) for one in (128, 728, 1024, 1536))
        self.channels = channels(2048, width)
        stem, entry, between = channels(stem, width), channels(entry, width), channels(256, width)
        self.conv1 = nn.Conv2d(1, stem, 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, entry, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(entry)
        self.active = nn.ReLU(inplace=True)
        blocks = [
            Block([entry, low, low], halves=True, starts_active=False),
            Block([low, between, between], halves=True),
            Block([between, middle, middle], halves=True),
            *(Block([middle] * 4, halves=False) for _ in range(MIDDLE_BLOCKS)),
            Block([middle, middle, high], halves=True),
        ]
        self._blocks = [f"block{number}" for number in range(1, len(blocks) + 1)]
        for name, block in zip(self._blocks, blocks, strict=True):
            self.add_module(name, block)
        self.conv3 = SeparableConv2d(high, late)
        self.bn3 = nn.BatchNorm2d(late)
        self.conv4 = SeparableConv2d(late, self.channels)
        self.bn4 = nn.BatchNorm2d(self.channels)

    def forward(self, x: Tensor) -> Tensor:
        found = self.active(self.bn1(self.conv1(x)))
        found = self.active(self.bn2(self.conv2(found)))
        for name in self._blocks:
            found = self.get_submodule(name)(found)
        found = self.active(self.bn3(self.conv3(found)))
        return cast(Tensor, self.active(self.bn4(self.conv4(found))))


def channels(published: int, width: float) -> int:
    """So many channels, narrowed."""
    return published if width == 1 else max(DIVISOR, round(published * width / DIVISOR) * DIVISOR)
