"""The dead letter from the command line: list, show, restart; and where things go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.delivering import deliver_due
from numbering.jobs.models import Delivery, Job
from numbering.jobs.states import DeliveryState, State
from numbering.jobs.store import writing
from numbering.settings.delivering import DestinationSettings
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


def test_a_destination_that_is_no_more_is_seen_and_forgotten_by_a_person(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it waits for ever, and holds its job and its study up, until somebody gives it up."""
    with peer(lambda event: 0x0000) as destination:
        house.set(archive=str(destination), destinations=(DestinationSettings(name="old", address="OLD@127.0.0.1:1"),))
        house.receive(house.film())
        house.assemble()
        house.work()
        deliver_due(house.node, "archive")
    monkeypatch.setenv("NUMBERING_ARCHIVE", str(destination))
    (job,) = json.loads(command("jobs", "list").stdout)
    assert (job["state"], job["delivered"], job["gone"]) == ("encoded", 2, ["old"])
    _, old = json.loads(command("destinations").stdout)
    assert (old["name"], old["wants"], old["stranded"]) == ("old", "nothing", 2)
    assert "destinations forget old" in runner.invoke(app, ["destinations"]).stderr

    assert runner.invoke(app, ["destinations", "forget", "old"], input="n\n").exit_code == 1
    assert {row["state"] for row in json.loads(command("jobs", "list", "--deliveries").stdout)} == {
        "queued",
        "delivered",
    }
    assert "2 deliveries" in runner.invoke(app, ["destinations", "forget", "old"], input="y\n").stdout
    (job,) = json.loads(command("jobs", "list").stdout)
    assert (job["state"], job["delivered"], job["forgotten"], job["gone"]) == ("delivered", 2, 2, [])
    assert json.loads(command("destinations").stdout)[1]["stranded"] == 0
    assert house.only().finished


def test_only_what_the_settings_no_longer_have_is_forgotten(refused: House, monkeypatch: pytest.MonkeyPatch) -> None:
    never = runner.invoke(app, ["destinations", "forget", "nowhere", "--yes"])
    assert (never.exit_code, "nothing was ever to go to nowhere" in never.stderr) == (1, True)
    monkeypatch.setenv("NUMBERING_ARCHIVE", "ARCHIVE@127.0.0.1:1")
    known = runner.invoke(app, ["destinations", "forget", "archive", "--yes"])
    assert (known.exit_code, "is in the settings" in known.stderr) == (2, True)
    assert refused.only().undeliverable == 2
    monkeypatch.delenv("NUMBERING_ARCHIVE")
    assert runner.invoke(app, ["destinations", "forget", "archive", "--yes"]).exit_code == 0
    row = refused.only()
    assert (row.state, row.undeliverable, row.forgotten) == (State.ENCODED, 0, 2)  # nobody has these objects


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.UNCOMMITTED])
def test_what_a_forgotten_destination_was_given_stays_delivered(refused: House, state: DeliveryState) -> None:
    with writing(refused.node.engine) as session:
        for delivery in session.scalars(select(Delivery)):
            delivery.state, delivery.wants_commitment = state.value, True
        session.scalars(select(Job)).one().state = State.DELIVERED.value
    assert runner.invoke(app, ["destinations", "forget", "archive", "--yes"]).exit_code == 0
    row = refused.only()
    assert (row.state, row.delivered, row.awaiting_commitment, row.forgotten) == (State.DELIVERED, 2, 0, 0)


def test_what_is_just_being_sent_is_not_forgotten(refused: House) -> None:
    with writing(refused.node.engine) as session:
        for delivery in session.scalars(select(Delivery)):
            delivery.state = DeliveryState.SENDING.value
    ran = runner.invoke(app, ["destinations", "forget", "archive", "--yes"])
    assert (ran.exit_code, "2 are being sent just now" in ran.stderr) == (1, True)
