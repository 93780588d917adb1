"""The benchmark's reader and figures, on a folder of the VID layout made here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vid_keypoints.identification import Named, figures, judge
from benchmarks.vid_keypoints.scans import Scan, fold_of_name, scans
from numbering.anatomy import Level
from numbering.enumeration.detections import Detections

ROOT = Path(__file__).parent.parent
NOTHING = Detections.of([], [], [], [])


def scan(name: str = "a", *levels: str) -> Scan:
    named = tuple(Level.parse(level) for level in (levels or ("L1", "L2", "L3")))
    return Scan(name, name, named, np.array([[0.0, 0.0, -35.0 * i] for i in range(len(named))]), NOTHING)


def answer(*named: tuple[str, float, float], confidence: float = 1.0) -> Named:
    return Named(
        np.array([[0.0, 0.0, z] for _, z, _ in named]).reshape(-1, 3),
        tuple(Level.parse(level) for level, _, _ in named),
        tuple(p for _, _, p in named),
        confidence,
    )


def test_a_missed_vertebra_counts_as_wrong() -> None:
    value = figures([judge(scan(), answer(("L1", 1.0, 0.9), ("L2", -36.0, 0.9)))])
    assert value["identification_rate"] == pytest.approx(2 / 3, abs=1e-5)
    assert value["identification_rate_of_found"] == 1.0
    assert value["subjects_all_correct"] == 0.0
    assert value["n_not_found"] == 1


def test_the_nearest_name_counts_and_only_within_20_mm() -> None:
    one = judge(scan("a", "L1"), answer(("L2", 3.0, 0.6), ("L1", 9.0, 0.9)))
    assert not one.right[0]
    assert one.probability[0] == 0.6
    assert not judge(scan("a", "L1"), answer(("L1", 20.5, 0.9))).near[0]
    assert judge(scan("a", "L1"), answer(("L1", 19.5, 0.9))).right[0]


def test_calibration_and_brier_are_those_of_the_given_names() -> None:
    right, wrong = answer(("L1", 0.0, 0.8)), answer(("L2", 0.0, 0.8))
    value = figures([judge(scan("a", "L1"), right), judge(scan("b", "L1"), wrong)])
    assert value["ece"] == pytest.approx(0.3)
    assert value["brier"] == pytest.approx((0.04 + 0.64) / 2)


def test_the_least_sure_scans_are_abstained_on_first() -> None:
    sure = [judge(scan(f"s{i}", "L1"), answer(("L1", 0.0, 0.9), confidence=0.9)) for i in range(9)]
    unsure = judge(scan("z", "L1"), answer(("L2", 0.0, 0.5), confidence=0.5))
    curve = figures([*sure, unsure])["abstention"]
    assert [point["identification_rate"] for point in curve][:1] == [0.9]
    assert next(point for point in curve if point["abstained"] == 0.1)["identification_rate"] == 1.0


def test_no_scan_has_no_rate() -> None:
    value = figures([])
    assert value["identification_rate"] is None
    assert value["ece"] is None
    assert value["n_subjects"] == 0


def body(level: str | None, z: float) -> dict:
    kind = {"keypoint_type": "body"}
    kind |= (
        {"spine_level": level} if level else {"spine_segment": "L", "spine_segment_probabilities": [0.02, 0.02, 0.99]}
    )
    return {"coordinates": {"world_space": [0.0, 0.0, z]}, "type": kind}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    truth, found = (tmp_path / f"Keypoint{kind}NoSacrum" / "Validation" for kind in ("GroundTruth", "Predictions"))
    for path in (truth, found):
        path.mkdir(parents=True)
    for name in ("one", "two"):
        (truth / f"{name}.json").write_text(json.dumps([body(f"L{n}", -35.0 * n) for n in (3, 1, 2)]))
        (found / f"{name}.json").write_text(json.dumps([body(None, -35.0 * n + 1) for n in (2, 1, 3)]))
    (tmp_path / "mapping-export-Validation.txt").write_text(
        "one, verse/a/sub-verse7/x.nii\ntwo, verse/b/sub-verse7/y.nii\n"
    )
    return tmp_path


def test_any_split_of_the_layout_is_read_head_to_foot_and_patients_are_kept_together(folder: Path) -> None:
    one, two = scans(folder)
    assert [str(level) for level in one.levels] == ["L1", "L2", "L3"]
    assert (np.diff(one.centres[:, 2]) < 0).all()
    assert len(one.found.bodies) == 3
    assert one.patient == two.patient == "sub-verse7"
    assert fold_of_name(one.patient) == fold_of_name(two.patient)


def test_a_folder_one_level_up_is_read_too(folder: Path) -> None:
    assert len(scans(folder.parent)) == 2


def test_a_truth_without_detections_is_said(folder: Path) -> None:
    (folder / "KeypointPredictionsNoSacrum" / "Validation" / "two.json").unlink()
    with pytest.raises(FileNotFoundError, match="the first is two"):
        scans(folder)
    with pytest.raises(FileNotFoundError, match="expected a folder of the VID layout"):
        scans(folder / "KeypointGroundTruthNoSacrum" / "Validation")


def test_the_benchmark_ends_with_its_figures_as_json(folder: Path) -> None:
    command = [sys.executable, "benchmarks/enumeration.py", "--data", str(folder), "--frozen"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    value = json.loads(run.stdout.splitlines()[-1])
    assert (value["n_subjects"], value["n_vertebrae"]) == (2, 6)
    assert value["l6"]["n_subjects"] == value["eleven_ribs"]["n_subjects"] == 0
    assert {"identification_rate", "subjects_all_correct", "ece", "brier", "abstention"} <= value.keys()
