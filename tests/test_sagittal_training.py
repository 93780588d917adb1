from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numbering.pipelines.sagittal_xray import sizes
from numbering.pipelines.sagittal_xray.learning import training
from numbering.pipelines.sagittal_xray.model.export import export_openvino, load_networks, stored_size
from numbering.pipelines.sagittal_xray.model.runtime import Networks, open_networks
from numbering.weights import Entry, WeightsFile, sha256_of
from tests.lateral_films import write_films

TINY = replace(sizes.SIZES["small"], pixels=96, crop=64, batch={"corners": 4, "refine": 16})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Films, and weights after one epoch of tiny pictures."""
    folder = tmp_path_factory.mktemp("training")
    data = write_films(folder / "films", range(12, 18))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizes.SIZES, "small", TINY)  # type: ignore[misc]
        return data, training.train(data, folder / "weights.safetensors", epochs=1)


def entry(weights: Path, openvino: dict[str, tuple[Path, Path]] | None = None) -> Entry:
    def file(path: Path) -> WeightsFile:
        return WeightsFile(file=str(path), sha256=sha256_of(path), licence="", trained_on="")

    irs = {name: (file(xml), file(binary)) for name, (xml, binary) in openvino.items()} if openvino else None
    return Entry(
        name="sagittal-xray", version="0", architecture="small", classes=(), torch=file(weights), openvino=irs,
        trained_on="", training_command="", intended_use="", limitations=(), operating_point={}, figures={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def in_torch(trained: tuple[Path, Path]) -> Networks:
    return open_networks(entry(trained[1]), "cpu")


@pytest.fixture(scope="module")
def in_openvino(trained: tuple[Path, Path]) -> Networks:
    return open_networks(entry(trained[1], export_openvino(trained[1], trained[1])), "cpu", threads=1)


def test_training_writes_the_weights_of_all_networks_in_one_file(trained: tuple[Path, Path]) -> None:
    assert stored_size(trained[1]).name == "small"
    assert set(load_networks(trained[1])) == {"corners", "refine"}


def test_training_goes_on_where_it_stopped(trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    data, weights = trained
    monkeypatch.setitem(sizes.SIZES, "small", TINY)  # type: ignore[arg-type]
    last = weights.with_suffix("") / "refine" / "last.ckpt"
    before = torch.load(last, weights_only=True)["global_step"]
    training.train(data, weights, epochs=2, resume=True, network="refine")
    assert torch.load(last, weights_only=True)["global_step"] == 2 * before


def test_training_begins_from_weights_of_its_own(trained: tuple[Path, Path]) -> None:
    task = training.Task(sizes.SIZES["small"], "refine")
    training.begin(task, trained[1])
    kept = load_networks(trained[1])["refine"].state_dict()
    assert torch.equal(task.network.state_dict()["corners.weight"], kept["corners.weight"])


def test_unknown_sizes_networks_and_ablations_are_refused(tmp_path: Path) -> None:
    for wrong in ({"size": "huge"}, {"network": "eyes"}, {"without": frozenset({"film"})}):
        with pytest.raises(ValueError, match="expected"):
            training.train(tmp_path, tmp_path / "w.safetensors", **wrong)  # type: ignore[arg-type]


def test_openvino_and_torch_agree_on_canvases_of_any_shape(in_torch: Networks, in_openvino: Networks) -> None:
    assert in_openvino.runtime.startswith("OpenVINO")
    for shape in ((96, 64), (64, 128)):
        images = np.random.default_rng(0).random((2, *shape), np.float32)
        maps = in_openvino.corners(images)
        assert maps.shape == (2, 24, 4, shape[0] // 8, shape[1] // 8)
        assert np.allclose(maps.sum((-2, -1)), 1, atol=1e-4)
        assert np.allclose(maps, in_torch.corners(images), atol=2e-3)
        assert np.allclose(in_openvino.levels(images), in_torch.levels(images), atol=0.05)


def test_crops_are_answered_with_maps_and_two_logits(in_torch: Networks, in_openvino: Networks) -> None:
    crops = np.random.default_rng(0).random((3, 128, 128), np.float32)
    ours, theirs = in_openvino.refine(crops), in_torch.refine(crops)
    assert ours.heat.shape == (3, 4, 32, 32)
    assert ours.rib.shape == ours.body.shape == (3,)
    assert np.allclose(ours.heat, theirs.heat, atol=2e-3)
    assert np.allclose(ours.rib, theirs.rib, atol=0.05)
    assert np.allclose(ours.body, theirs.body, atol=0.05)


def test_a_question_asked_again_is_answered_for_the_picture_that_is_asked_about(in_torch: Networks) -> None:
    first, other = np.random.default_rng(0).random((2, 1, 96, 64), np.float32)
    answers = [in_torch.levels(first), in_torch.levels(other), in_torch.levels(first)]
    assert np.array_equal(answers[0], answers[2])
    assert not np.array_equal(answers[0], answers[1])


def test_every_file_that_answers_is_named_with_its_sha256(in_openvino: Networks, in_torch: Networks) -> None:
    assert len(in_openvino.weights) == 4
    for networks in (in_openvino, in_torch):
        assert all(sha256_of(Path(name)) == digest for name, digest in networks.weights.items())


def test_the_ir_has_one_network_for_levels_and_corners(in_openvino: Networks) -> None:
    assert {Path(name).stem.rpartition("-")[2] for name in in_openvino.weights} == {"corners", "refine"}
