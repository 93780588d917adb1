"""The tables of lateral films: what is right, what is an error, what counts after abstention."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numbering.errors import ReasonCode
from numbering.pipelines.judging import intervals
from numbering.pipelines.sagittal_xray.judging import figures, plots
from numbering.pipelines.sagittal_xray.judging.cases import Case, cases
from numbering.pipelines.sagittal_xray.judging.evaluation import evaluate
from numbering.pipelines.sagittal_xray.judging.scoring import score, size_of, true_angle
from numbering.result import Findings, Measurement, ModelIdentity, NumberingBasis, StatedReason, Status, Vertebra
from numbering.study import Radiograph

NAMES = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
WIDTH, HEIGHT, STEP = 40.0, 30.0, 38.0
LORDOSIS = "lumbar-lordosis-l1-l5"
Change = Callable[[Findings], Findings]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested of intervals does not need many."""
    monkeypatch.setattr(intervals, "BOOTSTRAPS", 60)


def spine(names: Sequence[str] = NAMES) -> dict[str, np.ndarray]:
    """Bodies one below the other, the front on the image's left, each leaning 3° more than the last; then S1."""
    found = {}
    for index, name in enumerate([*names, "S1"]):
        lean = np.radians(3.0 * (index - 2))
        turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
        box = np.array([[-WIDTH, -HEIGHT], [WIDTH, -HEIGHT], [WIDTH, HEIGHT], [-WIDTH, HEIGHT]]) / 2
        corners = box @ turn.T + [100, 40 + STEP * index]
        found[name] = corners[:2] if name == "S1" else corners
    return found


def case(name: str = "a", *, levels: dict[str, np.ndarray] | None = None, anatomy: str = "normal") -> Case:
    levels = spine() if levels is None else levels
    film = Radiograph(
        sop_instance_uid=name, frame=None, pixels=np.random.default_rng(0).random((360, 200)).astype(np.float32)
    )
    angles = {LORDOSIS: true_angle(LORDOSIS, levels), "sacral-slope": true_angle("sacral-slope", levels)}
    return Case(
        name=name, patient=name, film=film, levels=levels, anatomy=anatomy, shapes="procedural",
        angles={key: value for key, value in angles.items() if value is not None},
        read_as={level: level for level in levels if level != "S1"},
    )  # fmt: skip


def vertebra(level: str, corners: np.ndarray, probability: float = 0.95) -> Vertebra:
    points = [(float(x), float(y)) for x, y in corners]
    low, high = corners.min(0), corners.max(0)
    place = {"endplate": tuple(points)} if len(points) == 2 else {"corners": tuple(points)}
    return Vertebra(
        level=level, probability=probability, sop_instance_uid="1.2", box=(*low.tolist(), *(high + 1e-3).tolist()),
        **place,
    )  # fmt: skip


def said(case: Case, names: dict[str, str] | None = None, shift: tuple[float, float] = (0, 0)) -> Findings:
    """The truth as findings, under other names where ``names`` gives them, every corner moved by ``shift`` pixels."""
    names = names or {}
    found = {names.get(level, level): corners + shift for level, corners in case.levels.items()}
    angles = {LORDOSIS: true_angle(LORDOSIS, found), "sacral-slope": true_angle("sacral-slope", found)}
    return Findings(
        status=Status.NUMBERED,
        vertebrae=tuple(vertebra(level, corners) for level, corners in found.items()),
        measurements=tuple(
            Measurement(name=name, levels=(), value=value, unit="deg", uncertainty=1.0)
            for name, value in angles.items()
            if value is not None
        ),
        basis=NumberingBasis(counted_from="sacrum", statement="presumed"),
    )


ABSTENTION = Findings(
    status=Status.ABSTAINED, reason=StatedReason(code=ReasonCode.LOW_CONFIDENCE, text="film: not sure enough")
)


class Scripted:
    """Answers film by film what it is told; forced, it answers the truth one level too high."""

    def __init__(self, answers: dict[str, Findings], forced: dict[str, Findings], without: frozenset[str]) -> None:
        self.identity = ModelIdentity(
            name="scripted", version="1", weights_file="-", weights_sha256="0" * 64, trained_on="-", runtime="none"
        )
        self.answers = answers | forced if "abstention" in without else answers

    def number(self, images: Sequence[Radiograph]) -> Findings:
        (film,) = images
        return self.answers[film.sop_instance_uid]


def judged(answers: dict[str, Findings], films: Sequence[Case], forced: dict[str, Findings] | None = None) -> dict:
    report, _ = evaluate(lambda without: Scripted(answers, forced or {}, without), films)
    return report


def test_the_truth_scores_without_an_error() -> None:
    film = case()
    outcome = score(film, said(film))
    assert all(outcome.right.values())
    assert all(outcome.justified.values())
    assert len(outcome.right) == 8
    assert outcome.worst_corner == pytest.approx(0, abs=1e-9)
    assert outcome.worst_angle == pytest.approx(0, abs=1e-9)
    assert not outcome.confident_wrong


def test_an_error_counts_in_shares_of_the_bodys_width_and_height() -> None:
    film = case()
    outcome = score(film, said(film, shift=(4, 6)))
    assert size_of(film.levels["L3"]) == pytest.approx((WIDTH, HEIGHT))
    table = figures.table_of_errors([outcome])
    assert table["L3"]["x"] == pytest.approx(10)
    assert table["L3"]["y"] == pytest.approx(20)
    assert table["S1"]["y"] == pytest.approx(15), "S1 has no height: its width stands for it"
    assert figures.weighted_medians(table) == pytest.approx((10, (7 * 20 + 15) / 8))


def test_every_name_one_level_too_low_is_wrong_and_sure() -> None:
    film = case()
    lower = dict(zip(NAMES, (*NAMES[1:], "L6"), strict=True))
    outcome = score(film, said(film, lower))
    assert sum(outcome.right.values()) == 1, "the sacrum alone"
    assert outcome.confident_wrong
    assert outcome.extra == 0
    assert figures.table_of_errors([outcome])["L3"]["y"] > 100


def test_a_name_on_no_vertebra_in_view_is_extra() -> None:
    film = case()
    ghost = vertebra("T10", film.levels["T11"] - [0, 2 * STEP])
    answer = said(film)
    outcome = score(film, answer.model_copy(update={"vertebrae": (*answer.vertebrae, ghost)}))
    assert outcome.extra == 1
    assert outcome.confident_wrong


def test_six_lumbar_vertebrae_read_as_five_are_wrong_but_as_a_perfect_reader_would_say() -> None:
    levels = spine((*NAMES[:-1], "L5", "L6")[1:])  # T12 … L6
    usual = dict(zip(levels, ("T11", "T12", "L1", "L2", "L3", "L4", "L5"), strict=False))
    film = replace(case(levels=levels, anatomy="L6"), read_as=usual)
    outcome = score(film, said(film, usual))
    assert not any(right for level, right in outcome.right.items() if level != "S1")
    assert all(outcome.justified.values())


def test_an_angle_between_wrongly_named_vertebrae_is_compared_with_the_one_of_its_name() -> None:
    film = case()
    lower = dict(zip(NAMES, (*NAMES[1:], "L6"), strict=True))
    (angle,) = (one for one in score(film, said(film, lower)).angles if one.name == LORDOSIS)
    assert angle.true == pytest.approx(film.angles[LORDOSIS])
    assert angle.said is not None
    assert angle.error == pytest.approx(true_angle(LORDOSIS, said_levels(film, lower)) - angle.true)  # type: ignore[operator]


def said_levels(film: Case, names: dict[str, str]) -> dict[str, np.ndarray]:
    return {names.get(level, level): corners for level, corners in film.levels.items()}


def test_an_angle_that_is_not_given_has_no_error_and_is_counted_apart() -> None:
    films = [case(name) for name in "abcd"]
    answers = {film.name: said(film) for film in films}
    not_given = Measurement(name=LORDOSIS, levels=(), value=None, unit="deg", reason="L5 is not in view")
    answers["d"] = answers["d"].model_copy(update={"measurements": (not_given,)})
    outcomes = [score(film, answers[film.name]) for film in films]
    found = figures.angle_figures(figures.angles_of(outcomes, LORDOSIS))
    assert (found["n"], found["given"]) == (4, 3)
    assert found["maximum"] == pytest.approx(0, abs=1e-9)


def test_regression_and_bland_altman_find_a_known_relation() -> None:
    true = np.linspace(20, 70, 26)
    wobble = np.where(np.arange(26) % 2, 1.0, -1.0)
    angles = [
        figures.Angle(name=LORDOSIS, true=t, said=2 + 1.1 * t + w, uncertainty=8.1)
        for t, w in zip(true, wobble, strict=True)
    ]
    found = figures.angle_figures(angles)
    assert found["slope"] == pytest.approx(1.1, abs=0.01)
    assert found["bias"] == pytest.approx(2 + 0.1 * 45)
    assert found["limits high"] - found["limits low"] == pytest.approx(2 * 1.96 * found["SD"])  # type: ignore[operator]
    assert found["median"] == pytest.approx(6.5, abs=0.5)
    assert found["above 5°"] == pytest.approx(np.mean(np.abs(2 + 0.1 * true + wobble) > 5))
    assert found["covered"] == pytest.approx(np.mean(np.abs(2 + 0.1 * true + wobble) <= 8.1))
    assert found["R²"] == pytest.approx(np.corrcoef(true, 2 + 1.1 * true + wobble)[0, 1] ** 2)


def test_corners_of_a_vertebra_that_was_not_named_are_out_of_reach() -> None:
    film = case()
    answer = said(film, shift=(0.07 * WIDTH, 0))
    without_l3 = answer.model_copy(update={"vertebrae": tuple(v for v in answer.vertebrae if v.level != "L3")})
    curves = figures.pck([score(film, without_l3)])
    assert curves["L4"][:2] == [0.0, 1.0], "within 10 % of the width, not within 5 %"
    assert curves["L3"] == [0.0] * 20
    assert curves["all"][-1] == pytest.approx(26 / 30)


def test_abstaining_takes_a_film_out_of_what_is_answered_and_not_out_of_all() -> None:
    films = [case(name) for name in "abcd"]
    wrong = said(films[3], dict(zip(NAMES, (*NAMES[1:], "L6"), strict=True)))
    answers = {film.name: said(film) for film in films} | {"d": ABSTENTION}
    everything, answered = judged(answers, films, {"d": wrong})["rows"]
    assert (everything["films"], everything["n"], answered["films"], answered["n"]) == ("all", 4, "answered", 3)
    assert everything["figures"]["abstained"] == answered["figures"]["abstained"] == 0.25
    assert everything["figures"]["level accuracy"] == pytest.approx((3 * 8 + 1) / 32)
    assert answered["figures"]["level accuracy"] == 1.0
    assert everything["figures"]["wrong ≥ 0.9"] == 0.25
    assert answered["figures"]["wrong ≥ 0.9"] == 0.0


def test_normal_and_anomalous_anatomy_and_each_source_of_shapes_stand_apart() -> None:
    films = [case("a"), replace(case("b"), shapes="morphable"), case("c", anatomy="L6")]
    report = judged({film.name: said(film) for film in films}, films)
    rows = [(row["anatomy"], row["shapes"], row["n"]) for row in report["rows"] if row["films"] == "all"]
    assert rows == [("normal", "all", 2), ("normal", "morphable", 1), ("normal", "procedural", 1)] + [
        ("anomalous", "procedural", 1)
    ]
    assert set(report["groups"]) == {"normal", "anomalous"}
    json.dumps(report, allow_nan=False)


def test_intervals_hold_the_figure_and_are_wider_for_fewer_patients() -> None:
    def rows_of(number: int) -> dict:
        films = [case(str(index)) for index in range(number)]
        shifted = {film.name: said(film, shift=(index % 5, 0)) for index, film in enumerate(films)}
        return judged(shifted, films)["rows"][0]

    few, many = rows_of(5), rows_of(40)
    widths = []
    for row in (few, many):
        low, high = row["interval"]["median x %"]
        assert low <= row["figures"]["median x %"] <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_probabilities_that_are_too_high_have_a_calibration_error() -> None:
    film = case()
    lower = dict(zip(NAMES, (*NAMES[1:], "L6"), strict=True))
    sure = figures.reliability([score(film, said(film)), score(film, said(film, lower))])
    assert sure["n"] == 16
    assert sure["ECE"] == pytest.approx(0.95 - 9 / 16)


def test_nothing_to_evaluate_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        judged({}, [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three films of the layout: one that trained, one that is reserved for tests, one real."""
    (tmp_path / "images").mkdir()
    for name, facts in (
        ("trained", {"seed": 7}),
        ("kept", {"seed": 900001, "shapes": "procedural", "anomalies": ["L6"], "field_of_view": "lumbar"}),
        ("real", {}),
    ):
        Image.fromarray(np.arange(200 * 120, dtype=np.uint32).reshape(200, 120).astype(np.uint8)).save(
            tmp_path / "images" / f"{name}.png"
        )
        levels = {"S1": [[1, 2], [3, 4]], "L5": [[1, 2], [3, 2], [3, 4], [1, 4]]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"levels": levels, "spacing_mm": None, **facts}))
    return tmp_path


def test_simulated_films_that_trained_are_not_evaluated(folder: Path) -> None:
    found = {film.name: film for film in cases(folder)}
    assert found.keys() == {"kept", "real"}
    assert (found["kept"].anatomy, found["real"].anatomy) == ("L6", "normal")
    assert [*found["real"].levels] == ["L5", "S1"]
    assert found["real"].film.pixels.shape == (200, 120)
    assert [film.name for film in cases(folder, split="val")] == ["real"]


def test_a_film_without_its_truth_is_an_error_that_names_both(folder: Path) -> None:
    (folder / "real.json").unlink()
    with pytest.raises(ValueError, match=r"real\.png.*real\.json"):
        list(cases(folder))


def test_a_folder_without_films_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images/ with one JSON"):
        cases(tmp_path)


def test_pictures_show_curves_agreement_and_the_films(tmp_path: Path) -> None:
    films = [case(name) for name in "abcd"]
    lower = dict(zip(NAMES, (*NAMES[1:], "L6"), strict=True))
    answers = {film.name: said(film, shift=(i, 0)) for i, film in enumerate(films)} | {"d": said(films[3], lower)}
    report, found = evaluate(lambda without: Scripted(answers, {}, without), films)
    outcomes = [one.answer for one in found]
    assert [one.case.name for one in plots.worst(outcomes)] == ["d"]
    assert [one.case.name for one in plots.best(outcomes)] == ["a", "b", "c"]
    assert plots.gallery(plots.worst(outcomes), tmp_path / "worst.png") == 1
    for path in (
        plots.curves(report, tmp_path / "pck.png"),
        plots.agreement(outcomes, "normal", tmp_path / "angles.png"),
        tmp_path / "worst.png",
    ):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
