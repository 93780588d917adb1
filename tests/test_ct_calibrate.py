"""CT with parts of the method left out, and what validation series fix: networks are the truth with faults."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from numbering.anatomy import Level
from numbering.phantom.scene.labels import vertebra_label
from numbering.pipelines.ct.judging import calibrate
from numbering.pipelines.ct.judging.calibrate import Looked, fit
from numbering.pipelines.ct.judging.cases import Case, Scan, TrueBody
from numbering.pipelines.ct.judging.scoring import score
from numbering.pipelines.ct.judging.variants import Looks, Variant
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.judging.calibration import class_temperature, temperature, weights_as_in_people
from numbering.pipelines.registering import as_numbers
from numbering.result import ModelIdentity, Status
from numbering.stack import Stack
from tests.true_ct import SMALL, TrueEyes, scan, spine

POINT = OperatingPoint()
WHO = ModelIdentity(name="ct", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none")
L1, L2 = Level.L1, Level.L2


@pytest.fixture(scope="module")
def usual():
    return spine(3)


@pytest.fixture(scope="module")
def lumbar(usual) -> Stack:
    return scan(usual, Level.T12, Level.L5, step_mm=4.0, pixel_mm=3.0)


def case_of(usual, stack: Stack, name: str = "a") -> Case:
    """What the series shows of this spine; voxels are those of the simple solids."""
    heights = [plane.position_mm[2] for plane in stack.planes]
    bodies = {}
    for level in usual.levels:
        inside = min(usual.centre(level)[2] - min(heights), max(heights) - usual.centre(level)[2])
        if inside > -20:
            label = vertebra_label(level)
            bodies[str(level)] = TrueBody(centre_mm=usual.centre(level), whole=inside > 15, label=label)
    table = np.array([0, *(vertebra_label(level) for level in usual.levels)], np.uint8)

    def labels(plane) -> np.ndarray:
        xy = np.stack(np.meshgrid(np.arange(plane.columns), np.arange(plane.rows)), -1)
        return table[usual.at(plane.to_mm(xy))[0]]

    kept = Scan(stack, {plane.name: labels(plane) for plane in stack.planes})
    return Case(name=name, patient=name, bodies=bodies, scan=lambda: kept, shapes="procedural", region="lumbar")


def variants(eyes: TrueEyes):
    """The pipeline without parts, over these eyes."""
    looks = Looks(eyes)
    return lambda *parts: Variant(looks, POINT, WHO, frozenset(parts))


@pytest.fixture(scope="module")
def mistaken(usual, lumbar):
    """Outcomes where the direct network takes L2 for L1."""
    case, eyes = case_of(usual, lumbar), TrueEyes(usual, direct=L2)
    without = variants(eyes)
    outcomes = {}
    for parts in ((), ("abstention",), ("instances", "abstention"), ("direct", "abstention")):
        outcomes[parts] = score(case, case.scan(), without(*parts).number([lumbar]))
        outcomes[(*parts, "patches")] = eyes.patches
    return outcomes


def test_the_direct_search_alone_names_l1_where_it_sees_it(mistaken) -> None:
    alone = mistaken["instances", "abstention"]
    assert [one.level for one in alone.findings.vertebrae] == ["L1"]
    assert not alone.l1_right
    assert alone.level_mm == pytest.approx(35, abs=6), "one vertebra too low"


def test_the_instances_alone_do_not_hear_the_direct_search(mistaken) -> None:
    alone = mistaken["direct", "abstention"]
    assert alone.all_right
    assert alone.dice["L1"] > 0.8


def test_all_readings_of_a_series_share_one_look(mistaken) -> None:
    assert mistaken["patches",] == mistaken["direct", "abstention", "patches"] > 0


def test_disagreement_costs_the_pipeline_belief(mistaken) -> None:
    silent = mistaken["direct", "abstention"].findings.vertebrae
    both = mistaken["abstention",].findings.vertebrae
    least = {name: min(one.probability for one in found) for name, found in (("silent", silent), ("both", both))}
    assert least["both"] < least["silent"]


def test_a_direct_search_that_finds_nothing_names_nothing(usual, lumbar) -> None:
    without = variants(TrueEyes(usual, direct=None))
    assert without("instances").number([lumbar]).status is Status.ABSTAINED


def test_the_direct_search_overlaps_with_the_true_voxels(usual, lumbar) -> None:
    case = case_of(usual, lumbar)
    found = variants(TrueEyes(usual))("instances", "abstention").number([lumbar])
    outcome = score(case, case.scan(), found)
    assert outcome.l1_right
    assert outcome.dice["L1"] > 0.6, "its grid is coarse"


class EyesForEach:
    """`TrueEyes` anew for every series."""

    size = SMALL

    def __init__(self, usual, **faults: object) -> None:
        self.new = lambda: TrueEyes(usual, **faults)  # type: ignore[arg-type]

    def whole(self, working):
        self.now = self.new()
        return self.now.whole(working)

    def patch(self, *asked):
        return self.now.patch(*asked)


def test_series_with_and_without_l1_fix_the_point(usual, lumbar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "FEWEST_EXAMPLES", 1)
    thorax = scan(usual, Level.T8, Level.T10, step_mm=4.0, pixel_mm=3.0)
    pipeline = SimpleNamespace(point=POINT, reader=SimpleNamespace(eyes=EyesForEach(usual, spread=0.1, shift=0.2)))
    seen = []
    cases = [case_of(usual, lumbar, "a"), case_of(usual, thorax, "b")]
    point = fit(pipeline, cases, lambda case: seen.append(case.name))  # type: ignore[arg-type]
    assert seen == ["a", "b"]
    assert point.level_temperature == pytest.approx(2.0, abs=0.01), "places are off by twice the stated spread"
    assert point.direct_right > point.direct_beside == pytest.approx(0.5 / 3, abs=1e-3), "one case and a half, of three"
    assert point.answer in calibrate.THRESHOLDS
    assert as_numbers(point).keys() == OperatingPoint.__dataclass_fields__.keys()


def looked(levels: dict[str, float], *, volume: float = 9000.0, share: str | None = "L1", l1: bool = True) -> Looked:
    """A series whose pieces lie on these levels and say they stand at these places."""
    found = [
        SimpleNamespace(
            level=place, spread=0.5, rib=0.9 if level[0] == "T" else 0.1, sacrum=0.9 if level == "L5" else 0
        )
        for level, place in levels.items()
    ]
    names = ("T12", "L1", "L2") if l1 else ("T8", "T9")
    body = TrueBody(centre_mm=np.zeros(3), whole=True, label=1)
    case = Case(name="a", patient="a", bodies=dict.fromkeys(names, body), scan=lambda: Scan(None, {}))  # type: ignore[arg-type]
    shares = np.array([float(level == share) for level in levels])
    direct = SimpleNamespace(volume_mm3=volume, shares=shares, elsewhere=1 - shares.sum())
    return Looked(case, SimpleNamespace(found=found, direct=direct), tuple(levels))  # type: ignore[arg-type]


TRUE = {"T12": 19.0, "L1": 20.0, "L2": 21.0}


def test_what_the_direct_network_does_is_counted() -> None:
    series = [looked(TRUE)] * 30 + [looked(TRUE, share="T12")] * 6 + [looked(TRUE, volume=0.0)] * 4
    series += [looked({"T8": 15.0, "T9": 16.0}, l1=False, volume=0.0)] * 19
    series += [looked({"T8": 15.0, "T9": 16.0}, l1=False)] * 1
    found = calibrate.direct(series, POINT)
    assert found["direct_beside"] == pytest.approx(6 / 40, abs=0.02)
    assert found["direct_missed"] == pytest.approx(4 / 40, abs=0.02)
    assert found["direct_right"] == pytest.approx(30 / 40, abs=0.03)
    assert found["direct_false"] == pytest.approx(1 / 20, abs=0.03)


def test_signs_that_are_often_wrong_are_trusted_less() -> None:
    right, wrong = looked(TRUE), looked(TRUE)
    wrong.reading.found[1].rib = 0.95
    sure, doubtful = calibrate.trusts([right] * 20), calibrate.trusts([right] * 10 + [wrong] * 10)
    assert doubtful["rib_trust"] < sure["rib_trust"]
    assert doubtful["rib_trust"] == pytest.approx(np.log(50 / 10), abs=0.1), "ten of sixty"


def test_anomalous_anatomy_fixes_no_trust() -> None:
    odd = looked(TRUE)
    odd = Looked(replace(odd.case, anatomy="L6"), odd.reading, odd.lies_on)
    assert calibrate.trusts([odd] * 30) == {}
    assert calibrate.level_temperature([odd] * 30) == 1.0


def test_anomalous_cases_weigh_what_they_do_among_people() -> None:
    weights = weights_as_in_people([True] * 60 + [False] * 60)
    assert sum(weights[60:]) / sum(weights) == pytest.approx(0.097, abs=1e-3)
    assert weights_as_in_people([True, True]) == [1.0, 1.0]


def test_a_temperature_makes_overconfident_logits_honest() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, 4000)
    logits = rng.normal(0, 1, (4000, 3))
    logits[np.arange(4000), true] += 1.0
    honest = class_temperature(logits, true)
    assert class_temperature(4 * logits, true) == pytest.approx(4 * honest, rel=0.02)
    shares = 1 / (1 + np.exp(-np.array([3.0, -3.0] * 200)))
    right = [bool(one) for one in rng.random(400) < np.tile([0.73, 0.27], 200)]
    assert temperature(list(zip(shares, right, strict=True))) == pytest.approx(3.0, rel=0.35)
    assert temperature([(0.9, True)] * 50) == 1.0, "one kind of example fixes nothing"
