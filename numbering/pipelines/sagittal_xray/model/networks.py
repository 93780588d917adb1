"""The networks of both steps. Pictures ``(n, 1, rows, columns)`` are grey 0…1; heat maps sum to one.

``small``: EfficientNet-Lite0 with a light decoder; CNN 1 and CNN 2 share it (`StepOne`). ``paper``: ResNet-50 and two
Inception v3, which torchvision builds (only where torchvision is installed).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from numbering.pipelines.lite0 import Lite0
from numbering.pipelines.sagittal_xray.levels import CORNERS, LEVELS24
from numbering.pipelines.sagittal_xray.model.dsnt import spatial_softmax
from numbering.pipelines.sagittal_xray.sizes import Size

MAPS = len(LEVELS24) * len(CORNERS)
WIDTH = 96
"""Channels of the decoder."""
DROPPED = 0.2


class Decoder(nn.Module):
    """Features of several strides to one map of the finest stride: up, add, and mix by separable convolutions."""

    def __init__(self, channels: list[int], width: int = WIDTH) -> None:
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(one, width, 1) for one in channels)
        self.mix = nn.ModuleList(_separable(width) for _ in channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        found = self.mix[-1](self.across[-1](features[-1]))
        for feature, across, mix in zip(
            reversed(features[:-1]), reversed(self.across[:-1]), reversed(self.mix[:-1]), strict=True
        ):
            finer = across(feature)
            found = mix(finer + functional.interpolate(found, size=finer.shape[-2:], mode="bilinear"))
        return cast(Tensor, found)


def _separable(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class StepOne(nn.Module):
    """CNN 1 and CNN 2 of the small size together: heat maps ``(n, 96, h, w)`` at stride 8, logits ``(n, 24)``."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Lite0()
        deep = self.features.channels[-1]
        self.decoder = Decoder(self.features.channels[1:])
        self.corners = nn.Conv2d(WIDTH, MAPS, 1)
        self.levels = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(deep + WIDTH, len(LEVELS24)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        fine = self.decoder(features[1:])
        seen = torch.cat([features[-1].mean((-2, -1)), fine.amax((-2, -1))], 1)
        return spatial_softmax(self.corners(fine)), self.levels(seen)


class RefineNetwork(nn.Module):
    """CNN 3: crops to heat maps ``(n, 4, h, w)``, and two logits ``(n, 2)``: bears ribs, is a vertebral body.

    Small: Lite0 to stride 16, decoded to stride 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = Lite0(deep=False)
        deep = self.features.channels[-1]
        self.decoder = Decoder(self.features.channels)
        self.corners = nn.Conv2d(WIDTH, len(CORNERS), 1)
        self.signs = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(2 * deep, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        deep = features[-1]
        seen = torch.cat([deep.mean((-2, -1)), deep.amax((-2, -1))], 1)
        return spatial_softmax(self.corners(self.decoder(features))), self.signs(seen)


class LevelsNetwork(nn.Module):
    """CNN 1 of the paper: ResNet-50 with 24 sigmoid outputs; logits ``(n, 24)``."""

    def __init__(self) -> None:
        super().__init__()
        from numbering.pipelines.cpu_torchvision import prepare_torchvision

        prepare_torchvision()
        from torchvision.models import resnet50

        self.network = resnet50(weights=None, num_classes=len(LEVELS24))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.network(_three(x)))


class Inception(nn.Module):
    """Inception v3 as a fully convolutional network with DSNT maps for its main and its auxiliary output.

    In training the maps of both come back, else the main ones (Cina 2021, Methods: Step I).
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        from numbering.pipelines.cpu_torchvision import prepare_torchvision

        prepare_torchvision()
        from torchvision.models import inception_v3

        layers = dict(inception_v3(weights=None, aux_logits=False, init_weights=False).named_children())
        ends = {"avgpool", "dropout", "fc"}
        names = [name for name in layers if name not in ends]
        split = names.index("Mixed_6e") + 1
        self.near = nn.Sequential(*(layers[name] for name in names[:split]))
        self.far = nn.Sequential(*(layers[name] for name in names[split:]))
        self.auxiliary = nn.Conv2d(768, maps, 1)
        self.main = nn.Conv2d(2048, maps, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Heat maps, the auxiliary ones (None outside of training), and the deepest features."""
        near = self.near(_three(x))
        far = self.far(near)
        auxiliary = spatial_softmax(self.auxiliary(near)) if self.training else None
        return spatial_softmax(self.main(far)), auxiliary, far


class CornersNetwork(nn.Module):
    """CNN 2 of the paper: heat maps ``(n, 96, h, w)``; in training a pair with the auxiliary ones."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Inception(MAPS)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        heat, auxiliary, _ = self.network(x)
        return heat if auxiliary is None else (heat, auxiliary)


class InceptionRefine(nn.Module):
    """CNN 3 of the paper, with the two signs of `RefineNetwork`; in training the auxiliary maps come third."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Inception(len(CORNERS))
        self.signs = nn.Linear(2048, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        heat, auxiliary, deep = self.network(x)
        signs = self.signs(deep.mean((-2, -1)))
        return (heat, signs) if auxiliary is None else (heat, signs, auxiliary)


def _three(x: Tensor) -> Tensor:
    """Grey 0…1 as the three channels, about -1…1, that ImageNet's networks take."""
    return (x * 2 - 1).expand(-1, 3, -1, -1)


def build(size: Size) -> dict[str, nn.Module]:
    """Freshly initialised networks of a size by name: where CNN 1 and CNN 2 share one, it is called ``corners``."""
    if size.shared:
        return {"corners": StepOne(), "refine": RefineNetwork()}
    return {"levels": LevelsNetwork(), "corners": CornersNetwork(), "refine": InceptionRefine()}
