"""The view of a film from its pixels: what it is told apart by, when it is not said, how its weights are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numbering import weights
from numbering.pipelines.view import pictures, training
from numbering.pipelines.view.classifier import Seen, ViewClassifier, agreed, seen
from numbering.pipelines.view.evaluation import Looked, calibrate, figures
from numbering.pipelines.view.install import entry_for, install
from numbering.pipelines.view.kinds import KINDS, SIDE, Kind, picture
from numbering.study import Radiograph
from numbering.weights import registry


def drawn(kind: Kind, rng: np.random.Generator) -> np.ndarray:
    """Something that a network tells apart in a few steps, however it is turned: straight bars, slanting bars, none."""
    y, x = np.mgrid[:120, :90]
    wave = {Kind.FRONTAL: x / 4, Kind.LATERAL: (x + y) / 7, Kind.OTHER: np.zeros(x.shape)}[kind]
    grey = 120 + 80 * np.sin(wave + rng.uniform(0, 6)) + rng.normal(0, 10, wave.shape)
    return np.clip(grey, 0, 255).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    rng = np.random.default_rng(0)
    for split, number in (("train", 12), ("val", 6), ("test", 4)):
        for kind in KINDS:
            for index in range(number):
                pictures.keep(folder, split, kind, f"drawn-{index}", drawn(kind, rng))
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch_threads_of_this_test()
    return training.train(data, tmp_path_factory.mktemp("weights") / "view.safetensors", epochs=60)


def torch_threads_of_this_test() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty registry."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    monkeypatch.setattr(weights, "REGISTRY", tmp_path / "registry.json")
    registry.cache_clear()
    yield tmp_path
    registry.cache_clear()


def film(pixels: np.ndarray) -> Radiograph:
    return Radiograph(sop_instance_uid="1.2", frame=None, pixels=pixels.astype(np.float32))


def test_shutters_and_the_shape_of_a_film_do_not_reach_the_network() -> None:
    rng = np.random.default_rng(1)
    inside = rng.random((300, 150)).astype(np.float32)
    shuttered = np.pad(inside, ((60, 60), (40, 40)))
    plain, cut = picture(inside), picture(shuttered)
    assert plain is not None
    assert cut is not None
    assert plain.shape == cut.shape == (SIDE, SIDE)
    np.testing.assert_allclose(plain, cut, atol=0.02)


def test_a_film_too_small_to_show_a_view_is_not_looked_at(trained: Path) -> None:
    look = ViewClassifier(entry=entry_for(trained)).look(film(np.random.default_rng(0).random((20, 400))))
    assert look == Seen({}, None)
    assert "too small" in look.words


def test_a_kind_is_said_only_where_it_is_sure_enough() -> None:
    logits = np.array([3.0, 0.0, 0.0])
    assert seen(logits, 1.0, 0.9).kind is Kind.FRONTAL
    assert seen(logits, 1.0, 0.95).kind is None
    assert seen(logits, 3.0, 0.9).kind is None, "a temperature above 1 makes it less sure"
    assert sum(seen(logits, 3.0, 0.9).probabilities.values()) == pytest.approx(1)


def test_films_of_a_series_agree_only_when_all_are_sure_and_alike() -> None:
    frontal, lateral, unsure = Seen({}, Kind.FRONTAL), Seen({}, Kind.LATERAL), Seen({}, None)
    assert agreed([frontal, frontal]) is Kind.FRONTAL
    assert agreed([frontal, lateral]) is None
    assert agreed([frontal, unsure]) is None
    assert agreed([]) is None


def test_what_was_learnt_is_told_apart_mirrored_too(trained: Path) -> None:
    classifier, rng = ViewClassifier(entry=entry_for(trained)), np.random.default_rng(7)
    for kind in KINDS:
        pixels = drawn(kind, rng)
        look = classifier.look(film(pixels))
        assert max(look.probabilities, key=lambda one: look.probabilities[one]) is kind
        mirrored = classifier.look(film(pixels[:, ::-1]))
        assert mirrored.probabilities == pytest.approx(look.probabilities, abs=1e-4)


def test_the_same_seed_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    one, two = (load_file(training.train(data, tmp_path / f"{name}.safetensors", epochs=1)) for name in "ab")
    assert one.keys() == two.keys()
    assert all((one[key] == two[key]).all() for key in one)


def test_variation_keeps_a_picture_a_picture() -> None:
    rng = np.random.default_rng(0)
    grey = drawn(Kind.FRONTAL, rng).astype(np.uint8)
    varied = [training.vary(grey, rng) for _ in range(30)]
    assert all(one.shape == (SIDE, SIDE) and one.dtype == np.float32 for one in varied)
    assert all(one.min() >= 0 and one.max() <= 1 for one in varied)
    assert len({one.tobytes() for one in varied}) == 30


def test_the_threshold_lies_beyond_the_surest_mistake() -> None:
    rng = np.random.default_rng(0)
    right = [Looked("drawn", kind, 6.0 * np.eye(3)[KINDS.index(kind)] + rng.normal(0, 1, 3)) for kind in KINDS * 60]
    wrong = Looked("drawn", Kind.LATERAL, np.array([4.5, 0.0, 0.0]))
    point = calibrate([*right, wrong])
    assert 0.95 <= point["answer"] < 1
    assert seen(wrong.logits, point["temperature"], point["answer"]).kind is None
    rows = figures([*right, wrong], point["temperature"], point["answer"])
    assert all(row["figures"]["wrong"] == 0 for row in rows)
    assert sum(row["n"] for row in rows) == 181


def test_a_mistake_near_certainty_still_leaves_room_to_answer() -> None:
    right = [Looked("drawn", kind, 9.0 * np.eye(3)[KINDS.index(kind)]) for kind in KINDS * 20]
    point = calibrate([*right, Looked("drawn", Kind.OTHER, np.array([20.0, 0.0, 0.0]))])
    assert point["answer"] <= 0.995


def test_installed_weights_run_in_openvino_as_in_torch(shelf: Path, data: Path, trained: Path) -> None:
    entry = install(trained, data, trained_on="drawn pictures", command="numbering train view")
    assert registry()["view"] == entry
    assert entry.openvino is not None
    classifier, reference = ViewClassifier(), ViewClassifier(entry=entry_for(trained))
    assert classifier.identity.runtime.startswith("OpenVINO")
    pixels = drawn(Kind.LATERAL, np.random.default_rng(3))
    np.testing.assert_allclose(classifier.logits(pixels), reference.logits(pixels), atol=0.05)  # type: ignore[arg-type]
    assert classifier.identity.weights_sha256 == entry.openvino["view"][1].sha256


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors", {"classes": "L5"})
    with pytest.raises(ValueError, match="written by train view"):
        entry_for(tmp_path / "other.safetensors")


def test_a_kind_without_pictures_trains_nothing(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "train" / Kind.FRONTAL
    folder.mkdir(parents=True)
    Image.new("L", (64, 64)).save(folder / "a.png")
    with pytest.raises(ValueError, match="lateral: no pictures"):
        training.train(tmp_path, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_simulated_lateral_films_go_to_the_split_of_their_seed(tmp_path: Path) -> None:
    source, out = tmp_path / "films", tmp_path / "out"
    (source / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, seed in (("a", 5), ("b", 800005), ("c", 900005)):
        Image.fromarray(rng.integers(0, 255, (200, 100), dtype=np.uint8)).save(source / "images" / f"{name}.png")
        (source / f"{name}.json").write_text(f'{{"seed": {seed}, "shapes": "procedural"}}')
    pictures.simulated_lateral(out, source)
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        assert [path.stem for path in (out / split / Kind.LATERAL).iterdir()] == [f"lateral-{name}"]
    with Image.open(out / "train" / Kind.OTHER / "lateral-a-patch.png") as patch:
        assert patch.size[0] >= 48
