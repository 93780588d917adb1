from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from numbering.pipelines.lite0 import Lite0, read_imagenet
from numbering.pipelines.sagittal_xray.learning.task import Task
from numbering.pipelines.sagittal_xray.model import heat
from numbering.pipelines.sagittal_xray.model.dsnt import (
    coordinates,
    cross_entropy,
    euclidean,
    gaussian,
    jensen_shannon,
    spatial_softmax,
)
from numbering.pipelines.sagittal_xray.model.networks import build
from numbering.pipelines.sagittal_xray.sizes import SIZES

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
POINT = torch.tensor([[0.3, -0.42]])


def test_the_layer_finds_the_middle_of_a_gaussian() -> None:
    assert torch.allclose(coordinates(gaussian(POINT, 40, 24, 1.5)), POINT, atol=1e-4)


@pytest.mark.parametrize("divergence", [jensen_shannon, cross_entropy])
def test_the_divergence_is_none_from_the_true_map_and_grows_with_distance(divergence: Divergence) -> None:
    true = gaussian(POINT, 40, 24, 1.0)
    assert float(divergence(true, POINT)) == pytest.approx(0, abs=1e-5)
    near, far = (float(divergence(true, POINT + shift)) for shift in (0.05, 0.3))
    assert 0 < near < far


def test_the_divergence_of_the_paper_has_a_most() -> None:
    true = gaussian(POINT, 40, 24, 1.0)
    assert float(jensen_shannon(true, -POINT)) == pytest.approx(np.log(2), abs=1e-3)


@pytest.mark.parametrize("divergence", [jensen_shannon, cross_entropy])
def test_the_losses_lead_a_map_to_its_point(divergence: Divergence) -> None:
    raw = torch.zeros(1, 20, 12, requires_grad=True)
    optimiser = torch.optim.Adam([raw], 0.3)
    for _ in range(60):
        maps = spatial_softmax(raw)
        loss = (euclidean(coordinates(maps), POINT) + divergence(maps, POINT)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(euclidean(coordinates(spatial_softmax(raw.detach())), POINT)) < 0.05


def test_numpy_reads_places_and_spreads_as_torch_lays_them() -> None:
    rows, columns, canvas = 40, 24, (320, 192)
    maps = gaussian(POINT, rows, columns, 1.5).numpy()
    expected = ((POINT.numpy() + 1) * [canvas[1], canvas[0]] - 1) / 2
    assert np.allclose(heat.places(maps, canvas), expected, atol=0.02)
    assert np.allclose(heat.spreads(maps, canvas)[0], np.diag([12.0, 12.0]) ** 2, atol=1.5)


def test_the_small_networks_take_any_canvas_and_their_maps_sum_to_one() -> None:
    networks = build(SIZES["small"])
    assert set(networks) == {"corners", "refine"}
    for shape in ((96, 64), (64, 128)):
        maps, logits = networks["corners"].eval()(torch.rand(1, 1, *shape))
        assert maps.shape == (1, 96, shape[0] // 8, shape[1] // 8)
        assert logits.shape == (1, 24)
        assert torch.allclose(maps.sum((-2, -1)), torch.ones(1, 96), atol=1e-5)
    maps, signs = networks["refine"].eval()(torch.rand(2, 1, 64, 64))
    assert maps.shape == (2, 4, 16, 16)
    assert signs.shape == (2, 2)


def batch(name: str, side: int) -> dict[str, torch.Tensor]:
    places = (2, 4) if name == "refine" else (2, 24, 4)
    logits = 2 if name == "refine" else 24
    return {
        "image": torch.rand(2, 1, side, side),
        "corners": torch.rand(*places, 2) * 2 - 1,
        "known": torch.rand(places) < 0.7,
        "said": (torch.rand(2, logits) < 0.5).float(),
        "judged": torch.ones(2, logits, dtype=torch.bool),
    }


@pytest.mark.parametrize("name", ["levels", "corners", "refine"])
def test_each_network_of_the_paper_takes_a_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    task = Task(SIZES["paper"], name)
    logged: dict[str, float] = {}
    monkeypatch.setattr(task, "log", lambda kind, value, **_: logged.setdefault(kind, float(value)))
    before = {key: value.clone() for key, value in task.network.state_dict().items()}
    optimiser = task.configure_optimizers()["optimizer"]
    task.train()
    task.training_step(batch(name, 107), 0).backward()
    optimiser.step()
    assert ("train/auxiliary" in logged) == (name != "levels")
    assert all(np.isfinite(value) for value in logged.values())
    after = task.network.state_dict()
    changed = [key for key, value in before.items() if not torch.equal(value, after[key])]
    assert any("main" in key or "fc" in key for key in changed)
    assert any("Conv2d_1a" in key or "conv1" in key or "near.0" in key for key in changed)


def wheel(path: Path, **changes: torch.Tensor) -> Path:
    own = {key: torch.rand_like(value.float()) for key, value in Lite0().state_dict().items()}
    own["_conv_stem.weight"] = torch.rand(32, 3, 3, 3)
    torch.save(own | changes, path)
    return path


def test_weights_of_imagenet_are_read_and_their_colours_added(tmp_path: Path) -> None:
    path, network = wheel(tmp_path / "lite0.pth"), Lite0(deep=False)
    read_imagenet(network, path)
    stored = torch.load(path, weights_only=True)
    assert torch.allclose(network._conv_stem.weight, stored["_conv_stem.weight"].sum(1, keepdim=True))
    assert torch.equal(network.state_dict()["_blocks.3._bn1.bias"], stored["_blocks.3._bn1.bias"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path / "other.pth", **{"_blocks.0._bn1.weight": torch.rand(7)})
    with pytest.raises(ValueError, match="expected EfficientNet-Lite0"):
        read_imagenet(Lite0(), path)
