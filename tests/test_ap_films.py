from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numbering.pipelines.ap_xray import films as films_module
from numbering.pipelines.ap_xray.cases import cases, layout_of
from numbering.pipelines.ap_xray.dataset import write_yolo
from numbering.pipelines.ap_xray.films import (
    ReservedFilm,
    crop_without_l5,
    films_for,
    labels_in,
    lumbar_crop,
    patient_groups,
    read_aasce,
    read_phantoms,
    refuse_test_films,
    reserved_splits,
    split_by_patient,
    whole_film,
)
from tests.labelled import draw_spine, make_aasce
from tests.phantoms import lumbar_patient

NAMES = [f"set-01-Jan-2017-{patient} {letter} AP.jpg" for patient in (11, 12, 13, 14) for letter in "AB"]


@pytest.fixture
def aasce(tmp_path: Path) -> Path:
    return make_aasce(tmp_path / "aasce", NAMES, shuffled=(1,), doubled=(3,))


def test_vertebrae_listed_out_of_order_are_sorted_head_to_foot(aasce: Path) -> None:
    films, _ = read_aasce(aasce)
    for film in films:
        assert (np.diff(film.vertebrae.mean(1)[:, 1]) > 0).all()
    true_l5 = draw_spine(1)[1][-1] - 0.5
    np.testing.assert_allclose(films[1].vertebrae[-1], true_l5, atol=0.01)


def test_a_film_that_labels_a_vertebra_twice_is_left_out_and_named(aasce: Path) -> None:
    films, left_out = read_aasce(aasce)
    assert left_out == [NAMES[3]]
    assert NAMES[3] not in {film.name for film in films}


def test_films_of_one_patient_never_straddle_the_split(aasce: Path) -> None:
    films, _ = read_aasce(aasce)
    splits = split_by_patient(films, seed=3, val=0.2, test=0.2)
    where = {name: split for split, names in splits.items() for name in names}
    assert sorted(where) == sorted(film.name for film in films)
    for film in films:
        same = {where[other.name] for other in films if other.patient() == film.patient()}
        assert len(same) == 1


def test_films_that_look_alike_share_a_group_whatever_their_names_say(tmp_path: Path) -> None:
    folder = make_aasce(tmp_path / "aasce", NAMES[:4:2] + ["set-02-Jan-2017-99 A AP.jpg"])
    (folder / "images" / "set-02-Jan-2017-99 A AP.jpg").write_bytes((folder / "images" / NAMES[0]).read_bytes())
    first, second, copy = patient_groups(read_aasce(folder)[0])
    assert first == copy != second


def test_the_training_loader_refuses_a_test_film(aasce: Path) -> None:
    films, _ = read_aasce(aasce)
    stolen = reserved_splits()["test"][0]
    with pytest.raises(ReservedFilm, match="1 test film"):
        refuse_test_films([*films, films_module.Film(name=stolen, path=aasce, vertebrae=films[0].vertebrae)])
    refuse_test_films(films)


def test_reserved_films_never_train() -> None:
    splits = reserved_splits()
    assert not set(splits["test"]) & set(splits["val"])
    film = films_module.Film(name=splits["val"][0], path=Path("x"), vertebrae=np.zeros((17, 4, 2)))
    assert films_for("train", [film]) == []
    assert films_for("val", [film]) == [film]


def test_films_whose_label_is_in_doubt_train_and_validate_nothing_and_are_told_apart(
    aasce: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films_module, "label_findings", lambda: {NAMES[0]: "high1", NAMES[4]: "low"})
    monkeypatch.setattr(films_module, "reserved_splits", lambda: {"val": [NAMES[0], NAMES[1]], "test": NAMES[4:6]})
    films, _ = read_aasce(aasce)
    assert [film.name for film in films_for("val", films)] == [NAMES[1]]
    assert NAMES[0] not in {film.name for film in films_for("train", films)}
    found = [(case.anatomy, case.view) for case in cases(aasce, "aasce", "test", crops=1)]
    assert found == [
        ("label in doubt", "whole film"),
        ("normal", "whole film"),
        ("normal", "lumbar crop"),
        ("normal", "without L5"),
    ]


def test_a_lumbar_crop_holds_l5_and_a_crop_without_it_does_not(aasce: Path) -> None:
    film = read_aasce(aasce)[0][0]
    shape = film.pixels().shape
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert labels_in(film, lumbar_crop(film, shape, rng))[1].sum() == 1
        assert labels_in(film, whole_film(film, shape, rng))[1].sum() == 1
        assert labels_in(film, crop_without_l5(film, shape, rng))[1].sum() == 0


def test_labels_follow_the_crop(aasce: Path) -> None:
    film = read_aasce(aasce)[0][0]
    crop = films_module.Crop(31, 200, 180, 500)
    boxes, is_l5 = labels_in(film, crop)
    np.testing.assert_allclose(boxes[is_l5][0], film.boxes[-1] + 0.5 - [31, 200, 31, 200])


def test_a_yolo_data_set_marks_l5_as_class_0_and_the_rest_as_class_1(aasce: Path, tmp_path: Path) -> None:
    film = read_aasce(aasce)[0][0]
    write_yolo([film], tmp_path, ("L5", "vertebra"), 96, "val", 3, seed=1)
    whole = np.loadtxt(tmp_path / "labels" / "val" / "0000_0.txt")
    assert (whole[:, 0] == 0).sum() == 1
    assert whole[np.argmax(whole[:, 2]), 0] == 0
    one_class = tmp_path / "one"
    write_yolo([film], one_class, ("L5",), 96, "val", 3, seed=1)
    assert np.loadtxt(one_class / "labels" / "val" / "0000_0.txt").ndim == 1


def test_cases_of_yolo_labels_are_those_of_the_films_they_came_from(aasce: Path, tmp_path: Path) -> None:
    film = read_aasce(aasce)[0][0]
    write_yolo([film], tmp_path / "set", ("L5",), 260, "val", 1, seed=1)
    assert layout_of(tmp_path / "set") == "yolo"
    (case,) = cases(tmp_path / "set", "auto")
    assert case.l5 is not None
    rows = case.film.pixels.shape[0]
    bright = case.film.pixels[int(case.l5[1]) + 2 : int(case.l5[3]) - 1, int(case.l5[0]) + 2 : int(case.l5[2]) - 1]
    assert bright.mean() > case.film.pixels.mean()
    assert case.l5[3] > rows * 0.6


def test_simulated_films_can_train_too(tmp_path: Path) -> None:
    (film,) = read_phantoms(lumbar_patient())
    write_yolo([film], tmp_path / "set", ("L5", "vertebra"), 256, "val", 3, seed=1)
    whole, without, lumbar = (np.loadtxt(tmp_path / "set" / "labels" / "val" / f"0000_{i}.txt") for i in range(3))
    assert (whole[:, 0] == 0).sum() == (lumbar[:, 0] == 0).sum() == 1
    assert (without[:, 0] == 0).sum() == 0
    assert whole[whole[:, 0] == 0][0, 2] == whole[:, 2].max()  # the lowest body


def test_an_unlabelled_folder_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"landmarks\.csv"):
        layout_of(tmp_path)
