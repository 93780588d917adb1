"""The CT pipeline as a whole, with networks that have learnt nothing: it must refuse, and always alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from numbering.pipelines.ct.card import CARD
from numbering.pipelines.ct.model.export import save_networks
from numbering.pipelines.ct.model.networks import build
from numbering.pipelines.ct.pipeline import Ct
from numbering.pipelines.ct.sizes import SIZES
from numbering.result import Status
from numbering.stack import Stack
from numbering.weights import Entry, WeightsFile, sha256_of

TINY = replace(
    SIZES["small"],
    name="tiny",
    spacing_mm=4.0,
    side=32,
    instance_features=(8, 8, 8, 8),
    direct_features=(8, 8, 8, 8),
    last=8,
    groups=4,
)


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "tiny", TINY)
        save_networks({name: network.state_dict() for name, network in build(TINY).items()}, TINY, path)
        yield Entry(
            name=CARD.weights,
            version="0",
            architecture="tiny",
            classes=("L1", "T12", "rib"),
            torch=WeightsFile(file=str(path), sha256=sha256_of(path), licence="none", trained_on="nothing"),
            openvino=None,
            trained_on="nothing",
            training_command="none",
            intended_use="tests",
            limitations=(),
            operating_point={"answer": 0.9},
            figures={},
        )


@pytest.fixture(scope="module")
def stack() -> Stack:
    volume = np.random.default_rng(0).normal(100, 150, (24, 30, 30)).astype(np.int16)
    return Stack.of_array(volume, np.diag([-3.0, 3.0, 3.0, 1.0])[[2, 1, 0, 3]])


def test_networks_that_know_nothing_name_nothing(entry: Entry, stack: Stack) -> None:
    pipeline = Ct("cpu", 1, entry)
    found = pipeline.number([stack])
    assert found.status is Status.ABSTAINED
    assert found.reason is not None
    assert Ct("cpu", 1, entry).number([stack]) == found
    assert pipeline.identity.weights_sha256 == entry.torch.sha256


def test_what_decides_the_answer_is_stated(entry: Entry) -> None:
    settings = Ct("cpu", 1, entry).settings
    assert settings["answer"] == "0.9"
    assert settings["walks"] == "down and up"
