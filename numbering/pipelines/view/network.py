"""The view network: five convolutions, a mean over the picture, three logits."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from numbering.pipelines.view.kinds import KINDS

CHANNELS = (16, 32, 64, 96, 128)
ARCHITECTURE = "five convolutions, 112 px"


class ViewNetwork(nn.Module):
    """Pictures ``(B, 1, SIDE, SIDE)`` in 0…1 to logits ``(B, 3)`` in the order of `KINDS`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((1, *CHANNELS), CHANNELS, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(CHANNELS[-1], len(KINDS))

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.body(pictures - 0.5).mean((2, 3))
        logits: Tensor = self.head(self.drop(features))
        return logits


def save(network: ViewNetwork, path: Path, metadata: dict[str, str]) -> Path:
    """Write the parameters as safetensors; the count of training batches stays behind."""
    from safetensors.torch import save_file

    kept = {
        key: value.contiguous() for key, value in network.state_dict().items() if not key.endswith("batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, metadata)
    return path


def load(path: Path) -> ViewNetwork:
    """A network in evaluation mode with the parameters of a safetensors file."""
    from safetensors.torch import load_file

    network = ViewNetwork()
    counters = {key: value for key, value in network.state_dict().items() if key.endswith("batches_tracked")}
    network.load_state_dict(load_file(path) | counters)
    return network.eval()
