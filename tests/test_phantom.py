"""Simulated patients: the truth is true, the films show it, the files are valid, and the seed decides everything."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from numbering.anatomy import Level, Variant
from numbering.phantom.old import anatomy, bones, dicom, matter, patient, pose, preview, radiograph, truth
from numbering.phantom.old.generate import generate
from numbering.phantom.old.projection import Beam

SMALL = {"source": (0.0, -1000.0, 0.0), "detector_y": 100.0, "left": -110.0, "top": 110.0}
SMALL |= {"pitch": 1.0, "rows": 220, "columns": 220}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient with six lumbar-type vertebrae, lumbar film."""
    out = tmp_path_factory.mktemp("phantom")
    return generate(out, seed=7, count=1, field_of_view="lumbar", anomaly="L6")[0]


@pytest.fixture(scope="module")
def film(made: Path) -> tuple[np.ndarray, truth.TrueImage]:
    image = truth.read(made).images[0]
    return pydicom.dcmread(made / image.file), image


def bright(ds: pydicom.Dataset) -> np.ndarray:
    """Pixels with dense things bright, whatever the photometric interpretation."""
    pixels = ds.pixel_array.astype(float)
    return 4095 - pixels if ds.PhotometricInterpretation == "MONOCHROME1" else pixels


def inside(pixels: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The pixels of the middle 60 % of a quadrilateral, sampled on a 21 × 21 grid."""
    ul, ur, lr, ll = corners
    s, t = np.meshgrid(np.linspace(0.2, 0.8, 21), np.linspace(0.2, 0.8, 21))
    points = (1 - t)[..., None] * ((1 - s)[..., None] * ul + s[..., None] * ur)
    points = points + t[..., None] * ((1 - s)[..., None] * ll + s[..., None] * lr)
    x, y = np.rint(points).astype(int).reshape(-1, 2).T
    return pixels[y, x]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, made: Path) -> None:
    again = generate(tmp_path / "again", seed=7, count=1, field_of_view="lumbar", anomaly="L6")[0]
    for name in ("ap/lumbar.dcm", "truth.json", "patient.json"):
        assert (again / name).read_bytes() == (made / name).read_bytes()
    assert patient.sample(8, "L6") != patient.sample(7, "L6")


def test_a_patient_survives_json() -> None:
    sampled = patient.sample(3, "scoliosis")
    assert patient.from_json(patient.to_json(sampled)) == sampled


@pytest.mark.parametrize(
    ("anomaly", "lowest", "ordinal", "last_thoracic"),
    [
        (None, "L5", 24, "T12"),
        ("L4", "L4", 23, "T12"),
        ("L6", "L6", 25, "T12"),
        ("T11", "L5", 23, "T11"),
        ("T13", "L5", 25, "T13"),
    ],
)
def test_names_follow_from_ordinals_and_the_variant(
    anomaly: str | None, lowest: str, ordinal: int, last_thoracic: str
) -> None:
    sampled = patient.sample(1, anomaly)
    assert (str(sampled.lowest_lumbar.level), sampled.lowest_lumbar.ordinal) == (lowest, ordinal)
    ordinals = [vertebra.ordinal for vertebra in sampled.vertebrae]
    assert ordinals == list(range(ordinals[0], ordinal + 1))
    assert all(sampled.variant.name(v.ordinal) is v.level for v in sampled.vertebrae)
    bearing = [str(v.level) for v in sampled.vertebrae if v.rib_bearing]
    assert bearing[0] == "T1"
    assert bearing[-1] == last_thoracic


def test_a_lumbar_rib_is_short_and_sits_on_l1() -> None:
    ribs = {v.level: v.rib_mm for v in patient.sample(1, "lumbar-rib").vertebrae if v.rib_bearing}
    assert Level.L1 in ribs
    assert max(ribs[Level.L1]) < 60 < min(ribs[Level.T10])


def test_a_short_twelfth_rib_is_shorter_than_any_other() -> None:
    ribs = {v.level: v.rib_mm for v in patient.sample(1, "short-rib-12").vertebrae if v.rib_bearing}
    assert max(ribs[Level.T12]) < 60 < min(min(length) for level, length in ribs.items() if level is not Level.T12)


def test_scoliosis_leans_the_endplates_by_more_than_a_straight_spine_does() -> None:
    def cobb(anomaly: str | None) -> float:
        angles = []
        for seed in range(12):
            sideways = [v.sideways for v in patient.sample(seed, anomaly).vertebrae]
            angles.append(max(sideways) - min(sideways))
        return float(np.median(angles))

    assert 12 < cobb("scoliosis") < 30
    assert cobb("none") < 9


def test_bodies_do_not_overlap_and_grow_towards_the_feet() -> None:
    for seed in range(10):
        placed = pose.stand(patient.sample(seed)).vertebrae
        for upper, lower in itertools.pairwise(placed):
            gap = upper.corners()[2:].mean(0) - lower.corners()[:2].mean(0)
            assert 1.5 < np.linalg.norm(gap) < 18
            assert gap[2] > 0
    sizes = [
        anatomy.mean_size(anatomy.reference(level, Variant()))["lower_width"]
        for level in (Level.T6, Level.T12, Level.L4)
    ]
    assert sizes == sorted(sizes)


def test_the_sacrum_lies_below_and_the_body_in_front_of_the_arch() -> None:
    placed = pose.stand(patient.sample(2)).vertebrae[-1]
    parts = matter.merged(bones.arch(placed.vertebra))
    assert placed.frame.centre[2] > 0
    assert np.average(parts.points[:, 1], weights=parts.mass) > 15


def test_a_tube_weighs_what_its_wall_and_core_weigh() -> None:
    cloud = matter.tube([[0, 0, 0], [0, 0, 40]], [(10, 8), (10, 8)], [1, 0, 0], wall=0.5, core=0.01)
    ellipse = np.pi * (3 * 18 - np.sqrt((3 * 10 + 8) * (10 + 3 * 8)))  # Ramanujan's circumference
    expected = ellipse * 40 * 0.5 * matter.CORTEX + np.pi * 80 * 40 * 0.01
    assert cloud.mass.sum() == pytest.approx(expected, rel=0.03)


def test_a_projected_cloud_keeps_its_line_integrals() -> None:
    beam = Beam(**SMALL)
    ball = matter.tube([[0, -30, 0], [0, 30, 0]], [(20, 20), (20, 20)], [1, 0, 0], wall=0, core=0.01, core_pitch=0.5)
    film = beam.cloud(ball)
    assert film[105:115, 105:115].mean() == pytest.approx(0.6, rel=0.03)


def test_what_lies_nearer_the_tube_appears_larger() -> None:
    near, far = Beam(**SMALL).project(np.array([[50.0, -50, 0], [50, 50, 0]]))
    assert near[0] > far[0] > 109.5 + 50


def test_the_lowest_vertebra_of_a_six_lumbar_spine_is_l6(film: tuple) -> None:
    lowest = [vertebra for vertebra in film[1].vertebrae if vertebra.lowest_lumbar]
    assert [(v.level, v.ordinal, v.in_view) for v in lowest] == [("L6", 25, True)]


def test_corners_are_ordered_as_the_image_shows_them_and_lie_inside_it(film: tuple) -> None:
    for vertebra in film[1].vertebrae:
        ul, ur, lr, ll = np.array(vertebra.corners)
        assert ul[0] < ur[0]
        assert ll[0] < lr[0]
        assert ul[1] < ll[1]
        assert ur[1] < lr[1]
        if vertebra.in_view:
            points = np.array(vertebra.corners)
            assert (points > -0.5).all()
            assert (points < [film[1].columns - 0.5, film[1].rows - 0.5]).all()
    heights = [np.mean([y for _, y in vertebra.corners]) for vertebra in film[1].vertebrae]
    assert heights == sorted(heights)


def test_a_box_is_the_extent_of_the_projected_body(made: Path, film: tuple) -> None:
    sampled = patient.from_json((made / "patient.json").read_text())
    skeleton = pose.stand(sampled)
    beam = radiograph.aim(skeleton, "lumbar", np.random.default_rng([sampled.seed, 2, 1]))
    outline = radiograph.outlines(skeleton, beam)[-1]
    expected = [*outline.min(0), *outline.max(0)]
    np.testing.assert_allclose(film[1].vertebrae[-1].box, expected, atol=0.01)
    shell = bones.body(sampled.lowest_lumbar, np.random.default_rng(0)).points
    seen = beam.project(skeleton.vertebrae[-1].frame.place(shell))
    np.testing.assert_allclose([*seen.min(0), *seen.max(0)], expected, atol=1.5 / beam.pitch)


def test_a_body_is_brighter_than_the_soft_tissue_beside_it_and_its_corners_are_on_bone(film: tuple) -> None:
    pixels = bright(film[0])
    for vertebra in [v for v in film[1].vertebrae if v.in_view]:
        corners = np.array(vertebra.corners)
        width = corners[1, 0] - corners[0, 0]
        middle = inside(pixels, corners).mean()
        beside = inside(pixels, corners + [1.6 * width, 0]).mean(), inside(pixels, corners - [1.6 * width, 0]).mean()
        assert middle > max(beside), vertebra.level


def test_a_disc_is_darker_than_the_endplates_on_either_side_of_it(film: tuple) -> None:
    pixels = bright(film[0])
    upper, lower = (next(v for v in film[1].vertebrae if v.level == name) for name in ("L3", "L4"))
    below, above = np.array(upper.corners)[[3, 2]], np.array(lower.corners)[:2]
    disc = inside(pixels, np.array([below[0], below[1], above[1], above[0]]))
    body = inside(pixels, np.array(upper.corners))
    assert disc.mean() < body.mean()


def marker_side(pixels: np.ndarray, pitch: float) -> str:
    """The half of the film that has the sharpest upright edge within 3 cm of its border: where the lead letter is."""
    edge = int(30 / pitch)
    steps = [np.abs(side[:, 4:] - side[:, :-4]).max() for side in (pixels[:, :edge], pixels[:, -edge:])]
    return "image left" if steps[0] > 1.5 * steps[1] else "image right" if steps[1] > 1.5 * steps[0] else "unclear"


def test_the_marker_is_on_the_patients_left_so_a_mirrored_film_is_caught(film: tuple) -> None:
    ds, image = film
    assert list(ds.PatientOrientation) == ["L", "F"]
    assert marker_side(bright(ds), image.spacing_mm[1]) == "image right"
    assert marker_side(bright(ds)[:, ::-1], image.spacing_mm[1]) == "image left"


def test_the_head_end_is_up_lungs_are_darker_than_the_abdomen() -> None:
    sampled = patient.sample(4)
    skeleton = pose.stand(sampled)
    film = Beam(
        **{
            **SMALL,
            "source": (0.0, -1700.0, 250.0),
            "left": -160.0,
            "top": 560.0,
            "pitch": 4.0,
            "rows": 150,
            "columns": 80,
        }
    )
    from numbering.phantom.old.tissue import SoftTissue

    soft = film.tissue(SoftTissue(skeleton, np.random.default_rng(0)), cell=4.0, step=10.0)
    lung, belly = (film.project(np.array([[-70.0, 0, skeleton.height(level)]]))[0].astype(int) for level in (14, 22))
    assert soft[lung[1], lung[0]] < 0.7 * soft[belly[1], belly[0]]


@pytest.mark.parametrize("field", radiograph.FIELDS_OF_VIEW)
def test_dciodvfy_finds_no_error(tmp_path: Path, field: str) -> None:
    tool = shutil.which("dciodvfy")
    assert tool, "dciodvfy is missing: install dicom3tools"
    for seed in (2, 3):  # seed 3 is MONOCHROME1
        sampled = patient.sample(seed)
        beam = Beam(**SMALL)
        pixels = np.random.default_rng(seed).integers(60, 4000, (220, 220)).astype(np.uint16)
        exposure = radiograph.Exposure(pixels=pixels, beam=beam, field_of_view=field, kvp=80, magnification=1.13)
        path = tmp_path / f"{seed}.dcm"
        path.write_bytes(dicom.encode(sampled, exposure))
        said = subprocess.run([tool, path], capture_output=True, text=True, check=False)
        assert "Error" not in said.stderr + said.stdout, said.stderr


def test_both_photometric_interpretations_show_the_same_film(tmp_path: Path) -> None:
    pixels = np.arange(220 * 220, dtype=np.uint16).reshape(220, 220) % 4000
    exposure = radiograph.Exposure(
        pixels=pixels, beam=Beam(**SMALL), field_of_view="lumbar", kvp=80, magnification=1.13
    )
    for seed, expected in ((2, "MONOCHROME2"), (3, "MONOCHROME1")):
        path = tmp_path / "film.dcm"
        path.write_bytes(dicom.encode(patient.sample(seed), exposure))
        ds = pydicom.dcmread(path)
        assert ds.PhotometricInterpretation == expected
        np.testing.assert_array_equal(bright(ds), pixels)


def test_a_film_says_that_it_is_simulated_and_is_not_taken_for_a_result(film: tuple) -> None:
    ds = film[0]
    assert ds.Manufacturer == "numbering phantom" != "numbering"
    assert str(ds.PatientName) == "PHANTOM^SEED0007"
    assert "imulated" in ds.ImageComments
    assert "simulated" in ds.SeriesDescription
    assert ds.BurnedInAnnotation == "NO"
    assert (ds.Modality, ds.ViewPosition, ds.BodyPartExamined) == ("DX", "AP", "LSPINE")
    assert film[1].sop_instance_uid == ds.SOPInstanceUID
    assert (ds.Rows, ds.Columns) == (film[1].rows, film[1].columns)


def test_patients_that_differ_in_anything_have_other_uids() -> None:
    patients = [patient.sample(1), patient.sample(1, "L6"), patient.sample(2)]
    assert len({dicom.uid(one, "study") for one in patients}) == 3


def test_a_complete_patient_is_skipped_and_an_interrupted_one_is_made_again(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("numbering.phantom.old.generate._write", lambda folder, sampled, fields: calls.append(folder.name))
    done: list[tuple[int, int]] = []
    arguments = {"seed": 7, "count": 1, "field_of_view": "lumbar", "anomaly": "L6"}
    generate(made.parent, **arguments, progress=lambda n, of: done.append((n, of)))
    assert calls == []
    assert done == [(1, 1)]
    film = made / "ap" / "lumbar.dcm"
    film.rename(made / "aside.dcm")
    generate(made.parent, **arguments)
    (made / "aside.dcm").rename(film)
    assert calls == ["patient-0000"]


def test_a_folder_of_another_patient_is_never_overwritten(made: Path) -> None:
    with pytest.raises(ValueError, match=r"holds seed 7 \['L6'\], not seed 9"):
        generate(made.parent, seed=9, count=1, field_of_view="lumbar")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"views": ("oblique",)}, "no view 'oblique': expected one of ap"),
        ({"anomaly": "L7"}, "no anomaly 'L7': expected one of none, L4, L6"),
        ({"field_of_view": "skull"}, "no field of view 'skull': expected one of whole-spine, lumbar"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path: Path, wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        generate(tmp_path / "out", seed=0, count=1, **wrong)
    assert not (tmp_path / "out").exists()


def test_the_truth_is_refused_when_it_does_not_fit_its_schema(made: Path) -> None:
    text = (made / "truth.json").read_text()
    assert '"schema": "numbering/truth/1"' in text
    with pytest.raises(ValueError, match="schema"):
        truth.Truth.model_validate_json(text.replace("numbering/truth/1", "numbering/truth/2"))


def test_the_preview_draws_over_the_film(made: Path, film: tuple, tmp_path: Path) -> None:
    from PIL import Image

    path = preview.save(film[0].pixel_array, film[1], tmp_path / "preview.png")
    drawn = np.asarray(Image.open(path)).astype(int)
    assert drawn.shape[0] == preview.HEIGHT
    assert (np.abs(drawn[..., 0] - drawn[..., 2]) > 60).sum() > 300
