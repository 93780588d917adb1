from __future__ import annotations

import numpy as np
import pytest

from numbering.pipelines.ap_xray.decide import Look, OperatingPoint, below, gather, lumbar_region, posterior
from numbering.pipelines.ap_xray.detector import Detections, decode, suppress

L4, L5, S1 = (100.0, 300.0, 160.0, 340.0), (98.0, 350.0, 164.0, 392.0), (100.0, 402.0, 158.0, 440.0)
POINT = OperatingPoint(
    intercept=1, whole=0.5, crop=0.5, below=-4, answer=0.5, ambiguous=0.25, image_size=384, mirrored=0
)


def seen(*boxes_and_scores: tuple[tuple[float, ...], float]) -> Detections:
    boxes = np.array([box for box, _ in boxes_and_scores], float).reshape(-1, 4)
    return Detections(boxes, np.array([score for _, score in boxes_and_scores]))


NOTHING = seen()


def test_two_boxes_on_one_body_are_one_candidate_and_the_crop_s_box_is_kept() -> None:
    moved = tuple(value + 3 for value in L5)
    (one,) = gather(Look(seen((L5, 0.9)), NOTHING), Look(seen((moved, 0.6)), NOTHING))
    assert one.box == moved
    assert one.score == 0.9


def test_a_vertebra_below_speaks_against_a_candidate() -> None:
    whole = Look(seen((L4, 0.9), (L5, 0.55)), seen((L4, 0.3), (L5, 0.9)))
    upper, lower = sorted(gather(whole, None), key=lambda one: one.box[1])
    assert upper.features[2] == 0.9
    assert lower.features[2] == 0.0
    assert POINT.probability(lower) > POINT.probability(upper)


def test_the_paper_s_failure_two_boxes_is_resolved_by_what_lies_below() -> None:
    """Figure 5c: the upper box has 87 %, the lower 53 %, and the lower one is L5."""
    whole = Look(seen((L4, 0.87), (L5, 0.53)), seen((L5, 0.8)))
    evidence = gather(whole, None)
    probabilities, _ = posterior([POINT.probability(one) for one in evidence])
    assert evidence[int(np.argmax(probabilities))].box == L5


def test_a_vertebra_beside_or_far_below_does_not_count() -> None:
    aside = tuple(value + (200 if index % 2 == 0 else 50) for index, value in enumerate(L5))
    far = (98.0, 700.0, 164.0, 742.0)
    assert below(L5, [seen((aside, 0.9), (far, 0.9), (L4, 0.9))]) == 0.0
    assert below(L5, [seen((S1, 0.7))]) == 0.7


def test_candidates_compete_and_probabilities_sum_to_one() -> None:
    both, none = posterior([0.9, 0.9])
    assert both[0] == pytest.approx(both[1])
    assert sum(both) + none == pytest.approx(1)
    assert both[0] < 0.5
    alone, nothing = posterior([0.9])
    assert alone[0] == pytest.approx(0.9)
    assert nothing == pytest.approx(0.1)
    assert posterior([]) == ([], 1.0)


def test_the_second_look_is_around_the_candidate_and_inside_the_film() -> None:
    region = lumbar_region(Look(seen((L5, 0.8)), NOTHING), 0, 0, 220, 460)
    assert region is not None
    left, top, right, bottom = region
    assert 0 <= left < L5[0]
    assert top < L5[1] - 200
    assert L5[2] < right <= 220
    assert bottom == 460


def test_without_a_candidate_the_second_look_is_around_the_lowest_vertebra() -> None:
    region = lumbar_region(Look(NOTHING, seen((L4, 0.5), (S1, 0.6))), 0, 0, 220, 600)
    assert region is not None
    assert region[3] == int(S1[3] + 3.5 * (S1[3] - S1[1]))
    assert lumbar_region(Look(NOTHING, NOTHING), 0, 0, 220, 600) is None


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
