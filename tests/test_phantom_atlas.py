"""Bones from meshes: the reader, the landmarks, the warp and what it keeps true, on meshes written here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from numbering.phantom.anatomy.sample import sample
from numbering.phantom.pose import Placed, Skeleton, body_corners, body_edges, pose, rotation
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.atlas import Atlas, AtlasError, Source, landmarks, mesh, template, variety
from numbering.phantom.shapes.atlas.catalogue import ATLASES, Picked
from numbering.phantom.shapes.atlas.landmarks import NAMES
from numbering.phantom.shapes.atlas.mesh import Mesh
from numbering.phantom.shapes.atlas.pelvic import PELVIS, SACRUM
from numbering.phantom.shapes.atlas.voxels import signed_distance
from numbering.phantom.shapes.atlas.warp import Warp
from numbering.phantom.shapes.discs import remnant
from numbering.phantom.shapes.mixed import Mixed
from numbering.phantom.shapes.pelvis import hip_centre
from numbering.phantom.shapes.procedural import Procedural

BOXES = [
    ((-20, -18, -14), (20, 18, 14)),  # body
    ((-20, 16, 0), (-12, 36, 12)),  # pedicles
    ((12, 16, 0), (20, 36, 12)),
    ((-20, 34, -14), (20, 38, 6)),  # laminae
    ((-4, 36, -16), (4, 64, 0)),  # spinous process
    ((-42, 26, 2), (-16, 32, 8)),  # transverse processes: the left is shorter
    ((16, 26, 2), (36, 32, 8)),
    ((-20, 34, 0), (-14, 38, 20)),  # upper articular processes
    ((14, 34, 0), (20, 38, 20)),
    ((-16, 34, -24), (-10, 38, -8)),  # lower ones
    ((10, 34, -24), (16, 38, -8)),
]
"""A vertebra of boxes: lowest and highest x, y, z, mm, in its own frame."""
SACRUM_BOXES = [((-27, -16, -70), (27, 16, 0)), ((-52, -10, -40), (52, 14, -6))]
PELVIS_BOXES = [
    ((44, -20, -20), (110, 26, 30)),
    ((70, -6, 20), (84, 6, 50)),
    ((60, -40, -110), (100, 0, -15)),
    ((-6, -40, -110), (62, -24, -94)),
]
PELVIS_BOXES += [((-high[0], low[1], low[2]), (-low[0], high[1], high[2])) for low, high in PELVIS_BOXES]
PITCH = 2.0
COARSE: dict[str, Any] = {"template_mm": 1.2, "pitch_mm": 1.5}

Boxes = list[tuple[tuple[float, float, float], tuple[float, float, float]]]


def union(boxes: Boxes, pitch: float = PITCH) -> Mesh:
    """The boxes joined into one closed surface of little squares."""
    low, high = np.min([box[0] for box in boxes], 0) - pitch, np.max([box[1] for box in boxes], 0) + pitch
    shape = np.round((high - low) / pitch).astype(int)
    solid = np.zeros(shape, bool)
    for first, last in boxes:
        begin, end = (np.round((np.array(corner) - low) / pitch).astype(int) for corner in (first, last))
        solid[begin[0] : end[0], begin[1] : end[1], begin[2] : end[2]] = True
    quads = []
    for axis in range(3):
        behind, ahead = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        for cell in np.argwhere(np.diff(solid.astype(int), axis=axis) != 0):
            corner = cell + np.eye(3, dtype=int)[axis]
            quads.append([corner, corner + behind, corner + behind + ahead, corner + ahead])
    points, index = np.unique(np.array(quads).reshape(-1, 3), axis=0, return_inverse=True)
    squares = index.reshape(-1, 4)
    return Mesh(points * pitch + low, np.vstack([squares[:, :3], squares[:, [0, 2, 3]]]))


def write_obj(path: Path, found: Mesh, scale: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in found.points * scale]
    path.write_text("\n".join(rows + [f"f {a} {b} {c}" for a, b, c in found.faces + 1]) + "\n")


def as_file(points: np.ndarray) -> np.ndarray:
    """The phantom's axes (left, back, up) as a file with x to the front, y to the left and z up has them."""
    return np.stack([-points[:, 1], points[:, 0], points[:, 2]], 1)


@pytest.fixture(scope="module")
def blocks() -> Mesh:
    return union(BOXES)


SOURCE = Source(
    folder="boxes",
    axes=("front", "left", "up"),
    scale=(1000.0, 1000.0, 1000.0),
    vertebrae={"L3": "L3.obj"},
    borrows={"L2": "L3", "L4": "L3", "L5": "L3"},
    sacrum=Picked(
        "sacrum.obj",
        dict(
            zip(
                SACRUM,
                [(0, -16, 0), (0, 16, 0), (-27, 0, 0), (27, 0, 0), (-52, 0, -20), (52, 0, -20)]
                + [(0, 0, -70), (0, 16, -5), (-20, 14, -3), (20, 14, -3)],
                strict=True,
            )
        ),
    ),
    pelvis=Picked(
        "pelvis.obj",
        dict(
            zip(
                PELVIS,
                [(-77, 0, 50), (77, 0, 50), (-110, 0, 20), (110, 0, 20), (-105, -20, 0), (105, -20, 0)]
                + [(-80, -20, -70), (80, -20, -70), (-70, -20, -110), (70, -20, -110), (0, -32, -102)]
                + [(-44, 4, -10), (44, 4, -10), (-50, 26, 0), (50, 26, 0)],
                strict=True,
            )
        ),
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, blocks: Mesh) -> Path:
    """An atlas of boxes in metres: one leaning vertebra, a sacrum and a pelvis."""
    below = tmp_path_factory.mktemp("atlases")
    leaning = Mesh(blocks.points @ rotation(12, 0, 0).T + [3, -40, 120], blocks.faces)
    for name, found in (
        ("L3", leaning),
        ("sacrum", union(SACRUM_BOXES)),
        ("pelvis", union(PELVIS_BOXES)),
    ):
        write_obj(below / "boxes" / f"{name}.obj", Mesh(as_file(found.points), found.faces), 0.001)
    return below


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def atlas(folder: Path, cache: Path) -> Atlas:
    return Atlas(folder, "boxes", source=SOURCE, cache=cache, **COARSE)


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return pose(sample(seed=3))


def at(skeleton: Skeleton, level: str) -> Placed:
    return next(placed for placed in skeleton.vertebrae if str(placed.vertebra.level) == level)


def distance(structures: list[Structure], points: np.ndarray) -> np.ndarray:
    found = [structure.signed_distance(torch.as_tensor(points, dtype=torch.float32)) for structure in structures]
    return torch.stack(found).amin(0).numpy()


def changed(skeleton: Skeleton, level: str, **edits: Any) -> Skeleton:
    """The skeleton with one vertebra edited where it stands."""
    edited = [
        Placed(replace(placed.vertebra, **edits), placed.frame) if placed is at(skeleton, level) else placed
        for placed in skeleton.vertebrae
    ]
    return replace(skeleton, vertebrae=tuple(edited))


# --- reading -------------------------------------------------------------------------------------------------------


def test_units_and_axes_of_a_file_become_millimetres_left_back_up(tmp_path: Path) -> None:
    uneven = np.array([[10.0, 0, 0], [0, 20, 0], [0, 0, 30], [-1, -2, -3]])
    write_obj(tmp_path / "m.obj", Mesh(as_file(uneven), np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])), 0.001)
    found = mesh.read(tmp_path / "m.obj", ("front", "left", "up"), (1000.0, 1000.0, 1000.0))
    np.testing.assert_allclose(found.points, uneven, atol=1e-3)
    stretched = mesh.read(tmp_path / "m.obj", ("back", "right", "down"), (1000.0, 2000.0, 3000.0))
    np.testing.assert_allclose(stretched.points, uneven * [-2, -1, -3], atol=1e-3)


def test_strips_of_a_vtk_file_become_triangles(tmp_path: Path) -> None:
    (tmp_path / "m.vtk").write_text(
        "# vtk DataFile Version 3.0\nm\nASCII\nDATASET POLYDATA\nPOINTS 4 float\n0 0 0 1 0 0 0 1 0 0 0 1\n"
        "TRIANGLE_STRIPS 1 7\n6 0 1 2 3 0 1\n"
    )
    found = mesh.read(tmp_path / "m.vtk", ("left", "back", "up"), (1.0, 1.0, 1.0))
    assert len(found.points) == 4
    assert len(found.faces) == 4


def test_vertebrae_that_share_a_csv_come_apart_head_to_foot(tmp_path: Path) -> None:
    low, high = union([((0, 0, 0), (2, 2, 2))]), union([((0, 0, 9), (2, 2, 12))])
    np.savetxt(tmp_path / "m_vertices.csv", np.vstack([low.points, high.points]), delimiter=",")
    np.savetxt(tmp_path / "m_faces.csv", np.vstack([low.faces, high.faces + len(low.points)]) + 1, delimiter=",")
    whole = mesh.read(tmp_path / "m_vertices.csv", ("left", "back", "up"), (1.0, 1.0, 1.0))
    upper, lower = whole.largest_parts(2)
    assert upper.points[:, 2].min() == 9
    assert lower.points[:, 2].max() == 2
    with pytest.raises(AtlasError, match="2 separate parts; 3 vertebrae"):
        whole.largest_parts(3)


def test_what_is_no_mesh_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.obj").write_text("# nothing\n")
    (tmp_path / "m.ply").write_text("ply\n")
    np.savetxt(tmp_path / "m_vertices.csv", np.eye(3), delimiter=",")
    for name, message in (
        ("empty.obj", "empty.obj: no surface"),
        ("m.ply", "m.ply: a mesh is expected as .obj"),
        ("m_vertices.csv", "m_faces.csv"),
        ("gone.obj", "gone.obj: no such file"),
    ):
        with pytest.raises(AtlasError, match=message):
            mesh.read(tmp_path / name, ("left", "back", "up"), (1.0, 1.0, 1.0))


def test_distances_of_a_box_are_its_own() -> None:
    shift = np.array([0.13, -0.07, 0.11])
    box = union([((-8, -6, -4), (8, 6, 4))])
    lattice = signed_distance(Mesh(box.points + shift, box.faces), 0.8)
    points = np.array([[0.0, 0, -2.5], [0, 0, 2.5], [0, 0, 6.5], [10, 0, 0], [-9.5, 0, 0], [0, -7, 0], [0, 8, 0]])
    np.testing.assert_allclose(lattice.at(points + shift), [-1.5, -1.5, 2.5, 2, 1.5, 1, 2], atol=0.25)


# --- landmarks -----------------------------------------------------------------------------------------------------


def test_landmarks_of_a_leaning_turned_vertebra_are_found_in_its_own_frame(blocks: Mesh) -> None:
    turn, centre = rotation(18, -6, 5), np.array([30.0, -20, 80])
    framed = landmarks.find(Mesh(blocks.points @ turn.T + centre, blocks.faces), "blocks")
    assert np.degrees(np.arccos((np.trace(framed.rotation.T @ turn) - 1) / 2)) < 2.5
    np.testing.assert_allclose(framed.centre, centre, atol=1.0)
    found = dict(zip(NAMES, framed.landmarks, strict=True))
    np.testing.assert_allclose(framed.landmarks[:4, 1:], [[-18, 14], [18, 14], [18, -14], [-18, -14]], atol=1.5)
    np.testing.assert_allclose(framed.landmarks[4:8, 0], [-20, 20, 20, -20], atol=1.5)
    assert found["canal_left"][0] - found["canal_right"][0] == pytest.approx(24, abs=2)
    assert found["canal_back"][1] == pytest.approx(34, abs=1.5)
    assert found["transverse_right"][0] == pytest.approx(-42, abs=2)
    assert found["transverse_left"][0] == pytest.approx(36, abs=2)
    assert found["spinous"][1] == pytest.approx(64, abs=2)
    assert found["superior_facet_left"][2] == pytest.approx(20, abs=2)
    assert found["inferior_facet_right"][2] == pytest.approx(-24, abs=2)
    assert found["pedicle_left_outer"][0] == pytest.approx(20, abs=1.5)


def test_a_bone_without_canal_is_refused() -> None:
    with pytest.raises(AtlasError, match="brick: no vertebral canal"):
        landmarks.find(union([((-20, -18, -14), (20, 18, 14))]), "brick")


# --- the warp ------------------------------------------------------------------------------------------------------


def test_a_warp_meets_its_controls_and_is_smoother_with_slack() -> None:
    rng = np.random.default_rng(5)
    controls, images = rng.normal(size=(2, 12, 3)) * 20
    np.testing.assert_allclose(Warp.through(controls, images)(controls), images, atol=1e-8)
    slack = np.array([0.0] * 6 + [10.0] * 6)
    missed = np.linalg.norm(Warp.through(controls, images, slack)(controls) - images, axis=1)
    assert missed[:6].max() < 1e-8
    assert missed[6:].min() > 0.01


@pytest.mark.parametrize("level", ["L2", "L5"])
def test_corners_of_a_warped_vertebra_lie_where_the_anatomy_says(atlas: Atlas, skeleton: Skeleton, level: str) -> None:
    placed = at(skeleton, level)
    corners = placed.frame.place(np.vstack([body_corners(placed.vertebra), body_edges(placed.vertebra)]))
    assert abs(distance(atlas.vertebra(skeleton, placed), corners)).max() < 1.0


def test_both_sources_draw_the_same_corners(atlas: Atlas, skeleton: Skeleton) -> None:
    placed = at(skeleton, "L3")
    points = np.vstack([placed.sagittal_corners(), placed.coronal_corners()])
    for source in (atlas, Procedural()):
        structures = source.vertebra(skeleton, placed)
        assert [structure.label for structure in structures] == [vertebra_label(placed.vertebra.level)]
        assert abs(distance(structures, points)).max() < 1.5
        inward = placed.frame.centre + 0.85 * (points - placed.frame.centre)
        outward = placed.frame.centre + 1.2 * (points - placed.frame.centre)
        assert (distance(structures, inward) < 0).all()
        assert (distance(structures, outward) > 0).all()


def test_the_canal_is_open_and_the_processes_are_as_long_as_sampled(folder: Path, cache: Path) -> None:
    skeleton = pose(sample(seed=4))
    placed = at(skeleton, "L3")
    size = placed.vertebra.size
    bone = Atlas(folder, "boxes", source=SOURCE, cache=cache, varied=False, **COARSE).vertebra(skeleton, placed)
    back = (size.upper_depth + size.lower_depth) / 4
    canal = placed.frame.place(np.array([[0, back + size.canal_depth * share, 3] for share in (0.3, 0.5, 0.7)]))
    assert (distance(bone, canal) > 2).all()
    across = np.zeros((400, 3))
    across[:, 0] = np.linspace(-80, 80, 400)
    found = []
    for y in np.linspace(back, back + size.canal_depth, 12):
        across[:, 1], across[:, 2] = y, 5
        inside = distance(bone, placed.frame.place(across)) < 0
        found += [across[inside, 0].min(initial=0), across[inside, 0].max(initial=0)]
    assert min(found) == pytest.approx(-size.transverse_span / 2, abs=3.5)
    assert max(found) == pytest.approx(size.transverse_span / 2, abs=3.5)


def test_distances_keep_to_millimetres_where_the_warp_stretches(atlas: Atlas, skeleton: Skeleton) -> None:
    placed = at(skeleton, "L3")
    front = placed.frame.place(body_corners(placed.vertebra)[[0, 3]].mean(0, keepdims=True))
    steps = np.array([-3.0, -1.5, 1.5, 3.0])
    along = front - steps[:, None] * placed.frame.rotation[:, 1]
    np.testing.assert_allclose(np.diff(distance(atlas.vertebra(skeleton, placed), along)), np.diff(steps), atol=0.5)


def test_bounds_hold_the_bone(atlas: Atlas, skeleton: Skeleton) -> None:
    for bone in (*atlas.vertebra(skeleton, at(skeleton, "L4")), *atlas.pelvis(skeleton)[:1]):
        for side in bone.bounds:
            for axis in range(3):
                points = np.random.default_rng(axis).uniform(*bone.bounds, (300, 3))
                points[:, axis] = side[axis]
                assert distance([bone], points).min() > 2.0


# --- neighbours, levels, anomalies -----------------------------------------------------------------------------------


def test_neighbours_never_overlap(atlas: Atlas, skeleton: Skeleton) -> None:
    upper, lower = (atlas.vertebra(skeleton, at(skeleton, level)) for level in ("L3", "L4"))
    low = np.maximum(upper[0].bounds[0], lower[0].bounds[0])
    high = np.minimum(upper[0].bounds[1], lower[0].bounds[1])
    axes = [np.arange(a, b, 1.0) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    assert not ((distance(upper, points) < -0.2) & (distance(lower, points) < -0.2)).any()


def test_what_the_atlas_lacks_is_procedural(atlas: Atlas, skeleton: Skeleton) -> None:
    assert atlas.template_of(skeleton, at(skeleton, "T8")) is None
    assert atlas.template_of(skeleton, at(skeleton, "L4")) == "L3"
    half = changed(skeleton, "L3", missing_half="left")
    assert atlas.template_of(half, at(half, "L3")) is None
    ribs, procedural = atlas.ribs(skeleton), Procedural().ribs(skeleton)
    assert [rib.label for rib in ribs] == [rib.label for rib in procedural]


def test_lumbar_vertebrae_are_matched_by_their_place_among_all_of_them(tmp_path: Path) -> None:
    files = {f"L{number}": f"L{number}.obj" for number in range(1, 6)}
    for file in files.values():
        (tmp_path / file).touch()
    source = Source(folder=".", axes=("left", "back", "up"), scale=(1.0, 1.0, 1.0), vertebrae=files)
    still = Atlas(tmp_path, "still", source=source, cache=tmp_path, varied=False)
    for anomaly, expected in (
        ("L6", ["L1", "L2", "L3", "L3", "L4", "L5"]),
        ("L4", ["L1", "L2", "L4", "L5"]),
    ):
        odd = pose(sample(seed=6, anomaly=anomaly))
        assert [still.template_of(odd, placed) for placed in odd.vertebrae][-len(expected) :] == expected


def test_spurs_dents_and_bridges_are_joined_in(atlas: Atlas, skeleton: Skeleton) -> None:
    placed = at(skeleton, "L3")
    size = placed.vertebra.size
    rng = np.random.default_rng(8)
    around = np.stack([rng.uniform(-1, 1, 4000), rng.uniform(-1, 0.2, 4000), rng.uniform(-0.8, 0.8, 4000)], 1)
    around = placed.frame.place(around * [size.lower_width / 2 + 6, size.lower_depth / 2 + 6, size.height])
    spurred = changed(skeleton, "L3", osteophyte_mm=6.0)
    bare, clawed = (distance(atlas.vertebra(which, at(which, "L3")), around) < 0 for which in (skeleton, spurred))
    assert clawed.sum() > bare.sum() + 20
    middle = placed.frame.place(np.array([[0, 0, size.height / 2 - 3.5]]))
    dented = changed(skeleton, "L3", endplate_dent_mm=(5.0, 0.0))
    assert distance(atlas.vertebra(skeleton, placed), middle)[0] < -1
    assert distance(atlas.vertebra(dented, at(dented, "L3")), middle)[0] > 1
    between = (placed.frame.centre + at(skeleton, "L4").frame.centre)[None] / 2
    fused = changed(skeleton, "L3", disc=replace(placed.vertebra.disc, fused=True))
    assert distance(atlas.vertebra(skeleton, placed), between)[0] > 1
    assert distance(atlas.vertebra(fused, at(fused, "L3")), between)[0] < -1


def test_a_transitional_process_reaches_down_on_its_side_only(atlas: Atlas, skeleton: Skeleton) -> None:
    level = str(skeleton.vertebrae[-1].vertebra.level)
    odd = changed(skeleton, level, castellvi=("none", "III"))
    grown = []
    for side in (-1, 1):
        points = np.random.default_rng(2).uniform((20, -20, -45), (60, 40, 10), (4000, 3)) * (side, 1, 1)
        points = at(skeleton, level).frame.place(points)
        before, after = (
            (distance(atlas.vertebra(which, at(which, level)), points) < 0).sum() for which in (skeleton, odd)
        )
        grown.append(after - before)
    assert abs(grown[0]) < 20
    assert grown[1] > 100


# --- sacrum and pelvis -----------------------------------------------------------------------------------------------


def test_the_sacrum_carries_the_sampled_endplate_and_width(atlas: Atlas, skeleton: Skeleton) -> None:
    shape, (bone,) = skeleton.patient.sacrum, atlas.sacrum(skeleton)
    assert bone.label == Label.SACRUM
    assert abs(distance([bone], skeleton.s1_corners())).max() < 1.0
    across = np.zeros((601, 3))
    across[:, 0] = np.linspace(-75, 75, 601)
    widths = []
    for z in np.linspace(-45, -5, 9):
        across[:, 2] = z
        inside = distance([bone], skeleton.sacrum.place(across)) < 0
        widths.append(np.ptp(across[inside, 0]))
    assert max(widths) == pytest.approx(shape.width, abs=3)


def test_a_trace_of_the_disc_s1_s2_is_left_out_of_the_bone(atlas: Atlas, skeleton: Skeleton) -> None:
    found = []
    for height in (0.0, 4.0):
        sacrum = replace(skeleton.patient.sacrum, s1_s2_disc_mm=height, squared=0.1)
        which = replace(skeleton, patient=replace(skeleton.patient, sacrum=sacrum))
        trace = remnant(replace(skeleton, patient=replace(which.patient, sacrum=replace(sacrum, s1_s2_disc_mm=4.0))))
        found.append(distance(atlas.sacrum(which), trace[0].bounds.mean(0, keepdims=True))[0])
    assert found[0] < -3
    assert found[1] > 1


def test_a_squared_s1_is_procedural(atlas: Atlas, skeleton: Skeleton) -> None:
    patient = replace(skeleton.patient, sacrum=replace(skeleton.patient.sacrum, squared=0.9, s1_s2_disc_mm=4.0))
    assert type(atlas.sacrum(replace(skeleton, patient=patient))[0]) is type(Procedural().sacrum(skeleton)[0])


def test_crests_and_hip_joints_of_the_pelvis_are_the_anatomys(atlas: Atlas, skeleton: Skeleton) -> None:
    right, left, *femora = atlas.pelvis(skeleton)
    assert [bone.label for bone in femora] == [Label.FEMUR, Label.FEMUR]
    assert right.bounds[:, 0].max() < 5 < -5 + left.bounds[:, 0].max()
    for bone, side in ((right, -1.0), (left, 1.0)):
        low, high = bone.bounds
        axes = [np.arange(a, b, 4.0) for a, b in zip(low, high, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        inside = points[distance([bone], points) < 0]
        assert inside[:, 2].max() == pytest.approx(skeleton.height(skeleton.patient.sacrum.crest_ordinal), abs=6)
        assert abs(inside[:, 0]).max() == pytest.approx(skeleton.patient.sacrum.bi_iliac / 2, abs=6)
        joint = distance([bone], hip_centre(skeleton, side)[None])[0]
        assert 20 < joint < 32  # the femoral head's radius and the joint's width away


# --- cache, variety, errors ------------------------------------------------------------------------------------------


def test_a_mesh_is_read_once_for_its_bytes(
    folder: Path, atlas: Atlas, cache: Path, skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = distance(atlas.vertebra(skeleton, at(skeleton, "L3")), skeleton.vertebrae[-3].frame.centre[None])

    def refuse(*_: object, **__: object) -> Mesh:
        raise AssertionError("read again")

    monkeypatch.setattr(template.mesh, "read", refuse)
    again = Atlas(folder, "boxes", source=SOURCE, cache=cache, **COARSE)
    points = skeleton.vertebrae[-3].frame.centre[None]
    assert distance(again.vertebra(skeleton, at(skeleton, "L3")), points).tobytes() == first.tobytes()
    other = tmp_path / "boxes"
    other.mkdir()
    for file in (folder / "boxes").iterdir():
        (other / file.name).write_text(file.read_text() + "# other bytes\n")
    with pytest.raises(AssertionError, match="read again"):
        Atlas(tmp_path, "boxes", source=SOURCE, cache=cache, **COARSE).vertebra(skeleton, at(skeleton, "L3"))


def test_left_and_right_are_exchanged_for_half_of_the_patients(atlas: Atlas) -> None:
    patients = [sample(seed=seed) for seed in range(4)]
    assert {variety.mirrored(patient) for patient in patients} == {True, False}
    found = atlas._library.vertebra("L3", False)
    flipped = variety.mirror(found, NAMES)
    points = np.random.default_rng(3).uniform(-30, 30, (200, 3))
    np.testing.assert_allclose(flipped.distance.at(points * [-1, 1, 1]), found.distance.at(points), atol=1e-4)
    longer = NAMES.index("transverse_right"), NAMES.index("transverse_left")
    assert -found.landmarks[longer[0], 0] > found.landmarks[longer[1], 0] + 3
    assert flipped.landmarks[longer[1], 0] > -flipped.landmarks[longer[0], 0] + 3


def test_variety_leaves_body_and_canal_alone_and_repeats_itself(skeleton: Skeleton) -> None:
    vertebra = at(skeleton, "L3").vertebra
    shifts = variety.processes(skeleton.patient, vertebra)
    assert (shifts[:17] == 0).all()
    assert abs(shifts[17:]).max() > 0.5
    np.testing.assert_array_equal(shifts, variety.processes(skeleton.patient, vertebra))
    assert not np.array_equal(shifts, variety.processes(skeleton.patient, at(skeleton, "L2").vertebra))


def test_a_folder_without_the_files_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        AtlasError, match=r"7 of the atlas's 7 files are missing, first artisynth_lss/RB/L1.*fetch them"
    ):
        Atlas(tmp_path, "artisynth")
    with pytest.raises(AtlasError, match="no atlas is called 'gray'; known are artisynth, morphable, spl, myo"):
        Atlas(tmp_path, "gray")


def test_every_named_atlas_describes_its_pelvis_fully() -> None:
    for source in ATLASES.values():
        for bone, names in ((source.sacrum, SACRUM), (source.pelvis, PELVIS)):
            assert bone is None or set(bone.landmarks) == set(names)
        assert set(source.borrows.values()) <= set(source.vertebrae)


def test_mixed_sources_give_each_patient_one_of_them(atlas: Atlas) -> None:
    mixed = Mixed([Procedural(), atlas])
    chosen = [mixed.of(pose(sample(seed=seed))).name for seed in range(6)]
    assert set(chosen) == {"procedural", "boxes"}
    assert Mixed([Procedural(), atlas], [0, 1]).of(pose(sample(seed=0))).name == "boxes"
    with pytest.raises(ValueError, match="one share for each source"):
        Mixed([Procedural()], [0.5, 0.5])
