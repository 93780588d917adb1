"""Level checks by REST: the same function as the command's, with keys, limits, audit trail and key images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import jsonschema
import pytest
from PIL import Image

from numbering.web.keys import Scope
from tests.films import PATIENT_ID, SECRETS
from tests.house import House, running_house
from tests.test_check_node import MIDDLE, audited, numbered_film
from tests.web import RunningWeb, running_web

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "check-1.json").read_text())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch, running_house(tmp_path_factory.mktemp("node"), patch) as running:
        yield running


@pytest.fixture(scope="module")
def image(house: House) -> str:
    return numbered_film(house)[1]


@pytest.fixture(scope="module")
def web(house: House, image: str) -> Iterator[RunningWeb]:
    with running_web(house.node.settings.data) as running:
        yield running


@pytest.fixture(scope="module")
def client(web: RunningWeb) -> httpx.Client:
    return web.client(Scope.CHECK)


@pytest.fixture(scope="module")
def answered(client: httpx.Client, image: str) -> httpx.Response:
    """A check with everything that can be told."""
    asked = {"planned": "L5, left", "at": f"{image}:{MIDDLE}", "side": "L", "patient_id": PATIENT_ID, "report": True}
    return client.post("/api/v1/checks", json=asked)


def test_a_check_is_answered_by_the_published_schema(answered: httpx.Response) -> None:
    assert answered.status_code == 200
    told = answered.json()
    jsonschema.validate(told["check"], SCHEMA)
    assert (told["check"]["verdict"], told["check"]["reason"]) == ("CANNOT CONFIRM", "basis-not-confirmed")
    assert told["check"]["planned"]["side"] == "L"
    assert told["report"]
    assert told["why_no_report"] is None


def test_a_check_is_read_again_as_it_was_answered(answered: httpx.Response, client: httpx.Client) -> None:
    told = answered.json()
    again = client.get(f"/api/v1/checks/{told['uid']}").json()
    assert {**again, "report": None} == {**told, "report": None}


def test_the_checks_of_a_patient_are_listed_by_any_of_their_studies(
    answered: httpx.Response, client: httpx.Client, house: House
) -> None:
    study = next(row.study_instance_uid for row in house.rows() if row.result)
    listed = client.get("/api/v1/checks", params={"study": study}).json()["checks"]
    assert answered.json()["uid"] in [one["uid"] for one in listed]
    assert client.get("/api/v1/checks", params={"study": "1.2.3"}).json()["checks"] == []


def test_the_key_image_is_a_picture_that_another_process_drew(answered: httpx.Response, client: httpx.Client) -> None:
    (where,) = answered.json()["key_images"]
    picture = client.get(where)
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["cache-control"] == "no-store"
    assert min(Image.open(BytesIO(picture.content)).size) > 600
    assert client.get(where[:-1] + "2").status_code == 404


def test_only_a_key_that_may_check_gets_an_answer(web: RunningWeb, answered: httpx.Response, image: str) -> None:
    asked = {"planned": "L5", "at": f"{image}:{MIDDLE}"}
    told = answered.json()
    for paths in (f"/api/v1/checks/{told['uid']}", told["key_images"][0]):
        assert web.client().get(paths).status_code == 401
        assert web.client(Scope.READ, Scope.STORE, Scope.OPERATE).get(paths).status_code == 403
    assert web.client().post("/api/v1/checks", json=asked).status_code == 401
    assert web.client(Scope.READ).post("/api/v1/checks", json=asked).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"at": "1.2.3:4,5"}, 400),
        ({"planned": "L5", "worklist": "A1"}, 400),
        ({"planned": "L5", "at": "SECRET"}, 400),
        ({"planned": "L5", "side": "SECRET"}, 400),
        ({"planned": "L5", "patient_id": "SECRET*"}, 400),
        ({"planned": "L5", "plan_study": "SECRET"}, 400),
        ({"planned": "L5", "mark_from": "1.2.3.4"}, 400),
        ({"worklist": "A1"}, 400),
        ({"planned": "SECRET" * 50}, 422),
        ({"planned": "L5", "SECRET": 1}, 422),
        ({"planned": "L" * 20000}, 413),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_repeated(
    client: httpx.Client, asked: dict[str, object], status: int
) -> None:
    answer = client.post("/api/v1/checks", json=asked)
    assert answer.status_code == status
    assert not {word for word in SECRETS if word in answer.text.replace('"SECRET"', "")}


def test_a_check_that_nobody_knows_is_not_found(client: httpx.Client) -> None:
    assert client.get("/api/v1/checks/1.2.3.4").status_code == 404
    assert client.get("/api/v1/checks/1.2.3.4/images/1").status_code == 404
    assert client.get("/api/v1/checks/..%2Fkeys").status_code in (404, 422)


def test_the_audit_trail_says_which_key_checked_and_who_looked_at_the_picture(
    answered: httpx.Response, client: httpx.Client, house: House
) -> None:
    client.get(answered.json()["key_images"][0])
    accessed = [one for one in audited(house) if "DICOM Instances Accessed" in one and 'UserID="key key-' in one]
    study = next(row.study_instance_uid for row in house.rows() if row.result)
    assert len(accessed) >= 2
    assert all(study in one for one in accessed)
