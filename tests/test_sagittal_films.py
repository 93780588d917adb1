from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from numbering.phantom.splits import ReservedPatient
from numbering.pipelines.sagittal_xray.learning import simulate as simulator
from numbering.pipelines.sagittal_xray.learning.augment import FEWEST, developed, moved, random_region
from numbering.pipelines.sagittal_xray.learning.crops import Crops, stacked
from numbering.pipelines.sagittal_xray.learning.dataset import LabelledFilm, labels, read_films
from numbering.pipelines.sagittal_xray.learning.regions import Regions, ShapedBatches
from numbering.pipelines.sagittal_xray.levels import LEVELS24, SACRUM
from numbering.pipelines.sagittal_xray.model.preprocess import canvas_shape, crop, whole
from numbering.pipelines.sagittal_xray.sizes import SIZES
from tests.lateral_films import truth, write_film, write_films

SMALL = SIZES["small"]
WHOLE = (0.0, 0.0, 240.0, 320.0)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFilm]:
    return read_films(write_films(tmp_path_factory.mktemp("films"), range(1, 9)))


def names(present: np.ndarray) -> list[str]:
    return [str(level) for level, shown in zip(LEVELS24, present, strict=True) if shown]


def marked(rows: int, columns: int, x: int, y: int) -> np.ndarray:
    image = np.random.default_rng(0).normal(1000, 150, (rows, columns)).astype(np.float32)
    image[y - 8 : y + 9, x - 8 : x + 9] = 6000
    return image


def bright(canvas: np.ndarray) -> np.ndarray:
    y, x = np.where(canvas > 0.97)
    return np.array([np.median(x), np.median(y)])


@pytest.mark.parametrize("shape", [(900, 365), (430, 350), (300, 500)])
def test_a_mark_on_the_film_lies_on_the_canvas_where_the_placement_says(shape: tuple[int, int]) -> None:
    canvas, placed = whole(marked(*shape, 140, 210), SMALL)
    assert canvas.shape == (placed.rows, placed.columns)
    assert np.allclose(placed.to_canvas(np.array([140.0, 210.0])), bright(canvas), atol=1.0)
    points = np.random.default_rng(1).uniform(0, 300, (5, 4, 2))
    assert np.allclose(placed.to_film(placed.to_canvas(points)), points)


def test_a_mark_lies_in_a_crop_where_the_placement_says_also_over_the_edge() -> None:
    film = marked(430, 350, 30, 20)
    corners = np.array([[4.0, 0], [40, 3], [38, 30], [2, 28]])
    canvas, placed = crop(film, corners, SMALL)
    assert canvas.shape == (SMALL.crop, SMALL.crop)
    assert placed.left < 0
    assert placed.top < 0
    assert canvas[0].max() == 0
    assert np.allclose(placed.to_canvas(np.array([30.0, 20.0])), bright(canvas), atol=1.5)
    assert placed.scale_x == pytest.approx(SMALL.crop / (38 * SMALL.enlarged))


def test_canvases_of_the_small_size_keep_the_films_shape_and_their_area() -> None:
    for rows, columns in ((900, 365), (430, 350), (400, 400)):
        tall, wide = canvas_shape(rows, columns, SMALL)
        assert tall % 32 == 0
        assert wide % 32 == 0
        assert tall / wide == pytest.approx(rows / columns, rel=0.13)
        assert tall * wide == pytest.approx(SMALL.pixels**2, rel=0.13)
    assert canvas_shape(900, 365, SIZES["paper"]) == (1024, 1024)


def test_bodies_that_the_edge_cuts_are_not_judged(films: list[LabelledFilm]) -> None:
    everything = labels(films[0], WHOLE)
    assert names(everything.present) == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert everything.judged.all()
    through_l3 = float(films[0].bodies[5].corners[:, 1].mean())
    caudal = labels(films[0], (0.0, 0.0, 240.0, through_l3))
    assert names(caudal.present) == ["T10", "T11", "T12", "L1", "L2"]
    assert names(~caudal.judged) == ["L3"]
    assert not caudal.corner_known[SACRUM].any()


def test_only_two_corners_of_the_sacrum_are_known(films: list[LabelledFilm]) -> None:
    found = labels(films[0], WHOLE)
    assert found.corner_known[SACRUM].tolist() == [True, True, False, False]
    assert np.array_equal(found.corners[SACRUM, :2], films[0].s1)


def test_a_film_labelled_by_name_alone_says_which_spine_it_is(tmp_path: Path) -> None:
    said = truth(3)
    levels = {name: points for name, points in said["levels"].items() if name in {"L3", "L4", "L5", "S1"}}
    write_film(tmp_path, "six", said)
    (tmp_path / "six.json").write_text(
        json.dumps({"levels": levels | {"L6": said["levels"]["L2"]}, "spacing_mm": None})
    )
    (film,) = read_films(tmp_path)
    assert film.lowest == 25
    assert [body.ordinal for body in film.bodies] == [22, 23, 24, 25]
    assert not any(body.rib_bearing for body in film.bodies)


def test_a_reserved_patient_does_not_train(tmp_path: Path) -> None:
    write_film(tmp_path, "reserved", truth(900001))
    with pytest.raises(ReservedPatient, match="reserved"):
        read_films(tmp_path)


def test_a_name_that_is_no_vertebra_is_refused_with_the_file(tmp_path: Path) -> None:
    write_film(tmp_path, "odd", truth(3))
    (tmp_path / "odd.json").write_text(json.dumps({"levels": {"L9": [[0, 0]] * 4}, "spacing_mm": None}))
    with pytest.raises(ValueError, match=r"odd\.json.*L9"):
        read_films(tmp_path)


def test_points_move_with_the_picture() -> None:
    torch.manual_seed(3)
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:160, :128].astype(np.float32)
    for _ in range(25):
        place = rng.uniform(45, 85, 2)
        blob = torch.from_numpy(np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 18).astype(np.float32))[None]
        picture, points = moved(blob, torch.tensor(place[None], dtype=torch.float32), rng)
        mass = picture[0].numpy()
        found = np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
        assert np.allclose(points[0].numpy(), found, atol=0.5)


def test_development_keeps_pictures_between_black_and_white() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        found = developed(torch.rand(1, 40, 30), rng)
        assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_regions_keep_three_vertebrae_and_some_lose_the_sacrum(films: list[LabelledFilm]) -> None:
    rng, film = np.random.default_rng(0), films[0]
    found = [labels(film, random_region(film, (0, 0, 240, 320), 1.25, rng)) for _ in range(60)]
    middles = [random_region(film, (0, 0, 240, 320), 1.25, rng) for _ in range(60)]
    inside = [sum(top < body.corners[:, 1].mean() < bottom for body in film.bodies) for _, top, _, bottom in middles]
    assert min(inside) >= FEWEST
    assert 0.1 < np.mean([not one.present[SACRUM] for one in found]) < 0.6
    kept = [labels(film, random_region(film, (0, 0, 240, 320), 1.25, rng, caudal=False)) for _ in range(30)]
    assert all(one.present[SACRUM] for one in kept)


def test_batches_have_one_shape_and_hold_every_film_once(films: list[LabelledFilm]) -> None:
    batches = list(ShapedBatches(films, 3))
    assert len(batches) == len(ShapedBatches(films, 3))
    assert sorted(index for batch in batches for index, _ in batch) == list(range(len(films)))
    regions = Regions(films, SMALL)
    for batch in batches[:2]:
        assert len({regions[key]["image"].shape for key in batch}) == 1


def test_in_a_film_that_lies_on_a_side_no_level_is_in_view(films: list[LabelledFilm]) -> None:
    found = Regions(films, SMALL)[(0, 1 / 1.6)]
    rows, columns = found["image"].shape[-2:]
    assert columns > rows
    assert not found["said"].any()
    assert not found["known"].any()
    assert found["judged"].sum() > 12


def test_a_film_that_watches_is_the_same_every_time(films: list[LabelledFilm]) -> None:
    first, again = (Regions(films, SMALL, seed=1)[(0, 0.0)] for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert first["said"].sum() == 9
    rows, columns = first["image"].shape[-2:]
    half = torch.tensor([columns, rows]) / 2
    inside = (((first["corners"] + 1) * half)[19, :, :].mean(0) - 0.5).round().int()
    assert first["image"][0, inside[1], inside[0]] > 0.7, "the middle of L2 is in the bright body"


def test_crops_show_their_body_in_the_middle_and_strays_none(films: list[LabelledFilm]) -> None:
    torch.manual_seed(1)
    crops = stacked([Crops(films, SMALL)[index] for index in range(len(films))])
    assert crops["image"].shape[1:] == (1, SMALL.crop, SMALL.crop)
    there = crops["said"][:, 1] > 0.5
    assert 0.7 < float(there.float().mean()) < 1
    assert not crops["known"][~there].any()
    assert crops["judged"][:, 1].all()
    assert not crops["judged"][~there, 0].any()
    centre = (crops["corners"] * crops["known"][..., None]).sum(1) / crops["known"].sum(1, keepdim=True)
    assert float(centre[crops["known"].all(1)].abs().mean()) < 0.25


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "SET_UPS", ("lumbar",))
        patch.setattr(simulator, "LONGEST", {"lumbar": 128, "whole-spine": 128})
        simulator.main(["--out", str(folder), "--films", "2", "--first-seed", "5"])
        written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
        simulator.main(["--out", str(folder), "--films", "2", "--first-seed", "5"])
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == written, "a second run keeps them"
    return folder


def test_simulated_films_are_read_with_ribs_and_ordinals(simulated: Path) -> None:
    films = read_films(simulated)
    assert len(films) == simulator.EXPOSURES
    film = films[0]
    assert film.pixels().shape[0] == 128
    assert [body.ordinal for body in film.bodies] == list(range(2, film.lowest + 1))
    assert {body.rib_bearing for body in film.bodies} == {True, False}
    said = json.loads((simulated / f"{film.name}.json").read_text())
    shown = labels(film, (0.0, 0.0, 1e4, 128.0)).present.sum()
    assert len(said["levels"]) <= shown
    assert {"L3", "L4"} <= set(said["levels"])


def test_the_exposures_of_a_set_up_differ(simulated: Path) -> None:
    first, second = (film.pixels() for film in read_films(simulated))
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_a_reserved_seed_is_not_simulated_for_training() -> None:
    with pytest.raises(ReservedPatient):
        simulator.person(800001, ["procedural"])
    with pytest.raises(ReservedPatient):
        simulator.person(1, ["atlas:/somewhere/morphable"])
