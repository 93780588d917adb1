"""YOLOv5u in plain torch, for serving: the same parameters under the same names as ultralytics builds, nothing else.

Training uses ultralytics; a node does not install it. `test_our_network_is_the_one_that_ultralytics_trains` holds
the two together. Architecture: ultralytics' ``yolov5.yaml`` (backbone C3/SPPF, PAN neck, decoupled anchor-free head).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SCALES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
"""Depth and width multiples by the letter that ends an architecture's name."""
DISTANCE_BINS = 16
"""Bins of the distribution that each box side is read from (distribution focal loss)."""


class Conv(nn.Module):
    """Convolution without bias, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """1 × 1 and 3 × 3 convolution, with a residual connection in the backbone."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1 = Conv(channels, channels, 1)
        self.cv2 = Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """Cross-stage partial block with three convolutions."""

    def __init__(self, inputs: int, outputs: int, repeats: int, shortcut: bool = True) -> None:
        super().__init__()
        hidden = outputs // 2
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = Conv(inputs, hidden)
        self.cv3 = Conv(2 * hidden, outputs)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))
        return y


class SPPF(nn.Module):
    """Spatial pyramid pooling: three 5 × 5 poolings one after another."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1 = Conv(channels, channels // 2)
        self.cv2 = Conv(channels * 2, channels)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [self.cv1(x)]
        for _ in range(3):
            pooled.append(self.m(pooled[-1]))
        y: Tensor = self.cv2(torch.cat(pooled, 1))
        return y


class Head(nn.Module):
    """Box-distance distributions and class logits at three strides, flattened over all cells."""

    def __init__(self, channels: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        box, cls = max(16, channels[0] // 4, DISTANCE_BINS * 4), max(channels[0], min(classes, 100))
        self.cv2 = nn.ModuleList(_branch(c, box, 4 * DISTANCE_BINS) for c in channels)
        self.cv3 = nn.ModuleList(_branch(c, cls, classes) for c in channels)

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        boxes = torch.cat([branch(x).flatten(2) for branch, x in zip(self.cv2, features, strict=True)], 2)
        scores = torch.cat([branch(x).flatten(2) for branch, x in zip(self.cv3, features, strict=True)], 2)
        return boxes, scores


def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(Conv(inputs, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))


class YoloV5(nn.Module):
    """``(n, 3, rows, columns)`` in 0…1, both sides multiples of 32, to ``(n, 64, cells)`` and ``(n, classes, cells)``.

    ``architecture`` is ``yolov5n`` … ``yolov5x``. Cells run stride by stride (8, 16, 32), row by row.
    """

    def __init__(self, architecture: str, classes: int) -> None:
        super().__init__()
        depth, width = SCALES[architecture.removeprefix("yolov5")]

        def c(channels: int) -> int:
            return -(-int(channels * width) // 8) * 8

        def n(repeats: int) -> int:
            return max(round(repeats * depth), 1)

        up = nn.Upsample(scale_factor=2, mode="nearest")
        merge = nn.Identity()  # concatenations have no parameters but keep their place in the numbering
        self.model = nn.ModuleList([
            Conv(3, c(64), 6, 2, 2), Conv(c(64), c(128), 3, 2), C3(c(128), c(128), n(3)),
            Conv(c(128), c(256), 3, 2), C3(c(256), c(256), n(6)),
            Conv(c(256), c(512), 3, 2), C3(c(512), c(512), n(9)),
            Conv(c(512), c(1024), 3, 2), C3(c(1024), c(1024), n(3)), SPPF(c(1024)),
            Conv(c(1024), c(512)), up, merge, C3(c(1024), c(512), n(3), shortcut=False),
            Conv(c(512), c(256)), up, merge, C3(c(512), c(256), n(3), shortcut=False),
            Conv(c(256), c(256), 3, 2), merge, C3(c(512), c(512), n(3), shortcut=False),
            Conv(c(512), c(512), 3, 2), merge, C3(c(1024), c(1024), n(3), shortcut=False),
            Head((c(256), c(512), c(1024)), classes),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        m = self.model
        for layer in m[:5]:
            x = layer(x)
        p3 = x
        p4 = m[6](m[5](p3))
        top = m[10](m[9](m[8](m[7](p4))))
        middle = m[14](m[13](torch.cat((m[11](top), p4), 1)))
        out3 = m[17](torch.cat((m[15](middle), p3), 1))
        out4 = m[20](torch.cat((m[18](out3), middle), 1))
        out5 = m[23](torch.cat((m[21](out4), top), 1))
        boxes: tuple[Tensor, Tensor] = m[24](out3, out4, out5)
        return boxes
