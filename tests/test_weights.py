from __future__ import annotations

from pathlib import Path

import pytest

from numbering import weights
from numbering.errors import TryAgainLater
from numbering.pipelines import CARDS
from numbering.pipelines.identity import digest
from numbering.weights import FOLDER, registry, sha256_of

WEIGHT_LIMIT = 50 * 2**20
TOTAL_LIMIT = 220 * 2**20


@pytest.mark.parametrize("name", [card.weights for card in CARDS])
def test_every_file_is_the_one_that_the_registry_names(name: str) -> None:
    entry = registry()[name]
    assert entry.openvino
    for file in entry.files:
        assert sha256_of(entry.path(file)) == file.sha256
        assert entry.path(file).stat().st_size <= WEIGHT_LIMIT


def test_nothing_lies_beside_the_registry_that_it_does_not_name() -> None:
    named = {file.file for entry in registry().values() for file in entry.files}
    found = {path.name for path in FOLDER.iterdir() if path.suffix in {".safetensors", ".xml", ".bin", ".pt", ".onnx"}}
    assert found == named
    assert sum((FOLDER / name).stat().st_size for name in named) <= TOTAL_LIMIT


@pytest.mark.parametrize("name", [card.weights for card in CARDS])
def test_every_model_says_what_it_was_trained_on_and_what_it_is_for(name: str) -> None:
    entry = registry()[name]
    assert entry.trained_on
    assert entry.training_command.startswith("numbering train")
    assert "Not a medical device" in entry.intended_use
    assert entry.limitations
    converted = {file.file: file.sha256 for files in (entry.openvino or {}).values() for file in files}
    files = {file.sha256 for file in entry.files} | {digest(converted)}
    assert entry.figures["evaluations"], "figures come from numbering evaluate --save"
    for figures in entry.figures["evaluations"]:
        assert figures["weights_sha256"] in files
        assert figures["command"].startswith("numbering evaluate")
        assert figures["rows"]


def test_another_file_under_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = registry()["ap-xray"]
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(TryAgainLater, match="no file"):
        entry.path(entry.torch)
    (tmp_path / entry.torch.file).write_bytes(b"something else")
    with pytest.raises(TryAgainLater, match=f"expected sha256 {entry.torch.sha256}"):
        entry.path(entry.torch)
