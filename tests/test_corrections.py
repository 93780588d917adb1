"""Corrections as persons make them: the REST call, the command, and what is given out as training data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.record.corrections import By, CannotCorrect, Said, corrections, file_corrections
from numbering.jobs.record.identities import record_of_study
from numbering.jobs.store import reading
from numbering.record.model import Place
from numbering.web.keys import Keys, Scope
from tests.films import SECRETS
from tests.house import House, running_house
from tests.records import jobs, middle, names, numbered, objects, settle
from tests.web import free_port, serving

PERSON = {"person": "Reader^Rita", "organisation": "Example Hospital"}
runner = CliRunner()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        yield house


def key(house: House, *may: Scope, **whose: str) -> str:
    return Keys(house.node.settings.data).add(f"key-{len(may)}-{len(whose)}", may, **whose)


@contextmanager
def client(house: House, key: str) -> Iterator[httpx.Client]:
    house.set(web_port=free_port())
    headers = {"Authorization": f"Bearer {key}"}
    with serving(house.node) as web, httpx.Client(base_url=web.url, headers=headers, trust_env=False) as client:
        yield client


def audited(house: House) -> list[str]:
    files = sorted(house.node.settings.audit.glob("*.jsonl"))
    return [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]


def test_by_rest_a_person_corrects_reads_and_takes_back(house: House) -> None:
    film = numbered(house)
    image = middle(film).sop_instance_uid
    with client(house, key(house, Scope.CORRECT, **PERSON)) as web:
        told = web.post("/api/v1/corrections", json={"sop_instance_uid": image, "was": "L5", "name": "L6"})
        assert told.status_code == 200
        assert (told.json()["verified"], told.json()["was"]) == (True, "L5")
        assert [one["renamed"] for one in told.json()["issued"]] == [[["L5", "L6"]]]
        settle(house)
        assert dcmread(objects(house, jobs(house)[-1])["SR"]).VerificationFlag == "VERIFIED"
        (kept,) = web.get("/api/v1/corrections").json()["corrections"]
        assert (kept["person"], kept["organisation"]) == ("Reader^Rita", "Example Hospital")
        assert web.post(f"/api/v1/corrections/{kept['uid']}/withdraw").status_code == 200
        assert web.post(f"/api/v1/corrections/{kept['uid']}/withdraw").status_code == 404
    settle(house)
    assert [names(job) for job in jobs(house)] == [["L5"], ["L6"], ["L5"]]
    updates = [message for message in audited(house) if 'EventActionCode="U"' in message]
    assert len(updates) == 2
    assert all("key key-1-2" in message for message in updates)


REFUSED: list[tuple[dict[str, object], int]] = [
    ({"was": "L4", "name": "L6"}, 400),
    ({"was": "L5", "name": "L7"}, 400),
    ({"x": 1e6, "y": 1.0, "name": "L6"}, 400),
    ({"x": 1.0, "name": "L6"}, 400),
    ({"x": 1.0, "y": 1.0, "was": "L5", "name": "L6"}, 400),
    ({"frame": 3, "x": 1.0, "y": 1.0, "name": "L6"}, 400),
    ({"name": "L6", "patient": "SECRET"}, 422),
]


def test_what_cannot_be_filed_is_refused_with_a_sentence(house: House) -> None:
    image = middle(numbered(house)).sop_instance_uid
    with client(house, key(house, Scope.CORRECT)) as web:
        for body, status in REFUSED:
            told = web.post("/api/v1/corrections", json={"sop_instance_uid": image, **body})
            assert (body, told.status_code) == (body, status)
            assert len(str(told.json()["detail"])) > 20
            assert "SECRET" not in told.text
    assert corrections(house.node.engine) == []


def test_a_key_without_the_scope_corrects_nothing(house: House) -> None:
    body = {"sop_instance_uid": "1.2", "was": "L5", "name": "L6"}
    with client(house, key(house, Scope.READ, Scope.OPERATE, Scope.CHECK)) as web:
        assert web.post("/api/v1/corrections", json=body).status_code == 403
        assert web.get("/api/v1/corrections").status_code == 403


def test_by_rest_two_identifiers_become_one_patients_and_two_again(house: House) -> None:
    film, other = numbered(house), numbered(house, PatientID="OTHER-7")
    pair = {"patient": {"patient_id": "OTHER-7"}, "into": {"patient_id": str(dcmread(film).PatientID)}}

    def records() -> set[str | None]:
        with reading(house.node.engine) as session:
            return {record_of_study(session, str(dcmread(path).StudyInstanceUID)) for path in (film, other)}

    assert len(records()) == 2
    with client(house, key(house, Scope.OPERATE)) as web:
        assert web.post("/api/v1/patients/merge", json=pair).json() == {"changed": True}
        assert web.post("/api/v1/patients/merge", json=pair).json() == {"changed": False}
        assert len(records()) == 1
        assert web.post("/api/v1/patients/merge", json={"patient": pair["patient"]}).json() == {"changed": True}
    assert len(records()) == 2


def test_a_person_needs_an_organisation(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="organisation"):
        Keys(tmp_path).add("reader", [Scope.CORRECT], person="Reader^Rita")
    with pytest.raises(ValueError, match="printable"):
        Keys(tmp_path).add("reader", [Scope.CORRECT], person="Reader\n", organisation="x")


def test_the_command_corrects_lists_exports_and_withdraws(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    film = numbered(house)
    place = middle(film)
    data = str(house.node.settings.data)
    monkeypatch.setenv("NUMBERING_DATA", data)
    monkeypatch.setenv("NUMBERING_BROKER_URL", "redis://127.0.0.1:1/0")
    own = house.folder / "key.txt"
    own.write_text(key(house, Scope.CORRECT, **PERSON))
    at = f"{place.sop_instance_uid}:{place.x:g},{place.y:g}"
    done = runner.invoke(app, ["correct", "--at", at, "--is", "L6", "--key", str(own), "--json", "-"])
    assert (done.exit_code, json.loads(done.stdout)["verified"]) == (0, True), done.output
    settle(house)
    assert names(jobs(house)[-1]) == ["L6"]
    uid = json.loads(done.stdout)["uid"]
    (listed,) = json.loads(runner.invoke(app, ["corrections", "list", "--json", "-"]).stdout)
    assert (listed["uid"], listed["was"], listed["name"], listed["source"]) == (uid, "L5", "L6", "command")
    (line,) = runner.invoke(app, ["corrections", "export"]).stdout.splitlines()
    exported = json.loads(line)
    assert (exported["schema"], exported["name"], exported["pipeline"]) == ("numbering/correction/1", "L6", "ap-xray")
    assert exported["box"][0] < place.x < exported["box"][2]
    assert (house.node.settings.data / exported["image"]).is_file()
    assert not any(secret in line for secret in SECRETS)
    assert runner.invoke(app, ["corrections", "withdraw", uid]).exit_code == 0
    assert runner.invoke(app, ["corrections", "withdraw", uid]).exit_code == 2
    assert runner.invoke(app, ["corrections", "export"]).stdout == ""


def test_a_command_without_a_persons_key_is_unverified_and_a_wrong_key_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = middle(numbered(house)).sop_instance_uid
    monkeypatch.setenv("NUMBERING_DATA", str(house.node.settings.data))
    asked = ["correct", "--at", image, "--was", "L5", "--is", "L6"]
    wrong = runner.invoke(app, [*asked, "--key", "-"], input=key(house, Scope.READ))
    assert (wrong.exit_code, corrections(house.node.engine)) == (2, [])
    for misused in (["correct", "--at", image, "--is", "L6"], ["correct", "--at", f"{image}:1", "--is", "L6"]):
        assert runner.invoke(app, misused).exit_code == 2
    done = runner.invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "not verified" in done.stdout
    (row,) = corrections(house.node.engine)
    assert (row.verified, row.person) == (False, None)


def test_an_image_that_nothing_has_read_cannot_be_corrected(house: House) -> None:
    said = Said(place=Place(sop_instance_uid="1.2.3", x=1, y=1), name="L6")
    with pytest.raises(CannotCorrect, match="no pipeline has read"):
        file_corrections(house.node.engine, [said], By(source="rest", account="x"))
