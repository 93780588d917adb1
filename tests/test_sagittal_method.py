"""The evaluation and the calibration of the lateral pipeline, with the truth as its networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from numbering.anatomy import Level
from numbering.pipelines.judging import intervals
from numbering.pipelines.sagittal_xray.judging import calibrate
from numbering.pipelines.sagittal_xray.judging.cases import Case
from numbering.pipelines.sagittal_xray.judging.evaluation import evaluate
from numbering.pipelines.sagittal_xray.judging.variants import RememberingEyes, Variant
from numbering.pipelines.sagittal_xray.levels import CHANNEL
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading.answer import Reader
from numbering.pipelines.sagittal_xray.reading.eyes import Canvas, CloserLook, WholeLook
from numbering.result import ModelIdentity
from tests.lateral import TrueEyes, TrueFilm, true_film

IDENTITY = ModelIdentity(
    name="truth", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
)


@dataclass
class Counted:
    """Eyes that count what they are asked."""

    eyes: TrueEyes
    canvases: int = 0

    def __post_init__(self) -> None:
        self.size = self.eyes.size

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        self.canvases += len(canvases)
        return self.eyes.whole(canvases)

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        self.canvases += len(canvases)
        return self.eyes.closer(canvases)


def case_of(film: TrueFilm, anatomy: str = "normal") -> Case:
    return Case(
        name="film", patient="patient", film=film.film, levels=film.named, angles=film.angles, anatomy=anatomy,
        shapes="procedural",
    )  # fmt: skip


def variants_of(eyes: TrueEyes | RememberingEyes, point: OperatingPoint | None = None):  # type: ignore[no-untyped-def]
    return lambda without: Variant(eyes, point or OperatingPoint(), IDENTITY, without)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "BOOTSTRAPS", 20)


@pytest.fixture(scope="module")
def film() -> TrueFilm:
    return true_film(3)


def test_networks_that_know_the_truth_get_every_level_and_angle_right(film: TrueFilm) -> None:
    report, (judged,) = evaluate(variants_of(TrueEyes(film)), [case_of(film)])
    assert judged.answer.answered
    assert all(judged.answer.right.values())
    assert judged.answer.worst_angle < 0.5
    assert {one.name for one in judged.answer.angles if one.said is not None} == set(film.angles)
    table = report["groups"]["normal"]["errors"]
    assert table["step II"].keys() == film.named.keys()
    assert all(row["x"] < 3 and row["y"] < 3 for row in table["step II"].values())


def test_what_step_two_mends_is_seen_in_table_one(film: TrueFilm) -> None:
    """Step I is off by a tenth of a body; the crops show where the corners really are."""
    off = {k: np.array([3.0, -3.0]) for k in film.seen}
    report, (judged,) = evaluate(variants_of(TrueEyes(film, first=off)), [case_of(film)])
    group = report["groups"]["normal"]
    first, second = (group["weighted mean"][step] for step in ("step I", "step II"))
    assert second[0] < first[0] / 2
    assert second[1] < first[1] / 2
    assert all(judged.coarse.right.values())


def test_each_level_alone_loses_a_vertebra_that_the_sequence_finds_again(film: TrueFilm) -> None:
    eyes = TrueEyes(film, missed=[CHANNEL[Level.L3]])
    _, (whole,) = evaluate(variants_of(eyes), [case_of(film)])
    _, (alone,) = evaluate(variants_of(eyes), [case_of(film)], without=frozenset({"sequence"}))
    assert whole.forced.right["L3"]
    assert not alone.forced.right["L3"]


def test_a_forced_answer_tells_what_an_abstention_held_back(film: TrueFilm) -> None:
    strict = OperatingPoint(answer=1.01)
    report, (judged,) = evaluate(variants_of(TrueEyes(film), strict), [case_of(film)])
    assert not judged.answer.answered
    assert all(judged.forced.right.values())
    assert report["groups"]["normal"]["reasons"] == {judged.answer.reason: 1}


def test_all_variants_together_look_no_more_often_than_the_whole_method(film: TrueFilm) -> None:
    plain = Counted(TrueEyes(film))
    Reader(plain, OperatingPoint()).answer(film.film)
    counted = Counted(TrueEyes(film))
    evaluate(variants_of(RememberingEyes(counted)), [case_of(film)])  # type: ignore[arg-type]
    assert counted.canvases == plain.canvases


def test_what_is_remembered_is_what_was_seen(film: TrueFilm) -> None:
    remembering = RememberingEyes(TrueEyes(film))
    plain = Variant(TrueEyes(film), OperatingPoint(), IDENTITY, frozenset()).number([film.film])
    again = [Variant(remembering, OperatingPoint(), IDENTITY, frozenset()).number([film.film]) for _ in range(2)]
    assert again == [plain, plain]


class Pipeline:
    """What `calibrate.fit` needs of the pipeline; each film has eyes of its own."""

    def __init__(self, eyes: Sequence[TrueEyes]) -> None:
        self.point = OperatingPoint()
        self.reader = Reader(Several(eyes), self.point)


class Several:
    """The eyes of several films, told apart by the shape of the canvas' film."""

    def __init__(self, eyes: Sequence[TrueEyes]) -> None:
        self.eyes, self.size, self.at = list(eyes), eyes[0].size, 0

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        return self.eyes[self.at].whole(canvases)

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        return self.eyes[self.at].closer(canvases)


def test_a_temperature_makes_boasts_honest() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20000)
    there = rng.random(20000) < 1 / (1 + np.exp(-logits))
    boasts = 1 / (1 + np.exp(-3 * logits))
    assert calibrate.temperature([*zip(boasts.tolist(), there.tolist(), strict=True)]) == pytest.approx(3, rel=0.1)


def test_too_few_examples_fix_no_temperature() -> None:
    assert calibrate.temperature([(0.9, True)] * 500 + [(0.8, False)] * 3) == 1.0


def test_the_fitted_spread_covers_the_corners_errors(film: TrueFilm) -> None:
    """Step II is off by 4 pixels one way or the other, heat maps are narrower: the spread must widen them."""
    rng = np.random.default_rng(1)
    looked = []
    for _ in range(4):
        off = {k: rng.normal(0, 4, (len(corners), 2)) for k, corners in film.seen.items()}
        eyes = TrueEyes(film, shift=off)
        start = replace(OperatingPoint(), spread=1.0, steps=0.0)
        answer = Reader(eyes, start).answer(film.film)
        assert not isinstance(answer, str)
        looked.append(calibrate.Looked(case_of(film), answer, answer))  # type: ignore[arg-type]
    fitted = calibrate.spreads(looked)
    point = replace(OperatingPoint(), **fitted)
    inside = []
    for _ in range(4):
        off = {k: rng.normal(0, 4, (len(corners), 2)) for k, corners in film.seen.items()}
        findings = Variant(TrueEyes(film, shift=off), point, IDENTITY, frozenset({"abstention"})).number([film.film])
        said = {one.name: one for one in findings.measurements}
        for name, value in film.angles.items():
            if said[name].value is not None and said[name].uncertainty is not None:
                inside.append(abs(said[name].value - value) <= said[name].uncertainty)  # type: ignore[operator]
    assert len(inside) >= 4
    assert np.mean(inside) >= 0.75


def test_the_threshold_lies_above_what_was_wrong(film: TrueFilm, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {0.97: False, 0.95: False, 0.91: False, 0.83: True, 0.7: True}

    def cost(case: Case, confidence: float, point: OperatingPoint, least: float) -> float:
        return 1.0 if confidence < least else calibrate.COST_OF_A_WRONG_ANSWER * said[confidence]

    monkeypatch.setattr(calibrate, "_cost", cost)
    found = calibrate.threshold([(case_of(film), one) for one in said], OperatingPoint())  # type: ignore[misc]
    assert 0.83 < found <= 0.91


def test_a_wrong_answer_costs_more_than_an_abstention_and_a_right_one_nothing(film: TrueFilm) -> None:
    answer = Reader(TrueEyes(film), replace(OperatingPoint(), answer=0.0)).answer(film.film)
    elsewhere = replace(case_of(film), levels={level: corners + [0, 200] for level, corners in film.named.items()})
    costs = [
        [calibrate._cost(case, answer, OperatingPoint(), least) for least in (0.3, 1.01)]  # type: ignore[arg-type]
        for case in (case_of(film), elsewhere)
    ]
    assert costs == [[0.0, 1.0], [calibrate.COST_OF_A_WRONG_ANSWER, 1.0]]


def test_fitting_keeps_what_the_films_do_not_speak_of_and_answers_sure_films(film: TrueFilm) -> None:
    point = calibrate.fit(Pipeline([TrueEyes(film)]), [case_of(film)])  # type: ignore[arg-type]
    assert point.body_temperature == 1.0, "no body was seen where there is none"
    assert point.seek == OperatingPoint().seek
    answer = Reader(TrueEyes(film), point).answer(film.film)
    assert answer.refused is None  # type: ignore[union-attr]


def test_films_on_which_nothing_is_found_calibrate_nothing(film: TrueFilm) -> None:
    blind = TrueEyes(film, blind=list(film.seen))
    with pytest.raises(ValueError, match="train longer"):
        calibrate.fit(Pipeline([blind]), [case_of(film)])  # type: ignore[arg-type]
