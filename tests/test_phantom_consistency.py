"""One anatomy, every view: what CT, films and MR say of the same patient agrees; every anomaly is in the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from numbering.anatomy import Disc, Level
from numbering.phantom.anatomy.anomalies import ANOMALIES, BY_NAME
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.imaging.ct.acquire import acquire as acquire_ct
from numbering.phantom.imaging.ct.protocol import Protocol as CtProtocol
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.imaging.film import Film, expose
from numbering.phantom.imaging.film.truth import describe as describe_film
from numbering.phantom.imaging.mr.acquire import acquire as acquire_mr
from numbering.phantom.imaging.mr.protocol import Protocol as MrProtocol
from numbering.phantom.pose import Skeleton, pose
from numbering.phantom.scene.build import bones, scene
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.ct import describe as describe_ct
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.truth.mr import TrueMr
from numbering.phantom.truth.mr import describe as describe_mr
from numbering.phantom.truth.patient import vertebrae
from numbering.phantom.visits import Visit, record

SEED, ANOMALY = 5, "L6"
SOURCE = Procedural()


@dataclass(frozen=True, kw_only=True)
class Views:
    """One patient in every view: coarse images, full truth."""

    patient: Patient
    supine: Skeleton
    visits: dict[str, Visit]
    volume: CtVolume
    ct: TrueCt
    films: dict[str, tuple[Film, TrueImage]]
    mr: dict[str, TrueMr]


@pytest.fixture(scope="module")
def views() -> Views:
    patient = sample(SEED, ANOMALY)
    visits = {visit.kind: visit for visit in record(patient)}
    standing, supine = pose(patient, "standing"), pose(patient, "supine")
    skeletal = bones(supine, SOURCE)
    volume, ct = _ct(supine, skeletal, visits["ct"])
    films = {view: _film(standing, view) for view in ("AP", "lateral")}
    mr = {plane: _mr(supine, skeletal, visits["mr"], plane) for plane in ("axial", "sagittal")}
    return Views(patient=patient, supine=supine, visits=visits, volume=volume, ct=ct, films=films, mr=mr)


def _ct(supine: Skeleton, structures: list, visit: Visit) -> tuple[CtVolume, TrueCt]:
    protocol = CtProtocol(region="lumbar", matrix=96, field_mm=192, slice_mm=4, increment_mm=4, shift_mm=(0, -10))
    body = [*scene(supine, SOURCE, SEED)[:1], *structures]
    volume = acquire_ct(supine, body, protocol, 1, origin_mm=visit.origin_mm)
    uids = [f"1.2.{index}" for index in range(len(volume.hu))]
    truth = describe_ct(
        supine, volume, visit=1, series_instance_uid="1.3", frame_of_reference_uid="1.4", sop_instance_uids=uids,
        folder="ct", labels=None,
    )  # fmt: skip
    return volume, truth


def _film(standing: Skeleton, view: str) -> tuple[Film, TrueImage]:
    field = "lumbar" if view == "lateral" else "whole-spine"
    film = expose(standing, bones(standing, SOURCE)[-6:], view, field, np.random.default_rng(3), longest=96)
    return film, describe_film(standing, film, sop_instance_uid="1.5", file="film.dcm")


def _mr(supine: Skeleton, structures: list, visit: Visit, plane: str) -> TrueMr:
    protocol = MrProtocol(
        plane=plane, weighting="T2", layout="parallel" if plane == "axial" else "block", repetition_ms=3500,
        echo_ms=100, fov_mm=300, matrix=(64, 64), reconstructed=64, readout="row", thickness_mm=4, gap_mm=1,
        slices=3 if plane == "axial" else 9,
    )  # fmt: skip
    series = acquire_mr(supine, structures[-6:], protocol, 1)
    uids = [f"1.6.{index}" for index in range(len(series.slices))]
    return describe_mr(
        visit, supine, series, series_instance_uid="1.7", frame_of_reference_uid="1.8", sop_instance_uids=uids,
        folder="mr",
    )  # fmt: skip


def label_at(views: Views, point: np.ndarray, kind: str = "ct") -> int:
    """The CT's label at a point (mm) of a study's frame of reference."""
    in_patient = point - np.array(views.visits[kind].origin_mm)
    index = np.rint(views.volume.index((in_patient + views.visits["ct"].origin_mm)[None])[0]).astype(int)
    inside = (index >= 0).all() and (index < views.volume.labels.shape).all()
    return int(views.volume.labels[tuple(index)]) if inside else -1


def test_all_views_name_the_same_vertebrae(views: Views) -> None:
    named = [(one.ordinal, one.level) for one in vertebrae(views.patient)]
    for truth in (views.ct, *views.mr.values(), *(image for _, image in views.films.values())):
        assert [(one.ordinal, one.level) for one in truth.vertebrae] == named
    assert named[-1] == (25, "L6")


def test_the_label_volume_holds_each_body_where_the_truth_puts_its_middle(views: Views) -> None:
    shown = [one for one in views.ct.vertebrae if one.in_view]
    assert [one.level for one in shown][-6:] == ["L1", "L2", "L3", "L4", "L5", "L6"]
    for one in shown:
        assert label_at(views, np.array(one.centre_mm)) == one.label == vertebra_label(Level.parse(one.level))


def test_ct_and_mr_put_corners_at_the_same_places_of_the_patient(views: Views) -> None:
    ct, mr = (np.array(views.visits[kind].origin_mm) for kind in ("ct", "mr"))
    assert np.abs(ct - mr).max() > 5  # two studies, two frames of reference
    for in_ct, in_mr in zip(views.ct.vertebrae, views.mr["sagittal"].vertebrae, strict=True):
        np.testing.assert_allclose(np.array(in_ct.corners_mm) - ct, np.array(in_mr.corners_mm) - mr, atol=0.03)


def test_an_axial_slice_in_a_disc_lies_between_the_bodies_that_the_disc_is_named_after(views: Views) -> None:
    slices = [one for one in views.mr["axial"].slices if one.disc is not None]
    assert {"L5-L6", "L6-S1", "L4-L5"} <= {one.disc for one in slices}
    for one in slices:
        disc = Disc.parse(one.disc)
        point, up = np.array(one.spine_mm), np.array(one.affine)[:3, 0]
        up *= np.sign(up[2]) / np.linalg.norm(up)
        above, below = (label_at(views, point + step * up, "mr") for step in (15, -15))
        if -1 not in (above, below):
            assert (above, below) == (vertebra_label(disc.upper), vertebra_label(disc.lower)), one.disc


def test_a_body_is_as_high_and_as_deep_on_the_lateral_film_as_in_the_ct(views: Views) -> None:
    _, image = views.films["lateral"]
    shown = [pair for pair in zip(image.vertebrae, views.ct.vertebrae, strict=True) if pair[0].in_view]
    assert len(shown) >= 5
    scale = image.spacing_mm[0] / image.magnification
    for on_film, in_ct in shown:
        flat, solid = np.array(on_film.corners) * scale, np.array(in_ct.corners_mm)
        for first, second in ((0, 1), (1, 2), (2, 3), (3, 0)):  # upper endplate, back, lower endplate, front
            length = np.linalg.norm(solid[first] - solid[second])
            assert np.linalg.norm(flat[first] - flat[second]) == pytest.approx(length, rel=0.1)


def test_fronts_are_in_front_everywhere(views: Views) -> None:
    for one in (*views.ct.vertebrae, *views.mr["sagittal"].vertebrae):
        front, back = np.array(one.corners_mm)[[0, 3]], np.array(one.corners_mm)[[1, 2]]
        assert (front[:, 1] < back[:, 1] - 5).all()  # LPS: y grows towards the back
    _, image = views.films["lateral"]
    ahead = views.films["lateral"][0].beam.across[1] < 0  # whether x of the film grows towards the front
    for one in image.vertebrae:
        corners = np.array(one.corners)
        assert ((corners[[0, 3], 0] > corners[[1, 2], 0]) == ahead).all()


def test_the_patients_left_is_the_right_of_the_ap_film_and_higher_x_in_the_ct(views: Views) -> None:
    """The lumbar spine of this patient is uneven: its lean to the side must have one sign in both."""
    _, image = views.films["AP"]
    film = {one.level: np.array(one.corners).mean(0) for one in image.vertebrae}
    ct = {one.level: np.array(one.centre_mm) for one in views.ct.vertebrae}
    columns = np.array([film[name][0] for name in ("T12", "L2", "L4", "L6")])
    across = np.array([ct[name][0] for name in ("T12", "L2", "L4", "L6")])
    trend = [np.polyfit(range(4), values, 2)[0] for values in (columns, across)]
    assert np.sign(trend[0]) == np.sign(trend[1])


def test_what_is_justified_depends_on_what_the_view_shows(views: Views) -> None:
    film, ct = views.films["AP"][1].justified, views.ct.justified
    assert film is not None
    assert ct is not None
    assert (film.basis, film.correct) == ("presumed-by-last-rib", True)
    assert film.alternative is not None  # six lumbar-type vertebrae between ribs and sacrum
    assert (ct.basis, ct.correct) == ("presumed-by-sacrum", False)  # it begins at L1: L6 passes for L5


@pytest.mark.parametrize("name", ANOMALIES)
def test_every_anomaly_is_in_the_truth_as_its_name_says(name: str) -> None:
    patient = sample(3, name)
    found = vertebrae(patient)
    by_level = {one.level: one for one in found}
    lowest = [one for one in found if one.lowest_lumbar]
    assert [one.ordinal for one in found] == list(range(2, 2 + len(found)))
    assert lowest == [found[-1]]
    assert found[-1].disc_below == f"{found[-1].level}-S1"
    thoracic, lumbar = BY_NAME[name].thoracic, BY_NAME[name].lumbar
    assert (found[-1].level, found[-1].ordinal) == (f"L{lumbar}", 7 + thoracic + lumbar)
    assert sum(one.level[0] == "T" for one in found) == thoracic
    bearing = [one.level for one in found if one.rib_bearing]
    assert bearing[0] == "T1"
    if name == "lumbar-rib":
        assert bearing[-1] == "L1"
    elif name == "absent-rib-12":
        assert "T12" not in bearing
    else:
        assert bearing[-1] == f"T{thoracic}"
    if name == "short-rib-12":
        assert 0 < max(by_level["T12"].rib_mm) < min(max(one.rib_mm) for one in found if one.level in ("T8", "T9"))
    if name.startswith("castellvi"):
        assert found[-1].castellvi != ("none", "none")
    if not BY_NAME[name].places:
        assert found[-1].castellvi == ("none", "none")
