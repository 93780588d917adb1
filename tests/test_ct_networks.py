from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numbering.errors import TryAgainLater
from numbering.pipelines.ct import sizes
from numbering.pipelines.ct.learning.losses import direct_loss, false_positive_weight, instance_loss
from numbering.pipelines.ct.model.export import export_openvino, save_networks, stored_size
from numbering.pipelines.ct.model.networks import build
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU, direct_grid, patch_channels
from numbering.pipelines.ct.model.runtime import Networks, open_networks
from numbering.pipelines.ct.sizes import SIGNS, SIZES, Size
from numbering.weights import Entry, WeightsFile

TINY = replace(
    SIZES["small"], spacing_mm=8.0, side=32, direct_every=1, instance_features=(8, 16), direct_features=(8, 16),
    last=8, groups=4,
)  # fmt: skip


def entry(weights: Path, openvino: dict[str, tuple[Path, Path]] | None = None) -> Entry:
    irs = {
        name: (WeightsFile.elsewhere(xml), WeightsFile.elsewhere(binary))
        for name, (xml, binary) in (openvino or {}).items()
    }
    return Entry(
        name="ct", version="0", architecture="small", classes=("L1", "T12", "rib"),
        torch=WeightsFile.elsewhere(weights), openvino=irs or None, trained_on="", training_command="",
        intended_use="", limitations=(), operating_point={}, figures={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Freshly initialised tiny networks in a file."""
    torch.manual_seed(1)
    states = {name: network.state_dict() for name, network in build(TINY).items()}
    return save_networks(states, TINY, tmp_path_factory.mktemp("ct") / "ct.safetensors")


@pytest.fixture(scope="module")
def both(weights: Path) -> tuple[Networks, Networks]:
    """The same weights in OpenVINO and in torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizes.SIZES, "small", TINY)  # type: ignore[arg-type]
        converted = export_openvino(weights, weights)
        return open_networks(entry(weights, converted), "cpu", 1), open_networks(entry(weights), "cpu", 1)


def test_openvino_and_torch_say_the_same_of_volumes_of_any_shape(both: tuple[Networks, Networks]) -> None:
    rng = np.random.default_rng(0)
    assert both[0].runtime.startswith("OpenVINO")
    for shape in ((37, 20, 45), (16, 48, 17)):
        volume = rng.normal(300, 300, shape).astype(np.float32)
        found, other = (networks.direct(volume) for networks in both)
        assert found.shape == (3, *shape)
        assert np.abs(found - other).max() < 2e-3


def test_openvino_and_torch_say_the_same_of_an_instance(both: tuple[Networks, Networks]) -> None:
    rng = np.random.default_rng(0)
    patch = rng.normal(300, 300, (32, 32, 32)).astype(np.float32)
    memory = rng.random((32, 32, 32)) > 0.9
    found, other = (networks.instance(patch, memory, "down") for networks in both)
    assert found.mask.shape == (32, 32, 32)
    assert np.abs(found.mask - other.mask).max() < 2e-3
    for name in ("level", "spread", *SIGNS):
        assert getattr(found, name) == pytest.approx(getattr(other, name), abs=5e-3)
    assert found.spread > 0
    assert found.level != pytest.approx(both[0].instance(patch, memory, "up").level, abs=1e-6)


def test_what_is_outside_of_a_volume_counts_as_air(both: tuple[Networks, Networks]) -> None:
    volume = np.random.default_rng(0).normal(300, 300, (16, 30, 16)).astype(np.float32)
    wider = np.full((16, 32, 16), OUTSIDE_HU, np.float32)
    wider[:, :30] = volume
    assert np.allclose(both[1].direct(volume), both[1].direct(wider)[:, :, :30], atol=1e-6)


def test_another_file_than_the_registry_names_is_not_opened(weights: Path, tmp_path: Path) -> None:
    known = entry(weights)
    other = tmp_path / "other.safetensors"
    other.write_bytes(weights.read_bytes() + b" ")
    forged = known.model_copy(update={"torch": known.torch.model_copy(update={"file": str(other)})})
    with pytest.raises(TryAgainLater, match="expected sha256"):
        open_networks(forged, "cpu")


def test_a_file_says_which_size_and_classes_it_holds(weights: Path, tmp_path: Path) -> None:
    assert (stored_size(weights).name, stored_size(weights).classes) == ("small", "L1+T12+rib")
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="expected a file written by train"):
        stored_size(tmp_path / "other.safetensors")


def test_the_papers_networks_are_built_and_take_a_step() -> None:
    networks = build(replace(SIZES["paper"], side=16))
    logits = networks["direct"](torch.rand(1, 1, 32, 16, 16))
    outputs = networks["instance"](torch.rand(1, 3, 16, 16, 16))
    assert logits.shape == (1, 1, 32, 16, 16)
    assert [tuple(one.shape) for one in outputs] == [(1, 1, 16, 16, 16), (1, 2), (1, 4)]
    (logits.mean() + sum(one.mean() for one in outputs)).backward()
    parts = [part for network in networks.values() for part in network.modules()]
    assert {part.num_groups for part in parts if isinstance(part, torch.nn.GroupNorm)} == {16}
    assert {part.p for part in parts if isinstance(part, torch.nn.Dropout3d | torch.nn.Dropout)} == {0.3}
    assert {type(part).__name__ for part in parts} >= {"LeakyReLU"}
    assert all(one.grad is not None for network in networks.values() for one in network.parameters())


@pytest.mark.parametrize("classes", sizes.CLASSES)
def test_the_direct_network_has_a_map_for_each_class(classes: str) -> None:
    network = build(replace(TINY, classes=classes))["direct"]
    assert network(torch.rand(1, 1, 16, 16, 16)).shape[1] == len(sizes.CLASSES[classes])


def uneven() -> np.ndarray:
    """A working volume with a bright block at a place that no mirrored axis shares."""
    volume = np.full((40, 30, 50), -50, np.int16)
    volume[8:12, 20:24, 4:10] = 900
    return volume


@pytest.mark.parametrize("size", [replace(SIZES["small"], direct_every=2), SIZES["paper"]], ids=lambda one: one.name)
def test_places_on_the_direct_grid_go_to_the_working_grid_and_back(size: Size) -> None:
    grid = direct_grid(uneven(), size)
    if size.direct_shape:
        assert grid.hu.shape == size.direct_shape == (192, 128, 128)
    middle = np.argwhere(grid.hu > 500).mean(0)
    assert grid.to_working(middle) == pytest.approx([9.5, 21.5, 6.5], abs=0.3)
    assert grid.from_working(grid.to_working(middle)) == pytest.approx(middle)


def test_means_of_the_direct_grid_keep_what_lies_beyond_the_last_voxel_as_air() -> None:
    grid = direct_grid(np.full((3, 4, 4), 100, np.int16), replace(SIZES["small"], direct_every=2))
    assert grid.hu.shape == (2, 2, 2)
    assert grid.hu[0, 0, 0] == 100
    assert grid.hu[1, 0, 0] == pytest.approx((100 + OUTSIDE_HU) / 2)


def test_a_patch_is_clipped_and_knows_memory_and_direction() -> None:
    patch = np.array([[[-500.0, -100.0, 950.0, 3000.0]]], np.float32)
    memory = np.array([[[True, False, False, False]]])
    channels = patch_channels(patch, memory, "up", SIZES["paper"])
    assert channels[0].ravel() == pytest.approx([0, 0, 0.5, 1])
    assert channels[1].ravel().tolist() == [1, 0, 0, 0]
    assert (channels[2] == -1).all()


def test_false_positives_weigh_little_at_first_and_fully_at_the_end() -> None:
    weights = [false_positive_weight(step / 20) for step in range(21)]
    assert weights[0] == 0.05
    assert weights[-1] > 0.98
    assert weights == sorted(weights)


def outcome(mask: torch.Tensor, level: float, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a network sure of a mask would say."""
    return (mask * 2 - 1) * 50.0, torch.tensor([[level, spread]], requires_grad=True), torch.zeros(1, 4)


def test_the_loss_of_an_instance_is_the_papers() -> None:
    true = torch.zeros(1, 1, 4, 4, 4)
    true[..., :2] = 1
    said = torch.zeros(1, 1, 4, 4, 4)
    said[..., 1:] = 1
    judged = torch.zeros(1, 4, dtype=torch.bool)
    losses = instance_loss(
        outcome(said, 18.5),
        true,
        torch.tensor([20.0]),
        torch.zeros(1, 4),
        judged,
        voxel_mm3=8.0,
        weight=0.25,
        misses="share",
    )
    counted = {name: 100_000.0 * value.item() for name, value in losses.items()}
    assert counted["false positives"] == pytest.approx(0.25 * 32 * 8, rel=1e-4)
    assert counted["false negatives"] == pytest.approx(16 * 8, rel=1e-4)
    assert counted["level"] == pytest.approx(1000 * 1.5, rel=1e-4)
    assert counted["signs"] == counted["spread"] == 0


def test_the_spread_follows_the_error_and_does_not_move_the_level() -> None:
    mask, judged = torch.zeros(1, 1, 2, 2, 2), torch.ones(1, 4, dtype=torch.bool)
    found = outcome(mask, 18.0, 0.5)
    losses = instance_loss(
        found, mask, torch.tensor([20.0]), torch.zeros(1, 4), judged, voxel_mm3=1.0, weight=1.0, misses="share"
    )
    losses["spread"].backward()
    assert found[1].grad is not None
    moves_level, moves_spread = found[1].grad[0].tolist()
    assert moves_level == 0
    assert moves_spread < 0, "an error of two levels wants a wider spread than half a level"


def test_marking_l1_where_there_is_none_costs() -> None:
    none = torch.zeros(1, 1, 8, 8, 8)
    marked = none.clone()
    marked[..., 2:6, 2:6, 2:6] = 1
    quiet, loud = (sum(direct_loss((one * 2 - 1) * 20, none, voxel_mm3=64.0).values()) for one in (none, marked))
    assert quiet < 0.01
    assert loud > quiet + 0.2


def test_a_network_that_marks_nothing_is_brought_back_by_the_small_sizes_loss() -> None:
    mask, judged = torch.ones(1, 1, 2, 2, 2), torch.ones(1, 4, dtype=torch.bool)
    pull = {}
    for size in SIZES.values():
        logits = torch.full_like(mask, -20.0, requires_grad=True)
        outputs = (logits, torch.ones(1, 2), torch.zeros(1, 4))
        level, signs = torch.tensor([20.0]), torch.zeros(1, 4)
        losses = instance_loss(outputs, mask, level, signs, judged, voxel_mm3=1000.0, weight=0.05, misses=size.misses)
        losses["false negatives"].backward()
        assert logits.grad is not None
        pull[size.name] = float(logits.grad.abs().max())
    assert pull["paper"] < 1e-8, "the paper's counts are flat there"
    assert pull["small"] == pytest.approx(0.01, rel=0.01)
