"""Grad-CAM as it is defined, for any network and layer (Selvaraju et al. 2017): what `heat` is held against."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def grad_cam(network: nn.Module, layer: nn.Module, images: Tensor, chosen: Tensor) -> Tensor:
    """Maps ``(n, h, w)``: the layer's features weighted by the mean gradient of the chosen class, where positive.

    ``images`` ``(n, 1, rows, columns)``, ``chosen`` ``(n,)`` classes. The network's first output are its logits.
    """
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _given, found: kept.append(found))
    try:
        with torch.enable_grad():
            found = network(images.requires_grad_())
            logits = found[0] if isinstance(found, tuple) else found
            (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), kept)
    finally:
        hook.remove()
    weights = gradient.mean((-2, -1), keepdim=True)
    return (weights * kept[0]).sum(1).clamp(min=0).detach()
