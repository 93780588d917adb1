"""Simulated MR: what the signal is, where the slices lie, what they show, and that the DICOM says the same."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import Dataset, dcmread

from numbering.phantom.anatomy.sample import sample as sample_patient
from numbering.phantom.dicom import mr as dicom_mr
from numbering.phantom.imaging.mr import protocol as protocols
from numbering.phantom.imaging.mr.acquire import MrSeries, acquire, training_slice
from numbering.phantom.imaging.mr.examination import examination
from numbering.phantom.imaging.mr.levels import discs, level_of
from numbering.phantom.imaging.mr.planes import plan
from numbering.phantom.imaging.mr.protocol import MACHINES, Protocol, Randomisation
from numbering.phantom.imaging.mr.signal import fat_signal, water_signal
from numbering.phantom.imaging.mr.tissue import (
    ANNULUS,
    BLACK_NUCLEUS,
    BLOOD,
    CORD,
    KIDNEY,
    MARROW,
    MUSCLE,
    NUCLEUS,
    WATER,
)
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Bounds, Grid, label_volume
from numbering.phantom.shapes.discs import discs as disc_shapes
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.styles import STYLES
from numbering.phantom.truth.mr import TrueMr, describe
from numbering.phantom.visits import Visit, record

SEED = 7


@dataclass(frozen=True, eq=False)
class Ball:
    """A ball of one tissue."""

    label: int
    centre: np.ndarray
    radius: float

    @property
    def bounds(self) -> Bounds:
        reach = self.radius + 3
        return np.array([self.centre - reach, self.centre + reach])

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        return (points - torch.as_tensor(self.centre, dtype=torch.float32)).norm(dim=-1) - self.radius


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return pose(sample_patient(SEED, "none"), "supine")


@pytest.fixture(scope="module")
def visit() -> Visit:
    return record(sample_patient(SEED, "none"), ["mr"])[0]


def quiet(plane: protocols.Plane, weighting: protocols.Weighting = "T2", **changes: object) -> Protocol:
    """A protocol of a small matrix in which nothing disturbs."""
    base = Protocol(
        plane=plane,
        weighting=weighting,
        repetition_ms=500 if weighting == "T1" else 3500,
        echo_ms=10 if weighting == "T1" else 100,
        fov_mm=192,
        matrix=(96, 96),
        reconstructed=128,
        readout="row",
        thickness_mm=4,
        gap_mm=0,
        slices=3,
        bandwidth_hz=1e9,
        signal_to_noise=1e5,
        normalised=1.0,
        breathing=0.0,
        tukey=0.5,
        oversampling=0.6,
    )
    return replace(base, **changes)


# Signal


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_t1_shows_fat_brightest_then_marrow_muscle_disc_and_dark_fluid(field: float) -> None:
    protocol = quiet("axial", "T1", field_tesla=field)
    fat = fat_signal(protocol)
    marrow = 0.8 * (0.5 * water_signal(MARROW, protocol) + 0.5 * fat)
    assert 0.55 <= marrow / fat <= 0.75
    assert 0.30 <= water_signal(MUSCLE, protocol) / fat <= 0.38
    assert 0.28 <= water_signal(NUCLEUS, protocol) / fat <= 0.38
    assert 0.12 <= water_signal(WATER, protocol) / fat <= 0.18
    assert water_signal(BLOOD, protocol) / fat < 0.05


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_t2_shows_fluid_brightest_then_fat_nucleus_marrow_muscle_annulus(field: float) -> None:
    protocol = quiet("axial", "T2", field_tesla=field)
    fluid = water_signal(WATER, protocol)
    marrow = 0.8 * (0.5 * water_signal(MARROW, protocol) + 0.5 * fat_signal(protocol))
    ranges = {
        "fat": (fat_signal(protocol), 0.65, 0.80),
        "nucleus": (water_signal(NUCLEUS, protocol), 0.55, 0.75),
        "degenerate": (water_signal(BLACK_NUCLEUS, protocol), 0.15, 0.30),
        "marrow": (marrow, 0.33, 0.50),
        "muscle": (water_signal(MUSCLE, protocol), 0.12, 0.20),
        "annulus": (water_signal(ANNULUS, protocol), 0.09, 0.15),
        "cord": (water_signal(CORD, protocol), 0.28, 0.42),
        "kidney": (water_signal(KIDNEY, protocol), 0.45, 0.62),
    }
    assert {name: low <= value / fluid <= high for name, (value, low, high) in ranges.items()} == dict.fromkeys(
        ranges, True
    )


def test_stir_nulls_fat_at_every_field() -> None:
    rng = np.random.default_rng(0)
    for style in MACHINES:
        protocol = protocols.sample(rng, "sagittal", "STIR", style=style)
        assert fat_signal(protocol) < 0.05 * water_signal(WATER, protocol)


def test_every_style_of_equipment_has_a_machine() -> None:
    assert set(MACHINES) == set(STYLES)


# Planes and levels


@pytest.mark.parametrize("anomaly", ["none", "L4", "L6"])
def test_parallel_stacks_lie_along_their_discs_to_the_last_one_above_the_sacrum(anomaly: str) -> None:
    skeleton = pose(sample_patient(SEED, anomaly), "supine")
    places = {str(place.disc): place for place in discs(skeleton)}
    for seed in range(4):
        planned = plan(skeleton, quiet("axial", layout="parallel"), np.random.default_rng(seed))
        aimed = [str(one.aimed_at) for one in planned]
        last = str(skeleton.patient.lowest_lumbar.level)
        assert aimed[-1] == f"{last}-S1"
        assert len(set(aimed)) >= 2
        for one in planned:
            place = places[str(one.aimed_at)]
            assert np.degrees(np.arccos(abs(place.normal @ one.normal))) < 12
            level = level_of(skeleton, one.centre, one.normal)
            assert str(level.nearest) == str(one.aimed_at)
            assert level.tilt == pytest.approx(np.degrees(np.arccos(abs(place.normal @ one.normal))), abs=1e-6)
        middles = [one for one in planned if level_of(skeleton, one.centre, one.normal).disc == one.aimed_at]
        assert {str(one.aimed_at) for one in middles} == set(aimed), "the middle of each stack crosses its disc"


def test_an_axial_series_begins_at_the_head(skeleton: Skeleton) -> None:
    for layout in ("parallel", "block"):
        planned = plan(skeleton, quiet("axial", layout=layout, slices=5), np.random.default_rng(1))
        heights = [level_of(skeleton, one.centre, one.normal).spine[2] for one in planned]
        assert heights == sorted(heights, reverse=True)


@pytest.fixture(scope="module")
def bodies(skeleton: Skeleton) -> list:
    source = Procedural()
    found = [*disc_shapes(skeleton), *source.sacrum(skeleton)]
    for placed in skeleton.vertebrae[-6:]:
        found += source.vertebra(skeleton, placed)
    return found


def test_the_level_of_a_slice_is_the_label_at_its_spine(skeleton: Skeleton, bodies: list) -> None:
    rng = np.random.default_rng(3)
    planned = plan(skeleton, quiet("axial", slices=64, gap_mm=0.4), rng)
    seen = set()
    for one in planned:
        level = level_of(skeleton, one.centre, one.normal)
        assert abs(one.normal @ (level.spine - one.centre)) < 1e-6, "the point lies in the slice"
        if not level.nearest or str(level.nearest)[0] != "L" or str(level.vertebra)[0] == "T":
            continue
        if abs(abs(level.distance_mm) - _half_height(skeleton, level.nearest)) < 2.5:
            continue  # so near an endplate its curve decides
        near = Grid.upright(np.array([level.spine - 2.5, level.spine + 2.5]), 1.0)
        label = int(label_volume(bodies, near)[2, 2, 2])
        if level.disc:
            assert label in (Label.NUCLEUS, Label.ANNULUS), f"{level} has label {label}"
            point = torch.as_tensor(level.spine[None], dtype=torch.float32)
            (above,) = {one.ordinal for one in disc_shapes(skeleton) if one.signed_distance(point)[0] < 0}
            assert skeleton.patient.variant.name(above) == level.disc.upper
        else:
            assert label == vertebra_label(level.vertebra), f"{level} has label {label}"
        seen.add(str(level.disc or level.vertebra))
    assert {"L3", "L3-L4", "L4", "L4-L5", "L5"} <= seen


def _half_height(skeleton: Skeleton, disc: object) -> float:
    return next(place.height_mm / 2 for place in discs(skeleton) if place.disc == disc)


def test_distance_from_the_disc_is_positive_towards_the_head(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-2]
    for offset in (-3.0, 0.0, 3.0):
        level = level_of(skeleton, place.centre + place.normal * offset, place.normal)
        assert level.distance_mm == pytest.approx(offset, abs=0.2)
        assert level.nearest == place.disc


def test_sagittal_slices_hold_the_lumbar_bodies_and_the_top_of_the_sacrum(skeleton: Skeleton, visit: Visit) -> None:
    protocol = quiet("sagittal", fov_mm=300, slices=13, thickness_mm=4.4)
    truth = _truth(visit, skeleton, MrSeries(protocol, acquire(skeleton, [], protocol, 1).slices))
    held = {one.level for one in truth.vertebrae if one.in_view}
    assert {"L1", "L2", "L3", "L4", "L5"} <= held
    assert "C7" not in held
    assert truth.sacrum_in_view
    assert truth.justified is not None
    assert truth.justified.basis in ("presumed-by-sacrum", "presumed-by-last-rib")


# Geometry: an uneven phantom, so a flipped or exchanged axis is seen


@pytest.fixture(scope="module")
def balls(skeleton: Skeleton) -> list[Ball]:
    middle = skeleton.at(22.0)
    away = ((0, 0, 0, 11.0), (38, 4, 3, 8.0), (-14, 31, -2, 6.0), (9, -6, 21, 7.0))
    return [Ball(Label.BLADDER, middle + np.array([x, y, z]), r) for x, y, z, r in away]


@pytest.mark.parametrize("readout", ["row", "column"])
@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal"])
def test_a_ball_lies_in_the_dicom_where_it_lies_in_the_patient(
    skeleton: Skeleton, visit: Visit, balls: list[Ball], plane: protocols.Plane, readout: protocols.Readout
) -> None:
    protocol = quiet(
        plane,
        readout=readout,
        slices=42 if plane == "axial" else 16,
        thickness_mm=6,
        matrix=(90, 84),
        reconstructed=128,
        fov_mm=210,
        oversampling=0.7,
    )
    series = acquire(skeleton, balls, protocol, 2)
    head = dicom_mr.header(protocol, 5)
    read = [dcmread(BytesIO(file)) for file in dicom_mr.encode(visit, series, head)]
    for ball in balls:
        wanted = visit.in_scanner(ball.centre[None])[0]
        weights, places = zip(*(_bright(ds, wanted, ball.radius + 5) for ds in read), strict=True)
        centroid = np.concatenate(places).T @ np.concatenate(weights) / np.concatenate(weights).sum()
        assert np.abs(centroid - wanted).max() < 0.5, f"{plane}: {centroid} is not {wanted}"
        volume = np.concatenate(weights).sum() / max(ds.pixel_array.max() for ds in read)
        expected = 4 / 3 * np.pi * ball.radius**3 / (protocol.pixel_mm**2 * protocol.thickness_mm)
        assert volume == pytest.approx(expected, rel=0.25)


def _bright(ds: Dataset, near: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel values and their places (mm, by the header alone) near a point."""
    along, down = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    row, column = np.indices(ds.pixel_array.shape).reshape(2, -1)
    spacing_down, spacing_along = map(float, ds.PixelSpacing)
    places = np.array(ds.ImagePositionPatient, float) + np.outer(column * spacing_along, along)
    places = places + np.outer(row * spacing_down, down)
    close = np.linalg.norm(places - near, axis=1) < reach
    values = ds.pixel_array.reshape(-1)[close].astype(float)
    return values * (values > 0.05 * 900), places[close]


def test_the_disc_named_by_the_truth_lies_at_its_point_in_the_image(skeleton: Skeleton, visit: Visit) -> None:
    protocol = quiet("axial", layout="parallel", fov_mm=160)
    planned = plan(skeleton, protocol, np.random.default_rng([4, SEED, 0x3A6]))
    ball = Ball(Label.BLADDER, next(p.centre for p in discs(skeleton) if str(p.disc) == "L4-L5"), 5.0)
    assert planned
    truth = _truth(visit, skeleton, series := acquire(skeleton, [ball], protocol, 4))
    (index,) = [i for i, one in enumerate(truth.slices) if one.disc == "L4-L5" and abs(one.disc_offset_mm or 9) < 2.1][
        :1
    ]
    shown = series.slices[index].pixels.astype(float)
    row, column = (shown * (shown > shown.max() / 4)).nonzero()
    x, y = truth.slices[index].spine or (0, 0)
    assert abs(column.mean() - x) * protocol.pixel_mm < 2.0
    assert abs(row.mean() - y) * protocol.pixel_mm < 2.0


# Physics of the picture


def _centroid(pixels: np.ndarray) -> np.ndarray:
    weight = np.where(pixels > pixels.max() * 0.15, pixels, 0).astype(float)
    return np.array([(np.indices(weight.shape)[axis] * weight).sum() / weight.sum() for axis in (0, 1)])


@pytest.mark.parametrize("readout", ["row", "column"])
@pytest.mark.parametrize("towards", [-1, 1])
def test_fat_moves_along_the_readout_by_its_chemical_shift(
    skeleton: Skeleton, readout: protocols.Readout, towards: int
) -> None:
    place = discs(skeleton)[-3]
    still = quiet("axial", readout=readout, matrix=(96, 96), reconstructed=192)
    shifted = replace(still, bandwidth_hz=100.0, fat_towards=towards)
    assert abs(shifted.fat_shift_pixels) == pytest.approx(2.235, abs=0.01)
    fat = [Ball(Label.FAT, place.centre + np.array([0, 20.0, 0]), 9.0)]
    moved = _centroid(training_slice(skeleton, fat, shifted, place, 1).pixels)
    moved -= _centroid(training_slice(skeleton, fat, still, place, 1).pixels)
    wanted = towards * 2.235 * 2  # twice as many pixels as samples
    along, across = (1, 0) if readout == "row" else (0, 1)
    assert moved[along] == pytest.approx(wanted, rel=0.12)
    assert abs(moved[across]) < 0.1
    water = [Ball(Label.BLADDER, fat[0].centre, 9.0)]
    unmoved = _centroid(training_slice(skeleton, water, shifted, place, 1).pixels)
    unmoved -= _centroid(training_slice(skeleton, water, still, place, 1).pixels)
    assert np.abs(unmoved).max() < 0.1


def test_what_lies_beyond_the_field_folds_in_along_phase_encoding_only(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-3]
    beside = [Ball(Label.BLADDER, place.centre + np.array([115.0, 20, 0]), 9.0)]
    shown = {}
    for readout in ("row", "column"):
        for oversampling in (0.1, 0.6):
            protocol = quiet("axial", readout=readout, oversampling=oversampling)
            shown[readout, oversampling] = training_slice(skeleton, beside, protocol, place, 1).pixels
    found = _centroid(shown["column", 0.1])
    # 19 mm beyond the left edge of 192 mm; the period is 1.1 fields, so it lands 0.2 mm inside the other edge's margin.
    assert shown["column", 0.1].max() > 300
    assert found[1] < 20
    assert max(shown[key].max() for key in shown if key != ("column", 0.1)) < 60


def test_air_has_the_mean_and_spread_of_rayleigh_noise(skeleton: Skeleton) -> None:
    protocol = quiet("axial", signal_to_noise=12.0, normalised=0.0, white=4000.0, matrix=(128, 128))
    air = training_slice(skeleton, [], protocol, discs(skeleton)[-3], 1).pixels.astype(float)
    assert air.mean() / air.std() == pytest.approx(np.sqrt(np.pi / 2) / np.sqrt(2 - np.pi / 2), rel=0.04)
    assert air.mean() == pytest.approx(4000 / 12 * np.sqrt(np.pi / 2), rel=0.05)


def test_zero_filling_makes_noise_of_neighbours_alike_and_keeps_the_signal(skeleton: Skeleton) -> None:
    place, ball = discs(skeleton)[-3], Ball(Label.BLADDER, discs(skeleton)[-3].centre + np.array([0, 20.0, 0]), 25.0)
    for matrix, reconstructed in (((96, 96), 96), ((96, 96), 97), ((96, 80), 160), ((128, 96), 256)):
        protocol = quiet("axial", matrix=matrix, reconstructed=reconstructed)
        pixels = training_slice(skeleton, [ball], protocol, place, 1).pixels
        assert pixels.shape == (reconstructed, reconstructed)
        row, column = np.round(_centroid(pixels)).astype(int)
        assert pixels[row - 5 : row + 5, column - 5 : column + 5].mean() == pytest.approx(900, rel=0.06)


def test_breath_throws_ghosts_of_the_belly_along_phase_encoding(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-3]
    ball = Ball(Label.BLADDER, place.centre + np.array([0, -48.0, 0]), 12.0)
    calm = training_slice(skeleton, [ball], quiet("axial"), place, 1).pixels.astype(float)
    restless = training_slice(skeleton, [ball], quiet("axial", breathing=1.0), place, 1).pixels.astype(float)
    row, column = np.round(_centroid(calm)).astype(int)
    column_ghost = np.abs(restless - calm)[row + 16 :, column - 4 : column + 4].mean()
    row_ghost = np.abs(restless - calm)[row - 4 : row + 4, column + 16 :].mean()
    assert column_ghost > 4 * row_ghost
    spine = Ball(Label.BLADDER, place.centre + np.array([0, 30.0, 0]), 12.0)
    rest = [training_slice(skeleton, [spine], quiet("axial", breathing=b), place, 1).pixels for b in (0.0, 1.0)]
    assert np.abs(np.subtract(*(one.astype(float) for one in rest))).max() <= 1


def test_a_saturation_band_darkens_the_belly_and_spares_the_canal(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-3]
    everywhere = [Ball(Label.BLADDER, place.centre, 200.0)]
    free, banded = (
        training_slice(skeleton, everywhere, quiet("axial", saturation=depth), place, 1).pixels.astype(float)
        for depth in (0.0, 0.9)
    )
    assert banded[3:10].mean() < 0.4 * free[3:10].mean()
    assert banded[70:100].mean() == pytest.approx(free[70:100].mean(), rel=0.02)


def test_a_coil_behind_the_back_makes_the_back_bright(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-3]
    everywhere = [Ball(Label.BLADDER, place.centre, 200.0)]
    raw, even = (
        training_slice(skeleton, everywhere, quiet("axial", normalised=share), place, 1).pixels.astype(float)
        for share in (0.0, 1.0)
    )
    assert raw[110:120].mean() > 2.5 * raw[8:18].mean()
    assert even[110:120].mean() == pytest.approx(even[8:18].mean(), rel=0.05)


def test_random_contrast_changes_tissues_and_leaves_the_geometry(skeleton: Skeleton) -> None:
    place = discs(skeleton)[-3]
    scene = [
        Ball(Label.LIVER, place.centre + np.array([-30.0, 20, 0]), 14.0),
        Ball(Label.BLADDER, place.centre + np.array([30.0, 20, 0]), 14.0),
    ]
    plain = quiet("axial")
    beyond = replace(plain, randomise=Randomisation(contrast=1.0, blur_mm=0.8, bias=0.5, gamma=0.5))
    first, second = (training_slice(skeleton, scene, one, place, 1).pixels.astype(float) for one in (plain, beyond))
    halves = [(one[:, :60].max(), one[:, 68:].max()) for one in (first, second)]
    assert not np.isclose(halves[0][0] / halves[0][1], halves[1][0] / halves[1][1], rtol=0.1)
    assert np.abs(_centroid(first[:, 68:]) - _centroid(second[:, 68:])).max() < 1.0


# Series, DICOM and truth


def test_the_same_seed_gives_the_same_pixels_and_another_seed_other_ones(skeleton: Skeleton, balls: list[Ball]) -> None:
    protocol = quiet("axial", signal_to_noise=20.0, breathing=0.4, matrix=(48, 48), reconstructed=48, slices=2)
    first, again, other = (acquire(skeleton, balls, protocol, seed).slices for seed in (1, 1, 2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].pixels, other[0].pixels)
    corner = [one.pixels[:8, :8] for one in first]
    assert not np.array_equal(corner[0], corner[1]), "slices do not share their noise"


def test_labels_lie_under_the_pixels(skeleton: Skeleton, balls: list[Ball]) -> None:
    series = acquire(skeleton, balls[:1], quiet("axial", slices=9), 3, labels=True)
    best = max(series.slices, key=lambda one: int(one.pixels.max()))
    assert best.labels is not None
    assert np.abs(_centroid(best.labels) - _centroid(best.pixels)).max() < 1.0


@pytest.mark.parametrize("style", list(STYLES))
def test_an_examination_is_one_machine_and_its_localizer_comes_first(style: str) -> None:
    for seed in range(5):
        ordered = examination(np.random.default_rng(seed), style)
        assert ordered[0].name == "localizer"
        assert len({one.name for one in ordered}) == len(ordered) == len({one.number for one in ordered})
        assert len({one.protocol.field_tesla for one in ordered}) == 1
        only = examination(np.random.default_rng(seed), style, ("axial",))
        assert only == tuple(one for one in ordered if one.protocol.plane == "axial")


_KINDS: list[tuple[protocols.Plane, protocols.Weighting]] = [
    ("axial", "T1"),
    ("axial", "T2"),
    ("sagittal", "STIR"),
    ("sagittal", "T2 FS"),
    ("sagittal", "water GRE"),
    ("coronal", "T2"),
    ("sagittal", "localizer"),
]


@pytest.mark.parametrize(("plane", "weighting"), _KINDS)
def test_its_dicom_is_what_the_standard_asks_for(
    skeleton: Skeleton,
    visit: Visit,
    balls: list[Ball],
    plane: protocols.Plane,
    weighting: protocols.Weighting,
    tmp_path: Path,
) -> None:
    sampled = protocols.sample(np.random.default_rng(1), plane, weighting, style=visit.style, layout="block")
    protocol = replace(sampled, matrix=(32, 28), reconstructed=40, slices=2, thickness_mm=3)
    series = acquire(skeleton, balls, protocol, 1)
    files = {f"{n}.dcm": file for n, file in enumerate(dicom_mr.encode(visit, series, dicom_mr.header(protocol, 3)))}
    enhanced = dicom_mr.header(protocol, 4, enhanced=True)
    files["enhanced.dcm"] = dicom_mr.encode_enhanced(visit, series, enhanced)
    for name, file in files.items():
        (tmp_path / name).write_bytes(file)
        said = subprocess.run(
            ["/usr/bin/dciodvfy", "-new", str(tmp_path / name)], capture_output=True, text=True, check=False
        ).stderr
        assert "Error" not in said, said
        assert "Warning" not in said, said
    read = dcmread(BytesIO(files["enhanced.dcm"]))
    assert np.array_equal(read.pixel_array, np.stack([one.pixels for one in series.slices]))
    frames = read.PerFrameFunctionalGroupsSequence
    for number, frame in enumerate(frames):
        single = dcmread(BytesIO(files[f"{number}.dcm"]))
        assert frame.PlanePositionSequence[0].ImagePositionPatient == single.ImagePositionPatient
        assert frame.PlaneOrientationSequence[0].ImageOrientationPatient == single.ImageOrientationPatient
        assert read.FrameOfReferenceUID == single.FrameOfReferenceUID


def _truth(visit: Visit, skeleton: Skeleton, series: MrSeries) -> TrueMr:
    return describe(
        visit,
        skeleton,
        series,
        series_instance_uid="1.2.3",
        frame_of_reference_uid="1.2.4",
        sop_instance_uids=[f"1.2.3.{n}" for n in range(len(series.slices))],
        folder="mr",
    )


def test_axial_and_sagittal_truth_of_one_study_place_a_disc_alike(skeleton: Skeleton, visit: Visit) -> None:
    axial = _truth(visit, skeleton, acquire(skeleton, [], quiet("axial", layout="parallel", slices=3), 1))
    sagittal = _truth(visit, skeleton, acquire(skeleton, [], quiet("sagittal", fov_mm=300, slices=11), 2))
    by_level = {one.level: one for one in sagittal.vertebrae}
    checked = 0
    for one in axial.slices:
        if one.disc is None or one.disc != "L3-L4":
            continue
        above, below = by_level["L3"], by_level["L4"]
        lower_end = np.mean(np.array(above.corners_mm)[2:], axis=0)
        upper_end = np.mean(np.array(below.corners_mm)[:2], axis=0)
        height = np.linalg.norm(lower_end - upper_end)
        for end in (lower_end, upper_end):
            assert np.linalg.norm(np.array(one.spine_mm) - end) <= height + 0.5
        checked += 1
    assert checked > 0
    for one in sagittal.vertebrae:
        if one.corners is None or one.slice is None:
            continue
        affine = np.array(sagittal.slices[one.slice].affine)
        for (x, y), place in zip(one.corners, one.corners_mm, strict=True):
            index = np.linalg.inv(affine) @ np.array([*place, 1])
            assert (index[2], index[1]) == pytest.approx((x, y), abs=0.05)
    assert by_level["L4"].corners is not None
    anterior, posterior = by_level["L4"].corners[:2]
    assert anterior[0] < posterior[0], "the front is on the left of a sagittal image"
    assert by_level["L4"].corners[0][1] < by_level["L4"].corners[3][1], "the head is at its top"


def test_in_the_picture_of_a_whole_patient_tissues_are_ordered_as_in_the_equation(skeleton: Skeleton) -> None:
    place = next(one for one in discs(skeleton) if str(one.disc) == "L3-L4")
    reach = np.array([110.0, 110, 25])
    structures = scene(skeleton, Procedural(), SEED, region=np.stack([place.centre - reach, place.centre + reach]))
    common = {"matrix": (128, 128), "reconstructed": 128, "pulsation": 0.0}
    shown = {w: training_slice(skeleton, structures, quiet("axial", w, **common), place, 1) for w in ("T1", "T2")}
    labels = label_volume(structures, shown["T2"].planned.grid)[0].numpy()
    parts = {"fluid": Label.THECAL_SAC, "fat": Label.FAT, "nucleus": Label.NUCLEUS, "muscle": Label.PSOAS_LEFT}
    grey = {
        w: {n: float(np.median(one.pixels[labels == part])) for n, part in parts.items()} for w, one in shown.items()
    }
    t1, t2 = grey["T1"], grey["T2"]
    assert t2["fluid"] > t2["fat"] > t2["nucleus"] > t2["muscle"] > 0
    assert t1["fat"] > t1["muscle"] > t1["fluid"] > 0
    assert t1["fat"] > 2 * t1["nucleus"]
    aorta = shown["T2"].pixels[labels == Label.AORTA]
    assert np.median(aorta) < 0.5 * t2["muscle"], "blood that flows gives no spin echo"
