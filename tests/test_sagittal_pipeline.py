"""The lateral pipeline as a whole, with networks that have learnt nothing: it must refuse, and always alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from numbering.pipelines.network_files import save
from numbering.pipelines.sagittal_xray.card import CARD
from numbering.pipelines.sagittal_xray.model.networks import build
from numbering.pipelines.sagittal_xray.pipeline import SagittalXray
from numbering.pipelines.sagittal_xray.sizes import SIZES
from numbering.result import Status
from numbering.study import Radiograph
from numbering.weights import Entry, WeightsFile, sha256_of


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    torch.manual_seed(0)
    states = {name: network.state_dict() for name, network in build(SIZES["small"]).items()}
    save(states, path, {"size": "small"})
    return Entry(
        name=CARD.weights,
        version="0",
        architecture="small",
        classes=(),
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
def pipeline(entry: Entry) -> SagittalXray:
    return SagittalXray("cpu", 1, entry)


@pytest.fixture(scope="module")
def film() -> Radiograph:
    pixels = np.random.default_rng(0).normal(500, 100, (300, 240)).astype(np.float32)
    return Radiograph(sop_instance_uid="1.2.3", frame=2, pixels=pixels)


def test_networks_that_know_nothing_name_nothing(pipeline: SagittalXray, film: Radiograph) -> None:
    found = pipeline.number([film])
    assert found.status is Status.ABSTAINED
    assert found.reason is not None
    assert "1.2.3#2" in found.reason.text


def test_the_same_weights_say_the_same(entry: Entry, pipeline: SagittalXray, film: Radiograph) -> None:
    again = SagittalXray("cpu", 1, entry)
    assert again.number([film]) == pipeline.number([film])
    assert again.identity == pipeline.identity
    assert again.identity.weights_sha256 == entry.torch.sha256


def test_what_decides_the_answer_is_stated(entry: Entry, pipeline: SagittalXray) -> None:
    assert pipeline.settings["answer"] == "0.9"
    assert SagittalXray("cpu", 1, entry, frozenset({"step-two"})).settings["without step-two"] == "yes"


def test_a_part_that_there_is_not_cannot_be_left_out(entry: Entry) -> None:
    with pytest.raises(ValueError, match="cannot leave out luck: expected sequence, step-two"):
        SagittalXray("cpu", 1, entry, frozenset({"luck"}))


def test_a_picture_of_nothing_is_refused_whatever_its_shape(pipeline: SagittalXray) -> None:
    for shape in ((70, 2000), (64, 64), (900, 90)):
        blank = Radiograph(sop_instance_uid="1.2.4", frame=None, pixels=np.zeros(shape, np.float32))
        assert pipeline.number([blank]).status is Status.ABSTAINED
