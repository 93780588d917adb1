"""The dead letter from the command line: list, show, restart; and where things go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.delivering import deliver_due
from numbering.jobs.states import State
from numbering.jobs.store import writing
from tests.films import SECRETS, make_ct, make_film
from tests.house import House, running_house
from tests.peers import peer

runner = CliRunner()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        monkeypatch.setenv("NUMBERING_DATA", str(house.node.settings.data))
        yield house


@pytest.fixture
def refused(house: House) -> House:
    """A house with a film whose objects the archive refused for good."""
    with peer(lambda event: 0xC123) as destination:
        house.set(archive=str(destination), refused_attempts=1)
        house.receive(house.film())
        house.assemble()
        house.work()
        deliver_due(house.node, "archive")
    return house


def command(*words: str) -> Result:
    return runner.invoke(app, [*words, "--json", "-"])


def test_failed_deliveries_are_listed_shown_and_restarted(refused: House) -> None:
    (job,) = json.loads(command("jobs", "list").stdout)
    assert (job["state"], job["deliveries"], job["undeliverable"]) == ("encoded", 2, 2)
    failed = json.loads(command("jobs", "list", "--deliveries", "--state", "failed").stdout)
    assert [row["attempts"] for row in failed] == [1, 1]
    shown = command("jobs", "show", failed[0]["id"])
    assert json.loads(shown.stdout)["deliveries"][0]["answer"].endswith("(0xC123 Failure Cannot Understand)")
    assert not any(secret in shown.stdout for secret in SECRETS)
    assert command("jobs", "restart", failed[0]["id"]).exit_code == 0
    assert [row["state"] for row in json.loads(command("jobs", "list", "--deliveries").stdout)] == ["queued", "failed"]
    restarted = runner.invoke(app, ["jobs", "restart", "--all-failed"])
    assert restarted.stdout == "1 of 1 restarted\n"
    assert {row["state"] for row in json.loads(command("jobs", "list", "--deliveries").stdout)} == {"queued"}


def test_restarting_a_job_restarts_its_deliveries(refused: House) -> None:
    job = refused.only().job or ""
    (told,) = json.loads(command("jobs", "restart", job).stdout)
    assert (told["restarted"], told["text"]) == (True, "2 deliveries are queued again")
    again = command("jobs", "restart", job)
    assert again.exit_code == 1
    assert "neither failed" in json.loads(again.stdout)[0]["text"]


def test_a_failed_job_is_queued_again(house: House) -> None:
    house.receive(house.film())
    house.assemble()
    job = house.only().job or ""
    with writing(house.node.engine) as session:
        from numbering.jobs.models import Job

        session.get_one(Job, job).move(State.FAILED)
    assert command("jobs", "restart", "--all-failed").exit_code == 0
    assert house.only().state == State.QUEUED


def test_all_failed_of_one_destination_leaves_the_others(refused: House) -> None:
    assert json.loads(command("jobs", "restart", "--all-failed", "--destination", "elsewhere").stdout) == []
    assert len(json.loads(command("jobs", "restart", "--all-failed", "--destination", "archive").stdout)) == 2


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("jobs", "restart"), 2, "--all-failed"),
        (("jobs", "restart", "x", "--all-failed"), 2, "--all-failed"),
        (("jobs", "restart", "nothing"), 1, "no such job or delivery"),
        (("jobs", "show", "nothing"), 1, "no job or delivery"),
        (("jobs", "list", "--state", "lost"), 2, "expected one of"),
        (("destinations", "--for", "1.2.3"), 1, "no object of ours"),
        (("destinations", "--for", "no such thing"), 1, "no such file"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    house: House, words: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = runner.invoke(app, list(words))
    assert ran.exit_code == code
    assert complaint in " ".join(ran.stderr.split())


def test_a_folder_without_a_node_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path / "nothing"))
    ran = runner.invoke(app, ["jobs", "list"])
    assert ran.exit_code == 1
    assert "no node has kept anything" in " ".join(ran.stderr.split())
    assert not (tmp_path / "nothing").exists()


def test_destinations_are_shown_with_what_waits_for_each(refused: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_DESTINATIONS", '[{"name": "web", "address": "https://vna/dicom-web"}]')
    web, gone = json.loads(command("destinations").stdout)
    assert (web["name"], web["address"], web["waiting"], web["for_a_person"]) == ("web", "https://vna/dicom-web", 0, 0)
    assert (gone["name"], gone["address"], gone["for_a_person"]) == ("archive", "", 2)


RULES = [
    {"name": "all", "address": "A@b:1"},
    {"name": "pictures", "address": "A@b:2", "kinds": ["PR"], "statuses": ["numbered"]},
]


def test_the_rule_tester_says_where_a_films_results_would_go(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBERING_DESTINATIONS", json.dumps(RULES))
    told = json.loads(command("destinations", "--for", str(make_film(tmp_path / "film.dcm"))).stdout)
    assert {(one["kind"], one["status"]): one["destinations"] for one in told} == {
        ("SR", "numbered"): ["all"],
        ("PR", "numbered"): ["all", "pictures"],
        ("SR", "abstained"): ["all"],
        ("PR", "abstained"): ["all"],
    }
    assert json.loads(command("destinations", "--for", str(make_ct(tmp_path / "ct.dcm"))).stdout) == []


def test_the_rule_tester_says_where_a_studys_objects_go(refused: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERING_DESTINATIONS", json.dumps(RULES))
    row = refused.only()
    for target in (row.study_instance_uid, str(refused.node.path(row.objects[1][2]))):
        told = json.loads(command("destinations", "--for", target).stdout)
        assert [(one["kind"], one["destinations"]) for one in told][-1] == ("PR", ["all", "pictures"])
