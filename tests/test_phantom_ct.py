"""Simulated CT: what tissues measure, what slices average, what the scanner adds, and where voxels lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct.acquire import acquire
from numbering.phantom.imaging.ct.geometry import Geometry, place
from numbering.phantom.imaging.ct.hounsfield import PHASES, Phase
from numbering.phantom.imaging.ct.painting import layers, thick
from numbering.phantom.imaging.ct.protocol import EXTENTS, KERNELS, Protocol, sample_protocol
from numbering.phantom.imaging.ct.scout import scouts
from numbering.phantom.imaging.ct.table import table
from numbering.phantom.imaging.ct.tissue import Look
from numbering.phantom.imaging.ct.training import volume as training_volume
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.labels import Label, is_bone, vertebra_label
from numbering.phantom.scene.places import Places
from numbering.phantom.scene.structure import Grid, Structure, label_volume
from numbering.phantom.shapes.procedural import Procedural
from tests.solid_shapes import Ball, Pillar

QUIET = Protocol(
    region="level", matrix=96, field_mm=240.0, slice_mm=1.0, increment_mm=4.0, noise_hu=0.0, table="single"
)
BODY = Pillar(Label.MUSCLE, (0.0, -40.0), (110.0, 90.0))


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return pose(sample(3, "none"), "supine")


@pytest.fixture(scope="module")
def lumbar(skeleton: Skeleton) -> list[Structure]:
    """Fat around L1 to L5."""
    source = Procedural()
    bones = [one for placed in skeleton.vertebrae[-5:] for one in source.vertebra(skeleton, placed)]
    return [Pillar(Label.FAT, (0.0, -40.0), (150.0, 110.0)), *bones]


def scan(skeleton: Skeleton, structures: list[Structure], protocol: Protocol = QUIET, seed: int = 1) -> CtVolume:
    return acquire(skeleton, structures, protocol, seed)


def inner(volume: CtVolume, label: int, voxels: int = 2) -> np.ndarray:
    """HU of voxels of this label that are not near its surface, slice by slice."""
    mask = volume.labels == label
    for _ in range(voxels):
        mask[:, 1:-1, 1:-1] &= mask[:, :-2, 1:-1] & mask[:, 2:, 1:-1] & mask[:, 1:-1, :-2] & mask[:, 1:-1, 2:]
    return volume.hu[mask].astype(float)


@pytest.fixture(scope="module")
def looks(skeleton: Skeleton) -> Callable[[Phase, int], Look]:
    return cache(lambda phase, seed: Look(skeleton, phase, seed))


@pytest.mark.parametrize(
    ("label", "native", "portal"),
    [
        (Label.LIVER, (40, 76), (85, 135)),
        (Label.KIDNEY_LEFT, (22, 42), (150, 200)),
        (Label.AORTA, (30, 54), (110, 190)),
        (Label.FAT, (-125, -85), (-125, -85)),
        (Label.PSOAS_LEFT, (30, 70), (30, 75)),
        (Label.NUCLEUS, (55, 105), (55, 105)),
        (Label.THECAL_SAC, (10, 28), (10, 28)),
        (Label.LUNG, (-930, -760), (-930, -760)),
        (Label.BOWEL_GAS, (-1000, -920), (-1000, -920)),
    ],
    ids=lambda value: value.name if isinstance(value, Label) else "",
)
def test_tissues_measure_what_is_published_for_them(
    looks: Callable[[Phase, int], Look], label: Label, native: tuple[int, int], portal: tuple[int, int]
) -> None:
    points = torch.as_tensor(np.random.default_rng(1).uniform(-60, 60, (4000, 3)), dtype=torch.float32)
    depth = torch.full((4000,), -30.0)
    for seed in (1, 2, 3):
        for phase, (low, high) in zip(PHASES[::2], (native, portal), strict=True):
            assert low < float(looks(phase, seed).hu(label, depth, Places(points), 1.0).median()) < high


@pytest.mark.parametrize("label", [1, 28, *(bone for bone in Label if is_bone(bone))])
def test_every_bone_is_shown_whether_or_not_the_spine_lists_it(looks: Callable[[Phase, int], Look], label: int) -> None:
    points = torch.as_tensor(np.random.default_rng(1).uniform(-40, 40, (500, 3)), dtype=torch.float32)
    inside, surface = (
        float(looks("native", 1).hu(label, torch.full((500,), depth), Places(points), 0.8).mean())
        for depth in (-12.0, -0.2)
    )
    assert 60 < inside < 800
    assert inside + 80 < surface < 1800


def test_contrast_medium_is_seen_first_in_the_aorta(looks: Callable[[Phase, int], Look]) -> None:
    native, arterial, portal = (looks(phase, 1).mean(Label.AORTA) for phase in PHASES)
    assert native < 60 < portal < arterial


def test_the_marrow_of_l1_is_as_dense_as_the_patient_says(
    skeleton: Skeleton, looks: Callable[[Phase, int], Look]
) -> None:
    placed = skeleton.vertebrae[-5]
    place = np.mgrid[-8:9:2, -10:2:2, -5:6:1].reshape(3, -1).T.astype(float)
    points = torch.as_tensor(placed.frame.place(place), dtype=torch.float32)
    found = [
        float(looks("native", seed).hu(20, torch.full((len(points),), -9.0), Places(points), 1.0).mean())
        for seed in (1, 2, 3)
    ]
    assert abs(np.mean(found) / skeleton.patient.bone_hu - 1) < 0.1


def test_thin_cortex_measures_less_than_it_is(skeleton: Skeleton, lumbar: list[Structure]) -> None:
    # The side wall of L3, in a small field of 1 mm slices: 1200–1800 HU of 0.4 mm in pixels of 0.6 mm.
    protocol = replace(QUIET, matrix=192, field_mm=115.0, increment_mm=1.0, kernel=KERNELS["standard"])
    placed = skeleton.vertebrae[-3]
    protocol = replace(protocol, shift_mm=_onto(skeleton, protocol, placed.frame.centre[2]))
    volume = scan(skeleton, lumbar, protocol)
    slice_, row, _ = volume.index(placed.frame.centre[None])[0]
    profile = volume.hu[round(slice_), round(row) - 8 : round(row) + 1].astype(float)
    half = profile.shape[1] // 2
    walls = [profile[:, :half].max(1).mean(), profile[:, half:].max(1).mean()]
    marrow = profile[:, half - 12 : half + 12].mean()
    assert all(max(300, marrow + 60) < wall < 850 for wall in walls), walls


def _onto(skeleton: Skeleton, protocol: Protocol, z: float, reach_mm: float = 5.0) -> tuple[float, float]:
    """``shift_mm`` that puts the stack at z ± reach."""
    extent = EXTENTS[protocol.region]
    top, bottom = (float(skeleton.at(one)[2]) for one in (extent.top, extent.bottom))
    return z + reach_mm - top - extent.above_mm, z - reach_mm - bottom + extent.below_mm


def test_a_thick_slice_is_the_mean_of_the_thin_ones(skeleton: Skeleton, lumbar: list[Structure]) -> None:
    z = float(skeleton.vertebrae[-2].frame.centre[2]) + 14  # an endplate, where it matters
    fine = replace(QUIET, matrix=64, field_mm=130.0, slice_mm=1.0, increment_mm=1.0, feet_to_head=True)
    thin = scan(skeleton, lumbar, replace(fine, shift_mm=_onto(skeleton, fine, z, 7.0)))
    coarse = replace(fine, slice_mm=5.0, increment_mm=5.0)
    thick = scan(skeleton, lumbar, replace(coarse, shift_mm=_onto(skeleton, coarse, z, 5.0)))
    assert thin.hu.shape[0] == 15
    assert thick.hu.shape[0] == 3
    means = np.stack([thin.hu[first : first + 5].mean(0) for first in (0, 5, 10)])
    wrong = np.abs(means - thick.hu)
    steep = np.abs(np.diff(thin.hu.astype(float), axis=0)).max()
    assert steep > 300
    assert np.percentile(wrong, 99) < 60
    assert wrong.mean() < 6


@pytest.mark.parametrize(
    ("thickness", "increment", "expected"),
    [(0.6, 0.5, (1, 1)), (1.25, 1.25, (1, 1)), (1.5, 1.0, (2, 3)), (3.0, 3.0, (3, 3)), (3.0, 2.0, (2, 3)),
     (5.0, 5.0, (5, 5)), (5.0, 3.0, (3, 5))],
)  # fmt: skip
def test_thick_slices_are_made_of_layers_that_neighbours_share(
    thickness: float, increment: float, expected: tuple[int, int]
) -> None:
    assert layers(thickness, increment) == expected


@pytest.mark.parametrize(("thickness", "increment"), [(1.0, 8.0), (2.0, 12.0), (5.0, 5.0)])
def test_labels_lie_where_the_landmarks_say(
    skeleton: Skeleton, lumbar: list[Structure], thickness: float, increment: float
) -> None:
    protocol = replace(
        QUIET, region="lumbar", matrix=48, field_mm=150.0, slice_mm=thickness, increment_mm=increment, position="FFP",
        feet_to_head=increment > 5,
    )  # fmt: skip
    volume = acquire(skeleton, lumbar, protocol, 1, origin_mm=(7.0, -11.0, -140.0))
    assert volume.hu.shape == volume.labels.shape
    for placed in skeleton.vertebrae[-5:]:
        centre = placed.frame.centre + (7.0, -11.0, -140.0)
        slice_, row, column = np.rint(volume.index(centre[None])[0]).astype(int)
        assert volume.labels[slice_, row, column] == vertebra_label(placed.vertebra.level)
        assert volume.hu[slice_, row, column] < 600


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP"])
@pytest.mark.parametrize("feet_to_head", [False, True])
def test_no_position_mirrors_the_patient(skeleton: Skeleton, position: str, feet_to_head: bool) -> None:
    z = float(skeleton.at(23.5)[2])
    marks = {(52.0, -70.0, z + 8): 14, (-30.0, 8.0, z - 9): 9}  # left and in front and high; right, behind and low
    scene = [BODY, *(Ball(Label.CEMENT, centre, radius) for centre, radius in marks.items())]
    protocol = replace(QUIET, position=position, feet_to_head=feet_to_head, increment_mm=2.0)  # type: ignore[arg-type]
    volume = scan(skeleton, scene, protocol)
    assert (np.diff(volume.affine[2, [0, 0]]) == 0).all()
    assert (volume.affine[2, 0] > 0) == feet_to_head
    for centre, radius in marks.items():
        index = volume.index(np.array([centre]))[0]
        slice_, row, column = np.rint(index).astype(int)
        assert volume.labels[slice_, row, column] == Label.CEMENT
        assert volume.hu[slice_, row, column] > 1000
        beside = volume.index(np.array([centre]) + [[radius + 8.0, 0, 0]])[0]
        assert volume.hu[tuple(np.rint(beside).astype(int))] < 200
    faces_up = volume.affine[1, 1] > 0
    assert faces_up == position.endswith("S")


def test_a_leaning_gantry_keeps_its_steps_along_the_table(skeleton: Skeleton) -> None:
    z = float(skeleton.at(23.5)[2])
    x, y = (float(value) for value in skeleton.midline(z))
    ball = Ball(Label.CEMENT, (x + 10, y, z), 8)
    volume = scan(skeleton, [BODY, ball], replace(QUIET, tilt=20.0, increment_mm=3.0, slice_mm=3.0))
    np.testing.assert_allclose(volume.affine[:3, 0], [0, 0, -3.0], atol=1e-9)
    down = volume.affine[:3, 1] / np.linalg.norm(volume.affine[:3, 1])
    assert np.degrees(np.arcsin(abs(down[2]))) == pytest.approx(20)
    slice_, row, column = np.rint(volume.index(np.array([ball.centre]))[0]).astype(int)
    assert volume.hu[slice_, row, column] > 1000
    bright = np.argwhere(volume.hu > 800).mean(0)
    found = volume.affine[:3, :3] @ bright + volume.affine[:3, 3]
    np.testing.assert_allclose(found, ball.centre, atol=1.5)


def test_an_oblique_stack_follows_its_own_normal(skeleton: Skeleton) -> None:
    volume = scan(skeleton, [BODY], replace(QUIET, oblique=(12.0, -5.0)))
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    step = volume.affine[:3, 0]
    assert abs(step @ normal) / np.linalg.norm(step) / np.linalg.norm(normal) == pytest.approx(1)
    assert abs(normal[0]) > 0.01
    assert abs(normal[1]) > 0.1


def test_noise_is_as_strong_as_ordered_and_strongest_in_the_middle(skeleton: Skeleton) -> None:
    body = Pillar(Label.CAVA, (0.0, -40.0), (110.0, 110.0))
    protocol = replace(QUIET, noise_hu=15.0, kernel=KERNELS["standard"], increment_mm=2.0)
    volume = scan(skeleton, [body], protocol)
    clean = scan(skeleton, [body], replace(protocol, noise_hu=0.0))
    noise = volume.hu.astype(float) - clean.hu
    _, row, column = np.rint(volume.index(np.array([[0.0, -40.0, float(skeleton.at(23.5)[2])]]))[0]).astype(int)
    middle = noise[:, row - 10 : row + 10, column - 10 : column + 10].std()
    beside = noise[:, row - 6 : row + 6, column - 40 : column - 32].std()
    assert middle == pytest.approx(15, rel=0.2)
    assert beside < 0.93 * middle
    x, y = skeleton.midline(float(skeleton.at(23.5)[2]))
    small = replace(protocol, field_mm=48.0, offset_mm=(-float(x), -52.0 - float(y)), increment_mm=6.0)
    soft, sharp = (
        scan(skeleton, [body], replace(small, kernel=KERNELS[kernel])).hu[:, 20:76, 20:76].std()
        for kernel in ("standard", "bone")
    )
    assert soft == pytest.approx(15, rel=0.25)
    assert 2.5 * soft < sharp < 7 * soft
    overlapping = scan(skeleton, [body], replace(protocol, slice_mm=4.0))
    smooth = scan(skeleton, [body], replace(protocol, slice_mm=4.0, noise_hu=0.0))
    grain = (overlapping.hu.astype(float) - smooth.hu)[:, row - 20 : row + 20, column - 20 : column + 20]
    shared = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairwise(grain)]
    apart = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairwise(noise)]
    assert np.mean(shared) > 0.3
    assert abs(np.mean(apart)) < 0.1


def test_noise_runs_along_the_shoulders(skeleton: Skeleton) -> None:
    body = Pillar(Label.CAVA, (0.0, -40.0), (220.0, 80.0))
    protocol = replace(QUIET, field_mm=200.0, region="chest", increment_mm=40.0)
    noise = scan(skeleton, [body], replace(protocol, noise_hu=20.0)).hu.astype(float)
    noise -= scan(skeleton, [body], protocol).hu
    part = noise[:, 40:60, 30:66]
    along, across = np.diff(part, axis=2).std(), np.diff(part, axis=1).std()
    assert along < 0.85 * across


def test_dense_bones_darken_what_lies_between_them(skeleton: Skeleton) -> None:
    hips = [Pillar(Label.CEMENT, (x, -40.0), (18.0, 18.0)) for x in (-60.0, 60.0)]
    volume, without = scan(skeleton, [BODY, *hips]), scan(skeleton, [BODY])
    z = float(skeleton.at(23.5)[2])
    points = np.array([[0.0, -40.0, z], [0.0, 15.0, z]])
    slices, rows, columns = np.rint(volume.index(points)).astype(int).T
    change = volume.hu[slices, rows, columns].astype(float) - without.hu[slices, rows, columns]
    assert change[0] < -10
    assert change[1] > change[0] + 8


def test_only_metal_makes_streaks_and_only_in_its_slices(skeleton: Skeleton) -> None:
    z = float(skeleton.at(23.5)[2])
    screws = [Pillar(Label.METAL, (x, -30.0), (3.0, 3.0), (z - 30, z)) for x in (-20.0, 20.0)]
    volume, without = scan(skeleton, [BODY, *screws]), scan(skeleton, [BODY])
    heights = volume.affine[2, 3] + volume.affine[2, 0] * np.arange(len(volume.hu))
    change = np.abs(volume.hu.astype(float) - without.hu)
    # Only places apart from the screws are asked: nobody calls their own blur a streak.
    beside = [np.rint(volume.index(np.array([[x, -30.0, z]]))[0, 1:]).astype(int) for x in (-20.0, 20.0)]
    for row, column in beside:
        change[:, row - 4 : row + 5, column - 4 : column + 5] = 0
    crossed = heights < z - 1
    assert change[crossed].max(axis=(1, 2)).min() > 30
    assert change[heights > z + 3].max() < 12
    assert volume.hu[crossed].max() == 3071
    tamed = scan(skeleton, [BODY, *screws], replace(QUIET, metal_reduction=0.9))
    rest = np.abs(tamed.hu.astype(float) - without.hu)
    for row, column in beside:
        rest[:, row - 4 : row + 5, column - 4 : column + 5] = 0
    assert rest[crossed].std() < 0.4 * change[crossed].std()


def test_outside_the_scanners_field_is_what_the_maker_writes_there(skeleton: Skeleton) -> None:
    protocol = replace(QUIET, field_mm=240.0, scan_field_mm=240.0, padding_hu=-2000, offset_mm=(0.0, 0.0))
    volume = scan(skeleton, [BODY], protocol)
    corner, middle = volume.hu[0, 0, 0], volume.hu[0, 48, 48]
    assert corner == -2000
    assert middle > 0
    assert (volume.labels[volume.hu == -2000] == 0).all()
    assert scan(skeleton, [BODY], replace(protocol, padding_hu=None)).hu.min() == -1024
    aside = scan(skeleton, [BODY], replace(protocol, table_offset_mm=(40.0, 0.0)))
    padded = (aside.hu[0] == -2000).sum(0)
    assert padded[-1] > padded[0] + 20  # the axis lies to the patient's right of the image's middle


def test_the_table_is_under_the_patient(skeleton: Skeleton) -> None:
    body: list[Structure] = [Pillar(Label.SKIN, (0.0, -40.0), (110.0, 90.0))]
    (under,) = table(QUIET, body, 0.0, (-100.0, 100.0))
    (prone,) = table(replace(QUIET, position="HFP"), body, 0.0, (-100.0, 100.0))
    assert 50 < under.y < 80  # type: ignore[attr-defined]
    assert -160 < prone.y < -130  # type: ignore[attr-defined]
    assert len(table(replace(QUIET, table="cradle"), body, 0.0, (-100.0, 100.0))) == 2


def test_a_breath_moves_the_liver_and_no_bone(skeleton: Skeleton, lumbar: list[Structure]) -> None:
    z = float(skeleton.at(21)[2])
    liver = Ball(Label.LIVER, (-60.0, -40.0, z), 25)
    protocol = replace(QUIET, region="lumbar", increment_mm=8.0, matrix=48)
    still = scan(skeleton, [*lumbar, liver], protocol)
    moved = scan(skeleton, [*lumbar, liver], replace(protocol, breath_mm=12.0))
    assert (still.labels == Label.LIVER).sum() > (moved.labels == Label.LIVER).sum() * 1.05
    bones = (still.labels >= 20) & (still.labels <= 25)
    np.testing.assert_array_equal(bones, (moved.labels >= 20) & (moved.labels <= 25))


def test_the_same_seed_gives_the_same_bytes(skeleton: Skeleton, lumbar: list[Structure]) -> None:
    protocol = replace(QUIET, noise_hu=10.0, matrix=64)
    first, again, other = (scan(skeleton, lumbar, protocol, seed) for seed in (1, 1, 2))
    assert first.hu.tobytes() == again.hu.tobytes()
    assert first.hu.tobytes() != other.hu.tobytes()


def test_any_number_of_threads_paints_the_same(skeleton: Skeleton, lumbar: list[Structure]) -> None:
    threads, grid, look = torch.get_num_threads(), place(QUIET, skeleton, lumbar).grid, Look(skeleton, "native", 1)
    painted = {}
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            painted[number] = thick(lumbar, grid, look, 2.5)
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    for number in (2, 3):
        assert torch.equal(painted[1].hu, painted[number].hu)
        assert torch.equal(painted[1].labels, painted[number].labels)


def test_both_localizers_show_a_mark_where_it_is(skeleton: Skeleton) -> None:
    z = float(skeleton.at(23.5)[2])
    mark = np.array([40.0, -75.0, z + 12])
    volume = acquire(skeleton, [BODY], QUIET, 1, origin_mm=(5.0, 6.0, -70.0))
    arguments = {"origin_mm": (5.0, 6.0, -70.0)}
    with_mark = scouts(skeleton, [BODY, Ball(Label.CEMENT, tuple(mark.tolist()), 8)], volume, 1, **arguments)  # type: ignore[arg-type]
    without = scouts(skeleton, [BODY], volume, 1, **arguments)  # type: ignore[arg-type]
    for shown, empty, seen in zip(with_mark, without, ([0, 2], [1, 2]), strict=True):
        difference = shown.pixels.astype(float) - empty.pixels
        row, column = np.unravel_index(difference.argmax(), difference.shape)
        place = shown.affine @ np.array([0, row, column, 1.0])
        np.testing.assert_allclose(place[seen], (mark + (5.0, 6.0, -70.0))[seen], atol=4)


def test_every_sampled_protocol_can_be_placed(skeleton: Skeleton) -> None:
    drawn = [sample_protocol(np.random.default_rng(seed)) for seed in range(200)]
    assert {one.region for one in drawn} == set(EXTENTS)
    assert {one.position for one in drawn} == {"HFS", "FFS", "HFP", "FFP"}
    assert drawn[5] == sample_protocol(np.random.default_rng(5))
    for protocol in drawn:
        found = place(protocol, skeleton, [BODY])
        assert isinstance(found, Geometry)
        assert 3 <= found.grid.shape[0] < 1600
        assert found.grid.spacing[1] == pytest.approx(protocol.field_mm / 512)


def test_training_volumes_keep_their_labels_whatever_the_tissues_are(
    skeleton: Skeleton, lumbar: list[Structure]
) -> None:
    low, high = np.array(skeleton.vertebrae[-1].frame.centre), np.array(skeleton.vertebrae[-5].frame.centre)
    bounds = np.array([low - [50, 60, 20], high + [50, 60, 20]])
    grid = Grid.upright(bounds, 4.0)
    plain, labels = training_volume(skeleton, lumbar, grid, 1)
    again, _ = training_volume(skeleton, lumbar, grid, 1)
    wild, same = training_volume(skeleton, lumbar, grid, 1, randomise=1.0)
    assert torch.equal(plain, again)
    assert torch.equal(labels, same)
    assert float((plain - wild).abs().mean()) > 100
    smooth = label_volume(lumbar, grid)
    assert float((smooth != labels).float().mean()) < 0.02  # rough surfaces, no other difference
    means = [float(wild[labels == number].mean()) for number in range(20, 25)]
    assert np.ptp(means) < 250  # bones share a grey level: none is told from its neighbour by it
