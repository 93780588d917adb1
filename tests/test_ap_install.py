from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from numbering import weights
from numbering.pipelines.ap_xray.calibrate import UNCALIBRATED, as_numbers
from numbering.pipelines.ap_xray.install import candidate_entry, install
from numbering.pipelines.ap_xray.pipeline import ApXray
from numbering.weights import registry, sha256_of
from numbering.weights.figures import keep_figures
from tests.labelled import make_aasce


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty registry, and the shipped safetensors file beside it as if just trained."""
    entry = registry()["ap-xray"]
    (tmp_path / "trained.safetensors").write_bytes(entry.path(entry.torch).read_bytes())
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    monkeypatch.setattr(weights, "REGISTRY", tmp_path / "registry.json")
    registry.cache_clear()
    yield tmp_path
    registry.cache_clear()


def test_installed_weights_run_and_keep_their_figures(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["set-01-Jan-2017-1 A AP.jpg"]
    monkeypatch.setattr("numbering.pipelines.ap_xray.films.reserved_splits", lambda: {"val": names, "test": []})
    seen = []

    def fit(pipeline: ApXray, cases: list[object], *_: object) -> object:
        seen.extend(cases)
        return UNCALIBRATED

    monkeypatch.setattr("numbering.pipelines.ap_xray.calibrate.fit", fit)
    data = make_aasce(shelf / "aasce", names)
    entry = install(shelf / "trained.safetensors", data, trained_on="drawn films", command="numbering train ap-xray")
    assert len(seen) == 5  # one whole film, three lumbar crops, one without L5
    assert registry()["ap-xray"] == entry
    assert entry.openvino is not None
    for file in entry.files:
        assert sha256_of(shelf / file.file) == file.sha256
        assert file.trained_on == "drawn films"
    assert ApXray("cpu").settings == {name: f"{value:g}" for name, value in as_numbers(UNCALIBRATED).items()}

    report = {"weights_sha256": entry.openvino["detector"][1].sha256, "rows": []}
    for title in ("films", "other films", "films"):
        keep_figures("ap-xray", report, title, "drawn", f"numbering evaluate ap-xray {title}")
    kept = registry()["ap-xray"].figures["evaluations"]
    assert [figures["title"] for figures in kept] == ["other films", "films"]


def test_a_file_that_training_did_not_write_is_refused(shelf: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, shelf / "other.safetensors")
    with pytest.raises(ValueError, match="written by train"):
        candidate_entry(shelf / "other.safetensors")
