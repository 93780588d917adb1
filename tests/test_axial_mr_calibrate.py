"""Axial MR with parts of the method left out, and what validation series fix: the network is the truth with faults."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from numbering.pipelines.axial_mr.classes import NONE
from numbering.pipelines.axial_mr.judging import calibrate
from numbering.pipelines.axial_mr.judging.calibrate import Looked, fit, shifted
from numbering.pipelines.axial_mr.judging.cases import Case, TrueSlice
from numbering.pipelines.axial_mr.judging.scoring import score
from numbering.pipelines.axial_mr.judging.variants import RememberingNetwork, Variant
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.answer import Reader
from numbering.pipelines.registering import as_numbers
from numbering.result import ModelIdentity, Status
from tests.true_axial_mr import TrueNetwork, TrueSeries, answered, drawn_sagittal, true_series

POINT = OperatingPoint()
WHO = ModelIdentity(
    name="axial-mr", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
)


@pytest.fixture(scope="module")
def series() -> TrueSeries:
    return true_series()


def case_of(series: TrueSeries, name: str = "a", anatomy: str = "normal") -> Case:
    slices = {}
    for plane, level, position in zip(series.stack.planes, series.levels, series.classes, strict=True):
        beside = level.disc is None and level.nearest is not None and abs(level.distance_mm) <= 9
        slices[plane.name] = TrueSlice(
            disc=str(level.disc) if level.disc else None,
            near=str(level.nearest) if level.disc or beside else None,
            offset_mm=level.distance_mm,
            position=None if beside else position,
        )
    study = (series.stack, drawn_sagittal(series.skeleton))
    return Case(name=name, patient=name, slices=slices, study=lambda: study, anatomy=anatomy, shapes="procedural")


def variant(series: TrueSeries, *parts: str, **faults: object) -> tuple[Variant, TrueNetwork]:
    network = TrueNetwork(series, **faults)  # type: ignore[arg-type]
    return Variant(RememberingNetwork(network), POINT, WHO, frozenset(parts)), network


def test_a_wrong_slice_is_put_right_by_its_series_and_not_by_itself(series) -> None:
    wrong = series.at("L3-L4")[0]
    case = case_of(series)
    alone, _ = variant(series, "series", says={wrong: 3})
    whole, _ = variant(series, says={wrong: 3})
    by_itself = score(case, alone.number(case.study()), alone.singles(series.stack))
    together = score(case, whole.number(case.study()), whole.singles(series.stack))
    assert by_itself.wrong == (series.stack.planes[wrong].name,)
    assert together.all_right
    assert together.answered
    np.testing.assert_array_equal(by_itself.singles, together.singles)


def test_the_network_looks_at_a_series_once(series) -> None:
    case = case_of(series)
    one, network = variant(series)
    one.number(case.study())
    asked = sum(network.asked)
    one.singles(series.stack)
    one.number(case.study())
    assert sum(network.asked) == asked == len(series.stack)


def test_without_the_right_to_abstain_an_unsure_series_is_named(series) -> None:
    case = case_of(series)
    unsure, _ = variant(series, sure=1.9)
    forced, _ = variant(series, "abstention", sure=1.9)
    assert unsure.number(case.study()).status is Status.ABSTAINED
    assert forced.number(case.study()).status is Status.NUMBERED


def test_sagittal_images_are_heard_unless_left_out(series) -> None:
    case = case_of(series)
    heard, _ = variant(series)
    deaf, _ = variant(series, "sagittal")
    assert heard.number(case.study()).quality != deaf.number(case.study()).quality


def test_validation_series_fix_temperature_and_threshold(series) -> None:
    case = case_of(series)
    network = TrueNetwork(series, sure=3.0)
    pipeline = SimpleNamespace(point=POINT, reader=Reader(network, POINT))
    point = fit(pipeline, [case, case_of(series, "b")])  # type: ignore[arg-type]
    assert point.temperature < 0.5, "a network that is always right says so too softly"
    stack, *companions = case.study()
    answer = Reader(network, point).answer(stack, companions)
    assert answer.refused is None, "right series are answered at the threshold that is fixed"
    assert as_numbers(point).keys() == OperatingPoint.__dataclass_fields__.keys()


def test_a_network_that_sees_nothing_cannot_be_calibrated(series) -> None:
    pipeline = SimpleNamespace(point=POINT, reader=Reader(TrueNetwork(series, shift=9), POINT))
    with pytest.raises(ValueError, match="train longer"):
        fit(pipeline, [case_of(series)])  # type: ignore[arg-type]


def looked(off: int, anatomy: str = "normal") -> Looked:
    """Ten slices through discs, taken for the disc so many lower."""
    classes = np.repeat(np.arange(NONE), 2)
    logits = np.zeros((len(classes), NONE + 1))
    logits[np.arange(len(classes)), np.clip(classes + off, 0, NONE - 1)] = 5.0
    case = Case(name="a", patient="a", slices={}, study=lambda: (), anatomy=anatomy)
    return Looked(case, logits, classes.astype(np.intp))


def test_series_that_are_off_as_a_whole_are_counted() -> None:
    few = shifted([looked(0)] * 98 + [looked(1)] * 2)
    many = shifted([looked(0)] * 90 + [looked(-1)] * 10)
    assert few == pytest.approx(2.5 / 101 / 2, abs=1e-4)
    assert many > few
    assert shifted([looked(0)] * 100 + [looked(1, "L6")] * 50) == calibrate.LEAST_SHIFTED


def test_a_threshold_weighs_a_wrong_answer_more_than_abstentions(series) -> None:
    """Series that are named rightly, and four that are all off by one disc and less sure."""
    case, open_to_all = case_of(series), OperatingPoint(answer=0.0)
    right, wrong = answered(series, open_to_all), answered(series, open_to_all, shift=-1, sure=2.2)
    assert right.refused is None
    assert wrong.confidence < right.confidence
    least = calibrate.threshold([(case, right)] * 10 + [(case, wrong)] * 4, POINT)
    assert wrong.confidence < least <= right.confidence
