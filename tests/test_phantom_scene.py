"""The scene of a simulated patient: what lies where, how it is painted, and on what lattice."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.blob import blob
from numbering.phantom.scene.blocks import BEND_MM, Blocks
from numbering.phantom.scene.build import scene
from numbering.phantom.scene.combine import Both, HalfSpace, Without
from numbering.phantom.scene.labels import Label, is_bone, vertebra_label
from numbering.phantom.scene.outline import SIN, area, superellipse
from numbering.phantom.scene.stack import stack
from numbering.phantom.scene.structure import Grid, Structure, label_volume, paint
from numbering.phantom.scene.texture import texture
from numbering.phantom.scene.trunk import trunk
from numbering.phantom.scene.tube import Tube, tube
from numbering.phantom.shapes.procedural import Procedural

SEEDS = (4, 7)
LEFT_OF = {
    Label.PSOAS_RIGHT: Label.PSOAS_LEFT,
    Label.KIDNEY_RIGHT: Label.KIDNEY_LEFT,
    Label.QUADRATUS_RIGHT: Label.QUADRATUS_LEFT,
    Label.ERECTOR_RIGHT: Label.ERECTOR_LEFT,
    Label.ILIACUS_RIGHT: Label.ILIACUS_LEFT,
}


class NoBones:
    """A source without shapes, where only soft tissue matters."""

    name = "none"

    def vertebra(self, skeleton, placed):
        return []

    def sacrum(self, skeleton):
        return []

    pelvis = ribs = skull = sacrum


@cache
def posed(seed: int) -> Skeleton:
    return pose(sample(seed), "supine")


@cache
def structures(seed: int, bones: bool = False) -> tuple[Structure, ...]:
    return tuple(scene(posed(seed), Procedural() if bones else NoBones(), 1))


@cache
def slice_at(seed: int, z: float, spacing: float = 1.5, bones: bool = False) -> np.ndarray:
    """One axial slice of labels, rows to the back, columns to the left."""
    grid = Grid.upright(np.array([[-200.0, -240, z], [200, 140, z + 0.1]]), (0.1, spacing, spacing))
    return label_volume(structures(seed, bones), grid)[0].numpy()


@cache
def lumbar(seed: int) -> tuple[Grid, np.ndarray]:
    """Labels of the lumbar spine at 3 mm."""
    skeleton = posed(seed)
    low, high = -60.0, skeleton.height(18.5)
    grid = Grid.upright(np.array([[-150.0, -150, low], [150, 110, high]]), 3.0)
    return grid, label_volume(structures(seed, True), grid).numpy()


def heights_of(grid: Grid, labels: np.ndarray, label: int) -> np.ndarray:
    return (grid.affine @ np.array([[float(s), 0, 0, 1] for s in np.unique(np.nonzero(labels == label)[0])]).T)[2]


def ball(label: int, centre: tuple[float, float, float], radius: float) -> Structure:
    return blob(label, centre, [radius] * 3)


def flat(structure: Structure, distance: Tensor, points: Tensor) -> Tensor:
    return torch.full_like(distance, float(structure.label))[None]


# --- painting ---------------------------------------------------------------------------------------------------------


def test_what_comes_later_lies_over_what_came_before():
    grid = Grid.upright(np.array([[-20.0] * 3, [20.0] * 3]), 2.0)
    big, small = ball(1, (0, 0, 0), 15), ball(2, (0, 0, 0), 6)
    assert 2 in label_volume([big, small], grid)
    assert 2 not in label_volume([small, big], grid)


def test_a_voxel_half_covered_gets_half():
    wall = HalfSpace((1.0, 0.0, 0.0), 0.0, label=80)
    grid = Grid(np.array([[0, 0, 2.0, -4], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]), (1, 1, 5))
    painted = paint([wall], grid, flat, [10.0])[0, 0, 0]
    assert painted.tolist() == pytest.approx([80, 80, 45, 10, 10])


def test_a_soft_edge_lets_what_lies_under_it_through():
    under, over = HalfSpace((1.0, 0, 0), 50.0, label=20), HalfSpace((1.0, 0, 0), 0.5, label=100)
    grid = Grid(np.array([[0, 0, 2.0, 0], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]), (1, 1, 1))
    assert float(paint([under, over], grid, flat, [0.0])) == pytest.approx(0.75 * 100 + 0.25 * 20)


def test_labels_are_what_paint_shows_most_of():
    skeleton = posed(4)
    x, y, z = skeleton.at(22)
    grid = Grid.upright(np.array([[x - 60, y - 50, z - 8], [x + 60, y + 60, z + 8]]), 2.0)
    found = structures(4, True)
    every = torch.arange(256)[:, None, None]
    shares = paint(found, grid, lambda s, d, p: (every == s.label) * torch.ones_like(d), [0.0] * 256)
    share, most = shares.max(0)
    sure = share > 0.6
    assert sure.float().mean() > 0.8
    assert (most[sure] == label_volume(found, grid)[sure]).float().mean() > 0.99


def fine(extent_mm: float = 7.0) -> Grid:
    """Oblique voxels of 0.3 mm, in which smooth surfaces are looked at on knots."""
    turn = np.array([[0.02, 0.29, 0.05], [0.08, -0.05, 0.28], [0.29, 0.01, -0.08]])
    affine = np.eye(4)
    affine[:3, :3] = turn / np.linalg.norm(turn, axis=0) * 0.3
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, extent_mm / 0.3)
    count = round(2 * extent_mm / 0.3)
    return Grid(affine, (count, count + 3, count - 5))


@pytest.mark.parametrize("radius", [0.5, 1.5, 5.5])
def test_surfaces_lie_where_they_are_however_few_points_are_looked_at(radius: float) -> None:
    grid, thread = fine(), tube(Label.AORTA, [[-5.0, -1, 2], [0, 0, 0], [5, 2, -1]], radius)
    plain = thread.signed_distance(grid.points(tuple(slice(0, n) for n in grid.shape)))
    differ = (label_volume([thread], grid) == Label.AORTA) != (plain < 0)
    assert (plain < 0).sum() > 200
    assert not differ.any() or float(plain[differ].abs().max()) < BEND_MM


def test_smooth_surfaces_are_looked_at_in_few_points() -> None:
    grid, asked = fine(), []

    class Watched:
        label, bounds = Label.LIVER, ball(Label.LIVER, (0, 0, 0), 60).bounds

        def signed_distance(self, points: Tensor) -> Tensor:
            asked.append(points[..., 0].numel())
            return ball(Label.LIVER, (0, 0, 58.0), 60).signed_distance(points)

    assert 0.1 < float((label_volume([Watched()], grid) == Label.LIVER).float().mean()) < 0.9
    assert sum(asked) < 0.3 * np.prod(grid.shape)


def test_what_changes_slowly_is_asked_for_rarely_and_found_between() -> None:
    part = next(iter(Blocks(fine(), "cpu").near(ball(Label.LIVER, (0, 0, 0), 30), 1.0)))
    some = part.some(torch.arange(0, part.distance.numel(), 2))
    asked = []

    def waves(points: Tensor) -> Tensor:
        asked.append(len(points))
        return torch.stack([(points[:, 0] / 3).sin(), (points[:, 2] / 4).cos()], 1)

    first = some.slowly(waves, (1.0, 1.0, 1.0), "waves")
    again = part.some(torch.tensor([7, 5])).slowly(waves, (1.0, 1.0, 1.0), "waves")
    assert len(asked) == 1
    assert asked[0] < part.distance.numel() / 5
    assert torch.allclose(first, waves(some.points), atol=0.03)
    assert torch.allclose(again, waves(part.points_at(torch.tensor([7, 5]))), atol=0.03)


def test_a_value_asked_for_in_few_places_is_asked_for_there() -> None:
    part = next(iter(Blocks(fine(), "cpu").near(ball(Label.LIVER, (0, 0, 0), 30), 1.0)))
    few = part.some(torch.tensor([3, 1000]))
    assert torch.equal(few.slowly(lambda points: points[:, 0], (5.0, 5.0, 5.0), "x"), few.points[:, 0])


@pytest.mark.parametrize("seed", [0, 7, 14, 20])
def test_the_belly_does_not_jut_out_under_the_ribs(seed: int) -> None:
    skeleton = pose(sample(seed), "standing")
    body = trunk(skeleton)
    front = body.middle[:, 1] - body.skin()[:, SIN.argmin()]
    margin = (body.z > skeleton.height(21.5)) & (body.z < skeleton.height(18))
    chest = (body.z > skeleton.height(17.5)) & (body.z < skeleton.height(15))
    assert front[margin].min() > front[chest].min() - 20
    loin = (body.z[1:] < skeleton.height(18)) & (body.z[1:] > skeleton.height(23.5))
    falling = np.diff(front)[loin] / np.diff(body.z)[0]
    assert falling.min() > -0.9  # nowhere drawn in like a step below the margin of the ribs


def test_structures_far_from_the_lattice_change_nothing_and_need_not_be_there():
    skeleton = posed(4)
    x, y, z = skeleton.at(23)
    region = np.array([[x - 60.0, y - 60, z - 20], [x + 60, y + 60, z + 20]])
    grid = Grid.upright(region, 3.0)
    near = scene(skeleton, NoBones(), 1, region=region)
    assert len(near) < len(structures(4)) / 2
    assert torch.equal(label_volume(near, grid), label_volume(structures(4), grid))


def test_the_painter_sees_what_a_plain_evaluation_sees():
    skeleton = posed(7)
    x, y, z = skeleton.at(20.5)
    turn = np.array([[0.1, 0.3, 2.9], [0.5, 2.8, -0.3], [3.0, -0.5, -0.1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn, [x - 70, y - 70, z - 20]
    grid = Grid(affine, (15, 45, 40))
    points = grid.points((slice(0, 15), slice(0, 45), slice(0, 40)))
    plain = torch.zeros(grid.shape, dtype=torch.uint8)
    for structure in structures(7):
        plain[structure.signed_distance(points) < 0] = structure.label
    assert torch.equal(label_volume(structures(7), grid), plain)


# --- the lattice ------------------------------------------------------------------------------------------------------


def test_an_upright_lattice_has_its_first_voxel_at_the_right_front_foot():
    grid = Grid.upright(np.array([[0.0, 10, 20], [4, 16, 30]]), (5.0, 2.0, 1.0))
    assert grid.shape == (2, 3, 4)
    assert (grid.affine @ [0, 0, 0, 1])[:3].tolist() == [0.5, 11.0, 22.5]
    assert (grid.affine @ [1, 2, 3, 1])[:3].tolist() == [3.5, 15.0, 27.5]


def test_a_window_holds_every_lattice_point_of_its_box_on_an_oblique_lattice():
    angle = np.radians(25)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1.5], [-np.sin(angle), np.cos(angle), 0], [np.cos(angle), np.sin(angle), 0]])
    grid = Grid(affine, (30, 30, 30))
    box = np.array([[5.0, 4, 8], [11, 15, 14]])
    every = grid.points((slice(0, 30), slice(0, 30), slice(0, 30))).numpy()
    held = ((every >= box[0]) & (every <= box[1])).all(-1)
    window = grid.window(box)
    assert window is not None
    inside = np.zeros(grid.shape, bool)
    inside[window] = True
    assert held.any()
    assert not (held & ~inside).any()
    assert inside.mean() < 0.5


def test_a_box_beside_the_lattice_has_no_window():
    assert Grid.upright(np.array([[0.0] * 3, [10.0] * 3]), 1.0).window(np.array([[50.0] * 3, [60.0] * 3])) is None


# --- solids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, -0.64, 0.48)])
def test_distances_of_solids_are_true_near_the_surface(direction):
    at = torch.tensor([direction], dtype=torch.float32)
    for radius in (18.0, 21.0):
        assert float(ball(1, (0, 0, 0), 20).signed_distance(at * radius)) == pytest.approx(radius - 20, abs=0.05)
        capsule = Tube(1, np.zeros((2, 3)), np.array([20.0, 20.0]))
        assert float(capsule.signed_distance(at * radius)) == pytest.approx(radius - 20, abs=0.01)


def test_a_stack_has_the_area_that_its_outlines_give():
    outline = np.stack([superellipse(20, 10, 2.0), superellipse(30, 10, 2.0)])
    solid = stack(5, [0, 30], np.zeros((2, 2)), outline)
    assert solid.area(0) == pytest.approx(np.pi * 200, rel=0.01)
    assert solid.area(30) == pytest.approx(float(area(outline[1])), rel=0.01)
    grid = Grid.upright(np.array([[-40.0, -40, 15], [40, 40, 15.1]]), (0.1, 0.5, 0.5))
    assert float((label_volume([solid], grid) == 5).sum()) * 0.25 == pytest.approx(np.pi * 250, rel=0.03)


def test_solids_are_cut_and_hollowed():
    whole = ball(3, (0, 0, 0), 10)
    points = torch.tensor([[5.0, 0, 0], [-5.0, 0, 0]])
    assert (Both(3, [whole, HalfSpace((1.0, 0, 0), 0.0)]).signed_distance(points) < 0).tolist() == [False, True]
    assert (Without(3, whole, ball(0, (5, 0, 0), 3)).signed_distance(points) < 0).tolist() == [False, True]


def test_a_tube_passes_through_its_knots():
    knots = np.array([[0.0, 0, 0], [10, 5, 20], [0, 0, 40]])
    path = tube(1, knots, 2.0, step_mm=2.0).path
    assert max(np.linalg.norm(path - knot, axis=1).min() for knot in knots) < 1.5


# --- anatomy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_no_bone_is_covered_by_soft_tissue(seed):
    last = structures(seed, True)
    first_bone = min(index for index, structure in enumerate(last) if is_bone(structure.label))
    assert {s.label for s in last[first_bone:] if not is_bone(s.label)} <= {Label.METAL, Label.CEMENT, Label.CAGE}
    placed = posed(seed).vertebrae[-3]
    grid = Grid.upright(np.stack([placed.frame.centre - 5, placed.frame.centre + 5]), 2.0)
    assert (label_volume(last, grid) == vertebra_label(placed.vertebra.level)).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("muscle", ["psoas", "quadratus", "erector", "multifidus"])
def test_muscles_have_their_sampled_areas(seed, muscle):
    skeleton = posed(seed)
    wanted = getattr(skeleton.patient.soft, f"{muscle}_cm2")
    sides = (Label[f"{muscle.upper()}_RIGHT"], Label[f"{muscle.upper()}_LEFT"])
    for index in range(4):  # L5 is where quadratus ends and the sacrum begins
        labels = slice_at(seed, skeleton.height(20 + index))
        for side in sides:
            assert (labels == side).sum() * 0.0225 == pytest.approx(wanted[index], rel=0.15), (side.name, index + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_psoas_grows_downwards_and_the_quadratus_moves_outwards(seed):
    skeleton = posed(seed)
    slices = [slice_at(seed, skeleton.height(20 + index)) for index in range(4)]
    psoas = [(labels == Label.PSOAS_LEFT).sum() for labels in slices]
    outer = [np.nonzero(labels == Label.QUADRATUS_LEFT)[1].max() for labels in slices]
    assert psoas == sorted(psoas)
    assert psoas[3] > 2.5 * psoas[0]
    assert outer == sorted(outer)
    erector = np.nonzero(slices[0] == Label.ERECTOR_LEFT)[1].max()
    assert outer[0] < erector
    assert outer[3] > np.nonzero(slices[3] == Label.PSOAS_LEFT)[1].max()


@pytest.mark.parametrize("ordinal", [22.4, 23.9])
def test_the_aorta_divides_where_the_anatomy_says(ordinal):
    patient = sample(4)
    patient = replace(patient, soft=replace(patient.soft, bifurcation_ordinal=ordinal, aortic_calcification=0.0))
    skeleton = pose(patient, "supine")
    grid = Grid.upright(np.array([[-40.0, -120, -20.0], [50, 20, skeleton.height(21)]]), (1.5, 2.0, 2.0))
    labels = label_volume(scene(skeleton, NoBones(), 1), grid).numpy()
    assert heights_of(grid, labels, Label.AORTA).min() == pytest.approx(skeleton.height(ordinal) - 8, abs=4)
    assert heights_of(grid, labels, Label.CAVA).min() == pytest.approx(skeleton.height(ordinal + 0.5) - 10, abs=5)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cord_ends_at_the_conus_and_the_sac_does_not(seed):
    skeleton = posed(seed)
    grid, labels = lumbar(seed)
    end = skeleton.height(skeleton.patient.soft.conus_ordinal)
    assert heights_of(grid, labels, Label.CORD).min() == pytest.approx(end, abs=5)
    assert heights_of(grid, labels, Label.THECAL_SAC).min() < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_kidneys_lie_at_their_level_the_right_one_lower(seed):
    skeleton = posed(seed)
    soft = skeleton.patient.soft
    middles = []
    for label, ordinal in zip((Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT), soft.kidney_ordinal, strict=True):
        kidney = next(structure for structure in structures(seed) if structure.label == label)
        low, high = kidney.bounds[0] + 3, kidney.bounds[1] - 3
        middles.append((low[2] + high[2]) / 2)
        assert middles[-1] == pytest.approx(skeleton.height(ordinal), abs=5)
        assert high[2] - low[2] == pytest.approx(soft.kidney_length, rel=0.12)
        assert (label == Label.KIDNEY_LEFT) == (low[0] + high[0] > 0)
    assert middles[0] < middles[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_patient_is_uneven_so_a_flipped_axis_shows(seed):
    grid, labels = lumbar(seed)
    columns = np.arange(grid.shape[2]) * grid.spacing[2] + grid.affine[0, 3]

    def middle(label: int) -> float:
        return float(columns[np.nonzero(labels == label)[2]].mean())

    for right, left in LEFT_OF.items():
        assert middle(right) < 0 < middle(left)
    assert middle(Label.LIVER) < -20
    assert middle(Label.CAVA) < middle(Label.AORTA)
    rows = {
        label: np.nonzero(labels == label)[1].mean() for label in (Label.AORTA, Label.THECAL_SAC, Label.MULTIFIDUS_LEFT)
    }
    assert rows[Label.AORTA] < rows[Label.THECAL_SAC] < rows[Label.MULTIFIDUS_LEFT]
    mirrored = labels[:, :, ::-1]
    assert (mirrored != labels).mean() > 0.1
    assert not np.array_equal(label_volume(structures(seed, True), grid).numpy()[::-1], labels)


def test_no_bone_or_organ_reaches_through_the_skin():
    for seed in SEEDS:
        for at in (16, 19.5, 24.5):
            labels = slice_at(seed, posed(seed).height(at), 4.0, True)
            body = labels > 0
            edge = body & ~(np.roll(body, 1, 0) & np.roll(body, -1, 0) & np.roll(body, 1, 1) & np.roll(body, -1, 1))
            assert set(np.unique(labels[edge])) <= {Label.SKIN, Label.FAT, Label.MUSCLE}, (seed, at)


def test_lungs_lie_above_the_diaphragm_and_the_liver_below_it():
    skeleton = posed(4)
    chest = slice_at(4, skeleton.height(14), 4.0)
    belly = slice_at(4, skeleton.height(19.5), 4.0)
    assert (chest == Label.LUNG).sum() > 20 * (belly == Label.LUNG).sum()
    assert not (chest == Label.LIVER).any()
    assert (belly == Label.LIVER).sum() * 0.16 > 30


def test_the_same_seed_gives_the_same_scene_and_another_seed_other_bowel():
    skeleton = posed(4)
    grid = Grid.upright(np.array([[-120.0, -180, 0], [120, 60, 60]]), 5.0)
    first = label_volume(structures(4), grid)
    assert torch.equal(first, label_volume(scene(pose(sample(4), "supine"), NoBones(), 1), grid))
    other = label_volume(scene(skeleton, NoBones(), 2), grid)
    assert not torch.equal(first == Label.BOWEL, other == Label.BOWEL)
    for lasting in (Label.AORTA, Label.THECAL_SAC, Label.ERECTOR_LEFT):
        assert torch.equal(first == lasting, other == lasting)


def test_arms_are_there_when_asked_for():
    skeleton = posed(4)
    labels = {structure.label for structure in scene(skeleton, NoBones(), 1, arms=True)}
    assert Label.ARM in labels
    assert Label.ARM not in {structure.label for structure in structures(4, True)}
    assert Label.HUMERUS not in {structure.label for structure in structures(4, True)}


# --- texture ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2.0, 15.0, (3.0, 3.0, 20.0)])
@pytest.mark.parametrize("octaves", [1, 3])
def test_texture_has_no_mean_and_unit_spread(size, octaves):
    points = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(1)) * 400 - 200
    found = texture(points, 3, size, octaves)
    assert float(found.mean()) == pytest.approx(0, abs=0.05)
    assert float(found.std()) == pytest.approx(1, abs=0.08)


def test_texture_belongs_to_places_and_is_smooth_at_its_size():
    points = torch.rand(5_000, 3, generator=torch.Generator().manual_seed(2)) * 100
    found = texture(points, 5, 10.0)
    assert torch.equal(found, texture(points, 5, 10.0))
    assert not torch.allclose(found, texture(points, 6, 10.0), atol=0.1)
    near = texture(points + torch.tensor([0.5, 0, 0]), 5, 10.0)
    far = texture(points + torch.tensor([30.0, 0, 0]), 5, 10.0)
    assert float(torch.corrcoef(torch.stack([found, near]))[0, 1]) > 0.9
    assert abs(float(torch.corrcoef(torch.stack([found, far]))[0, 1])) < 0.25
