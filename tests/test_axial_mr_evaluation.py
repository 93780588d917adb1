"""The tables of axial MR: single slices and whole series, names and classes, external and anomalous apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numbering.anatomy import Variant
from numbering.errors import ReasonCode
from numbering.packed import HeatMap
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.commands import draw, tables
from numbering.pipelines.axial_mr.judging import figures
from numbering.pipelines.axial_mr.judging.cases import (
    Case,
    TrueSlice,
    cases,
    discs_read_as,
    read_study,
    stack_of,
    true_slice,
    variant_of,
)
from numbering.pipelines.axial_mr.judging.evaluation import evaluate
from numbering.pipelines.axial_mr.judging.scoring import Outcome, score
from numbering.pipelines.axial_mr.judging.variants import by_themselves
from numbering.pipelines.judging import intervals
from numbering.result import Findings, ModelIdentity, NumberedDisc, NumberingBasis, StatedReason, Status
from numbering.stack import Stack

DISCS = CLASSES[:NONE]
SHOWN: tuple[tuple[str | None, str | None], ...] = tuple(
    pair for disc in DISCS for pair in ((disc, disc), (disc, disc), (None, disc), (None, None))
)
"""Slices head first: two through each disc, one beside it, one through the body below: what they show and are near."""


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested of intervals does not need many."""
    monkeypatch.setattr(intervals, "BOOTSTRAPS", 40)


def affines(count: int) -> np.ndarray:
    """Slices of 4 mm, head first."""
    found = np.tile(np.array([[0, 0, 3.0, -40], [0, 3.0, 0, -30], [-4.0, 0, 0, 90], [0, 0, 0, 1]]), (count, 1, 1))
    found[:, 2, 3] -= 9.0 * np.arange(count)
    return found


def case(name: str = "a", *, anatomy: str = "normal", external: bool = True) -> Case:
    rng = np.random.default_rng(ord(name[0]))
    pixels = rng.integers(0, 900, (len(SHOWN), 28, 24)).astype(np.uint16)
    slices = {
        f"1.2.1.{index + 1}": TrueSlice(
            disc=disc, near=near, offset_mm=0.0 if disc else 7.0,
            position=DISCS.index(disc) if disc else None if near else NONE,
        )
        for index, (disc, near) in enumerate(SHOWN)
    }  # fmt: skip
    return Case(
        name=name, patient=name, slices=slices, study=lambda: (stack_of(pixels, affines(len(pixels)), 1),),
        read_as={disc: disc for disc in DISCS}, shapes="morphable" if external else "procedural", anatomy=anatomy,
        weighting="T2", style="fairhaven-2" if external else "nordwind", layout="block", external=external,
    )  # fmt: skip


def said(one: Case, names: Mapping[str, str] | None = None, probability: float = 0.95, only: int = 2) -> Findings:
    """The truth as findings, under other names where ``names`` gives them; of each disc ``only`` so many slices."""
    names = names or {}
    discs = []
    for disc, slices in one.discs.items():
        for uid in slices[:only]:
            level = names.get(disc, disc)
            discs.append(NumberedDisc(level=level, probability=probability, sop_instance_uid=uid))
    heat = HeatMap.of(discs[0].level, (discs[0].sop_instance_uid, None), (-0.5, -0.5, 23.5, 27.5), np.eye(4))
    basis = NumberingBasis(counted_from="sacrum", statement="presumed")
    return Findings(status=Status.NUMBERED, discs=tuple(discs), basis=basis, heat_maps=(heat,))


def seen(one: Case, off: int = 0, sure: float = 0.9) -> dict[str, np.ndarray]:
    """Single slices taken for the class that is ``off`` lower than the true one."""
    found = {}
    for name, true in one.slices.items():
        position = NONE if true.position is None else true.position
        row = np.full(len(CLASSES), (1 - sure) / (len(CLASSES) - 1))
        row[position if position == NONE else (position + off) % NONE] = sure
        found[name] = row
    return found


LOWER = dict(pairwise(DISCS))
ABSTENTION = Findings(
    status=Status.ABSTAINED, reason=StatedReason(code=ReasonCode.LOW_CONFIDENCE, text="not sure enough")
)


class Scripted:
    """Answers case by case what it is told; ``forced`` where it may not abstain."""

    identity = ModelIdentity(
        name="scripted", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
    )

    def __init__(self, answers: dict[str, Findings], series: Sequence[Case], without: frozenset[str], off: int) -> None:
        self.answers, self.off = dict(answers), off
        if "abstention" in without:
            self.answers |= {one.name: said(one, LOWER) for one in series if answers[one.name] is ABSTENTION}
        self.pixels = {one.study()[0].pixels(0).tobytes(): one for one in series}

    def case_of(self, stack: Stack) -> Case:
        return self.pixels[stack.pixels(0).tobytes()]

    def number(self, images: Sequence[Stack]) -> Findings:
        return self.answers[self.case_of(images[0]).name]

    def singles(self, stack: Stack) -> Mapping[str, np.ndarray]:
        return seen(self.case_of(stack), self.off)


def report_of(answers: dict[str, Findings], series: Sequence[Case], off: int = 0) -> dict:
    report, _ = evaluate(lambda without: Scripted(answers, series, without, off), series)
    return report


def outcome(one: Case, findings: Findings, off: int = 0) -> Outcome:
    return score(one, findings, seen(one, off))


def test_the_truth_scores_without_an_error() -> None:
    found = outcome(case(), said(case()))
    assert found.all_right
    assert all(found.right.values())
    assert len(found.right) == 10, "two slices through each of five discs"
    assert not found.confident_wrong
    assert figures.headline([found])["top-1"] == 1.0


def test_every_name_one_level_too_low_is_wrong_and_sure() -> None:
    found = outcome(case(), said(case(), LOWER), off=1)
    assert len(found.wrong) == 8, "the lowest disc has no lower neighbour"
    assert found.confident_wrong
    assert not outcome(case(), said(case(), LOWER, probability=0.7)).confident_wrong
    top = figures.single_slices([found])
    assert top["top-1"] == 0.0
    assert top["none"] == 1.0


def test_a_slice_beside_a_disc_may_bear_its_name_but_no_other() -> None:
    one = case()
    beside = next(name for name, true in one.slices.items() if true.disc is None and true.near == "L2-L3")
    whole = said(one)

    def named(level: str) -> Outcome:
        more = NumberedDisc(level=level, probability=0.95, sop_instance_uid=beside)
        return outcome(one, whole.model_copy(update={"discs": (*whole.discs, more)}))

    assert named("L2-L3").all_right
    assert named("L3-L4").wrong == (beside,)


def test_a_slice_that_shows_no_disc_may_bear_no_name() -> None:
    one = case()
    body = next(name for name, true in one.slices.items() if true.position == NONE)
    more = NumberedDisc(level="L1-L2", probability=0.5, sop_instance_uid=body)
    whole = said(one)
    assert outcome(one, whole.model_copy(update={"discs": (*whole.discs, more)})).wrong == (body,)


def test_one_named_slice_is_enough_for_a_disc_and_not_for_every_slice() -> None:
    found = outcome(case(), said(case(), only=1))
    assert found.all_right
    shares = figures.whole_series([found])
    assert (shares["slices"], shares["discs"]) == (0.5, 1.0)


def test_six_lumbar_vertebrae_read_as_five_are_wrong_but_as_a_perfect_reader_would_say() -> None:
    one = case(anatomy="L6")
    six = ("L2-L3", "L3-L4", "L4-L5", "L5-L6", "L6-S1")
    true = dict(zip(DISCS, six, strict=True))
    slices = {
        name: replace(seen_, disc=true.get(seen_.disc or ""), near=true.get(seen_.near or ""))
        for name, seen_ in one.slices.items()
    }
    one = replace(one, slices=slices, read_as={name: usual for usual, name in true.items()})
    found = outcome(one, said(one, {name: usual for usual, name in true.items()}))
    assert not any(found.right.values())
    assert all(found.justified.values())
    assert figures.single_slices([found])["top-1"] == 1.0, "a class is a position, not a name"


def test_auc_is_the_chance_that_a_positive_scores_above_a_negative() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(60) < 0.4
    scores = np.round(rng.random(60) + 0.5 * positive, 1)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert figures.auc(scores, positive) == pytest.approx(np.mean(pairs))
    false, true = figures.roc(scores, positive)
    assert np.trapezoid(true, false) == pytest.approx(np.mean(pairs))
    assert figures.auc(scores, np.zeros(60, bool)) is None


def test_recall_and_precision_are_of_the_class_that_was_named() -> None:
    right, wrong = outcome(case("a"), said(case("a"))), outcome(case("b"), said(case("b")), off=1)
    table = figures.table_two([right, wrong])
    assert table["L3-L4"]["n"] == 4
    assert table["L3-L4"]["recall"] == 0.5
    assert table["L3-L4"]["precision"] == 0.5
    counts = figures.confusion([right, wrong])
    assert counts[2][2] == 2
    assert counts[2][3] == 2
    assert counts[NONE][NONE] == 10


def test_probabilities_that_are_too_high_have_a_calibration_error() -> None:
    found = figures.reliability_of_slices([outcome(case("a"), said(case("a"))), outcome(case("b"), said(case("b")), 1)])
    assert found["n"] == 30
    assert found["ECE"] == pytest.approx(0.9 - 20 / 30)


def test_abstaining_takes_a_series_out_of_what_is_answered_and_not_out_of_all() -> None:
    series = [case(name) for name in "abcd"]
    answers = {one.name: said(one) for one in series} | {"d": ABSTENTION}
    everything, answered = report_of(answers, series)["rows"]
    assert (everything["series"], everything["n"], answered["series"], answered["n"]) == ("all", 4, "answered", 3)
    assert everything["figures"]["abstained"] == answered["figures"]["abstained"] == 0.25
    assert everything["figures"]["all right"] == 0.75
    assert answered["figures"]["all right"] == 1.0
    low, high = everything["interval"]["all right"]
    assert low <= 0.75 <= high


def test_external_internal_and_anomalous_series_stand_apart() -> None:
    series = [case("a"), case("b", external=False), case("c", anatomy="L6")]
    report = report_of({one.name: said(one) for one in series}, series)
    rows = [(row["origin"], row["anatomy"]) for row in report["rows"] if row["series"] == "all"]
    assert rows == [("internal", "normal"), ("external", "normal"), ("external", "anomalous")]
    json.dumps(report, allow_nan=False)


def test_nothing_to_evaluate_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        report_of({}, [])


def test_slices_by_themselves_bear_the_names_of_the_usual_spine() -> None:
    one = case()
    findings = by_themselves(one.study()[0], seen(one))
    assert outcome(one, findings).all_right
    nothing = {name: np.eye(len(CLASSES))[NONE] for name in one.slices}
    assert by_themselves(one.study()[0], nothing).status is Status.ABSTAINED


def test_tables_and_pictures_are_made_of_a_report(tmp_path: Path) -> None:
    series = [case(name) for name in "abc"]
    answers = {"a": said(series[0]), "b": said(series[1], LOWER), "c": ABSTENTION}
    report, judged = evaluate(lambda without: Scripted(answers, series, without, 0), series)
    for table in tables(report):
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert draw(report, judged, tmp_path / "worst.png") == {"failures": 2, "good": 1}
    for name in ("worst.png", "worst-good.png", "worst-roc.png", "worst-reliability.png"):
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def true_json(disc: str | None, offset: float) -> dict:
    return {
        "sop_instance_uid": "1.2.1.1", "frame": None, "disc": disc, "nearest_disc": disc or "L4-L5",
        "disc_offset_mm": offset,
    }  # fmt: skip


def test_a_slice_just_beside_a_disc_has_no_class() -> None:
    usual = Variant()
    assert true_slice(true_json("L4-L5", 1.0), usual).position == DISCS.index("L4-L5")
    assert true_slice(true_json(None, 8.0), usual).position is None
    far = true_slice(true_json(None, -15.0), usual)
    assert (far.position, far.near) == (NONE, None)
    assert variant_of("7C+12T+6L") == Variant(lumbar=6)


def test_what_a_perfect_reader_calls_discs_follows_from_the_vertebrae() -> None:
    series = {
        "justified": {"reading": {"ordinals": [22, 23, 24, 25], "levels": ["L2", "L3", "L4", "L5"]}},
        "vertebrae": [{"ordinal": 19 + number, "level": f"L{number}"} for number in range(1, 7)],
    }
    assert discs_read_as(series) == {"L3-L4": "L2-L3", "L4-L5": "L3-L4", "L5-L6": "L4-L5", "L6-S1": "L5-S1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two studies of the layout: one that trained, one that is external."""
    axial = np.arange(3 * 20 * 16).reshape(3, 20, 16).astype(np.uint16)
    slices = [true_json("L4-L5", 0.0) | {"sop_instance_uid": f"1.2.1.{number}"} for number in (1, 2, 3)]
    for name, seed, styles in (("trained", 7, ["nordwind"]), ("kept", 900_001, ["fairhaven-2"])):
        with (tmp_path / f"{name}.npz").open("wb") as file:
            sagittal = {"sagittal": axial[:2], "sagittal_affines": affines(2)[:, :, [2, 1, 0, 3]]}
            np.savez_compressed(file, axial=axial, axial_affines=affines(3), **sagittal)
        mr = {"slices": slices, "weighting": "T1", "layout": "block", "justified": None, "vertebrae": []}
        facts = {
            "seed": seed,
            "shapes": "morphable",
            "styles": styles,
            "anomalies": [],
            "variant": "7C+12T+5L",
            "mr": mr,
        }
        if name == "trained":
            facts["shapes"] = "procedural"
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    return tmp_path


def test_simulated_series_that_trained_are_not_evaluated(folder: Path) -> None:
    (kept,) = cases(folder)
    assert (kept.name, kept.origin, kept.weighting) == ("kept", "external", "T1")
    axial, sagittal = kept.study()
    assert [plane.name for plane in axial.planes] == [*kept.slices]
    assert axial.frame_of_reference_uid == sagittal.frame_of_reference_uid
    assert axial.pixels(1)[2, 3] == 20 * 16 + 2 * 16 + 3
    assert list(cases(folder, split="val")) == []


def test_slices_lie_where_their_affines_say(folder: Path) -> None:
    axial, _ = read_study(folder / "kept.npz")
    for index, affine in enumerate(affines(3)):
        plane = next(one for one in axial.planes if one.name == f"1.2.1.{index + 1}")
        np.testing.assert_allclose(plane.to_mm((3, 5)), (affine @ [0, 5, 3, 1])[:3], atol=1e-6)


def test_a_study_without_its_truth_is_an_error_that_names_both(folder: Path) -> None:
    (folder / "kept.json").unlink()
    with pytest.raises(ValueError, match=r"kept\.npz.*kept\.json"):
        list(cases(folder))


def test_pictures_in_folders_by_level_are_single_slices(tmp_path: Path) -> None:
    for level in ("L2-L3", "L5-S1"):
        (tmp_path / level).mkdir()
        Image.fromarray(np.arange(30 * 40, dtype=np.uint32).reshape(30, 40).astype(np.uint8)).save(
            tmp_path / level / "p1_3.png"
        )
    found = list(cases(tmp_path))
    assert [(one.patient, *one.discs) for one in found] == [("p1", "L2-L3"), ("p1", "L5-S1")]
    (stack,) = found[0].study()
    assert stack.pixels(0).shape == (30, 40)
    assert stack.planes[0].name in found[0].slices
