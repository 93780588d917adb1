"""The network of axial slices: its backbones, its heat maps against Grad-CAM itself, and both runtimes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from numbering.anatomy import VARIANTS, Disc, Variant
from numbering.errors import TryAgainLater
from numbering.pipelines.axial_mr import sizes
from numbering.pipelines.axial_mr.classes import CLASSES, NONE, class_of, discs_of
from numbering.pipelines.axial_mr.model import heat
from numbering.pipelines.axial_mr.model.export import export_openvino, stored_size
from numbering.pipelines.axial_mr.model.gradcam import grad_cam
from numbering.pipelines.axial_mr.model.network import SliceNetwork, build
from numbering.pipelines.axial_mr.model.runtime import TOGETHER, Network, open_network
from numbering.pipelines.axial_mr.model.temperature import fitted, log_probabilities
from numbering.pipelines.axial_mr.model.xception import Xception
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES, Size
from numbering.pipelines.network_files import save
from numbering.weights import Entry, WeightsFile

TINY = replace(SIZES["small"], name="tiny", backbone="xception", width=0.02, pixels=64)
SIDE = 32


def test_the_lowest_disc_is_the_last_class_in_every_spine() -> None:
    for variant in VARIANTS:
        assert CLASSES[class_of(variant.discs()[-1], variant)] == "L5-S1"
        assert [class_of(disc, variant) for disc in discs_of(variant)] == [0, 1, 2, 3, 4]
        assert class_of(variant.discs()[-6], variant) == NONE
    assert class_of(Disc.parse("L1-L2"), Variant(lumbar=6)) == NONE
    assert class_of(None, Variant()) == NONE


def test_xception_is_that_of_timm() -> None:
    from numbering.pipelines.cpu_torchvision import prepare_torchvision

    prepare_torchvision()
    import timm

    torch.manual_seed(1)
    theirs = timm.create_model("legacy_xception", num_classes=0, in_chans=1, global_pool="").eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = Xception().eval()
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(1, 1, 75, 91)
    with torch.inference_mode():
        assert torch.equal(ours(picture), theirs(picture))


@pytest.mark.parametrize("backbone", ["densenet169", "inception_resnet_v2", "efficientnet_lite0"])
def test_the_other_backbones_give_logits_and_maps(backbone: sizes.Backbone) -> None:
    with torch.device("meta"):
        network = build(replace(SIZES["paper"], backbone=backbone))
        logits, maps = network(torch.zeros(2, 1, 160, 160))
    assert logits.shape == (2, 6)
    assert maps.shape[:2] == (2, 6)
    assert min(maps.shape[2:]) >= 3


@pytest.mark.parametrize("size", ["small", "paper"])
def test_both_sizes_make_a_step_of_training(size: str) -> None:
    torch.manual_seed(0)
    network = build(SIZES[size])
    logits, maps = network(torch.rand(2, 1, 96, 96))
    before = network.head.weight.detach().clone()
    optimiser = torch.optim.Adam(network.parameters(), SIZES[size].learning_rate)
    nn.functional.cross_entropy(logits, torch.tensor([0, 5])).backward()
    optimiser.step()
    assert maps.shape[:2] == (2, 6)
    assert not torch.equal(network.head.weight, before)
    assert all(one.grad is not None for one in network.parameters())


class Bars(nn.Module):
    """Small features for pictures of bars."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 12, 5, 2, 2), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def bars(classes: Tensor, places: Tensor) -> Tensor:
    """A flat bar for class 0, an upright one for class 1, around these (row, column), in faint noise."""
    images = 0.1 * torch.rand(len(classes), 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    for image, kind, (row, column) in zip(images, classes.tolist(), places.tolist(), strict=True):
        reach = (1, 5) if kind == 0 else (5, 1)
        image[0, row - reach[0] : row + reach[0] + 1, column - reach[1] : column + reach[1] + 1] = 1.0
    return images


@pytest.fixture(scope="module")
def trained() -> SliceNetwork:
    """Knows flat from upright bars wherever they lie."""
    torch.manual_seed(3)
    network = SliceNetwork(Bars(), 24)
    chance = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        classes = torch.randint(2, (32,), generator=chance)
        images = bars(classes, torch.randint(6, SIDE - 6, (32, 2), generator=chance))
        loss = nn.functional.cross_entropy(network(images)[0], classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


PLACES = torch.tensor([[8, 8], [8, 24], [24, 8], [24, 24], [16, 16], [10, 20]])
KINDS = torch.tensor([0, 1, 0, 1, 0, 1])


def maps_of(network: SliceNetwork, images: Tensor, chosen: Tensor) -> np.ndarray:
    with torch.inference_mode():
        return heat.grad_cam(network(images)[1].numpy(), chosen.numpy())


def hottest(maps: np.ndarray) -> np.ndarray:
    """Centre of gravity (row, column) in pixels of the picture of what is at least half as hot as the hottest."""
    hot = np.where(maps >= 0.5, maps, 0)
    cells = (np.arange(maps.shape[-1]) + 0.5) * SIDE / maps.shape[-1]
    return np.stack([(hot.sum(2) @ cells), (hot.sum(1) @ cells)], 1) / hot.sum((1, 2))[:, None]


def test_the_mean_of_a_map_and_the_bias_are_the_logit(trained: SliceNetwork) -> None:
    with torch.inference_mode():
        logits, maps = trained(bars(KINDS, PLACES))
    assert torch.allclose(maps.mean((2, 3)) + trained.head.bias, logits, atol=1e-5)


def test_maps_are_grad_cam_although_no_gradient_is_taken(trained: SliceNetwork) -> None:
    images = bars(KINDS, PLACES)
    for chosen in (KINDS, 1 - KINDS):
        true = grad_cam(trained, trained.features, images.clone(), chosen).numpy()
        largest = true.max((1, 2), keepdims=True)
        assert (largest > 0).all()
        assert np.allclose(maps_of(trained, images, chosen), true / largest, atol=1e-5)


def test_grad_cam_is_what_it_is_by_hand() -> None:
    features, head = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(8, 2, bias=False)
    with torch.no_grad():
        features.weight[:] = torch.tensor([1.0, -2.0]).view(2, 1, 1, 1)
        head.weight[:] = torch.tensor([[1.0, 2, 3, 4, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 4]])
    network = nn.Sequential(features, nn.Flatten(), head)
    image = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])
    # Class 0: mean gradients 2.5 and 1, so 2.5 x - 2 x; class 1: 0 and 1, so -2 x.
    found = [grad_cam(network, features, image.clone(), torch.tensor([one]))[0] for one in (0, 1)]
    assert torch.allclose(found[0], torch.tensor([[0.5, 1.0], [1.5, 0.0]]))
    assert torch.allclose(found[1], torch.tensor([[0.0, 0.0], [0.0, 8.0]]))


def test_a_map_moves_with_the_anatomy(trained: SliceNetwork) -> None:
    found = hottest(maps_of(trained, bars(KINDS, PLACES), KINDS))
    assert np.abs(found - (PLACES.numpy() + 0.5)).max() < 4


def test_randomised_weights_destroy_the_map(trained: SliceNetwork) -> None:
    images = bars(KINDS, PLACES)
    kept = maps_of(trained, images, KINDS)
    alike = []
    for seed in range(8):
        torch.manual_seed(seed)
        alike.append(likeness(kept, maps_of(SliceNetwork(Bars(), 24).eval(), images, KINDS)))
    assert np.mean(alike) < 0.4
    noise = np.random.default_rng(0).normal(0, 0.05, kept.shape)
    assert likeness(kept, kept + noise) > 0.9


def likeness(maps: np.ndarray, others: np.ndarray) -> float:
    """Mean correlation of maps, 0 for those that are the same all over."""
    pairs = zip(maps, others, strict=True)
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] if b.std() > 0 else 0.0 for a, b in pairs]))


def test_a_map_that_speaks_for_nothing_is_cold() -> None:
    maps = np.stack([np.full((6, 2, 2), -1.0, np.float32), np.ones((6, 2, 2), np.float32)])
    maps[1, 3, 0, 1] = 4.0
    found = heat.grad_cam(maps, np.array([3, 3]))
    assert found[0].max() == 0
    assert np.allclose(found[1], [[0.25, 1.0], [0.25, 0.25]])


def test_the_temperature_that_made_the_logits_is_found() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (4000, 6))
    true = np.array([rng.choice(6, p=np.exp(row)) for row in log_probabilities(logits)])
    assert fitted(logits * 2.5, true) == pytest.approx(2.5, rel=0.1)
    assert fitted(logits * 0.5, true) == pytest.approx(0.5, rel=0.1)
    assert np.allclose(np.exp(log_probabilities(logits, 3.0)).sum(1), 1)
    with pytest.raises(ValueError, match="no slice to fit"):
        fitted(logits[:0], true[:0])


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """A freshly initialised tiny network with its IR."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        torch.manual_seed(6)
        network = build(TINY)
        nn.init.normal_(network.head.weight, std=300)
        weights = save({NETWORK: network.state_dict()}, folder / "tiny.safetensors", {"size": TINY.name})
        converted = export_openvino(weights, folder / "tiny")
    return Entry(
        name="axial-mr",
        version="0",
        architecture=TINY.name,
        classes=CLASSES,
        torch=WeightsFile.elsewhere(weights),
        openvino={name: (WeightsFile.elsewhere(a), WeightsFile.elsewhere(b)) for name, (a, b) in converted.items()},
        trained_on="",
        training_command="",
        intended_use="",
        limitations=(),
        operating_point={},
        figures={},
    )


def register(patch: pytest.MonkeyPatch, size: Size = TINY) -> None:
    patch.setitem(SIZES, size.name, size)


@pytest.fixture
def opened(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> Network:
    register(monkeypatch)
    return open_network(entry, "cpu", 1)


def test_openvino_and_torch_see_the_same(entry: Entry, opened: Network) -> None:
    images = np.random.default_rng(1).random((TOGETHER + 1, TINY.pixels, TINY.pixels), np.float32)
    by_torch = open_network(entry.model_copy(update={"openvino": None}), "cpu").slices(images)
    by_openvino = opened.slices(images)
    assert opened.runtime.startswith("OpenVINO")
    assert by_openvino.maps.shape == (TOGETHER + 1, 6, 2, 2)
    assert np.allclose(by_torch.logits, by_openvino.logits, atol=5e-3)
    assert np.allclose(by_torch.maps, by_openvino.maps, atol=5e-3)
    assert np.ptp(by_torch.maps) > 0.05


def test_each_picture_is_judged_alone(opened: Network) -> None:
    images = np.random.default_rng(2).random((TOGETHER + 2, TINY.pixels, TINY.pixels), np.float32)
    together = opened.slices(images)
    alone = opened.slices(images[-1:])
    assert np.allclose(together.logits[-1], alone.logits[0], atol=1e-5)
    assert np.allclose(together.maps[-1], alone.maps[0], atol=1e-5)


def test_no_picture_gives_no_answer(opened: Network) -> None:
    logits, maps = opened.slices(np.zeros((0, TINY.pixels, TINY.pixels), np.float32))
    assert logits.shape == (0, 6)
    assert maps.shape == (0, 6, 2, 2)


def test_every_file_that_decides_is_named_with_its_sum(entry: Entry, opened: Network) -> None:
    assert opened.weights == {file.file: file.sha256 for file in entry.intermediate(NETWORK)}


def test_an_unknown_size_is_told(entry: Entry, tmp_path: Path) -> None:
    with pytest.raises(TryAgainLater, match="architecture 'tiny', expected one of small"):
        open_network(entry, "cpu", 1)
    other = save({NETWORK: {"a": torch.zeros(1)}}, tmp_path / "other.safetensors", {"size": "huge"})
    with pytest.raises(ValueError, match="size 'huge' in its metadata"):
        stored_size(other)
