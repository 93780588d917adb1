"""Procedural bones: sizes are the anatomy's, distances are true, neighbours keep apart."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from numbering.phantom.anatomy.patient import Patient, Size, Vertebra
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.pose import Frame, Placed, Skeleton, pose
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Grid
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.discs import discs
from numbering.phantom.shapes.hardware import hardware, screw_axis
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.shapes.ribs import rib_path
from numbering.phantom.shapes.sacrum import ala_top

SOURCE = Procedural()


def changed(patient: Patient, index: int, **fields: Any) -> Patient:
    vertebrae = list(patient.vertebrae)
    vertebrae[index] = replace(vertebrae[index], **fields)
    return replace(patient, vertebrae=tuple(vertebrae))


def smooth(patient: Patient) -> Patient:
    """Without what wear and fractures add to a body."""
    plain = {"osteophyte_mm": 0.0, "endplate_dent_mm": (0.0, 0.0), "missing_half": "none"}
    return replace(patient, vertebrae=tuple(replace(v, **plain) for v in patient.vertebrae))  # type: ignore[arg-type]


def own(skeleton: Skeleton, index: int) -> Any:
    """The vertebra at this place, not what comes with it."""
    return SOURCE.vertebra(skeleton, skeleton.vertebrae[index])[-1]


def at(bone: Any, points: Any) -> np.ndarray:
    return np.asarray(bone.signed_distance(torch.as_tensor(np.asarray(points), dtype=torch.float32)))


def lattice(bounds: np.ndarray, pitch: float) -> torch.Tensor:
    grid = Grid.upright(bounds, pitch)
    return grid.points((slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2])))


def inside(bone: Any, frame: Frame, pitch: float = 1.0) -> np.ndarray:
    """Points of the bone in a frame."""
    points = lattice(bone.bounds, pitch)
    held = points[bone.signed_distance(points) < 0].numpy().astype(float)
    return np.asarray(frame.own(held))


@pytest.fixture(scope="module")
def patient() -> Patient:
    return smooth(sample(3))


@pytest.fixture(scope="module")
def skeleton(patient: Patient) -> Skeleton:
    return pose(patient)


def index_of(skeleton: Skeleton, name: str) -> int:
    return [str(placed.vertebra.level) for placed in skeleton.vertebrae].index(name)


def test_the_corners_of_every_body_lie_on_its_surface(skeleton: Skeleton) -> None:
    for index, placed in enumerate(skeleton.vertebrae[1:], 1):
        assert np.abs(at(own(skeleton, index), placed.sagittal_corners())).max() < 1.0, placed.vertebra.level
        if placed.vertebra.level.region != "C":  # the neck's lateral rims are hooks
            assert np.abs(at(own(skeleton, index), placed.coronal_corners())).max() < 1.0, placed.vertebra.level
    assert np.abs(at(SOURCE.sacrum(skeleton)[0], skeleton.s1_corners())).max() < 1.0


def test_bone_is_inside_and_canal_and_disc_are_outside(skeleton: Skeleton) -> None:
    for index, placed in enumerate(skeleton.vertebrae):
        size = placed.vertebra.size
        body = [[0, 0, 0], [0.3 * size.upper_width, 0, 0], [-0.3 * size.upper_width, 0, 0]]
        behind = size.upper_depth / 2 + size.canal_depth / 2
        free = [[0, behind, 0], [0, behind, 0.4 * size.height], [0, 0, -size.height / 2 - 3], [0, -40, 0], [60, 0, 0]]
        assert (at(own(skeleton, index), placed.frame.place(np.array(body, float))) < -2).all()
        assert (at(own(skeleton, index), placed.frame.place(np.array(free, float))) > 0).all()


def test_distances_are_true_near_the_surface(skeleton: Skeleton) -> None:
    for name in ("C5", "T8", "L3"):
        bone = own(skeleton, index_of(skeleton, name))
        points = lattice(bone.bounds, 1.5)
        near = points[bone.signed_distance(points).abs() < 0.8]
        step, slopes = 0.05, []
        for axis in torch.eye(3):
            slopes.append(
                (bone.signed_distance(near + step * axis) - bone.signed_distance(near - step * axis)) / step / 2
            )
        steep = torch.stack(slopes).norm(dim=0)
        assert ((steep > 0.8) & (steep < 1.2)).float().mean() > 0.85  # seams in corners fall short
        assert ((steep > 0.5) & (steep < 1.5)).float().mean() > 0.98
        assert 0.95 < float(steep.median()) < 1.05


def test_the_arrangement_of_the_points_does_not_matter(skeleton: Skeleton) -> None:
    bone = own(skeleton, index_of(skeleton, "L2"))
    points = lattice(bone.bounds, 2.0)
    whole = bone.signed_distance(points).reshape(-1)
    flat = points.reshape(-1, 3)
    rows = flat[: len(flat) // 50 * 50].reshape(-1, 50, 3)
    near = whole < 2.5
    assert torch.allclose(bone.signed_distance(flat)[near], whole[near], atol=2e-3)
    assert torch.allclose(
        bone.signed_distance(rows).reshape(-1)[near[: rows.numel() // 3]],
        whole[: rows.numel() // 3][near[: rows.numel() // 3]],
        atol=2e-3,
    )
    assert (bone.signed_distance(flat)[~near] > 0).all()


def test_the_same_anatomy_gives_the_same_bytes(patient: Patient) -> None:
    first, second = (own(pose(patient), -1) for _ in range(2))
    points = lattice(first.bounds, 3.0)
    assert first.signed_distance(points).numpy().tobytes() == second.signed_distance(points).numpy().tobytes()


def test_a_mirrored_anatomy_gives_the_mirrored_shape(patient: Patient) -> None:
    def mirrored(vertebra: Vertebra) -> Vertebra:
        return replace(
            vertebra,
            sideways=-vertebra.sideways,
            turn=-vertebra.turn,
            rib_mm=vertebra.rib_mm[::-1],
            castellvi=vertebra.castellvi[::-1],
        )

    uneven = changed(patient, -1, castellvi=("none", "II"), sideways=4.0, turn=3.0)
    twin = replace(uneven, vertebrae=tuple(mirrored(v) for v in uneven.vertebrae))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for index in (-1, -8):
        one, other = own(pose(uneven), index), own(pose(twin), index)
        points = lattice(one.bounds, 2.0)
        here, there = one.signed_distance(points), other.signed_distance(points * flip)
        near = here.abs() < 2.0
        assert (here - there)[near].abs().max() < 0.3
        assert (here - other.signed_distance(points))[near].abs().max() > 2.0


@pytest.mark.parametrize("name", ["C3", "C7", "T2", "T7", "L1", "L2", "L3", "L4"])
def test_processes_reach_as_far_as_sampled(patient: Patient, skeleton: Skeleton, name: str) -> None:
    index = index_of(skeleton, name)
    placed = skeleton.vertebrae[index]
    points = inside(own(skeleton, index), placed.frame)
    size = placed.vertebra.size
    assert np.ptp(points[:, 0]) == pytest.approx(size.transverse_span, abs=3.0)
    assert points[:, 1].max() + size.upper_depth / 2 == pytest.approx(size.spinous_length, abs=3.0)


CHANGES: dict[str, dict[str, Any]] = {
    "castellvi I": {"castellvi": ("I", "none")},
    "castellvi II": {"castellvi": ("none", "II")},
    "castellvi III": {"castellvi": ("III", "none")},
    "missing half": {"missing_half": "left"},
    "dents": {"endplate_dent_mm": (4.0, 0.0)},
    "osteophytes": {"osteophyte_mm": 6.0},
    "lysis": {"lysis": True},
}


@pytest.mark.parametrize("edits", CHANGES.values(), ids=CHANGES.keys())
def test_what_the_anatomy_says_of_a_vertebra_changes_its_shape(patient: Patient, edits: dict[str, Any]) -> None:
    before, after = own(pose(patient), -1), own(pose(changed(patient, -1, **edits)), -1)
    low = np.minimum(before.bounds[0], after.bounds[0])
    points = lattice(np.stack([low, np.maximum(before.bounds[1], after.bounds[1])]), 1.5)
    differ = (before.signed_distance(points) < 0) != (after.signed_distance(points) < 0)
    assert int(differ.sum()) > 40


@pytest.mark.parametrize("field", [field.name for field in fields(Size)])
def test_every_size_changes_the_shape(patient: Patient, skeleton: Skeleton, field: str) -> None:
    index = index_of(skeleton, "L2")
    size = patient.vertebrae[index].size
    other = pose(changed(patient, index, size=replace(size, **{field: 1.3 * getattr(size, field)})))
    frame = skeleton.vertebrae[index].frame
    before = own(skeleton, index)
    points = lattice(before.bounds, 2.0)
    moved = other.vertebrae[index].frame.place(frame.own(points.reshape(-1, 3).numpy().astype(float)))
    after = own(other, index).signed_distance(torch.as_tensor(moved, dtype=torch.float32))
    assert int(((before.signed_distance(points).reshape(-1) < 0) != (after < 0)).sum()) > 20


def test_a_slip_leaves_the_spinous_process_behind_where_the_arch_is_severed(patient: Patient) -> None:
    reach = []
    for lysis in (False, True):
        slipped = pose(changed(patient, -1, slip_mm=8.0, lysis=lysis))
        reach.append(inside(own(slipped, -1), slipped.vertebrae[-1].frame)[:, 1].max())
    assert reach[1] - reach[0] == pytest.approx(8.0, abs=1.5)


def test_a_joint_parts_a_castellvi_two_from_the_sacrum_and_bone_joins_a_three(patient: Patient) -> None:
    found = {}
    for kind in ("none", "II", "III"):
        skeleton = pose(changed(patient, -1, castellvi=("none", kind)))
        top = skeleton.sacrum.place(ala_top(skeleton, 1.0)[None])[0]
        points = lattice(np.stack([top - 14, top + 14]), 1.0)
        sacral, lumbar = (bone.signed_distance(points) for bone in (SOURCE.sacrum(skeleton)[0], own(skeleton, -1)))
        found[kind] = (
            float((sacral.clamp(min=0) + lumbar.clamp(min=0)).min()),
            float(torch.maximum(sacral, lumbar).min()),
        )
    assert found["none"][0] > 3.0
    assert 0.4 < found["II"][0] < 3.0
    assert found["III"][1] < -1.0


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_do_not_interpenetrate(seed: int) -> None:
    skeleton = pose(sample(seed))
    some = range(len(skeleton.vertebrae) - 1, 0, -4 - seed % 3)
    for index in some:
        last = index == len(skeleton.vertebrae) - 1
        kept = skeleton.vertebrae[index].vertebra
        if kept.disc.fused or "III" in kept.castellvi:
            continue
        upper = own(skeleton, index)
        lower: Any = SOURCE.sacrum(skeleton)[0] if last else own(skeleton, index + 1)
        shared = np.stack([np.maximum(upper.bounds[0], lower.bounds[0]), np.minimum(upper.bounds[1], lower.bounds[1])])
        points = lattice(shared, 2.0)
        assert float(torch.maximum(upper.signed_distance(points), lower.signed_distance(points)).min()) > -0.7


def test_every_rib_is_as_long_as_sampled(skeleton: Skeleton) -> None:
    bones = {Label.RIB_RIGHT: 0, Label.RIB_LEFT: 0}
    for bone in SOURCE.ribs(skeleton):
        if bone.label in bones:
            bones[Label(bone.label)] += 1
    for side, number in ((-1.0, 0), (1.0, 1)):
        lengths = [
            placed.vertebra.rib_mm[number] for placed in skeleton.vertebrae if placed.vertebra.rib_mm[number] > 0
        ]
        assert bones[(Label.RIB_RIGHT, Label.RIB_LEFT)[number]] == len(lengths)
        paths = [rib_path(skeleton, placed, side) for placed in skeleton.vertebrae]
        drawn = [float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) for path in paths if path is not None]
        assert drawn == pytest.approx(lengths, rel=0.03)


def test_a_rib_begins_beside_its_body_and_ends_where_its_length_ends(skeleton: Skeleton) -> None:
    placed = skeleton.vertebrae[index_of(skeleton, "T12")]
    path = rib_path(skeleton, placed, -1.0)
    assert path is not None
    rib: Any = next(b for b in SOURCE.ribs(skeleton)[::-1] if b.label == Label.RIB_RIGHT)
    onward = path[-1] + 6 * (path[-1] - path[-2]) / np.linalg.norm(path[-1] - path[-2])
    assert (at(rib, path[1:-1]) < 0).all()
    assert at(rib, onward[None])[0] > 0
    assert np.linalg.norm(path[0] - placed.frame.centre) < placed.vertebra.size.upper_width


def test_crests_reach_the_sampled_height_and_width(patient: Patient) -> None:
    for ordinal in (22.8, 23.6):
        skeleton = pose(replace(patient, sacrum=replace(patient.sacrum, crest_ordinal=ordinal)))
        hips = [bone for bone in SOURCE.pelvis(skeleton) if bone.label == Label.HIP_BONE]
        points = [lattice(bone.bounds, 3.0) for bone in hips]
        held = [p[bone.signed_distance(p) < 0] for bone, p in zip(hips, points, strict=True)]
        top = np.mean([float(p[:, 2].max()) for p in held])
        assert top == pytest.approx(skeleton.height(ordinal), abs=5.0)
        width = float(held[1][:, 0].max() - held[0][:, 0].min())
        assert width == pytest.approx(patient.sacrum.bi_iliac, rel=0.05)


def test_a_gap_parts_sacrum_and_hip_bones(skeleton: Skeleton) -> None:
    sacrum = SOURCE.sacrum(skeleton)[0]
    for hip in SOURCE.pelvis(skeleton)[:2]:
        points = lattice(sacrum.bounds, 3.0)
        assert float(torch.maximum(sacrum.signed_distance(points), hip.signed_distance(points)).min()) > 0


def test_a_disc_lies_between_each_pair_unless_bone_fused_them(patient: Patient, skeleton: Skeleton) -> None:
    rings = [disc for disc in discs(skeleton) if disc.label == Label.ANNULUS and disc.ordinal <= 24]
    assert [ring.ordinal for ring in rings] == [v.ordinal for v in patient.vertebrae]
    for ring, placed in zip(rings, skeleton.vertebrae, strict=True):
        below = placed.frame.place(np.array([[0.0, 0.0, -placed.vertebra.size.height / 2 - 1.5]]))
        assert at(ring, below)[0] < 0
    block = pose(changed(patient, -3, disc=replace(patient.vertebrae[-3].disc, fused=True)))
    assert patient.vertebrae[-3].ordinal not in [disc.ordinal for disc in discs(block)]
    middle = block.vertebrae[-3].frame.place(np.array([[0.0, 0.0, -block.vertebrae[-3].vertebra.size.height / 2 - 3]]))
    assert at(own(block, -3), middle)[0] < 0 < at(own(skeleton, -3), middle)[0]


def test_screws_run_through_the_pedicles_into_the_body(patient: Patient) -> None:
    fixed = replace(changed(changed(patient, -1, screws=True), -2, screws=True), rods=True)
    skeleton = pose(fixed)
    metal = [bone for bone in hardware(skeleton) if bone.label == Label.METAL]
    assert len(metal) == 2
    for placed in skeleton.vertebrae[-2:]:
        size = placed.vertebra.size
        for side, bone in zip((-1.0, 1.0), metal, strict=True):
            _, tip = screw_axis(placed, side)
            assert at(bone, tip[None])[0] < 0
            found = placed.frame.own(tip[None])[0]
            assert 0 < found[0] * side < size.upper_width / 2
            assert abs(found[1]) < size.upper_depth / 2
            assert abs(found[2]) < size.height / 2
            wall = placed.frame.place(np.array([[0, size.upper_depth / 2 + size.canal_depth / 2, found[2]]]))
            assert at(bone, wall)[0] > 2


def test_hardware_is_there_when_sampled_and_only_then(patient: Patient, skeleton: Skeleton) -> None:
    assert hardware(skeleton) == []
    filled = pose(changed(patient, -4, cement=True))
    assert [bone.label for bone in hardware(filled)] == [Label.CEMENT]
    caged = pose(changed(patient, -2, disc=replace(patient.vertebrae[-2].disc, cage=True)))
    assert {bone.label for bone in hardware(caged)} == {Label.CAGE, Label.METAL}
    replaced = pose(replace(patient, sacrum=replace(patient.sacrum, hip_prosthesis=(False, True))))
    assert all(bone.bounds[0, 0] > 0 for bone in hardware(replaced))
    assert len(hardware(replaced)) == 2


def test_every_bone_has_its_label(skeleton: Skeleton) -> None:
    labels = [own(skeleton, index).label for index in range(len(skeleton.vertebrae))]
    assert labels == [vertebra_label(placed.vertebra.level) for placed in skeleton.vertebrae]
    assert [bone.label for bone in SOURCE.vertebra(skeleton, skeleton.vertebrae[0])] == [1, 2]
    assert SOURCE.sacrum(skeleton)[0].label == Label.SACRUM


def test_bounds_hold_the_bone_and_three_millimetres(skeleton: Skeleton) -> None:
    bones: list[Any] = [own(skeleton, -1), *SOURCE.sacrum(skeleton), *SOURCE.pelvis(skeleton)[:1]]
    for bone in bones:
        assert isinstance(bone, Bone)
        wide = bone.bounds + np.array([[-12.0], [12.0]])
        points = lattice(wide, 4.0).reshape(-1, 3)
        out = ((points < torch.tensor(bone.bounds[0])) | (points > torch.tensor(bone.bounds[1]))).any(1)
        assert float(bone.signed_distance(points[out]).min()) > 2.9


def test_no_two_people_and_no_two_levels_have_the_same_processes(patient: Patient, skeleton: Skeleton) -> None:
    index = index_of(skeleton, "L2")
    frame = skeleton.vertebrae[index].frame
    points = lattice(own(skeleton, index).bounds, 2.0)
    other = own(pose(replace(patient, seed=patient.seed + 1)), index)
    differ = (own(skeleton, index).signed_distance(points) < 0) != (other.signed_distance(points) < 0)
    assert int(differ.sum()) > 30
    assert at(other, frame.centre[None])[0] < 0


def test_frames_are_respected(patient: Patient) -> None:
    skeleton = pose(patient)
    placed = skeleton.vertebrae[-2]
    away = Placed(placed.vertebra, Frame(placed.frame.centre + [30.0, 0, 0], placed.frame.rotation))
    moved = replace(skeleton, vertebrae=(*skeleton.vertebrae[:-2], away, skeleton.vertebrae[-1]))
    assert at(own(moved, -2), away.frame.centre[None])[0] < -5 < 0 < at(own(skeleton, -2), away.frame.centre[None])[0]
