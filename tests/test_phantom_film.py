"""Simulated films: the geometry is that of the picture, the physics has its closed forms, the files are valid."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from torch import Tensor

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom.film import encode, orientation, series_header
from numbering.phantom.dicom.header import file_bytes
from numbering.phantom.imaging.film import Beam, Film, angles, expose, exposures, stitching
from numbering.phantom.imaging.film.attenuation import spectrum
from numbering.phantom.imaging.film.detector import primary
from numbering.phantom.imaging.film.exposure import WHITE
from numbering.phantom.imaging.film.frustum import Frustum
from numbering.phantom.imaging.film.lineintegrals import project
from numbering.phantom.imaging.film.position import VIEWS, View, Wander, aim
from numbering.phantom.imaging.film.profile import Profile
from numbering.phantom.imaging.film.projection import Blocks, add_excess, blocked_shape
from numbering.phantom.imaging.film.sampling import Sampling
from numbering.phantom.imaging.film.truth import corners, describe
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.labels import Label
from numbering.phantom.styles import STYLES
from numbering.phantom.visits import record

SOFT, FAT, MINERAL, METAL = range(4)


@dataclass(frozen=True)
class Ball:
    label: int
    centre: tuple[float, float, float]
    radius: float

    @property
    def bounds(self) -> np.ndarray:
        return np.array(self.centre) + np.array([[-1.0], [1.0]]) * (self.radius + 3)

    def signed_distance(self, points: Tensor) -> Tensor:
        return (points - torch.tensor(self.centre, dtype=torch.float32)).norm(dim=-1) - self.radius


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return pose(sample(3, "none"))


@pytest.fixture(scope="module")
def trunk(skeleton: Skeleton) -> list[Ball]:
    """A round patient with one metal ball high on the left, one low on the right in front."""
    middle = skeleton.at(22.5)
    return [
        Ball(Label.MUSCLE, tuple(middle + [0, -30, 0]), 130.0),
        Ball(Label.METAL, tuple(middle + [50, 20, 80]), 6.0),
        Ball(Label.METAL, tuple(middle + [-60, -70, -40]), 3.0),
    ]


def beam_of(skeleton: Skeleton, view: View, seed: int = 0, wander: float = 3.0, longest: int = 240) -> Beam:
    beam = aim(skeleton, view, "lumbar", np.random.default_rng(seed), pitch=1.0, wander=Wander().times(wander))
    factor = longest / max(beam.rows, beam.columns)
    return beam.resampled(round(beam.rows * factor), round(beam.columns * factor))


def centroid(image: Tensor) -> np.ndarray:
    weight = image.numpy().astype(float)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_ball_appears_where_the_geometry_says_however_the_patient_stands(
    skeleton: Skeleton, trunk: list[Ball], view: View, seed: int
) -> None:
    beam = beam_of(skeleton, view, seed)
    for ball in trunk[1:]:
        lengths = project(
            [trunk[0], ball], beam, skeleton.patient, Sampling.quick(beam.pitch), torch.Generator().manual_seed(0)
        ).lengths
        expected = beam.project(np.array([ball.centre]))[0]
        assert np.linalg.norm(centroid(lengths[METAL]) - expected) < 0.1
        assert lengths[METAL].max() == pytest.approx(2 * ball.radius, rel=0.1)


def test_the_middle_of_soft_tissue_is_where_the_geometry_says(skeleton: Skeleton) -> None:
    ball = Ball(Label.LIVER, tuple(skeleton.at(22.5) + [30, 0, 10]), 40.0)
    beam = beam_of(skeleton, "AP", 5)
    lengths = project(
        [ball], beam, skeleton.patient, Sampling.quick(beam.pitch), torch.Generator().manual_seed(0)
    ).lengths
    assert np.linalg.norm(centroid(lengths[SOFT]) - beam.project(np.array([ball.centre]))[0]) < 1.0
    assert lengths[SOFT].max() == pytest.approx(80, rel=0.06)


def test_magnification_is_the_distance_to_the_detector_over_the_distance_to_the_thing() -> None:
    beam = Beam(
        source=np.array([0.0, -900, 0]), corner=np.array([-100.0, 200, 100]), across=np.array([1.0, 0, 0]),
        down=np.array([0, 0, -1.0]), pitch=0.5, rows=400, columns=400,
    )  # fmt: skip
    assert beam.distance == 1100
    assert beam.magnification(np.array([[30.0, 0, 0]]))[0] == pytest.approx(1100 / 900)
    left, right = beam.project(np.array([[-10.0, 0, 0], [10.0, 0, 0]]))
    assert (right - left)[0] * beam.pitch == pytest.approx(20 * 1100 / 900)
    assert beam.project(np.array([[0.0, 50, 0]]))[0] == pytest.approx([199.5, 199.5])


def test_a_thin_shell_keeps_its_weight_whatever_the_step(skeleton: Skeleton) -> None:
    ball = Ball(24, tuple(skeleton.at(22.5)), 21.3)
    beam = beam_of(skeleton, "AP", 1)
    found = []
    for blocks in (
        Blocks(side=4, steps=2, step=0.5),
        Blocks(side=4, steps=2, step=1.5),
        Blocks(side=8, steps=3, step=2),
    ):
        frustum = Frustum(beam, beam.pitch)
        image = torch.zeros(blocked_shape(frustum, blocks))
        add_excess(ball, frustum, Profile(((0.0, 1.0), (0.5, 0.1)), frustum.cell_at(900)), blocks, image)
        found.append(image)
        x, y = np.rint(beam.project(np.array([ball.centre]))[0]).astype(int)
        assert image[y, x] == pytest.approx(2 * 0.5 + 0.1 * (2 * 21.3 - 1.0), rel=0.02)
    total = float(found[0].sum())
    shell = 4 / 3 * np.pi * (21.3**3 - 20.8**3) + 0.1 * 4 / 3 * np.pi * 20.8**3
    scale = (beam.magnification(np.array([ball.centre]))[0] / beam.pitch) ** 2
    assert total == pytest.approx(shell * scale, rel=0.02)
    assert all(float(image.sum()) == pytest.approx(total, rel=0.01) for image in found[1:])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_film_hung_otherwise_knows_where_things_are(
    skeleton: Skeleton, trunk: list[Ball], turns: int, mirrored: bool
) -> None:
    film = hung(plain(skeleton, trunk, "AP"), turns, mirrored)
    brightness = film.pixels.astype(int)
    for ball in trunk[1:2]:
        x, y = np.rint(film.beam.project(np.array([ball.centre]))[0]).astype(int)
        around = brightness[max(y - 12, 0) : y + 13, max(x - 12, 0) : x + 13]
        assert brightness[y, x] > np.median(around)
    assert film.pixels.shape == (film.beam.rows, film.beam.columns)
    for placed in skeleton.vertebrae[-5:]:
        upper_left, upper_right, lower_right, lower_left = corners(placed, film)
        assert upper_left[0] < upper_right[0]
        assert lower_left[0] < lower_right[0]
        assert upper_left[1] < lower_left[1]
        assert upper_right[1] < lower_right[1]


def plain(skeleton: Skeleton, trunk: list[Ball], view: View, seed: int = 4) -> Film:
    beam = beam_of(skeleton, view, 1, 0.2)
    return expose(skeleton, trunk, view, "lumbar", np.random.default_rng(seed), longest=240, beam=beam)


def hung(film: Film, turns: int, mirrored: bool) -> Film:
    film = film.mirrored() if mirrored else film
    for _ in range(turns):
        film = film.turned()
    return film


def test_left_head_and_front_are_where_patient_orientation_says(skeleton: Skeleton) -> None:
    directions = {
        "L": [60, 0, 0],
        "R": [-60, 0, 0],
        "P": [0, 60, 0],
        "A": [0, -60, 0],
        "H": [0, 0, 60],
        "F": [0, 0, -60],
    }
    for view in VIEWS:
        for seed in range(8):
            beam = beam_of(skeleton, view, seed, 1.0)
            along, down = orientation(beam.across), orientation(beam.down)
            assert down == "F"
            assert along in ("L" if view == "AP" else "PA")
            here = skeleton.at(22.5)
            for letter, axis in ((along, 0), (down, 1)):
                there, back = beam.project(np.array([here + directions[letter], here]))
                assert there[axis] > back[axis] + 20
    assert orientation(np.array([0.9, 0.43, 0.0])) == "LP"
    assert orientation(np.array([0.99, -0.1, 0.0])) == "L"


def test_corners_are_the_projections_of_the_landmarks_of_the_pose(skeleton: Skeleton, trunk: list[Ball]) -> None:
    for view, landmarks in (("AP", "coronal_corners"), ("lateral", "sagittal_corners")):
        film = plain(skeleton, trunk, view)
        truth = describe(skeleton, film, sop_instance_uid="1.2", file="a.dcm")
        for placed, told in zip(skeleton.vertebrae, truth.vertebrae, strict=True):
            expected = film.beam.project(getattr(placed, landmarks)())
            assert np.abs(np.array(told.corners) - expected).max() < 0.001
            x0, y0, x1, y1 = told.box
            assert (expected >= [x0 - 0.001, y0 - 0.001]).all()
            assert (expected <= [x1 + 0.001, y1 + 0.001]).all()
        assert [one.level for one in truth.vertebrae if one.lowest_lumbar] == ["L5"]
        assert truth.s1 is not None
        assert truth.s1[0][0] < truth.s1[1][0] or view == "lateral"


def test_what_lies_under_a_shutter_is_not_in_view(skeleton: Skeleton, trunk: list[Ball]) -> None:
    film = plain(skeleton, trunk, "AP")
    middle = film.beam.project(skeleton.at(22.0)[None])[0]
    below = np.array([[0.0, middle[1]], [240, middle[1]], [240, 240], [0, 240]])
    cut = Film(**(vars(film) | {"field_corners": below}))
    told = describe(skeleton, cut, sop_instance_uid="1.2", file="a.dcm")
    seen = {one.level for one in told.vertebrae if one.in_view}
    assert {"L4", "L5"} <= seen
    assert not seen & {"L1", "L2", "L3"}
    assert describe(skeleton, cut.mirrored(), sop_instance_uid="1.2", file="a").justified == told.justified


def test_angles_do_not_depend_on_how_the_film_is_hung(skeleton: Skeleton, trunk: list[Ball]) -> None:
    film = plain(skeleton, trunk, "lateral")
    told = {one.name: one.value for one in describe(skeleton, film, sop_instance_uid="1.2", file="a").angles}
    assert told["lumbar-lordosis-l1-s1"] > told["sacral-slope"] / 2 > 5
    mirrored = describe(skeleton, film.mirrored(), sop_instance_uid="1.2", file="a").angles
    assert {one.name: one.value for one in mirrored} == pytest.approx(told, abs=0.02)
    turned = {one.name: one.value for one in describe(skeleton, film.turned(), sop_instance_uid="1", file="a").angles}
    assert turned["lumbar-lordosis-l1-s1"] == pytest.approx(told["lumbar-lordosis-l1-s1"], abs=0.02)


def test_lines_that_open_to_the_front_are_lordotic() -> None:
    upper, lower = np.array([[0.0, 0], [10, 2]]), np.array([[0.0, 24], [10, 20]])
    expected = np.degrees(np.arctan(0.2) + np.arctan(0.4))
    assert angles.lordosis(upper, lower) == pytest.approx(expected)
    assert angles.lordosis(upper * [-1, 1], lower * [-1, 1]) == pytest.approx(expected)
    assert angles.lordosis(upper[::-1], lower[::-1]) == pytest.approx(-expected)
    assert angles.sacral_slope(lower) == pytest.approx(np.degrees(np.arctan(0.4)))


def test_cobb_angles_are_the_largest_between_endplates() -> None:
    bow = np.repeat([0, 8, 14, 8, 0, -10, -20, -10, 0.0], 2).tolist()
    found = angles.cobb(bow)
    assert (2, 6, 34.0) in found
    assert max(value for _, _, value in found) == 34


def test_only_whole_spine_films_are_stitched_and_only_across_a_narrow_seam() -> None:
    found = [stitching.exposures(900, 0.5, "whole-spine", np.random.default_rng(seed))[:, 0] for seed in range(20)]
    joined = [gain for gain in found if gain[0] != gain[-1]]
    assert 3 < len(joined) < 15
    for gain in joined:
        assert (gain.diff() != 0).sum() <= 2 * 11
        assert 0.6 < gain.min() <= gain.max() < 1.7
    assert all((stitching.exposures(900, 0.5, "lumbar", np.random.default_rng(seed)) == 1).all() for seed in range(20))


def test_bone_hardens_the_beam() -> None:
    once, twice = (torch.tensor([0.0, 0, thick, 0])[:, None, None] for thick in (10.0, 20.0))
    first, second = (-np.log(float(primary(lengths, spectrum(80)))) for lengths in (once, twice))
    assert 1.3 * first < second < 1.98 * first
    tougher = -np.log(float(primary(once, spectrum(95))))
    assert tougher < 0.95 * first
    assert float(primary(torch.zeros(4, 1, 1), spectrum(80))) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_film_and_another_seed_another(skeleton: Skeleton, trunk: list[Ball]) -> None:
    again, first, other = (plain(skeleton, trunk, "AP", seed).pixels for seed in (4, 4, 5))
    assert (again == first).all()
    assert (other != first).any()


@pytest.mark.parametrize("kind", ["DX", "CR"])
@pytest.mark.parametrize("view", VIEWS)
def test_files_are_valid_in_every_style_and_inverted_ones_add_up_to_white(
    skeleton: Skeleton, trunk: list[Ball], view: View, kind: str, tmp_path: Path
) -> None:
    film = plain(skeleton, trunk, view)
    for number, style in enumerate(STYLES):
        visit = record(skeleton.patient, ("films",), style=style)[0]
        series = series_header(film, number=1, kind=kind)
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(file_bytes(encode(visit, series, film, inverted=bool(number % 2))))
        told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        assert [line for line in told.splitlines() if line.startswith(("Error", "Warning"))] == []
    straight, inverted = (pydicom.dcmread(tmp_path / f"{number}.dcm") for number in (0, 1))
    assert (straight.PhotometricInterpretation, inverted.PhotometricInterpretation) == ("MONOCHROME2", "MONOCHROME1")
    assert (straight.pixel_array.astype(int) + inverted.pixel_array == WHITE).all()
    assert (straight.pixel_array == film.pixels).all()
    assert [float(value) for value in straight.ImagerPixelSpacing] == pytest.approx([film.beam.pitch] * 2, rel=1e-3)
    assert float(straight.DistanceSourceToDetector) == pytest.approx(film.beam.distance, abs=0.1)


def test_a_mirrored_film_says_so_in_its_orientation(skeleton: Skeleton, trunk: list[Ball]) -> None:
    film = plain(skeleton, trunk, "AP")
    visit = record(skeleton.patient, ("films",))[0]
    found = [encode(visit, series_header(one, number=1), one).PatientOrientation for one in (film, film.mirrored())]
    assert [list(one) for one in found] == [["L", "F"], ["R", "F"]]
    assert list(encode(visit, series_header(film, number=1), film.turned()).PatientOrientation) == ["F", "R"]


def test_films_of_one_set_up_differ_and_each_knows_where_the_spine_is(skeleton: Skeleton, trunk: list[Ball]) -> None:
    taken = exposures(skeleton, trunk, "AP", "lumbar", np.random.default_rng(4), films=4, cropped=1.0, longest=200)
    first, *others = taken
    centre = np.array([trunk[1].centre])
    for film in others:
        assert film.pixels.shape == (film.beam.rows, film.beam.columns)
        assert film.beam.rows < first.beam.rows or film.beam.columns < first.beam.columns
        shift = (first.beam.project(centre) - film.beam.project(centre))[0]
        assert shift == pytest.approx(np.rint(shift), abs=1e-6)
        assert (shift >= -1e-6).all()
    assert len({film.pixels.tobytes() for film in [first, *others]}) == 4
