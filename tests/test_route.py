"""Routing by header: which films are numbered, and why the others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from numbering.errors import ReasonCode
from numbering.pipelines import card_named
from numbering.pipelines.sagittal_xray.card import CARD as SAGITTAL_XRAY
from numbering.result import Status
from numbering.route import FOR_PRESENTATION, FOR_PROCESSING, Assignment, route
from numbering.study import Image, Series, View
from numbering.views import Projection, Region, of_orientation, of_words, region_of
from tests.films import SECRETS

CR = "1.2.840.10008.5.1.4.1.1.1"


@pytest.fixture
def both_radiograph_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbering.route.CARDS", (card_named("ap-xray"), SAGITTAL_XRAY))


def image(uid: str = "1.2.3", **facts: object) -> Image:
    usual: dict[str, object] = {
        "sop_instance_uid": uid,
        "sop_class_uid": FOR_PRESENTATION,
        "path": Path("film.dcm"),
        "digest": "0" * 64,
        "modality": "DX",
        "rows": 157,
        "columns": 93,
    }
    return Image(**{**usual, **facts})  # type: ignore[arg-type]


def series(*images: Image) -> Series:
    return Series(
        study_instance_uid="1.2", series_instance_uid="1.2.1", modality=images[0].modality, images=tuple(images)
    )


def judged(**facts: object) -> Assignment:
    (assignment,) = route(series(image(**facts)))
    return assignment


def refused(**facts: object) -> ReasonCode:
    """The reason's code, after checking that it is a whole answer: UID, found, expected."""
    assignment = judged(**facts)
    assert not assignment.to_number
    assert assignment.card is None
    assert assignment.reason is not None
    text = assignment.reason.text
    assert "1.2.3" in text
    assert "found " in text
    assert "expected " in text
    assert text.endswith(".")
    return assignment.reason.code


@pytest.mark.parametrize(
    ("facts", "view"),
    [
        ({"view_position": "AP"}, View.AP),
        ({"view_position": "pa "}, View.PA),
        ({"view_codes": ("SCT:399348003",)}, View.AP),
        ({"view_codes": ("SRT:R-10206",)}, View.AP),
        ({"view_codes": ("SCT:272479007",)}, View.PA),
        ({"view_codes": ("SRT:R-10214",)}, View.PA),
        ({"patient_orientation": ("L", "F")}, View.AP),
        ({"patient_orientation": ("R", "F")}, View.AP),
        ({"patient_orientation": ("F", "L")}, View.AP),
        ({"patient_orientation": ("LA", "FP")}, View.AP),
        ({"descriptions": ("LWS ap",)}, View.AP),
        ({"descriptions": ("L-Spine A.P.",)}, View.AP),
        ({"descriptions": ("LWS_AP_stehend",)}, View.AP),
        ({"descriptions": ("RACHIS LOMBAIRE FACE",)}, View.AP),
        ({"descriptions": ("Columna lumbar frente",)}, View.AP),
        ({"descriptions": ("Colonna frontale",)}, View.AP),
        ({"descriptions": ("腰椎 正面",)}, View.AP),
        ({"descriptions": ("요추 정면",)}, View.AP),
        ({"descriptions": ("腰椎正位",)}, View.AP),
        ({"descriptions": ("L-SPINE LATERAL BENDING LEFT",)}, View.AP),
        ({"view_position": "AP", "descriptions": ("LWS 2 Ebenen ap/seitlich",)}, View.AP),
        ({"modality": "CR", "sop_class_uid": CR, "view_position": "AP"}, View.AP),
        ({"view_position": "AP", "body_part": "PELVIS"}, View.AP),
        ({"view_position": "AP", "body_part": "ABDOMEN"}, View.AP),
        ({"view_position": "AP", "body_part": "TSPINE"}, View.AP),
        ({"view_position": "AP", "body_part": "WHOLEBODY"}, View.AP),
    ],
    ids=str,
)
def test_a_frontal_film_goes_to_the_ap_pipeline(facts: dict[str, object], view: View) -> None:
    assignment = judged(**facts)
    assert (assignment.status, assignment.view, assignment.reason) == (Status.NUMBERED, view, None)
    assert assignment.card is card_named("ap-xray")


@pytest.mark.parametrize(
    "facts",
    [
        {"view_position": "LL"},
        {"view_position": "LAT"},
        {"view_codes": ("SCT:399173006",)},
        {"view_codes": ("SRT:R-102CD",)},
        {"patient_orientation": ("A", "F")},
        {"patient_orientation": ("P", "F")},
        {"descriptions": ("LWS seitl.",)},
        {"descriptions": ("Rachis lombaire PROFIL",)},
        {"descriptions": ("Columna lumbar lateral",)},
        {"descriptions": ("Rachide lombare laterale",)},
        {"descriptions": ("Coluna lombar perfil",)},
        {"descriptions": ("Lumbale wervelkolom zijdelings",)},
        {"descriptions": ("腰椎 側面",)},
        {"descriptions": ("요추 측면",)},
        {"descriptions": ("腰椎侧位",)},
        {"descriptions": ("L-SPINE FLEXION",)},
    ],
    ids=str,
)
@pytest.mark.usefixtures("both_radiograph_pipelines")
def test_a_lateral_film_goes_to_the_lateral_pipeline(facts: dict[str, object]) -> None:
    assignment = judged(**facts)
    assert (assignment.status, assignment.view, assignment.reason) == (Status.NUMBERED, View.LATERAL, None)
    assert assignment.card is SAGITTAL_XRAY


def test_a_view_that_no_installed_pipeline_takes_is_unsuitable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numbering.route.CARDS", (card_named("ap-xray"),))
    assert refused(view_position="LL") is ReasonCode.NO_PIPELINE_INSTALLED
    assignment = judged(view_position="LL")
    assert (assignment.status, assignment.view) == (Status.UNSUITABLE, View.LATERAL)
    assert assignment.reason is not None
    assert "a lateral film (ViewPosition LL: lateral" in assignment.reason.text


@pytest.mark.parametrize(
    "facts",
    [
        {"view_position": "LPO"},
        {"view_codes": ("SCT:399182000",)},
        {"descriptions": ("LWS schräg",)},
        {"descriptions": ("腰椎 斜位",)},
    ],
    ids=str,
)
def test_an_oblique_film_is_unsuitable(facts: dict[str, object]) -> None:
    assert refused(**facts) is ReasonCode.NO_PIPELINE_INSTALLED
    assert judged(**facts).view is None


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"view_position": "LLD"},
        {"descriptions": ("LWS ap/seitlich",)},
        {"descriptions": ("Routine", "Bilateral")},
        {"patient_orientation": ("L",)},
        {"patient_orientation": ("A", "P")},
        {"patient_orientation": ("A", "R")},
    ],
    ids=str,
)
def test_a_film_of_unknown_view_is_held(facts: dict[str, object]) -> None:
    assert refused(**facts) is ReasonCode.VIEW_UNKNOWN
    assert judged(**facts).status is Status.HELD


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"view_position": "AP", "patient_orientation": ("A", "F")}, ["ViewPosition AP", r"PatientOrientation A\F"]),
        ({"view_position": "LL", "view_codes": ("SCT:399348003",)}, ["ViewPosition LL", "ViewCodeSequence"]),
        ({"view_position": "AP", "descriptions": ("LWS seitlich",)}, ["ViewPosition AP", "the descriptions"]),
        ({"view_position": "AP", "descriptions": ("LWS schräg",)}, ["ViewPosition AP", "oblique"]),
    ],
    ids=str,
)
def test_a_header_that_contradicts_itself_is_held_and_names_both_sides(
    facts: dict[str, object], named: list[str]
) -> None:
    assert refused(**facts) is ReasonCode.VIEW_UNKNOWN
    reason = judged(**facts).reason
    assert reason is not None
    assert all(part in reason.text for part in named)


@pytest.mark.parametrize("body_part", ["CHEST", "HAND", "KNEE", "SKULL", "BREAST", "HIP", "Thorax"])
def test_another_body_part_is_no_spine_examination(body_part: str) -> None:
    assert refused(view_position="AP", body_part=body_part) is ReasonCode.NOT_A_SPINE_EXAMINATION


@pytest.mark.parametrize("text", ["Thorax pa", "Knie ap", "Genou face", "Main de face", "胸部 正面", "무릎"])
def test_without_a_body_part_the_descriptions_tell_that_it_is_no_spine(text: str) -> None:
    assert refused(view_position="AP", descriptions=(text,)) is ReasonCode.NOT_A_SPINE_EXAMINATION


def test_a_description_that_names_the_spine_outweighs_another_word() -> None:
    assert judged(view_position="AP", descriptions=("Rachis de face", "Thorax et rachis")).to_number


@pytest.mark.parametrize("facts", [{"body_part": "CSPINE"}, {"descriptions": ("HWS ap",)}, {"body_part": "HWS"}])
def test_the_cervical_spine_alone_has_no_pipeline(facts: dict[str, object]) -> None:
    assert refused(view_position="AP", **facts) is ReasonCode.NO_PIPELINE_INSTALLED
    reason = judged(view_position="AP", **facts).reason
    assert reason is not None
    assert "cervical spine alone" in reason.text


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"modality": "MG"}, ReasonCode.UNSUPPORTED_MODALITY),
        ({"modality": "US"}, ReasonCode.UNSUPPORTED_MODALITY),
        ({"modality": ""}, ReasonCode.UNSUPPORTED_MODALITY),
        ({"modality": "CT", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}, ReasonCode.NO_PIPELINE_INSTALLED),
        ({"modality": "MR", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, ReasonCode.NOT_A_VOLUME),
        ({"modality": "CT", "image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, ReasonCode.LOCALIZER),
        ({"modality": "SR", "has_pixels": False}, ReasonCode.NOT_AN_IMAGE),
        ({"modality": "PR", "has_pixels": False}, ReasonCode.NOT_AN_IMAGE),
        ({"modality": "KO", "has_pixels": False}, ReasonCode.NOT_AN_IMAGE),
        ({"modality": "SEG"}, ReasonCode.NOT_AN_IMAGE),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.66.4"}, ReasonCode.NOT_AN_IMAGE),
        ({"modality": "SR", "made_by_us": True, "has_pixels": False}, ReasonCode.OWN_RESULT),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, ReasonCode.DERIVED_IMAGE),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7.2"}, ReasonCode.DERIVED_IMAGE),
        ({"has_pixels": False}, ReasonCode.NO_PIXEL_DATA),
        ({"rows": 0}, ReasonCode.NO_PIXEL_DATA),
    ],
    ids=str,
)
def test_what_no_pipeline_can_read_is_unsuitable(facts: dict[str, object], code: ReasonCode) -> None:
    facts = {"view_position": "AP", **facts}
    assert refused(**facts) is code
    assert judged(**facts).status is Status.UNSUITABLE


@pytest.mark.usefixtures("both_radiograph_pipelines")
def test_frontal_and_lateral_films_of_one_series_part() -> None:
    films = [image("1.1", view_position="AP"), image("1.2", view_position="LL"), image("1.3", view_position="PA")]
    found = {tuple(member.sop_instance_uid for member in part.series.images): part for part in route(series(*films))}
    cards = {uids: part.card and part.card.name for uids, part in found.items()}
    assert cards == {("1.1", "1.3"): "ap-xray", ("1.2",): "sagittal-xray"}


def test_every_image_is_in_exactly_one_assignment() -> None:
    films = [image(f"1.{n}", view_position=view) for n, view in enumerate(["AP", "", "LL", "LPO", "", "PA", "AP"])]
    uids = [member.sop_instance_uid for part in route(series(*films)) for member in part.series.images]
    assert sorted(uids) == sorted(film.sop_instance_uid for film in films)


def test_a_reason_for_several_images_says_how_many() -> None:
    (held,) = route(series(image("1.1"), image("1.2"), image("1.3")))
    assert held.reason is not None
    assert "2 more" in held.reason.text


def test_a_film_for_processing_is_numbered_only_without_its_presentation() -> None:
    raw = image("1.1", sop_class_uid=FOR_PROCESSING, view_position="AP")
    ready = image("1.2", view_position="AP")
    assert [part.to_number for part in route(series(raw))] == [True]
    numbered = [part.series.images for part in route(series(raw, ready)) if part.to_number]
    assert numbered == [(ready,)]


def test_no_reason_repeats_free_text_or_a_value_that_is_no_code() -> None:
    name = "SECRET^NAME *19010203"
    for facts in (
        {"view_position": name},
        {"view_position": "AP", "body_part": f"CHEST {name}"},
        {"patient_orientation": (name, "F"), "descriptions": (f"{name} HWS seitlich",)},
        {"modality": name, "descriptions": (name,)},
        {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88." + name},
    ):
        reason = judged(**facts).reason
        assert reason is not None
        assert not any(secret in reason.text for secret in SECRETS), reason.text


def test_an_orientation_is_read_by_its_main_directions() -> None:
    assert of_orientation(("AL", "F")) is Projection.LATERAL
    assert of_orientation(("LA", "F")) is Projection.AP
    assert of_orientation(("L", "R")) is None


def test_a_word_inside_another_word_says_nothing() -> None:
    assert of_words(("Paläontologie", "Apfel", "Latenz", "Bilateral", "Spiral")) == frozenset()


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("WS-Ganzaufnahme", Region.SPINE),
        ("Wervelkolom", Region.SPINE),
        ("全脊椎", Region.SPINE),
        ("脊柱", Region.SPINE),
        ("Coluna vertebral", Region.SPINE),
        ("Halswirbelsäule", Region.CERVICAL),
        ("頸椎", Region.CERVICAL),
        ("Schädel", Region.OTHER),
        ("supine", None),
    ],
)
def test_body_parts_are_known_in_many_languages(text: str, region: Region | None) -> None:
    assert region_of(text) is region
