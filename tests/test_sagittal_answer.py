"""From networks to findings on lateral films, with the simulator's truth for networks and faults put into it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.pipelines.sagittal_xray.levels import CHANNEL
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.pipeline import conclude
from numbering.pipelines.sagittal_xray.reading.answer import Reader
from numbering.record.basis import COUNTED_FROM
from numbering.result import Findings, Measurement, Status
from tests.lateral import TrueEyes, TrueFilm, names_of, true_film

POINT = OperatingPoint()
L1, L2, L3, L4, L5, S1 = (CHANNEL[Level.parse(name)] for name in ("L1", "L2", "L3", "L4", "L5", "S1"))


def findings(
    film: TrueFilm, point: OperatingPoint = POINT, without: frozenset[str] = frozenset(), **faults
) -> Findings:
    return conclude([Reader(TrueEyes(film, **faults), point, without).answer(film.film)], point)


def named(found: Findings) -> list[str]:
    return [one.level for one in found.vertebrae]


def measured(found: Findings) -> dict[str, Measurement]:
    return {one.name: one for one in found.measurements}


def agrees(found: Findings, film: TrueFilm, names: set[str] | None = None) -> bool:
    """Whether every true angle (of these names) was given, within half a degree."""
    said = measured(found)
    true = {name: value for name, value in film.angles.items() if names is None or name in names}
    return bool(true) and all(
        said[name].value is not None and abs(said[name].value - value) < 0.5 for name, value in true.items()
    )


@pytest.fixture(scope="module")
def lumbar() -> TrueFilm:
    return true_film(3)


FILMS = {
    "lumbar": {},
    "lumbar, facing right": {"seed": 5, "mirrored": True},
    "whole spine": {"seed": 4, "field_of_view": "whole-spine"},
    "six lumbar vertebrae, whole spine": {"anomaly": "L6", "field_of_view": "whole-spine"},
    "four lumbar vertebrae, whole spine": {"anomaly": "L4", "field_of_view": "whole-spine"},
    "slipped": {"anomaly": "spondylolisthesis"},
    "wedged": {"seed": 4, "anomaly": "wedge-fracture"},
    "scoliotic": {"anomaly": "scoliosis", "field_of_view": "whole-spine"},
    "on its side": {"seed": 6, "turns": 1},
    "upside down": {"seed": 6, "turns": 2},
    "on its other side, facing right": {"seed": 6, "turns": 3, "mirrored": True},
}


@pytest.mark.parametrize("of", FILMS.values(), ids=FILMS)
def test_a_film_gets_its_true_names_corners_and_angles(of) -> None:
    film = true_film(**of)
    found = findings(film)
    assert found.status is Status.NUMBERED, found.reason
    assert named(found) == names_of(film)
    for one in found.vertebrae:
        np.testing.assert_allclose(one.endplate or one.corners, film.named[one.level], atol=0.1)
    assert agrees(found, film)
    assert any("upright" in words for words in found.quality) == bool(film.turns)


def test_a_vertebra_that_step_one_missed_is_found_between_its_neighbours(lumbar) -> None:
    found = findings(lumbar, missed=[L3])
    assert named(found) == names_of(lumbar)
    assert agrees(found, lumbar)
    assert any("L3 was missed at first" in words for words in found.quality)


def test_a_vertebra_that_both_steps_missed_leaves_a_gap_and_shifts_no_name(lumbar) -> None:
    found = findings(lumbar, blind=[L3])
    assert named(found) == [name for name in names_of(lumbar) if name != "L3"]
    assert any("L3 was not found between L2 and L4" in words for words in found.quality)
    assert not any("l3" in name for name in measured(found))


def test_the_sacrum_is_not_the_last_vertebra_that_happens_to_be_seen() -> None:
    film = true_film(3, cut=0.58)
    assert "S1" not in film.named
    found = findings(film)
    assert named(found) == names_of(film)
    assert found.basis is not None
    assert found.basis.counted_from == "lowest rib-bearing vertebra, presumed T12"
    assert measured(found)["sacral-slope"].reason == "not given: S1 is not named on this film"


def test_a_film_without_anything_to_count_from_is_not_numbered(lumbar) -> None:
    found = findings(lumbar, blind=[S1, *(k for k in lumbar.seen if k < L1)])
    assert found.status is Status.ABSTAINED
    assert found.reason is not None
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert "neither the sacrum nor the last rib" in found.reason.text


def test_a_film_of_no_spine_is_not_numbered(lumbar) -> None:
    found = findings(lumbar, blind=list(lumbar.seen))
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    tiny = replace(lumbar.film, pixels=lumbar.film.pixels[:20])
    assert findings(replace(lumbar, film=tiny)).status is Status.ABSTAINED


def test_ribs_where_the_count_from_the_sacrum_has_none_make_the_film_ambiguous() -> None:
    film = true_film(3, "T11-L6")
    found = findings(film)
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.AMBIGUOUS
    assert any("six lumbar-type vertebrae suspected" in words for words in found.anomalies)
    assert found.candidates


def test_a_sixth_lumbar_vertebra_is_named_measured_and_suspected() -> None:
    film = true_film(3, "L6", "whole-spine")
    found = findings(film)
    assert "L6" in named(found)
    assert "lumbar-lordosis-l1-l6" in measured(found)
    assert any("L6, or a lumbarised S1" in words for words in found.anomalies)
    assert "LSTV: six lumbar-type vertebrae suspected" in found.basis.statement
    assert found.alternative is not None
    assert len(found.alternative.levels) == len(found.vertebrae)


def test_one_body_at_the_wrong_position_does_not_shift_the_names(lumbar) -> None:
    faults = {"sees": {L3: L2, L2: L1, L1: L3}}
    assert named(findings(lumbar, **faults)) == names_of(lumbar)
    alone = findings(lumbar, without=frozenset({"sequence"}), **faults)
    assert named(alone) != names_of(lumbar)


def test_what_only_step_one_sees_gets_no_name() -> None:
    film = true_film(4)
    top = min(film.seen)
    first, second = film.seen[top], film.seen[top + 1]
    ghost = first + 1.2 * (first.mean(0) - second.mean(0))
    found = findings(film, ghosts={top - 1: ghost})
    assert named(found) == names_of(film)


def test_a_long_way_between_two_vertebrae_without_a_name_to_spare_is_no_numbering() -> None:
    film = true_film(3)
    below = {k: k + 1 for k in film.seen if k <= L2}
    found = findings(film, blind=[L3], sees=below, ribs={L1 - 1: -6.0, L1 - 2: -6.0})
    assert found.status is Status.ABSTAINED or "L3" not in named(found)


def test_corners_that_both_steps_see_apart_are_not_measured_from(lumbar) -> None:
    width = float(np.linalg.norm(lumbar.seen[L5][0] - lumbar.seen[L5][1]))
    found = findings(lumbar, shift={L5: np.array([0.4 * width, 0.0])})
    lordosis = measured(found)["lumbar-lordosis-l1-l5"]
    assert lordosis.value is None
    assert lordosis.reason == "not given: L5: the two steps found it in different places"
    assert agrees(found, lumbar, {"sacral-slope", "lumbar-lordosis-l1-s1"})


def test_step_two_that_strays_to_another_body_is_not_followed(lumbar) -> None:
    away = lumbar.seen[L3].mean(0) - lumbar.seen[L2].mean(0)
    found = findings(lumbar, shift={L2: away})
    assert named(found) == names_of(lumbar)
    corners = {one.level: np.array(one.corners) for one in found.vertebrae if one.corners}
    np.testing.assert_allclose(corners["L2"], lumbar.named["L2"], atol=1.5)
    assert measured(found)["wedge-ratio-l2"].value is None


def test_an_endplate_that_is_blurred_is_not_measured(lumbar) -> None:
    found = findings(lumbar, wide={S1: 3.0})
    for name in ("sacral-slope", "lumbar-lordosis-l1-s1"):
        assert measured(found)[name].value is None
        assert "S1: the direction of its upper endplate is known to ±" in measured(found)[name].reason
    assert agrees(found, lumbar, {"lumbar-lordosis-l1-l5"})


def test_a_front_on_the_wrong_side_raises_a_doubt(lumbar) -> None:
    turned = lumbar.seen[L4][[1, 0, 3, 2]] - lumbar.seen[L4]
    found = findings(lumbar, first={L4: turned}, shift={L4: turned})
    assert any("L4: its front was found where the other vertebrae have their back" in words for words in found.quality)
    assert measured(found)["wedge-ratio-l4"].value is None


def test_a_slip_is_measured_and_graded() -> None:
    film = true_film(3, "spondylolisthesis")
    slipped = max(film.skeleton.patient.vertebrae, key=lambda one: one.slip_mm)
    found = findings(film)
    slip = next(one for one in found.measurements if one.name == f"anterolisthesis-{slipped.level}-s1".lower())
    depth = film.skeleton.patient.sacrum.endplate_depth
    assert slip.value == pytest.approx(slipped.slip_mm / depth, abs=0.1)
    assert any("anterolisthesis of L5 on S1" in words and "grade I" in words for words in found.anomalies)


def test_a_wedge_is_reported_and_its_ratio_is_that_of_the_body() -> None:
    film = true_film(4, "wedge-fracture")
    found = findings(film)
    wedged = [words for words in found.anomalies if "wedge-shaped" in words]
    size = next(one.size for one in film.skeleton.patient.vertebrae if str(one.level) == "L3")
    assert [words[:2] for words in wedged] == ["L3"]
    ratio = measured(found)["wedge-ratio-l3"].value
    assert ratio == pytest.approx(size.height_anterior / size.height_posterior, abs=0.05)


def test_lengths_are_in_mm_only_where_the_film_is_calibrated() -> None:
    plain, calibrated = (true_film(3, spacing_mm=(0.5, 0.5), calibrated=yes) for yes in (False, True))
    assert "disc-height-l4-l5" not in measured(findings(plain))
    found = measured(findings(calibrated))
    height = found["disc-height-l4-l5"]
    upper = calibrated.named["L4"]
    depth = 0.5 * np.linalg.norm(upper[3] - upper[2])
    assert height.unit == "mm"
    assert height.value == pytest.approx(found["relative-disc-height-l4-l5"].value * depth, rel=0.02)


def test_a_count_from_c2_is_stated_only_where_the_weights_allow_it() -> None:
    film = true_film(4, field_of_view="whole-spine", above=200)
    assert "C2" in film.named
    presumed = findings(film)
    assert presumed.basis.counted_from == "lowest rib-bearing vertebra, presumed T12"
    assert presumed.basis.anchors_in_view == ("C2", "last rib", "sacrum")
    counted = findings(film, OperatingPoint(count_from_c2=0.9))
    assert (counted.basis.counted_from, counted.basis.assumptions) == ("C2", ())
    interrupted = findings(film, OperatingPoint(count_from_c2=0.9), blind=[CHANNEL[Level.T5]])
    assert interrupted.basis is None or interrupted.basis.counted_from != "C2"


def test_the_words_of_the_basis_are_those_that_the_record_knows(lumbar) -> None:
    found = findings(lumbar)
    assert found.basis.counted_from.casefold() in COUNTED_FROM
    no_ribs = findings(lumbar, blind=[k for k in lumbar.seen if k < L1])
    assert no_ribs.basis.counted_from == "sacrum"
    assert no_ribs.basis.assumptions == ("five lumbar-type vertebrae",)
    assert found.basis.statement.endswith("AI result, not verified. Research use only.")


def test_two_films_that_count_differently_contradict_each_other() -> None:
    films = true_film(3, field_of_view="whole-spine"), true_film(3, "L6", "whole-spine")
    found = conclude([Reader(TrueEyes(film), POINT).answer(film.film) for film in films], POINT)
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.CONTRADICTORY


def test_a_film_that_is_not_numbered_does_not_take_the_other_with_it(lumbar) -> None:
    blind = TrueEyes(lumbar, blind=list(lumbar.seen))
    answers = [Reader(eyes, POINT).answer(lumbar.film) for eyes in (blind, TrueEyes(lumbar))]
    found = conclude(answers, POINT)
    assert named(found) == names_of(lumbar)
    assert any(words.startswith("not numbered: film") for words in found.quality)


def test_without_step_two_the_corners_are_those_of_step_one(lumbar) -> None:
    sharp = OperatingPoint(spread=0.2)
    found = findings(lumbar, sharp, without=frozenset({"step-two"}), shift={L4: np.array([9.0, 0.0])})
    assert named(found) == names_of(lumbar)
    assert agrees(found, lumbar)


def test_the_same_film_gives_the_same_findings(lumbar) -> None:
    assert findings(lumbar) == findings(lumbar)


def test_a_vertebra_taken_for_the_sacrum_is_given_away_by_what_lies_below_it() -> None:
    """Everything fits, one level too low: no rib is in view, and step I saw L5 where the sacrum should be."""
    film = true_film(3)
    one_lower = {k: k + 1 for k in film.seen if k != S1}
    found = findings(film, missed=[S1], blind=[k for k in film.seen if k < L1], sees=one_lower)
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.AMBIGUOUS
    assert "below what was taken for the sacrum" in found.reason.text


def test_a_sacrum_that_was_missed_leaves_six_lumbar_vertebrae_their_names_or_none() -> None:
    film = true_film(1019, "L6", "whole-spine")
    found = findings(film, missed=[S1])
    assert found.status is Status.ABSTAINED or named(found) == names_of(film)


def test_positions_that_are_off_by_one_throughout_are_put_right_by_the_ribs_or_not_given() -> None:
    film = true_film(4, cut=0.6)
    off = {k: k - 1 for k in film.seen}
    found = findings(film, sees=off)
    assert found.status is Status.ABSTAINED or named(found) == names_of(film)
