from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numbering.errors import ReasonCode
from numbering.pipelines.ap_xray.calibrate import UNCALIBRATED, choose_thresholds, logistic
from numbering.pipelines.ap_xray.cases import Case
from numbering.pipelines.ap_xray.decide import Evidence
from numbering.pipelines.ap_xray.evaluation import COLUMNS, evaluate, gallery, on_l5
from numbering.pipelines.ap_xray.lowest import Lowest
from numbering.pipelines.ap_xray.pipeline import Read
from numbering.result import Findings, ModelIdentity, NumberingBasis, StatedReason, Status, Vertebra
from numbering.study import Radiograph

BODIES = np.array([[40, 20 + 30 * i, 70, 40 + 30 * i] for i in range(5)], float)
L4, L5 = BODIES[-2], BODIES[-1]


class Scripted:
    """A pipeline that answers what it is told, film by film: a box and its probability, or None to abstain."""

    identity = ModelIdentity(
        name="scripted", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
    )

    def __init__(self, answers: dict[str, tuple[np.ndarray, float] | None]) -> None:
        self.answers = answers

    def read(self, film: Radiograph) -> Read:
        answer = self.answers[film.sop_instance_uid]
        if answer is None:
            return Read(film, (), Lowest((), (), 1.0))
        evidence = Evidence(tuple(answer[0]), answer[1], (0.0,) * 6)  # type: ignore[arg-type]
        return Read(film, (evidence,), Lowest((answer[1],), (0.0,), 1 - answer[1]))

    def conclude(self, reads: list[Read]) -> Findings:
        (uid,) = (read.film.sop_instance_uid for read in reads)
        answer = self.answers[uid]
        if answer is None:
            reason = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="film: nothing found")
            return Findings(status=Status.ABSTAINED, reason=reason)
        vertebra = Vertebra(level="L5", probability=answer[1], sop_instance_uid=uid, box=tuple(answer[0]))
        basis = NumberingBasis(counted_from="L5 by appearance", statement="presumed")
        return Findings(status=Status.NUMBERED, vertebrae=(vertebra,), basis=basis)


def case(name: str, *, l5: bool = True, anatomy: str = "normal", l5_name: str = "L5") -> Case:
    film = Radiograph(sop_instance_uid=name, frame=None, pixels=np.random.default_rng(0).random((200, 110), np.float32))
    return Case(
        name=name, patient=name, view="whole film", anatomy=anatomy, film=film, l5=L5 if l5 else None,
        vertebrae=BODIES, l5_name=l5_name,
    )  # fmt: skip


def test_a_perfect_pipeline_scores_one_everywhere() -> None:
    report, _ = evaluate(Scripted({f"{i}": (L5, 0.95) for i in range(5)}), [case(f"{i}") for i in range(5)])  # type: ignore[arg-type]
    figures = report["rows"][0]["figures"]
    assert [figures[name] for name in COLUMNS] == pytest.approx([0.995, 0.995, 1, 1, 1, 1, 0, 0], abs=0.01)


def test_a_confident_answer_on_l4_is_counted_as_the_worst_outcome() -> None:
    answers = {"a": (L5, 0.95), "b": (L4, 0.95), "c": (L4, 0.6), "d": None}
    report, outcomes = evaluate(Scripted(answers), [case(name) for name in answers])  # type: ignore[arg-type]
    figures = report["rows"][0]["figures"]
    assert figures["level right"] == 0.25
    assert figures["wrong ≥ 0.9"] == 0.25
    assert figures["abstained"] == 0.25
    assert figures["precision"] == pytest.approx(1 / 3)
    assert figures["recall"] == 0.25
    assert [one.confident_wrong for one in outcomes] == [False, True, False, False]


def test_calling_the_sixth_lumbar_vertebra_l5_counts_as_wrong() -> None:
    answers = {"usual": (L5, 0.95), "six": (L5, 0.95)}
    cases = [case("usual"), case("six", anatomy="L6", l5_name="L6")]
    report, _ = evaluate(Scripted(answers), cases)  # type: ignore[arg-type]
    normal, anomalous = report["rows"]
    assert (normal["anatomy"], normal["figures"]["level right"]) == ("normal", 1.0)
    assert (anomalous["anatomy"], anomalous["figures"]["wrong ≥ 0.9"]) == ("L6", 1.0)


def test_a_shifted_box_is_right_at_half_overlap_and_wrong_at_three_quarters() -> None:
    shifted = L5 + [4, 0, 4, 0]
    report, _ = evaluate(Scripted({"a": (shifted, 0.9)}), [case("a")])  # type: ignore[arg-type]
    assert report["rows"][0]["figures"]["mAP50"] > 0.9
    assert report["rows"][0]["figures"]["mAP75"] < 0.5 or report["rows"][0]["figures"]["mAP75"] > 0.9
    far, _ = evaluate(Scripted({"a": (L5 + [8, 0, 8, 0], 0.9)}), [case("a")])  # type: ignore[arg-type]
    assert far["rows"][0]["figures"]["mAP75"] == 0.0


def test_films_without_l5_are_reported_apart() -> None:
    answers = {"empty": None, "tricked": (L4, 0.95), "a": (L5, 0.9)}
    cases = [case("empty", l5=False), case("tricked", l5=False), case("a")]
    report, _ = evaluate(Scripted(answers), cases)  # type: ignore[arg-type]
    assert report["without_l5"] == {"n": 2, "abstained": 1, "confident_wrong": 1}
    assert report["rows"][0]["n"] == 1


def test_nothing_to_evaluate_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        evaluate(Scripted({}), [])  # type: ignore[arg-type]


def test_the_gallery_shows_the_failures_and_only_those(tmp_path: Path) -> None:
    answers = {"a": (L5, 0.95), "b": (L4, 0.95), "c": None}
    _, outcomes = evaluate(Scripted(answers), [case(name) for name in answers])  # type: ignore[arg-type]
    assert gallery(outcomes, tmp_path / "gallery.png") == 2
    assert (tmp_path / "gallery.png").stat().st_size > 1000


def test_a_box_between_two_bodies_marks_neither() -> None:
    assert on_l5(L5 + 2, case("a"))
    assert not on_l5((L4 + L5) / 2 - 4, case("a"))
    assert not on_l5(L4, case("a"))


def test_calibration_finds_a_known_relation() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 3)) * [2, 1, 0.3]
    right = rng.random(4000) < 1 / (1 + np.exp(-(0.5 + features @ [1.0, 0.5, -3.0])))
    np.testing.assert_allclose(logistic(features, right), [0.5, 1.0, 0.5, -3.0], atol=0.35)


def test_thresholds_weigh_a_wrong_answer_more_than_an_abstention() -> None:
    """Right answers at 0.95, wrong ones at 0.7: the threshold must lie between."""

    def one(logit: float, right: bool) -> tuple[Case, tuple[Evidence, ...]]:
        return case("x"), (Evidence(tuple(L5 if right else L4), 0.5, (logit * 2, *(0.0,) * 5)),)  # type: ignore[arg-type]

    seen = [one(3.0, True)] * 10 + [one(0.85, False)] * 4
    point = choose_thresholds(UNCALIBRATED, seen)
    assert 0.7 < point.answer <= 0.95
