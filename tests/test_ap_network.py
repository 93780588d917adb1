from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from numbering.geometry import intersection_over_union
from numbering.pipelines.ap_xray import training
from numbering.pipelines.ap_xray.detector import Detector, OpenVinoNetwork, TorchNetwork, load_network, suppress
from numbering.pipelines.ap_xray.export import export_openvino, save_safetensors
from numbering.pipelines.ap_xray.install import candidate_entry
from numbering.pipelines.ap_xray.network import prepare_ultralytics, yaml_name
from numbering.pipelines.ap_xray.yolov5 import YoloV5
from numbering.pipelines.cpu_torchvision import plain_nms
from numbering.weights import registry
from tests.labelled import draw_spine, make_aasce


def build(architecture: str, classes: int) -> torch.nn.Module:
    """The network that ultralytics trains, with fresh weights."""
    prepare_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    return DetectionModel(yaml_name(architecture), ch=3, nc=classes, verbose=False).eval()


@pytest.mark.parametrize(("architecture", "classes"), [("yolov5n", 2), ("yolov5s", 1), ("yolov5x", 1)])
def test_our_network_is_the_one_that_ultralytics_trains(architecture: str, classes: int) -> None:
    trained = build(architecture, classes)
    torch.manual_seed(0)
    for parameter in trained.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    ours = YoloV5(architecture, classes).eval()
    ours.load_state_dict({key: value for key, value in trained.state_dict().items() if ".dfl." not in key})
    film = torch.rand(1, 3, 96, 64)
    with torch.inference_mode():
        boxes, scores = ours(film)
        theirs = trained(film)[1]
    assert torch.equal(boxes, theirs["boxes"])
    assert torch.equal(scores, theirs["scores"])


def test_the_paper_s_size_is_the_full_yolov5x() -> None:
    assert sum(parameter.numel() for parameter in YoloV5("yolov5x", 1).parameters()) == pytest.approx(97.2e6, rel=0.01)
    assert training.PLANS["paper"].architecture == "yolov5x"
    assert training.PLANS["paper"].classes == ("L5",)


def test_openvino_and_torch_agree_on_the_shipped_weights() -> None:
    entry = registry()["ap-xray"]
    grey = draw_spine(2)[0]
    ours, theirs = (
        Detector(network, entry.classes).detect(grey, 384)
        for network in (OpenVinoNetwork(entry, 2), TorchNetwork(entry, "cpu"))
    )
    for name in entry.classes:
        count = min(5, len(theirs[name].scores))
        assert count or name == "L5"
        np.testing.assert_allclose(ours[name].scores[:count], theirs[name].scores[:count], atol=2e-3)
        np.testing.assert_allclose(ours[name].boxes[:count], theirs[name].boxes[:count], atol=0.5)


def test_the_shipped_ir_is_made_from_the_shipped_safetensors(tmp_path: Path) -> None:
    entry = registry()["ap-xray"]
    assert entry.openvino is not None
    _, weights = export_openvino(
        entry.path(entry.torch), entry.architecture, len(entry.classes), tmp_path / "again.safetensors"
    )
    assert weights.read_bytes() == entry.path(entry.openvino["detector"][1]).read_bytes()


def test_half_precision_weights_come_back_as_saved(tmp_path: Path) -> None:
    model = build("yolov5n", 1)
    path = save_safetensors(model, tmp_path / "n.safetensors", {"architecture": "yolov5n", "classes": "L5"})
    loaded = load_network("yolov5n", 1, path).state_dict()
    for key, value in model.state_dict().items():
        if ".dfl." not in key and not key.endswith("num_batches_tracked"):
            assert torch.equal(loaded[key], value.half().float())


def test_plain_nms_is_greedy_suppression() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (50, 2))], 1)
    scores = rng.random(50)
    kept = plain_nms(torch.tensor(boxes), torch.tensor(scores), 0.4).tolist()
    assert kept == suppress(boxes, scores, 0.4).tolist()
    overlap = intersection_over_union(boxes[kept], boxes[kept]) - np.eye(len(kept))
    assert overlap.max() <= 0.4


@pytest.mark.parametrize("size", ["small", "paper"])
def test_training_writes_safetensors(size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sizes on drawn films at a toy resolution; the architectures are the real ones."""
    names = [f"set-01-Jan-2017-{patient} A AP.jpg" for patient in (1, 2, 3)]
    monkeypatch.setattr(
        "numbering.pipelines.ap_xray.films.reserved_splits", lambda: {"val": names[2:], "test": ["none"]}
    )
    tiny = vars(training.PLANS[size]) | {"image_size": 64, "batch": 2, "crops_per_film": 2, "epochs": 1}
    monkeypatch.setitem(training.PLANS, size, training.Plan(**tiny))
    data, out = make_aasce(tmp_path / "aasce", names), tmp_path / "work" / "ap.safetensors"
    training.train(data, out, size=size)
    entry = candidate_entry(out)
    assert entry.architecture == training.PLANS[size].architecture
    detections = Detector(TorchNetwork(entry, "cpu"), entry.classes).detect(draw_spine(0)[0], 64)
    assert set(detections) == set(training.PLANS[size].classes)


def test_interrupted_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numbering.pipelines.ap_xray.trainer import Trainer

    names = [f"set-01-Jan-2017-{patient} A AP.jpg" for patient in (1, 2, 3)]
    monkeypatch.setattr(
        "numbering.pipelines.ap_xray.films.reserved_splits", lambda: {"val": names[2:], "test": ["none"]}
    )
    tiny = vars(training.PLANS["small"]) | {"image_size": 64, "batch": 2, "crops_per_film": 2, "epochs": 3}
    monkeypatch.setitem(training.PLANS, "small", training.Plan(**tiny))
    data, out = make_aasce(tmp_path / "aasce", names), tmp_path / "work" / "ap.safetensors"
    epochs: list[int] = []
    plain = Trainer.run_callbacks

    def watched(trainer: Trainer, event: str) -> None:
        plain(trainer, event)
        if event == "on_model_save":
            epochs.append(trainer.epoch)
            if len(epochs) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "run_callbacks", watched)
    with pytest.raises(KeyboardInterrupt):
        training.train(data, out)
    assert not out.exists()
    training.train(data, out, resume=True)
    assert epochs == [0, 1, 2]
    assert out.is_file()


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small or paper"):
        training.train(tmp_path, tmp_path / "x.safetensors", size="huge")


def test_the_mirror_image_s_boxes_come_back_unmirrored() -> None:
    """A network that knows one bright body: both looks must agree on where it is."""

    class Bright:
        runtime, weights_file, weights_sha256 = "none", "-", "0" * 64

        def run(self, canvas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows, columns = canvas.shape[2:]
            distances, logits = [], []
            for stride in (8, 16, 32):
                mean = canvas[0, 0].reshape(rows // stride, stride, columns // stride, stride).mean((1, 3)).ravel()
                logits.append(np.where(mean > 0.9, 5.0, -9.0))
                bins = np.full((4, 16, mean.size), -30.0)
                for side, bin_ in enumerate((1, 2, 3, 4)):
                    bins[side, bin_] = 30
                distances.append(bins.reshape(64, -1))
            return np.concatenate(distances, 1), np.concatenate(logits)[None]

    grey = np.zeros((128, 96), np.uint8)
    grey[40:48, 16:24] = 255
    detector = Detector(Bright(), ("L5",))
    plain = detector.detect(grey, 128)["L5"]
    both = detector.detect(grey, 128, mirrored=True)["L5"]
    # Left reaches one stride, right three: their mean from the mirrored look reaches two on both sides.
    np.testing.assert_allclose(plain.boxes[0], [20 - 8 - 0.5, 44 - 16 - 0.5, 20 + 24 - 0.5, 44 + 32 - 0.5], atol=1e-3)
    np.testing.assert_allclose(both.boxes[0], [20 - 16 - 0.5, 44 - 16 - 0.5, 20 + 16 - 0.5, 44 + 32 - 0.5], atol=1e-3)
    assert both.scores[0] == pytest.approx(plain.scores[0])
