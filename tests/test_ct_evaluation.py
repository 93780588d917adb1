"""The tables of CT: what is right, how far L1 is off, what overlaps, what counts after abstention."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from PIL import Image

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.packed import LabelVolume
from numbering.phantom.scene.labels import vertebra_label
from numbering.pipelines.ct.commands import draw, tables
from numbering.pipelines.ct.judging import figures
from numbering.pipelines.ct.judging.cases import Case, Scan, TrueBody, cases, layout_of
from numbering.pipelines.ct.judging.evaluation import evaluate
from numbering.pipelines.ct.judging.scoring import DENSITY, score
from numbering.pipelines.judging import intervals
from numbering.result import Findings, Measurement, ModelIdentity, NumberingBasis, StatedReason, Status, Vertebra
from numbering.stack import Stack
from tools.model_cards import table

NAMES = ("T11", "T12", "L1", "L2", "L3")
SPACING, STEP_MM = np.array([4.0, 2.0, 2.0]), 36.0
SHAPE = (56, 26, 22)
FIRST_MM = np.array([5.0, -7.0, 300.0])
AFFINE = np.array([[0, 0, 2.0, 5.0], [0, 2.0, 0, -7.0], [-4.0, 0, 0, 300.0], [0, 0, 0, 1]])
"""Slices to the feet, rows to the back, columns to the left: index to mm LPS."""


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested of intervals does not need many."""
    monkeypatch.setattr(intervals, "BOOTSTRAPS", 40)


def volume(names: Sequence[str] = NAMES) -> tuple[np.ndarray, np.ndarray, dict[str, TrueBody]]:
    """HU, labels and bodies: boxes one below the other, the last one cut off by the end of the scan."""
    hu, labels, bodies = np.full(SHAPE, 40, np.int16), np.zeros(SHAPE, np.uint8), {}
    for index, name in enumerate(names):
        first = 6 + 9 * index
        box = slice(first, first + 7), slice(5, 17), slice(4, 17)
        labels[box] = vertebra_label(Level.parse(name))
        hu[box] = 200
        middle = np.array([first + 3, 10.5, 10.0])
        bodies[name] = TrueBody(
            centre_mm=(AFFINE @ [*middle, 1])[:3], whole=index < len(names) - 1, label=int(labels[first, 8, 8])
        )
    return hu, labels, bodies


def case(name: str = "a", *, names: Sequence[str] = NAMES, anatomy: str = "normal", shapes: str = "morphable") -> Case:
    hu, labels, bodies = volume(names)

    def scan() -> Scan:
        stack = Stack.of_array(hu, AFFINE, series_uid=f"1.{ord(name[0])}")
        return Scan(stack, {f"1.{ord(name[0])}.{index + 1}": labels[index] for index in range(len(labels))})

    return Case(
        name=name, patient=name, bodies=bodies, scan=scan, shapes=shapes, anatomy=anatomy, region="lumbar",
        read_as={one: one for one in names}, l1_hu=150.0,
    )  # fmt: skip


def said(
    case: Case,
    names: Mapping[str, str] | None = None,
    up_mm: float = 0.0,
    rows: int = 0,
    probability: float = 0.95,
) -> Findings:
    """The truth as findings, under other names where ``names`` gives them, centres ``up_mm`` too high, voxels moved
    by ``rows``."""
    names = names or {}
    scan = case.scan()
    called = {level: names.get(level, level) for level in case.bodies}
    values = {body.label: number for number, body in enumerate(case.bodies.values(), 1)}
    table = np.zeros(256, np.uint8)
    table[list(values)] = list(values.values())
    planes = [np.roll(table[scan.labels[plane.name]], rows, 0) for plane in scan.stack.planes]
    uids = [plane.sop_instance_uid for plane in scan.stack.planes]
    return Findings(
        status=Status.NUMBERED,
        vertebrae=tuple(
            Vertebra(
                level=called[level], probability=probability, sop_instance_uid=uids[0], box=(0, 0, 5, 5),
                centre_mm=(float(x), float(y), float(z) + up_mm),
            )
            for level, (x, y, z) in ((level, body.centre_mm) for level, body in case.bodies.items())
        ),
        segmentation=LabelVolume.of(planes, [(uid, None) for uid in uids], list(called.values())),
        measurements=(Measurement(name=DENSITY, levels=("L1",), value=162.5, unit="HU"),),
        basis=NumberingBasis(counted_from="last rib", statement="presumed"),
    )  # fmt: skip


LOWER = dict(zip(NAMES, ("T12", "L1", "L2", "L3", "L4"), strict=True))
ABSTENTION = Findings(
    status=Status.ABSTAINED, reason=StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="L1 is not in view")
)


class Scripted:
    """Answers series by series what it is told; what it says of a method when forced is ``forced`` of that method."""

    identity = ModelIdentity(
        name="scripted", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
    )

    def __init__(self, answers: dict[str, Findings], forced: dict[str, Findings], without: frozenset[str]) -> None:
        method = "direct" if "instances" in without else "instances" if "direct" in without else "combined"
        self.other = forced.get(method) if "abstention" in without else None
        self.answers = answers

    def number(self, images: Sequence[Stack]) -> Findings:
        (stack,) = images
        if self.other is not None:
            return self.other
        number = stack.planes[0].sop_instance_uid.split(".")[1]
        return self.answers[chr(int(number))]


Build = Callable[[frozenset[str]], Scripted]


def scripted(answers: dict[str, Findings], **forced: Findings) -> Build:
    return partial(Scripted, answers, forced)


def score_of(one: Case, findings: Findings):
    return score(one, one.scan(), findings)


def test_the_truth_scores_without_an_error() -> None:
    outcome = score_of(case(), said(case()))
    assert outcome.all_right
    assert outcome.l1_right
    assert outcome.level_mm == pytest.approx(0, abs=1e-6)
    assert outcome.dice == {"T11": 1.0, "T12": 1.0, "L1": 1.0, "L2": 1.0}, "of what is wholly in view"
    assert outcome.hu == pytest.approx(12.5)
    assert not outcome.confident_wrong


def test_the_craniocaudal_error_is_along_the_patient() -> None:
    outcome = score_of(case(), said(case(), up_mm=7))
    assert outcome.level_mm == pytest.approx(7, abs=1e-6)
    assert outcome.l1_right, "7 mm up is still L1"


def test_half_a_vertebra_up_is_its_neighbours_place() -> None:
    outcome = score_of(case(), said(case(), up_mm=STEP_MM))
    assert not outcome.l1_right
    assert outcome.confident_wrong
    assert outcome.extra == 1, "the highest name lies above all that is in view"


def test_voxels_that_lie_beside_count_in_the_overlap() -> None:
    outcome = score_of(case(), said(case(), rows=3))
    assert outcome.dice["L1"] == pytest.approx((12 - 3) / 12)
    assert outcome.l1_right


def test_every_name_one_level_too_low_is_wrong_and_sure() -> None:
    outcome = score_of(case(), said(case(), LOWER))
    assert not any(outcome.right.values())
    assert outcome.confident_wrong
    assert outcome.level_mm == pytest.approx(STEP_MM)
    assert outcome.dice["L1"] == 0.0
    assert not score_of(case(), said(case(), LOWER, probability=0.7)).confident_wrong


def test_a_cut_off_vertebra_need_not_be_named_but_its_name_must_be_right() -> None:
    whole = said(case())
    unnamed = whole.model_copy(update={"vertebrae": whole.vertebrae[:-1], "segmentation": None})
    assert score_of(case(), unnamed).all_right
    wrong = said(case(), {"L3": "L4"})
    assert not score_of(case(), wrong).all_right


def test_voxels_that_were_not_segmented_have_no_overlap() -> None:
    outcome = score_of(case(), said(case()).model_copy(update={"segmentation": None}))
    assert set(outcome.dice.values()) == {0.0}


def test_six_lumbar_vertebrae_read_as_five_are_wrong_but_as_a_perfect_reader_would_say() -> None:
    names = ("L2", "L3", "L4", "L5", "L6")
    usual = dict(zip(names, ("L1", "L2", "L3", "L4", "L5"), strict=True))
    series = replace(case(names=names, anatomy="L6"), read_as=usual)
    outcome = score_of(series, said(series, usual))
    assert not any(outcome.right.values())
    assert all(outcome.justified.values())


def test_the_table_has_a_row_for_each_method_and_one_for_what_was_answered() -> None:
    series = [case(name) for name in "abcd"]
    answers = {one.name: said(one) for one in series} | {"d": ABSTENTION}
    build = scripted(
        answers, combined=said(series[0]), direct=said(series[0], up_mm=3), instances=said(series[0], LOWER)
    )
    report, _ = evaluate(build, series)
    rows = {(row["method"], row["series"]): row for row in report["rows"]}
    assert list(rows) == [
        ("combined", "all"), ("direct", "all"), ("instances", "all"), ("combined", "answered"),
    ]  # fmt: skip
    figures_of = {key: row["figures"] for key, row in rows.items()}
    assert figures_of["direct", "all"]["median mm"] == pytest.approx(3)
    assert figures_of["instances", "all"]["L1 accuracy"] == 0.0
    assert figures_of["combined", "answered"]["L1 accuracy"] == 1.0
    assert rows["combined", "answered"]["n"] == 3
    assert figures_of["combined", "all"]["abstained"] == 0.25
    json.dumps(report, allow_nan=False)


def test_series_without_l1_are_counted_apart_and_never_in_the_table() -> None:
    lower = ("L2", "L3", "L4", "L5", "S1")[:4]
    series = [case("a"), case("b", names=lower), case("c", names=lower)]
    answers = {"a": said(series[0]), "b": ABSTENTION, "c": said(series[2], {"L2": "L1", "L3": "L2"})}
    report, _ = evaluate(scripted(answers), series)
    assert report["rows"][-1]["n"] == 1
    assert report["without_l1"]["n"] == 2
    assert report["without_l1"]["abstained"] == 1
    assert report["without_l1"]["answered"] == ["c"]
    assert report["without_l1"]["named L1"] == 1
    assert report["without_l1"]["reasons"] == {"target-not-in-view": 1}


def test_a_series_that_cuts_l1_off_is_in_neither_table() -> None:
    series = [case("a"), case("b", names=("T9", "T10", "T11", "T12", "L1"))]
    report, _ = evaluate(scripted({"a": said(series[0]), "b": said(series[1])}), series)
    assert (report["cut_off"], report["rows"][-1]["n"], report["without_l1"]["n"]) == (1, 1, 0)


def test_normal_and_anomalous_anatomy_and_each_source_of_shapes_stand_apart() -> None:
    series = [case("a"), case("b", shapes="procedural"), case("c", anatomy="L6")]
    report, _ = evaluate(scripted({one.name: said(one) for one in series}), series)
    rows = [(row["anatomy"], row["shapes"], row["n"]) for row in report["rows"] if row["series"] == "answered"]
    assert rows == [("normal", "all", 2), ("normal", "morphable", 1), ("normal", "procedural", 1)] + [
        ("anomalous", "morphable", 1)
    ]
    assert set(report["groups"]) == {"normal", "anomalous"}
    assert report["groups"]["normal"]["levels"]["L1"] == {"n": 2, "right": 1.0, "Dice": 1.0}


def test_density_is_judged_where_l1_is_l1() -> None:
    right, wrong = score_of(case(), said(case())), score_of(case(), said(case(), LOWER))
    found = figures.density([right, wrong])
    assert (found["n"], found["bias"]) == (1, pytest.approx(12.5))


def test_without_one_of_both_methods_the_other_is_all_there_is() -> None:
    report, _ = evaluate(scripted({"a": said(case())}), [case()], without=frozenset({"direct"}))
    assert {row["method"] for row in report["rows"]} == {"combined"}


def test_nothing_to_evaluate_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        evaluate(scripted({}), [])


def test_a_models_card_has_a_row_for_each_of_the_reports() -> None:
    series = [case("a"), case("b", names=("L2", "L3", "L4"))]
    report, _ = evaluate(scripted({"a": said(series[0]), "b": ABSTENTION}), series)
    lines = table(report | {"title": "t", "command": "c", "date": "d", "data": "simulated"}).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[0].startswith("| method | anatomy | shapes | series | n | patients | L1 accuracy |")
    assert len(rows) == 1 + len(report["rows"])
    assert len({row.count("|") for row in rows}) == 1
    assert lines[-1].startswith("Series without L1: 1; abstained on 1;")


def test_tables_and_pictures_are_made_of_a_report(tmp_path: Path) -> None:
    series = [case(name) for name in "abc"]
    answers = {"a": said(series[0]), "b": said(series[1], LOWER), "c": ABSTENTION}
    build = scripted(answers)
    report, judged = evaluate(lambda parts: build(parts - {"abstention"}), series)
    shown = tables(report)
    assert len({len(row) for row in shown[0].rows} | {len(shown[0].columns)}) == 1
    assert draw(report, judged, tmp_path / "worst.png") == {"failures": 2, "good": 1}
    for name in ("worst.png", "worst-good.png", "worst-reliability.png"):
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three series of the layout: one that trained, one that is reserved for tests, one real."""
    hu, labels, bodies = volume()
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE[:, [2, 1, 0, 3]]
    truth = {
        "shapes": "procedural", "anomalies": ["L6"], "l1_hu": 140.0, "region": "chest",
        "ct": {
            "phase": "native", "protocol": "chest", "justified": None,
            "vertebrae": [
                {"level": level, "centre_mm": body.centre_mm.tolist(), "view": "whole", "label": body.label}
                for level, body in bodies.items()
            ] + [{"level": "L5", "centre_mm": [0, 0, 0], "view": "none", "label": 24}],
        },
    }  # fmt: skip
    for name, seed in (("trained", 7), ("kept", 900_001), ("real", None)):
        for ending, voxels in (("ct", hu), ("seg", labels)):
            image = Nifti1Image(np.ascontiguousarray(voxels.transpose(2, 1, 0)), ras)
            (tmp_path / f"{name}_{ending}.nii.gz").write_bytes(gzip.compress(image.to_bytes()))
        if seed:
            (tmp_path / f"{name}.json").write_text(json.dumps(truth | {"seed": seed}))
    return tmp_path


def test_simulated_series_that_trained_are_not_evaluated(folder: Path) -> None:
    assert layout_of(folder) == "volumes"
    found = {one.name: one for one in cases(folder)}
    assert found.keys() == {"kept", "real"}
    assert (found["kept"].anatomy, found["kept"].region, found["real"].shapes) == ("L6", "chest", "real")
    assert [*found["kept"].bodies] == [*NAMES]
    assert [one.name for one in cases(folder, split="val")] == ["real"]


def test_voxels_and_labels_of_a_file_lie_where_its_bodies_do(folder: Path) -> None:
    (real,) = (one for one in cases(folder) if one.name == "real")
    scan = real.scan()
    expected = volume()[2]
    for level in NAMES:
        np.testing.assert_allclose(real.bodies[level].centre_mm, expected[level].centre_mm, atol=1.1)
    middle = next(plane for plane in scan.stack.planes if abs(plane.position_mm[2] - expected["L1"].centre_mm[2]) < 2)
    x, y = middle.to_pixel(expected["L1"].centre_mm)
    assert scan.labels[middle.name][round(y), round(x)] == expected["L1"].label


def test_a_series_without_its_labels_is_an_error_that_names_both(folder: Path) -> None:
    (folder / "real_seg.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"real_ct\.nii\.gz.*real_seg\.nii\.gz"):
        list(cases(folder))


def test_labels_of_another_grid_are_refused(folder: Path) -> None:
    other = Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    (folder / "kept_seg.nii.gz").write_bytes(gzip.compress(other.to_bytes()))
    (kept,) = (one for one in cases(folder) if one.name == "kept")
    with pytest.raises(ValueError, match=r"kept_seg\.nii\.gz: grid"):
        kept.scan()
