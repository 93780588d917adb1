"""What every installed pipeline must do; a new card is tested the day it is registered."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from numbering.anatomy import Disc, Level
from numbering.pipelines import CARDS, Card, Pipeline, card_named
from numbering.pipelines.card import Images
from numbering.pipelines.identity import digest
from numbering.result import Findings, Status
from numbering.route import VOLUMES
from numbering.stack import Stack
from numbering.study import Image, Radiograph, Series
from numbering.weights import registry
from tests.volumes import affine


@pytest.fixture(params=CARDS, ids=lambda card: card.name, scope="module")
def card(request: pytest.FixtureRequest) -> Card:
    found: Card = request.param
    return found


@pytest.fixture(scope="module")
def pipeline(card: Card) -> Pipeline:
    return card.load("cpu")


def odd(card: Card, name: str, *, frames: bool = False) -> Images:
    """What a pipeline of this card is given of something that shows no spine: a film, or a stack without companions."""
    if not card.modalities & VOLUMES:
        film = np.asarray(ODD_FILMS[name], np.float32)
        return [Radiograph(sop_instance_uid="1.2.3", frame=2 if frames else None, pixels=film)]
    (modality,) = card.modalities
    return [Stack.of_array(ODD_VOLUMES[name], affine(), modality=modality, series_uid="1.2.3", multi_frame=frames)]


ODD_FILMS = {
    "noise": np.random.default_rng(0).random((401, 203)),
    "flat": np.full((300, 200), 5.0),
    "one row": np.random.default_rng(1).random((1, 900)),
    "tiny": np.random.default_rng(2).random((8, 8)),
    "very wide": np.random.default_rng(3).random((70, 2000)),
    "negative values": np.random.default_rng(4).normal(-500, 80, (300, 257)),
}
ODD_VOLUMES = {
    "noise": np.random.default_rng(0).normal(0, 300, (40, 64, 80)),
    "flat": np.full((30, 48, 48), 5.0),
    "one row": np.random.default_rng(1).random((30, 1, 90)),
    "tiny": np.random.default_rng(2).random((1, 4, 4)),
    "very wide": np.random.default_rng(3).random((3, 20, 600)),
    "negative values": np.random.default_rng(4).normal(-500, 80, (30, 64, 48)),
}


@pytest.mark.parametrize("name", ODD_FILMS)
def test_what_shows_no_spine_is_an_abstention_with_a_reason(card: Card, pipeline: Pipeline, name: str) -> None:
    findings = pipeline.number(odd(card, name))
    assert findings.status is Status.ABSTAINED
    assert findings.reason is not None
    assert "1.2.3" in findings.reason.text


def test_the_same_pixels_give_the_same_findings(card: Card, pipeline: Pipeline) -> None:
    assert pipeline.number(odd(card, "noise")) == pipeline.number(odd(card, "noise"))


def test_a_multi_frame_image_is_named_with_its_frame(card: Card, pipeline: Pipeline) -> None:
    findings = pipeline.number(odd(card, "noise", frames=True))
    assert findings.reason is not None
    assert re.search(r"1\.2\.3(\.1)?#\d", findings.reason.text)


def test_findings_survive_json(card: Card, pipeline: Pipeline) -> None:
    findings = pipeline.number(odd(card, "noise"))
    assert Findings.model_validate_json(findings.model_dump_json()) == findings


def test_every_level_it_says_exists(card: Card, pipeline: Pipeline) -> None:
    findings = pipeline.number(odd(card, "noise"))
    for vertebra in findings.vertebrae:
        Level.parse(vertebra.level)
    for disc in findings.discs:
        Disc.parse(disc.level)


def test_the_identity_names_the_files_that_run_and_their_sha256(card: Card, pipeline: Pipeline) -> None:
    entry = registry()[card.weights]
    files = {file.file: file.sha256 for file in entry.files}
    ran = {name: files[name] for name in pipeline.identity.weights_file.split(", ")}
    assert digest(ran) == pipeline.identity.weights_sha256
    assert pipeline.identity.trained_on
    assert pipeline.settings


def test_the_card_presumes_in_words_and_suits_a_plain_series(card: Card) -> None:
    assert card.assumption.endswith(".")
    modality = min(card.modalities)
    image = Image(sop_instance_uid="1.2", sop_class_uid="1.3", path=None, digest="", modality=modality)  # type: ignore[arg-type]
    series = Series(study_instance_uid="1.4", series_instance_uid="1.5", modality=modality, images=(image,))
    assert card.suits(series) is None
    assert card_named(card.name) is card


def test_an_unknown_pipeline_names_those_that_are_installed() -> None:
    with pytest.raises(KeyError, match="ap-xray"):
        card_named("chest")


def test_serving_loads_neither_torch_nor_what_only_training_needs(card: Card) -> None:
    film = "Radiograph(sop_instance_uid='1.2', frame=None, pixels=np.random.rand(200, 90).astype('f4'))"
    axial = "[[0, 0, 1, 0], [0, 1, 0, 0], [-3, 0, 0, 0], [0, 0, 0, 1]]"
    stack = f"Stack.of_array(np.random.rand(20, 48, 48), {axial}, modality={min(card.modalities)!r})"
    image = f"image = {stack if card.modalities & VOLUMES else film}"
    code = (
        "import sys, numpy as np\n"
        "from numbering.pipelines import card_named\n"
        "from numbering.stack import Stack\n"
        "from numbering.study import Radiograph\n"
        f"pipeline = card_named({card.name!r}).load('cpu')\n"
        f"{image}\n"
        "pipeline.number([image])\n"
        "found = {'torch', 'torchvision', 'ultralytics', 'cv2', 'openvino_telemetry', 'pydicom'} & sys.modules.keys()\n"
        "assert not {name for name in found if sys.modules[name] is not None}, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
