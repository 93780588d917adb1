from __future__ import annotations

import numpy as np
import pytest

from numbering.pipelines.ap_xray.decide import CLOSER, FEATURES, Look, OperatingPoint, closer_regions, gather
from numbering.pipelines.ap_xray.detector import Detections, decode, suppress
from numbering.pipelines.ap_xray.lowest import SIX_LUMBAR_PREVALENCE, lowest

L3, L4 = (102.0, 250.0, 158.0, 288.0), (100.0, 300.0, 160.0, 340.0)
L5, S1 = (98.0, 350.0, 164.0, 392.0), (100.0, 402.0, 158.0, 440.0)
POINT = OperatingPoint(
    intercept=1, whole=0.4, crop=0.4, body=0.3, below=-5, above=1, room=0.2,
    answer=0.5, ambiguous=0.25, image_size=384, whole_size=384, mirrored=0,
)  # fmt: skip
FILM_BOTTOM = 600.0


def seen(*boxes_and_scores: tuple[tuple[float, ...], float]) -> Detections:
    boxes = np.array([box for box, _ in boxes_and_scores], float).reshape(-1, 4)
    return Detections(boxes, np.array([score for _, score in boxes_and_scores]))


NOTHING = seen()


def feature(evidence: list, box: tuple[float, ...], name: str) -> float:
    (one,) = [one for one in evidence if np.allclose(one.box, box, atol=1)]
    return float(one.features[FEATURES.index(name)])


def test_boxes_of_both_looks_and_classes_on_one_body_are_one_and_the_crop_s_box_is_kept() -> None:
    moved = tuple(value + 3 for value in L5)
    (one,) = gather(
        [Look(seen((L5, 0.9)), seen((L5, 0.2))), Look(seen((moved, 0.6)), NOTHING, closer=True)], FILM_BOTTOM
    )
    np.testing.assert_allclose(one.box, moved)
    assert one.score == pytest.approx(0.9)


def test_duplicates_within_a_look_are_averaged_by_their_scores() -> None:
    moved = tuple(value + 4 for value in L5)
    (one,) = gather([Look(seen((L5, 0.8), (moved, 0.8)), NOTHING)], FILM_BOTTOM)
    np.testing.assert_allclose(one.box, np.array(L5) + 2)


def test_a_body_below_speaks_against_and_one_above_for() -> None:
    evidence = gather([Look(seen((L4, 0.9), (L5, 0.55)), seen((L3, 0.8), (L5, 0.9)))], FILM_BOTTOM)
    assert feature(evidence, L4, "below") == pytest.approx(0.9)
    assert feature(evidence, L5, "below") == 0.0
    assert feature(evidence, L5, "above") == pytest.approx(0.9)
    assert feature(evidence, L3, "above") == 0.0


def test_the_paper_s_failure_two_boxes_is_resolved_by_what_lies_below() -> None:
    """Figure 5c: the upper box has 87 %, the lower 53 %, and the lower one is L5."""
    evidence = gather([Look(seen((L4, 0.87), (L5, 0.53)), seen((L3, 0.9), (L5, 0.8)))], FILM_BOTTOM)
    probabilities = lowest([POINT.probability(one) for one in evidence]).either
    np.testing.assert_allclose(evidence[int(np.argmax(probabilities))].box, L5)


def test_a_body_beside_or_far_away_is_no_neighbour() -> None:
    aside = tuple(value + (200 if index % 2 == 0 else 50) for index, value in enumerate(L5))
    far = (98.0, 500.0, 164.0, 542.0)
    evidence = gather([Look(seen((L5, 0.5)), seen((aside, 0.9), (far, 0.9)))], FILM_BOTTOM)
    assert feature(evidence, L5, "below") == 0.0
    near = gather([Look(seen((L5, 0.5)), seen((S1, 0.7)))], FILM_BOTTOM)
    assert feature(near, L5, "below") == pytest.approx(0.7)


def test_little_film_below_a_body_is_noticed() -> None:
    look = Look(seen((L5, 0.5)), NOTHING)
    assert feature(gather([look], FILM_BOTTOM), L5, "room") == 1.0
    assert feature(gather([look], 392.0), L5, "room") == 0.0
    assert 0 < feature(gather([look], 420.0), L5, "room") < 0.5


def test_nothing_seen_is_no_evidence() -> None:
    assert gather([Look(NOTHING, NOTHING)], FILM_BOTTOM) == []


def test_candidates_compete_and_probabilities_sum_to_one() -> None:
    both = lowest([0.9, 0.9])
    assert both.either[0] == pytest.approx(both.either[1])
    assert sum(both.either) + both.none == pytest.approx(1)
    assert both.either[0] < 0.5
    alone = lowest([0.9])
    assert alone.either[0] == pytest.approx(0.9)
    assert alone.none == pytest.approx(0.1)
    assert lowest([]).none == pytest.approx(1)


def test_of_several_candidates_each_has_its_odds_against_the_others_and_none() -> None:
    p = np.array([0.02, 0.7, 0.3, 0.999, 0.5])
    odds = p / (1 - p)
    found = lowest(p.tolist())
    np.testing.assert_allclose(found.either, odds / (1 + odds.sum()))
    assert found.none == pytest.approx(1 / (1 + odds.sum()))


def test_the_lowest_lumbar_type_vertebra_is_l6_as_often_as_people_have_six() -> None:
    found = lowest([0.8, 0.1])
    assert found.l6[0] == pytest.approx(SIX_LUMBAR_PREVALENCE * found.either[0])
    assert found.of([1]).l5 == (found.l5[1],)


def test_the_closer_looks_are_around_the_lowest_sure_vertebra_and_inside_the_film() -> None:
    regions = closer_regions(Look(seen((L4, 0.8)), seen((L5, 0.5), (S1, 0.1))), 0, 0, 220, 460)
    assert len(regions) == len(CLOSER)
    for (left, top, right, bottom), (above, below) in zip(regions, CLOSER, strict=True):
        assert 0 <= left < L5[0]
        assert top == max(0, int(L5[1] - above * 42))
        assert L5[2] < right <= 220
        assert bottom == min(460, int(L5[3] + below * 42))


def test_without_anything_sure_the_closer_looks_are_around_the_best_guess() -> None:
    first, *_ = closer_regions(Look(seen((L4, 0.05)), seen((S1, 0.2))), 0, 0, 220, 600)
    assert first[3] == int(S1[3] + CLOSER[0][1] * (S1[3] - S1[1]))
    assert closer_regions(Look(NOTHING, NOTHING), 0, 0, 220, 600) == []


def test_decoding_reads_each_side_from_its_distribution() -> None:
    rows, columns = 64, 32
    cells = 8 * 4 + 4 * 2 + 2
    distances = np.full((4, 16, cells), -20, np.float32)
    for side, bin_ in enumerate((1, 2, 3, 4)):
        distances[side, bin_] = 20
    boxes, scores = decode(distances.reshape(64, cells), np.zeros((2, cells), np.float32), rows, columns)
    np.testing.assert_allclose(boxes[0], [(0.5 - 1) * 8, (0.5 - 2) * 8, (0.5 + 3) * 8, (0.5 + 4) * 8], atol=1e-4)
    np.testing.assert_allclose(boxes[5], [(1.5 - 1) * 8, (1.5 - 2) * 8, (1.5 + 3) * 8, (1.5 + 4) * 8], atol=1e-4)
    np.testing.assert_allclose(boxes[-1], [(0.5 - 1) * 32, (1.5 - 2) * 32, (0.5 + 3) * 32, (1.5 + 4) * 32], atol=1e-4)
    assert scores[0, 0] == pytest.approx(0.5)


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], float)
    assert suppress(boxes, np.array([0.5, 0.9, 0.1]), 0.5).tolist() == [1, 2]
