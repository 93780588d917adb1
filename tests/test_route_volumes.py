"""Routing of CT and MR by header: what is numbered, what is refused and why, and what is looked at besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbering.errors import ReasonCode
from numbering.pipelines import Card, card_named
from numbering.plane import Plane
from numbering.result import Status
from numbering.route import Assignment, Extent, route, route_studies, unless_shown
from numbering.study import Facts, Image, Series, View
from tests.films import SECRETS
from tests.volumes import SPACE, STUDY, affine, planes_of

SAGITTAL = affine(step=(3, 0, 0), down=(0, 0, -0.75), along=(0, 0.5, 0))
CORONAL = affine(step=(0, 3, 0), down=(0, 0, -0.75), along=(0.5, 0, 0))
ORIGINAL = ("ORIGINAL", "PRIMARY", "AXIAL")


def card(name: str, modality: str, **more: Any) -> Card:
    return Card(
        name=name,
        version="1",
        title=name,
        path="tests.stub_pipeline:Stub",
        queue=name,
        modalities=frozenset({modality}),
        views=frozenset({View.AXIAL}),
        suits=lambda series: None,
        weights=name,
        assumption="None.",
        **more,
    )


CT_CARD = card("a-ct", "CT", one_per_study=True)
MR_CARD = card("an-mr", "MR", companions=frozenset({View.SAGITTAL}))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbering.route.CARDS", (card_named("ap-xray"), CT_CARD, MR_CARD))


def images_of(planes: Sequence[Plane], modality: str = "CT", **facts: Any) -> list[Image]:
    usual: dict[str, Any] = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2" if modality == "CT" else "1.2.840.10008.5.1.4.1.1.4",
        "path": Path("slice.dcm"),
        "digest": "0" * 64,
        "modality": modality,
        "image_type": ORIGINAL,
        "frame_of_reference_uid": SPACE,
        "body_part": "LSPINE",
    }
    return [
        Image(sop_instance_uid=plane.sop_instance_uid, rows=5, columns=4, planes=(plane,), **{**usual, **facts})
        for plane in planes
    ]


def series_of(*images: Image, uid: str = "1.2.9", study: str = STUDY) -> Series:
    return Series(study_instance_uid=study, series_instance_uid=uid, modality=images[0].modality, images=tuple(images))


def grid(matrix: np.ndarray = affine(), count: int = 6, uid: str = "1.2.3") -> list[Plane]:  # noqa: B008
    return planes_of(matrix, (count, 5, 4), series_uid=uid)


def judged(planes: Sequence[Plane], modality: str = "CT", **facts: Any) -> Assignment:
    (assignment,) = route(series_of(*images_of(planes, modality, **facts)))
    return assignment


def refused(planes: Sequence[Plane], modality: str = "CT", **facts: Any) -> ReasonCode:
    """The reason's code, after checking that it is a whole answer for all of the series."""
    assignment = judged(planes, modality, **facts)
    assert (assignment.to_number, assignment.status) == (False, Status.UNSUITABLE)
    assert assignment.reason is not None
    text = assignment.reason.text
    assert "1.2.3." in text
    assert "found " in text
    assert "expected " in text
    assert not any(secret in text for secret in SECRETS)
    return assignment.reason.code


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI")},
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM7 MPR")},
        {"image_type": ("DERIVED", "PRIMARY", "AXIAL")},
        {"image_type": ()},
        {"body_part": "CHEST"},
        {"body_part": "ABDOMENPELVIS"},
        {"body_part": "CSPINE"},
        {"body_part": ""},
        {"body_part": "", "descriptions": ("Thorax nativ 1.0 B70f",)},
        {"facts": Facts(kernel="LUNG")},
    ],
    ids=str,
)
def test_axial_ct_of_a_trunk_goes_to_the_ct_pipeline(facts: dict[str, object]) -> None:
    assignment = judged(grid(), **facts)
    assert (assignment.card, assignment.view, assignment.reason) == (CT_CARD, View.AXIAL, None)
    assert len(assignment.series.images) == 6


@pytest.mark.parametrize(
    "image_type",
    [
        ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"),
        ("DERIVED", "SECONDARY", "AXIAL"),
        ("DERIVED", "PRIMARY", "MPR"),
        ("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"),
        ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"),
        ("ORIGINAL", "PRIMARY", "MAX_IP"),
        ("ORIGINAL", "PRIMARY", "PROJECTION IMAGE"),
        ("DERIVED", "PRIMARY", "VOLUME", "MINIMUM"),
        ("DERIVED", "PRIMARY", "PERFUSION", "RCBF"),
        ("DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"),
        ("ORIGINAL", "PRIMARY", "DOSE"),
        ("DERIVED", "SECONDARY", "SCREEN SAVE"),
        ("derived", "primary", "vrt"),
    ],
    ids=str,
)
def test_what_was_computed_from_other_pictures_is_refused(image_type: tuple[str, ...]) -> None:
    assert refused(grid(), image_type=image_type) is ReasonCode.DERIVED_IMAGE


@pytest.mark.parametrize("matrix", [SAGITTAL, CORONAL], ids=["sagittal", "coronal"])
def test_slices_of_a_ct_that_are_not_axial_are_reformats(matrix: np.ndarray) -> None:
    assert refused(grid(matrix)) is ReasonCode.DERIVED_IMAGE


@pytest.mark.parametrize("degrees", [-30, 14, 30])
def test_a_tilted_gantry_still_makes_axial_slices(degrees: float) -> None:
    angle = np.radians(degrees)
    leaning = affine(down=(0, 0.75 * np.cos(angle), 0.75 * np.sin(angle)))
    assert judged(grid(leaning)).card is CT_CARD


@pytest.mark.parametrize("body_part", ["HEAD", "SKULL", "KNEE", "LEG", "FOOT", "BRAIN"])
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_heads_and_limbs_are_no_spine_examinations(body_part: str, modality: str) -> None:
    assert refused(grid(), modality, body_part=body_part) is ReasonCode.NOT_A_SPINE_EXAMINATION


def test_axial_mr_of_the_neck_alone_has_no_pipeline() -> None:
    assert refused(grid(), "MR", body_part="CSPINE") is ReasonCode.NO_PIPELINE_INSTALLED


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"planes": ()}, ReasonCode.NOT_A_VOLUME),
        ({"frame_of_reference_uid": None}, ReasonCode.NOT_A_VOLUME),
        ({"samples": 3}, ReasonCode.DERIVED_IMAGE),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, ReasonCode.LOCALIZER),
        ({"has_pixels": False}, ReasonCode.NO_PIXEL_DATA),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, ReasonCode.DERIVED_IMAGE),
        ({"made_by_us": True}, ReasonCode.OWN_RESULT),
    ],
    ids=str,
)
def test_what_is_no_slice_of_a_body_is_refused(facts: dict[str, object], code: ReasonCode) -> None:
    images = [replace(image, **facts) for image in images_of(grid())]
    (assignment,) = route(series_of(*images))
    assert assignment.reason is not None
    assert (assignment.reason.code, len(assignment.series.images)) == (code, 6)


def test_one_place_again_and_again_is_a_course_in_time() -> None:
    planes = [plane for number in range(4) for plane in grid(uid=f"1.2.3.{number}")]
    assert refused(planes) is ReasonCode.NOT_A_VOLUME
    assert judged(planes).reason.text.count("24 slices in 6 places") == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_two_pictures_of_each_place_are_still_a_volume(modality: str) -> None:
    planes = [plane for number in range(2) for plane in grid(uid=f"1.2.3.{number}")]
    assert judged(planes, modality).to_number


def test_two_slices_of_a_ct_are_no_volume_and_one_of_an_mr_is_numbered() -> None:
    assert refused(grid(count=2)) is ReasonCode.NOT_A_VOLUME
    assert judged(grid(count=1), "MR").card is MR_CARD


def test_slices_in_several_frames_of_reference_are_no_volume() -> None:
    first, *rest = images_of(grid())
    (assignment,) = route(series_of(replace(first, frame_of_reference_uid="1.2.9"), *rest))
    assert assignment.reason is not None
    assert assignment.reason.code is ReasonCode.NOT_A_VOLUME


@pytest.mark.parametrize(
    "image_type",
    [
        ("ORIGINAL", "PRIMARY", "M", "SE"),
        ("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"),
        ("DERIVED", "PRIMARY", "DIXON", "WATER"),
        ("ORIGINAL", "PRIMARY", "OTHER"),
    ],
    ids=str,
)
def test_axial_mr_goes_to_the_mr_pipeline(image_type: tuple[str, ...]) -> None:
    assignment = judged(grid(), "MR", image_type=image_type)
    assert (assignment.card, assignment.view) == (MR_CARD, View.AXIAL)


@pytest.mark.parametrize(
    "image_type",
    [
        ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"),
        ("ORIGINAL", "PRIMARY", "P", "ND"),
        ("ORIGINAL", "PRIMARY", "T2 MAP", "T2"),
        ("ORIGINAL", "PRIMARY", "PHASE MAP"),
        ("DERIVED", "SECONDARY", "MPR", "CSA MPR"),
    ],
    ids=str,
)
def test_maps_and_phases_of_an_mr_are_refused(image_type: tuple[str, ...]) -> None:
    assert refused(grid(), "MR", image_type=image_type) is ReasonCode.DERIVED_IMAGE


@pytest.mark.parametrize(("matrix", "view"), [(SAGITTAL, View.SAGITTAL), (CORONAL, View.CORONAL)])
def test_other_planes_of_an_mr_have_no_pipeline_and_their_view_is_told(matrix: np.ndarray, view: View) -> None:
    assert refused(grid(matrix), "MR") is ReasonCode.NO_PIPELINE_INSTALLED
    assert judged(grid(matrix), "MR").view is view


def test_stacks_along_discs_are_axial_as_a_whole() -> None:
    planes = []
    for number, degrees in enumerate((-12, 5, 24, 52)):
        angle = np.radians(degrees)
        down, across = np.array([0, np.cos(angle), np.sin(angle)]), np.array([0, np.sin(angle), -np.cos(angle)])
        stack = affine(step=4 * across, down=0.75 * down, at=(-40, -120, 300 - 35 * number))
        planes += grid(stack, 4, f"1.2.3.{number}")
    assignment = judged(planes, "MR")
    assert (assignment.card, len(assignment.series.images)) == (MR_CARD, 16)


def test_few_slices_in_three_planes_are_a_localizer() -> None:
    planes = [*grid(count=3, uid="1.2.3.1"), *grid(SAGITTAL, 3, "1.2.3.2"), *grid(CORONAL, 3, "1.2.3.3")]
    parts = route(series_of(*images_of(planes, "MR")))
    assert {part.reason.code for part in parts if part.reason} == {ReasonCode.LOCALIZER}
    assert sum(len(part.series.images) for part in parts) == 9


@pytest.mark.parametrize("words", ["Survey_BFFE", "3-plane localizer", "LOKALISER", "Scout SAG"])
def test_few_slices_that_call_themselves_a_localizer_are_one(words: str) -> None:
    assert refused(grid(), "MR", descriptions=(words,)) is ReasonCode.LOCALIZER
    assert judged(grid(count=40), "MR", descriptions=(words,)).to_number, "a whole series that was called so in haste"


def test_axial_and_sagittal_slices_of_one_large_series_part() -> None:
    planes = [*grid(count=30, uid="1.2.3.1"), *grid(SAGITTAL, 15, "1.2.3.2")]
    parts = {part.view: part for part in route(series_of(*images_of(planes, "MR")))}
    assert parts[View.AXIAL].card is MR_CARD
    assert len(parts[View.AXIAL].series.images) == 30
    assert parts[View.SAGITTAL].card is None


def test_an_object_with_axial_and_other_frames_is_axial() -> None:
    frames = [*grid(count=30, uid="1.2.3.1"), *grid(SAGITTAL, 31, "1.2.3.2")]
    whole = [plane.model_copy(update={"sop_instance_uid": "1.2.3.7", "frame": n}) for n, plane in enumerate(frames, 1)]
    (image, *_) = images_of(whole[:1], "MR")
    (assignment,) = route(series_of(replace(image, planes=tuple(whole), frames=61)))
    assert (assignment.card, assignment.view) == (MR_CARD, View.AXIAL)


def test_every_slice_is_in_exactly_one_assignment() -> None:
    images = [
        *images_of(grid(count=30, uid="1.2.3.1"), "MR"),
        *images_of(grid(SAGITTAL, 15, "1.2.3.2"), "MR"),
        *images_of(grid(count=2, uid="1.2.3.3"), "MR", image_type=("DERIVED", "PRIMARY", "ADC")),
        *images_of(grid(count=1, uid="1.2.3.4"), "MR", has_pixels=False),
    ]
    uids = [image.sop_instance_uid for part in route(series_of(*images)) for image in part.series.images]
    assert sorted(uids) == sorted(image.sop_instance_uid for image in images)


def test_a_card_that_refuses_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    told = judged(grid(SAGITTAL), "MR").reason
    choosy = replace(CT_CARD, suits=lambda series: told)
    monkeypatch.setattr("numbering.route.CARDS", (choosy,))
    assert judged(grid()).reason is not None
    assert not judged(grid()).to_number


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, ReasonCode.NO_PIPELINE_INSTALLED),
        ({"image_type": ("DERIVED", "SECONDARY", "MPR")}, ReasonCode.NO_PIPELINE_INSTALLED),
        ({"body_part": "CHEST"}, ReasonCode.NOT_A_SPINE_EXAMINATION),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, ReasonCode.LOCALIZER),
    ],
    ids=str,
)
def test_with_no_pipeline_for_it_a_ct_is_told_so_whatever_it_is(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, object], code: ReasonCode
) -> None:
    monkeypatch.setattr("numbering.route.CARDS", (card_named("ap-xray"), MR_CARD))
    assignment = judged(grid(), **facts)
    assert assignment.reason is not None
    assert (assignment.reason.code, assignment.view) == (code, None)


# One of several series of a study


def scan(uid: str, step_mm: float, length_mm: float = 300.0, top_mm: float = 300.0, **facts: Any) -> Series:
    """An axial CT series; its slices are as thick as they are apart."""
    matrix = affine(step=(0, 0, -step_mm), at=(-40, -150, top_mm))
    return series_of(*images_of(grid(matrix, round(length_mm / step_mm) + 1, uid), **facts), uid=uid)


def numbered(*series: Series) -> set[str]:
    return {part.series.series_instance_uid for part in route_studies(series) if part.to_number}


def test_of_series_that_show_the_same_the_thinnest_is_numbered() -> None:
    series = [scan("1.2.3.5", 5), scan("1.2.3.1", 1.25), scan("1.2.3.2", 2.5)]
    assert numbered(*series) == {"1.2.3.1"}
    (reason,) = {part.reason for part in route_studies(series) if part.series.series_instance_uid == "1.2.3.5"}
    assert reason is not None
    assert reason.code is ReasonCode.ANOTHER_SERIES_CHOSEN
    assert "1.2.3.1" in reason.text
    assert "1.2.3.5" in reason.text


def test_the_choice_does_not_depend_on_the_order() -> None:
    series = [scan("1.2.3.2", 1.0), scan("1.2.3.1", 1.0), scan("1.2.3.3", 0.6)]
    assert numbered(*series) == numbered(*series[::-1]) == {"1.2.3.1"}


def test_a_longer_scan_in_thicker_slices_is_numbered_too() -> None:
    assert numbered(scan("1.2.3.1", 1, 150), scan("1.2.3.2", 5, 500)) == {"1.2.3.1", "1.2.3.2"}


def test_scans_of_other_parts_or_another_frame_of_reference_are_numbered_each() -> None:
    chest, abdomen = scan("1.2.3.1", 2, 200, 600), scan("1.2.3.2", 2, 200, 380)
    elsewhere = scan("1.2.3.3", 5, 200, 600, frame_of_reference_uid="1.2.77")
    assert numbered(chest, abdomen, elsewhere) == {"1.2.3.1", "1.2.3.2", "1.2.3.3"}


def test_another_study_has_a_choice_of_its_own() -> None:
    other = replace(scan("1.2.3.2", 5), study_instance_uid="1.2.840.2")
    assert numbered(scan("1.2.3.1", 1), other) == {"1.2.3.1", "1.2.3.2"}


def test_every_axial_mr_of_a_study_is_numbered() -> None:
    series = [series_of(*images_of(grid(uid=uid), "MR"), uid=uid) for uid in ("1.2.3.1", "1.2.3.2")]
    assert numbered(*series) == {"1.2.3.1", "1.2.3.2"}


def test_a_better_series_that_comes_later_takes_nothing_away() -> None:
    (thick,) = route(scan("1.2.3.5", 5))
    (thin,) = route(scan("1.2.3.1", 1))
    assert unless_shown(thin, [Extent.of_assignment(thick)]).to_number
    assert not unless_shown(thick, [Extent.of_assignment(thin)]).to_number


# What is looked at besides


def test_sagittal_series_of_the_same_frame_of_reference_accompany_an_axial_one() -> None:
    axial = series_of(*images_of(grid(uid="1.2.3.1"), "MR"), uid="1.2.3.1")
    sagittal = [series_of(*images_of(grid(SAGITTAL, 15, uid), "MR"), uid=uid) for uid in ("1.2.3.3", "1.2.3.2")]
    coronal = series_of(*images_of(grid(CORONAL, 15, "1.2.3.4"), "MR"), uid="1.2.3.4")
    elsewhere = series_of(
        *images_of(grid(SAGITTAL, 15, "1.2.3.5"), "MR", frame_of_reference_uid="1.2.77"), uid="1.2.3.5"
    )
    planning = series_of(*images_of(grid(SAGITTAL, 3, "1.2.3.6"), "MR", descriptions=("Survey sag",)), uid="1.2.3.6")
    other_study = replace(sagittal[0], study_instance_uid="1.2.840.2", series_instance_uid="1.2.3.7")
    parts = route_studies([axial, *sagittal, coronal, elsewhere, planning, other_study])
    beside = {part.series.series_instance_uid: part.companions for part in parts}
    assert [one.series_instance_uid for one in beside.pop("1.2.3.1")] == ["1.2.3.2", "1.2.3.3"]
    assert not any(beside.values())


def test_an_axial_series_may_be_alone() -> None:
    (part,) = route_studies([series_of(*images_of(grid(), "MR"))])
    assert (part.to_number, part.companions) == (True, ())
