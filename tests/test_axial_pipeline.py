"""The axial MR pipeline as a whole: findings out of the truth, and refusals of a network that has learnt nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from numbering.anatomy import Disc
from numbering.pipelines.axial_mr.card import CARD
from numbering.pipelines.axial_mr.model.network import build
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.pipeline import AxialMr, conclude
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES
from numbering.pipelines.network_files import save
from numbering.record.basis import kind_of
from numbering.record.model import BasisKind
from numbering.result import Findings, Lstv, Status
from numbering.stack import Stack
from numbering.weights import Entry, WeightsFile, sha256_of
from tests.true_axial_mr import CELLS, TrueSeries, answered, drawn_sagittal, names_of, true_series


@pytest.fixture(scope="module")
def series() -> TrueSeries:
    return true_series()


@pytest.fixture(scope="module")
def findings(series: TrueSeries) -> Findings:
    return conclude(answered(series, companions=[drawn_sagittal(series.skeleton)]))


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    torch.manual_seed(0)
    save({NETWORK: build(SIZES["small"]).state_dict()}, path, {"size": "small"})
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
        operating_point={"temperature": 1.5},
        figures={},
    )


@pytest.fixture(scope="module")
def pipeline(entry: Entry) -> AxialMr:
    return AxialMr("cpu", 1, entry)


def test_every_slice_at_a_disc_is_named_on_its_own_image(series: TrueSeries, findings: Findings) -> None:
    assert findings.status is Status.NUMBERED
    named = {one.sop_instance_uid: one.level for one in findings.discs}
    planes = series.stack.planes
    assert named == {planes[index].sop_instance_uid: name for index, name in enumerate(series.names) if name}
    assert not findings.vertebrae


def test_a_disc_lies_where_its_slice_cuts_the_column(series: TrueSeries, findings: Findings) -> None:
    true = {
        plane.sop_instance_uid: level.spine
        for plane, level in zip(series.stack.planes, series.levels, strict=True)
        if level.spine is not None
    }
    at = {plane.sop_instance_uid: plane for plane in series.stack.planes}
    for one in findings.discs:
        assert one.centre_mm is not None
        assert abs(float(at[one.sop_instance_uid].off_mm(one.centre_mm))) < 1
        assert np.linalg.norm(np.subtract(one.centre_mm, true[one.sop_instance_uid])) < 16


def test_each_disc_has_one_key_image_and_its_words_hold_no_name(findings: Findings) -> None:
    levels = [one.level for one in findings.key_images]
    assert levels == list(dict.fromkeys(one.level for one in findings.discs))
    assert all("L" not in one.shows.replace("axial slice", "") for one in findings.key_images)


def test_heat_maps_lie_on_the_slice_where_the_network_looked(series: TrueSeries, findings: Findings) -> None:
    assert [(one.sop_instance_uid, one.level) for one in findings.heat_maps] == [
        (one.sop_instance_uid, one.level) for one in findings.discs
    ]
    cells = {plane.sop_instance_uid: cell for plane, cell in zip(series.stack.planes, series.cells, strict=True)}
    for one in findings.heat_maps:
        assert int(one.values().argmax()) == cells[one.sop_instance_uid]
        assert one.values().shape == (CELLS, CELLS)
        np.testing.assert_allclose(one.box, (-12.5, -12.5, 107.5, 107.5), atol=1e-6)


def test_a_count_that_reaches_the_lowest_disc_is_from_the_sacrum(findings: Findings) -> None:
    assert findings.basis is not None
    assert kind_of(findings.basis) is BasisKind.SACRUM
    assert findings.basis.assumptions == ("five lumbar-type vertebrae",)
    assert findings.basis.lowest_disc == "L5-S1"
    assert findings.basis.lstv is Lstv.NOT_ASSESSED
    assert "sagittal images show the 5 numbered discs" in findings.basis.statement
    assert "AI result, not verified. Research use only." in findings.basis.statement


def test_a_count_that_does_not_reach_it_is_by_looks() -> None:
    series = true_series(keep=lambda level: str(level.nearest) != "L5-S1")
    found = conclude(answered(series))
    assert found.basis is not None
    assert kind_of(found.basis) is BasisKind.APPEARANCE
    assert found.basis.lowest_disc is None
    assert "not cross-checked" in " ".join(found.quality)
    assert "is presumed from where the slices were placed" in " ".join(found.quality)


def test_the_alternative_runs_parallel_to_the_discs(findings: Findings) -> None:
    assert findings.alternative is not None
    assert len(findings.alternative.levels) == len(findings.discs)
    assert all(Disc.parse(level) for level in findings.alternative.levels)
    assert findings.alternative.levels[-1] == "L6-S1"


def test_findings_are_stored_and_read_back_unchanged(findings: Findings) -> None:
    assert Findings.model_validate(json.loads(findings.model_dump_json())) == findings


def test_an_abstention_says_what_the_slices_looked_like(series: TrueSeries) -> None:
    found = conclude(answered(series, OperatingPoint(answer=0.99)))
    assert found.status is Status.ABSTAINED
    assert not found.discs
    assert any("looks like the first disc above the sacrum" in words for words in found.quality)


def test_a_slice_shared_by_turned_images_is_named_alike(series: TrueSeries) -> None:
    turned = conclude(answered(true_series(turned=True)))
    assert names_of(answered(series)) == names_of(answered(true_series(turned=True)))
    heat = turned.heat_maps[0].values()
    straight = conclude(answered(series)).heat_maps[0].values()
    np.testing.assert_array_equal(heat, straight[:, ::-1].T)


@pytest.fixture(scope="module")
def short() -> Stack:
    """Four slices."""
    return true_series(keep=lambda level: str(level.disc) in ("L3-L4", "L4-L5")).stack


def test_networks_that_know_nothing_name_nothing(pipeline: AxialMr, short: Stack) -> None:
    found = pipeline.number([short])
    assert found.status is Status.ABSTAINED
    assert found.reason is not None
    assert short.planes[0].sop_instance_uid in found.reason.text


def test_the_same_weights_say_the_same(entry: Entry, pipeline: AxialMr, short: Stack) -> None:
    again = AxialMr("cpu", 1, entry)
    assert again.number([short]) == pipeline.number([short])
    assert again.identity == pipeline.identity
    assert again.identity.weights_sha256 == entry.torch.sha256


def test_what_decides_the_answer_is_stated(pipeline: AxialMr) -> None:
    assert pipeline.settings["temperature"] == "1.5"
    assert pipeline.settings["answer"] == "0.8"


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 8, 8), (2, 1, 300), (2, 200, 3)])
def test_a_stack_of_nothing_is_refused_whatever_its_shape(pipeline: AxialMr, shape: tuple[int, int, int]) -> None:
    affine = np.array([[0, 0, 0.7, 0], [0, 0.7, 0, 0], [-4.0, 0, 0, 0], [0, 0, 0, 1]])
    empty = Stack.of_array(np.full(shape, -7.0, np.float32), affine, modality="MR")
    assert pipeline.number([empty]).status is Status.ABSTAINED
