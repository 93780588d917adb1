"""Bodies, pedicles and what was learnt about them: candidates of simulated spines, and the shipped likelihoods."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbering.anatomy import Level
from numbering.enumeration import LEVELS, Solver
from numbering.enumeration.detections import Detections, bodies_of
from numbering.enumeration.features import features
from numbering.enumeration.learned import KINDS, STATEMENT, DetectionModel, kind_of
from numbering.enumeration.model import SPACING_MM

MODEL = DetectionModel.shipped()
SOLVER = Solver(MODEL.spine)
VIEW = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
HALF_WIDTH_MM = {"T9": 11.5, "T10": 12.2, "T11": 13.4, "T12": 14.6, "L1": 14.8, "L2": 15.0, "L3": 16.3, "L4": 18.2}


def spine(names: tuple[str, ...] = VIEW, seed: int = 0) -> Detections:
    """A spine as a network sees it: bodies at the usual distances, pedicles where they belong, and a little noise."""
    rng = np.random.default_rng(seed)
    along = np.concatenate([[0.0], np.cumsum([SPACING_MM[name][0] for name in names[:-1]])])
    bodies = np.stack([np.zeros(len(names)), 0.002 * (along - 150) ** 2, -along], 1)
    half = np.array([HALF_WIDTH_MM.get(name, 23.5) for name in names])
    aside, behind = np.array([1.0, 0, 0]), np.array([0, 22.0, 7.0])
    scores = np.array(
        [{"C": [0.98, 0.02, 0.02], "T": [0.03, 0.99, 0.03], "L": [0.03, 0.02, 0.99]}[n[0]] for n in names]
    )
    left, right = (bodies + sign * half[:, None] * aside + behind for sign in (1, -1))
    shaken = [points + rng.normal(0, 0.7, points.shape) for points in (bodies, left, right)]
    return Detections.of(shaken[0], scores, shaken[1], shaken[2])


def without_body(detections: Detections, index: int) -> Detections:
    return Detections(
        np.delete(detections.bodies, index, 0),
        np.delete(detections.segments, index, 0),
        detections.left,
        detections.right,
    )


def test_each_body_gets_its_own_pedicles() -> None:
    bodies = bodies_of(spine())
    assert bodies.found.all()
    assert np.isfinite(bodies.pedicles).all()
    assert (bodies.pedicles[:, 0, 0] > 9).all()
    assert (bodies.pedicles[:, 1, 0] < -9).all()
    assert (np.abs(bodies.pedicles[:, :, 1] - 22) < 6).all()


def test_a_pair_of_pedicles_without_a_body_stands_for_the_body_that_was_missed() -> None:
    whole = spine()
    bodies = bodies_of(without_body(whole, 3))
    assert len(bodies) == len(VIEW)
    assert list(np.flatnonzero(~bodies.found)) == [3]
    assert np.linalg.norm(bodies.centres[3] - whole.bodies[3]) < 8
    assert np.isnan(bodies.segments[3]).all()


def test_one_pedicle_alone_stands_for_nothing() -> None:
    missed = without_body(spine(), 3)
    alone = Detections(missed.bodies, missed.segments, missed.left, np.delete(missed.right, 3, 0))
    assert len(bodies_of(alone)) == len(VIEW) - 1


def test_what_lies_outside_the_spine_is_no_candidate() -> None:
    whole = spine()
    hip = [whole.bodies[-1] + [110, 0, -30]]
    found = Detections.of([*whole.bodies, *hip], [*whole.segments, [0.1, 0.1, 0.9]], whole.left, whole.right)
    assert len(bodies_of(found)) == len(VIEW)


def test_nothing_found_is_no_candidate() -> None:
    bodies, evidence = MODEL.evidence(Detections.of([], [], [], []))
    assert len(bodies) == 0
    assert SOLVER.number(evidence).levels == ()


def test_pedicles_alone_are_candidates() -> None:
    whole = spine(VIEW[:-1])
    bodies = bodies_of(Detections.of([], [], whole.left, whole.right))
    assert len(bodies) == len(VIEW) - 1
    assert not bodies.found.any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.tuples(*[st.floats(-500, 500)] * 3))
def test_neither_the_place_of_the_scan_nor_the_order_of_its_points_matters(seed: int, by: tuple[float, ...]) -> None:
    whole, rng = spine(seed=seed), np.random.default_rng(seed)
    order, left, right = (rng.permutation(len(points)) for points in (whole.bodies, whole.left, whole.right))
    moved = Detections(whole.bodies[order] + by, whole.segments[order], whole.left[left] + by, whole.right[right] + by)
    np.testing.assert_allclose(features(bodies_of(moved)), features(bodies_of(whole)), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_plain_spine_is_numbered_rightly(seed: int) -> None:
    _, evidence = MODEL.evidence(spine(seed=seed))
    found = SOLVER.number(evidence)
    assert [str(level) for level in found.levels] == list(VIEW)
    assert found.confidence > 0.9


def test_a_missed_body_does_not_shift_the_others() -> None:
    _, evidence = MODEL.evidence(without_body(spine(), 4))
    names = [str(level) for level in SOLVER.number(evidence).levels if level is not None]
    assert set(names) >= {"T10", "T11", "T12", "L1", "L3", "L4", "L5"}
    assert names == [name for name in VIEW if name in names]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 bodies with 1 segment scores"):
        Detections.of(np.zeros((2, 3)), np.zeros((1, 3)), [], [])
    with pytest.raises(ValueError, match="not finite"):
        Detections.of([[0, 0, np.nan]], [[0, 1, 0]], [], [])


def test_every_level_has_an_output_that_speaks_for_it() -> None:
    assert kind_of(Level.T13) == kind_of(Level.T12)
    assert {kind_of(Level(f"S{n}")) for n in range(1, 6)} == {25}
    assert sorted(set(KINDS.tolist())) == list(range(26))
    assert len(KINDS) == len(LEVELS)


def test_the_shipped_parameters_state_where_they_come_from() -> None:
    stated = json.loads(STATEMENT.read_text())
    assert stated["licence"] == "CC BY-SA 4.0"
    assert "VID" in stated["attribution"]
    assert stated["command"].startswith("python benchmarks/enumeration.py")


def test_parameters_that_are_not_those_of_the_statement_are_refused(tmp_path: Path, monkeypatch) -> None:
    stated = json.loads(STATEMENT.read_text())
    (tmp_path / stated["file"]).write_bytes(b"other")
    (tmp_path / STATEMENT.name).write_text(json.dumps(stated))
    monkeypatch.setattr("numbering.enumeration.learned.STATEMENT", tmp_path / STATEMENT.name)
    with pytest.raises(ValueError, match="expected"):
        DetectionModel.shipped()


def test_numbering_a_spine_loads_neither_networks_nor_dicom() -> None:
    code = (
        "import sys, numpy as np\n"
        "from numbering.enumeration import Solver\n"
        "from numbering.enumeration.detections import Detections\n"
        "from numbering.enumeration.learned import DetectionModel\n"
        "model = DetectionModel.shipped()\n"
        "_, evidence = model.evidence(Detections.of([[0, 0, 0], [0, 0, -35]], [[0, 0, 1]] * 2, [], []))\n"
        "Solver(model.spine).number(evidence)\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {"torch", "openvino", "pydicom", "scipy", "sklearn", "pydantic", "matplotlib"}
