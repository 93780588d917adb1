"""Weights of networks that have learnt nothing go into a registry of their own, and the pipeline runs from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from numbering import weights
from numbering.pipelines import axial_mr, ct
from numbering.pipelines.axial_mr.install import candidate_entry as mr_candidate
from numbering.pipelines.axial_mr.install import install as install_mr
from numbering.pipelines.axial_mr.model.network import build as build_mr
from numbering.pipelines.axial_mr.pipeline import AxialMr
from numbering.pipelines.axial_mr.sizes import NETWORK
from numbering.pipelines.axial_mr.sizes import SIZES as MR_SIZES
from numbering.pipelines.ct.install import candidate_entry as ct_candidate
from numbering.pipelines.ct.install import install as install_ct
from numbering.pipelines.ct.model.export import save_networks
from numbering.pipelines.ct.model.networks import build as build_ct
from numbering.pipelines.ct.pipeline import Ct
from numbering.pipelines.ct.sizes import SIZES as CT_SIZES
from numbering.pipelines.network_files import save
from numbering.weights import Entry, registry, sha256_of
from tests.test_ct_pipeline import TINY


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty registry."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    monkeypatch.setattr(weights, "REGISTRY", tmp_path / "registry.json")
    (tmp_path / "registry.json").write_text("{}")
    registry.cache_clear()
    yield tmp_path
    registry.cache_clear()


@pytest.fixture
def trained_ct(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    monkeypatch.setitem(CT_SIZES, "tiny", TINY)
    networks = {name: network.state_dict() for name, network in build_ct(TINY).items()}
    return save_networks(networks, TINY, shelf / "trained" / "ct.safetensors")


@pytest.fixture
def trained_mr(shelf: Path) -> Path:
    torch.manual_seed(0)
    return save(
        {NETWORK: build_mr(MR_SIZES["small"]).state_dict()}, shelf / "trained" / "mr.safetensors", {"size": "small"}
    )


def validated(monkeypatch: pytest.MonkeyPatch, package: Any, cases: list[Any], point: Any) -> list[Any]:
    """These cases validate, and this point is what they fix; what was asked is kept."""
    asked: list[Any] = []

    def fit(pipeline: Any, given: Any, watch: Any) -> Any:
        asked.extend(given)
        for one in given:
            watch(one)
        return point

    monkeypatch.setattr(f"{package.__name__}.judging.cases.cases", lambda *_: cases)
    monkeypatch.setattr(f"{package.__name__}.judging.calibrate.fit", fit)
    return asked


def installed(name: str, entry: Entry, trained: Path, shelf: Path) -> None:
    """What holds of every installed model."""
    assert registry()[name] == entry
    assert entry.path(entry.torch).read_bytes() == trained.read_bytes()
    assert entry.path(entry.torch).parent == shelf
    assert entry.openvino
    for files in entry.openvino.values():
        assert all(sha256_of(entry.path(file)) == file.sha256 for file in files)
    assert entry.torch.trained_on == entry.trained_on == "simulated patients"


def test_ct_weights_are_installed_and_run_from_the_registry(
    shelf: Path, trained_ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [SimpleNamespace(bodies=("L1",), shows_l1=True, region="abdomen"),
             SimpleNamespace(bodies=(), shows_l1=False, region="neck")]  # fmt: skip
    point = replace(Ct("cpu", 1, ct_candidate(trained_ct)).point, answer=0.77777)
    asked, told = validated(monkeypatch, ct, cases, point), []
    entry = install_ct(
        trained_ct,
        shelf,
        trained_on="simulated patients",
        command="numbering train ct",
        progress=lambda *what: told.append(what),
    )
    installed("ct", entry, trained_ct, shelf)
    assert (asked, told) == (cases, [("abdomen", 1, 2), ("neck", 2, 2)])
    pipeline = Ct("cpu", 1)
    assert pipeline.point.answer == 0.7778
    assert "ct" in pipeline.identity.weights_file
    assert ct_candidate(trained_ct).operating_point == entry.operating_point, "a candidate is judged at the same point"


def test_axial_mr_weights_are_installed_and_run_from_the_registry(
    shelf: Path, trained_mr: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = SimpleNamespace(normal=True, layout="series")
    point = replace(AxialMr("cpu", 1, mr_candidate(trained_mr)).point, temperature=2.5)
    asked = validated(monkeypatch, axial_mr, [case], point)
    entry = install_mr(trained_mr, shelf, trained_on="simulated patients", command="numbering train axial-mr")
    installed("axial-mr", entry, trained_mr, shelf)
    assert asked == [case]
    assert AxialMr("cpu", 1).point.temperature == 2.5


def test_without_validation_series_nothing_is_installed(
    shelf: Path, trained_ct: Path, trained_mr: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package, install, trained in ((ct, install_ct, trained_ct), (axial_mr, install_mr, trained_mr)):
        validated(monkeypatch, package, [], None)
        with pytest.raises(ValueError, match="found 0 validation series"):
            install(trained, shelf, trained_on="", command="")
    assert registry() == {}
    assert not list(shelf.glob("*.safetensors"))
