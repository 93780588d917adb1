"""A received study's priors: looked for once, fetched from a real archive, numbered, and not delivered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from numbering.audit.journal import Journal
from numbering.audit.reading import Entry, entry_of
from numbering.cli import app
from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.priors.dicomweb import DicomwebSource
from numbering.jobs import assemble, priors, steps
from numbering.jobs.models import Delivery, Job, PriorRow, now
from numbering.jobs.prior_room import PriorRoom
from numbering.jobs.prior_steps import work_on
from numbering.jobs.states import PriorState, State
from numbering.jobs.store import reading, writing
from numbering.priors.source import FoundStudy, Patient
from numbering.result import Status
from numbering.settings import Settings
from tests.archive import free_port
from tests.earlier import OURS, EarlierArchive, another_study, uid_of
from tests.house import House, running_house
from tests.node import running_node, wait_for
from tests.postgres import temporary_postgres
from tests.spoken import spoken

WAYS = ("move", "get", "wado")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: EarlierArchive) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as running:
        ask(running, earlier, "wado")
        yield running


def ask(house: House, earlier: EarlierArchive, way: str) -> None:
    """Have the house ask the archive in this way."""
    address = earlier.archive.dicomweb if way == "wado" else earlier.archive.destination
    method = "get" if way == "get" else "move"
    house.set(priors_source=address, priors_plain_http=True, priors_method=method, ae_title=OURS, priors_seconds=20.0)


def rows(house: House, kind: str) -> dict[str, PriorRow]:
    with reading(house.node.engine) as session:
        found = session.scalars(select(PriorRow).where(PriorRow.kind == kind)).all()
        session.expunge_all()
    return {row.study_uid: row for row in found}


def work_priors(house: House) -> None:
    """Do all that is due."""
    while row := priors.due(house.node.engine):
        work_on(house.node, row)


def numbered(house: House) -> dict[str, str]:
    return {row.study_instance_uid: row.state for row in house.rows() if row.status == Status.NUMBERED}


def deliveries(house: House, study_uid: str) -> int:
    with reading(house.node.engine) as session:
        told = select(Delivery).join(Job, Job.id == Delivery.job_id).where(Job.study_uid == study_uid)
        return len(session.scalars(told).all())


def let_time_pass(house: House) -> None:
    with writing(house.node.engine) as session:
        session.execute(update(PriorRow).values(not_before=None))


def audited(house: House) -> list[Entry]:
    return [entry_of(record) for record in Journal(house.node.settings.audit).records()]


def arrive(house: House, film: Path) -> None:
    house.receive(film)
    house.assemble()


@pytest.mark.parametrize("way", WAYS)
def test_the_priors_of_a_study_are_fetched_and_numbered(way: str, house: House, earlier: EarlierArchive) -> None:
    ask(house, earlier, way)
    films = earlier.films
    receiver = start_receiver(
        Settings(data=house.node.settings.data, port=earlier.port, ae_title=OURS), house.node.spool
    )
    try:
        arrive(house, films.current)
        work_priors(house)
    finally:
        receiver.stop()
    (search,) = rows(house, "search").values()
    assert (search.study_uid, search.state) == (uid_of(films.current), "done")
    assert search.answer == "3 studies at the source, 2 fit, 2 to fetch"
    fetched = rows(house, "fetch")
    assert fetched.keys() == {uid_of(films.prior), uid_of(films.older)}
    assert {(row.state, row.objects, row.asked_by) for row in fetched.values()} == {("done", 1, uid_of(films.current))}
    house.assemble()
    house.work()
    assert numbered(house) == dict.fromkeys(
        (uid_of(films.current), uid_of(films.prior), uid_of(films.older)), State.ENCODED
    )
    # What comes to our own port is reported by those who listen there.
    events = {"Query", "DICOM Instances Transferred", "DICOM Instances Accessed"}
    assert events <= {entry.event for entry in audited(house)}
    begun = [entry for entry in audited(house) if entry.event == "Begin Transferring DICOM Instances"]
    assert len(begun) == (0 if way == "move" else 2)
    assert len({entry.patient for entry in audited(house)} - {""}) == 1


def test_priors_are_looked_for_once_and_not_for_priors(house: House, earlier: EarlierArchive) -> None:
    films = earlier.films
    arrive(house, films.current)
    work_priors(house)
    house.assemble()
    late = another_study(films.current, house.folder / "late.dcm", "20240610", StudyInstanceUID=uid_of(films.current))
    arrive(house, late)
    work_priors(house)
    assert rows(house, "search").keys() == {uid_of(films.current)}
    assert rows(house, "search")[uid_of(films.current)].attempts == 1
    assert len(rows(house, "fetch")) == 2


def test_results_of_priors_stay_here_and_those_of_the_study_itself_go_out(
    house: House, earlier: EarlierArchive
) -> None:
    house.set(archive="ARCHIVE@127.0.0.1:1")
    arrive(house, earlier.films.current)
    work_priors(house)
    house.assemble()
    house.work()
    assert deliveries(house, uid_of(earlier.films.current)) == 2
    assert deliveries(house, uid_of(earlier.films.prior)) == 0


def test_results_of_priors_go_out_where_a_site_asks_for_them(house: House, earlier: EarlierArchive) -> None:
    house.set(archive="ARCHIVE@127.0.0.1:1", priors_deliver=True)
    arrive(house, earlier.films.current)
    work_priors(house)
    house.assemble()
    house.work()
    assert deliveries(house, uid_of(earlier.films.prior)) == 2


def test_a_prior_that_is_sent_to_us_besides_is_delivered_like_any_study(house: House, earlier: EarlierArchive) -> None:
    house.set(archive="ARCHIVE@127.0.0.1:1")
    arrive(house, earlier.films.current)
    work_priors(house)
    house.assemble()
    house.work()
    arrive(house, earlier.films.prior)
    assert rows(house, "fetch")[uid_of(earlier.films.prior)].sent_at is not None
    assert deliveries(house, uid_of(earlier.films.prior)) == 2
    assert deliveries(house, uid_of(earlier.films.older)) == 0


def test_a_study_that_comes_by_itself_before_it_is_fetched_is_no_prior(house: House, earlier: EarlierArchive) -> None:
    house.set(archive="ARCHIVE@127.0.0.1:1")
    arrive(house, earlier.films.current)
    work_on(house.node, priors.due(house.node.engine) or "")
    arrive(house, earlier.films.prior)
    house.work()
    assert deliveries(house, uid_of(earlier.films.prior)) == 2


def test_a_study_that_is_here_already_is_not_fetched(house: House, earlier: EarlierArchive) -> None:
    arrive(house, earlier.films.prior)
    work_priors(house)
    arrive(house, earlier.films.current)
    work_priors(house)
    assert uid_of(earlier.films.prior) not in rows(house, "fetch")


def test_nothing_is_looked_for_where_that_is_switched_off(house: House, earlier: EarlierArchive) -> None:
    house.set(priors_fetch=False)
    arrive(house, earlier.films.current)
    assert rows(house, "search") == {}


def test_a_series_that_no_pipeline_takes_asks_for_no_priors(house: House, earlier: EarlierArchive) -> None:
    arrive(house, earlier.films.chest)
    assert [row.state for row in house.rows()] == [State.UNSUITABLE]
    assert rows(house, "search") == {}


def test_an_archive_that_is_down_is_asked_again_until_it_answers(house: House, earlier: EarlierArchive) -> None:
    house.set(priors_source=f"ARCHIVE@127.0.0.1:{free_port()}")
    arrive(house, earlier.films.current)
    work_priors(house)
    (search,) = rows(house, "search").values()
    assert (search.state, search.attempts) == ("queued", 1)
    assert search.not_before is not None
    assert search.not_before > now()
    assert "cannot be reached" in (search.answer or "")
    assert priors.due(house.node.engine) is None
    ask(house, earlier, "wado")
    let_time_pass(house)
    work_priors(house)
    assert {row.state for row in (rows(house, "search") | rows(house, "fetch")).values()} == {"done"}


def test_an_archive_that_never_answers_is_given_up_visibly(house: House, earlier: EarlierArchive) -> None:
    house.set(priors_source=f"ARCHIVE@127.0.0.1:{free_port()}", priors_attempts=2)
    arrive(house, earlier.films.current)
    for _ in range(2):
        let_time_pass(house)
        work_priors(house)
    (search,) = rows(house, "search").values()
    assert (search.state, search.attempts) == ("failed", 2)
    house.work()
    assert numbered(house)[uid_of(earlier.films.current)] == State.ENCODED


@pytest.mark.parametrize("patient_id", ["", "*", "PHANTOM-00?0", "PHANTOM-0040\\PHANTOM-0041"])
def test_an_id_that_could_mean_others_is_asked_of_nobody(
    patient_id: str, house: House, earlier: EarlierArchive
) -> None:
    film = another_study(earlier.films.current, house.folder / "odd.dcm", "20240610", PatientID=patient_id)
    house.set(priors_source=f"ARCHIVE@127.0.0.1:{free_port()}")
    arrive(house, film)
    work_priors(house)
    (search,) = rows(house, "search").values()
    assert search.state == "failed"
    assert "no patient ID that can be asked for exactly" in (search.answer or "")


def test_no_patient_is_in_database_log_and_audit_trail(house: House, earlier: EarlierArchive) -> None:
    with spoken("DEBUG") as said:
        arrive(house, earlier.films.current)
        work_priors(house)
        house.set(priors_source=f"http://127.0.0.1:{free_port()}/dicom-web")
        arrive(house, another_study(earlier.films.current, house.folder / "again.dcm", "20240611"))
        work_priors(house)
    assert len(rows(house, "search")) == 2
    assert "did not answer" in said.getvalue()
    audited = b"".join(path.read_bytes() for path in house.node.settings.audit.glob("*.jsonl"))
    assert audited.count(b"Query") >= 4
    kept = b"".join(path.read_bytes() for path in house.node.settings.data.glob("numbering.db*"))
    for told in (audited, kept, said.getvalue().encode()):
        assert b"PHANTOM-004" not in told
        assert b"PHANTOM^" not in told


def test_a_row_whose_worker_is_gone_is_taken_back(house: House, earlier: EarlierArchive) -> None:
    arrive(house, earlier.films.current)
    row = priors.due(house.node.engine) or ""
    claim = priors.claim(house.node.engine, row, house.node.settings)
    priors.take_back(house.node.engine, house.node.settings)
    assert rows(house, "search")[uid_of(earlier.films.current)].state == PriorState.RUNNING
    with writing(house.node.engine) as session:
        session.execute(update(PriorRow).values(lease_until=now() - timedelta(seconds=1)))
    priors.take_back(house.node.engine, house.node.settings)
    assert rows(house, "search")[uid_of(earlier.films.current)].state == PriorState.QUEUED
    assert claim is not None
    with pytest.raises(priors.ClaimLost):
        priors.give_back(house.node.engine, claim)


def test_stopping_breaks_off_a_search_that_is_not_answered(house: House, earlier: EarlierArchive) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        house.set(priors_source=f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web", priors_seconds=3.0)
        arrive(house, earlier.films.current)
        room = PriorRoom(house.node)
        room.start()
        wait_for(lambda: rows(house, "search")[uid_of(earlier.films.current)].state == "running", "a search")
        room.stop()
    wait_for(lambda: rows(house, "search")[uid_of(earlier.films.current)].state == "queued", "a row given back")
    assert threading.active_count() < 20


def test_the_room_fetches_what_is_due(house: House, earlier: EarlierArchive) -> None:
    room = PriorRoom(house.node)
    room.start()
    try:
        arrive(house, earlier.films.current)
        done = lambda: [row.state for row in rows(house, "fetch").values()] == ["done", "done"]  # noqa: E731
        wait_for(done, "two priors")
    finally:
        room.stop()


def test_a_room_without_a_source_does_nothing(house: House) -> None:
    house.set(priors_source="")
    before = threading.active_count()
    room = PriorRoom(house.node)
    room.start()
    assert threading.active_count() == before
    room.stop()


def command(house: House, monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: str = ""):
    settings = house.node.settings
    for name in ("data", "priors_source", "priors_method", "ae_title"):
        monkeypatch.setenv(f"NUMBERING_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("NUMBERING_PRIORS_PLAIN_HTTP", "true")
    return CliRunner().invoke(app, ["priors", *arguments, "--json", "-"], input=stdin)


def test_the_command_lists_what_the_archive_has_and_what_is_wanted(
    house: House, earlier: EarlierArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(house, earlier.films.current)
    run = command(house, monkeypatch, "--study", uid_of(earlier.films.current))
    assert run.exit_code == 0, run.output
    found = [(row["study"], row["date"], row["wanted"], row["state"]) for row in json.loads(run.stdout)]
    assert found == [
        (uid_of(earlier.films.prior), "2023-03-01", "yes", ""),
        (uid_of(earlier.films.chest), "2022-01-05", "another body part", ""),
        (uid_of(earlier.films.older), "2019-05-01", "yes", ""),
    ]
    assert rows(house, "fetch") == {}


def test_the_command_fetches_what_is_wanted(
    house: House, earlier: EarlierArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for state in ("done", "done"):
        run = command(house, monkeypatch, "--patient", "-", "--fetch", stdin="PHANTOM-0040\n")
        assert run.exit_code == 0, run.output
        states = {row["study"]: row["state"] for row in json.loads(run.stdout)}
        assert states == {
            uid_of(earlier.films.prior): state,
            uid_of(earlier.films.older): state,
            uid_of(earlier.films.chest): "",
        }
        house.assemble()
    house.work()
    assert len(numbered(house)) == 2
    told = json.loads(command(house, monkeypatch).stdout)
    assert {(row["kind"], row["state"], row["attempts"], row["objects"]) for row in told} == {("fetch", "done", 1, 1)}


def test_the_command_fails_where_the_archive_does_not_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.set(priors_source=f"ARCHIVE@127.0.0.1:{free_port()}")
    run = command(house, monkeypatch, "--patient", "PHANTOM-0040", "--fetch")
    assert run.exit_code == 1
    assert "PHANTOM" not in run.output


@pytest.mark.parametrize(
    "arguments", [["--patient", "*"], ["--study", "../x"], ["--patient", "a", "--study", "1.2"], ["--patient", ""]]
)
def test_the_command_says_when_it_is_misused(
    arguments: list[str], house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(house, monkeypatch, *arguments).exit_code == 2


def test_objects_of_another_patient_end_the_transfer_with_an_alert(
    house: House, earlier: EarlierArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Patient, "is_same", lambda ours, theirs: theirs.issuer != "" or theirs.patient_id == "")
    arrive(house, earlier.films.current)
    with writing(house.node.engine) as session:
        priors.want_study(session, uid_of(earlier.films.prior), uid_of(earlier.films.current))
    monkeypatch.setattr(DicomwebSource, "studies", lambda *_: [the_prior(earlier)])
    row = rows(house, "fetch")[uid_of(earlier.films.prior)]
    assert not work_on(house.node, row.id)
    row = rows(house, "fetch")[uid_of(earlier.films.prior)]
    assert row.state == "failed"
    assert "1 objects that are not of study" in (row.answer or "")
    assert any(b"Security Alert" in path.read_bytes() for path in house.node.settings.audit.glob("*.jsonl"))


def the_prior(earlier: EarlierArchive) -> FoundStudy:
    return FoundStudy(
        study_instance_uid=uid_of(earlier.films.prior),
        study_date=None,
        modalities=frozenset({"DX"}),
        description="",
        instances=1,
    )


def test_priors_are_fetched_on_postgresql_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: EarlierArchive
) -> None:
    with temporary_postgres() as url, running_house(tmp_path, monkeypatch, url) as house:
        house.set(priors_source=f"http://127.0.0.1:{free_port()}/dicom-web", priors_plain_http=True)
        arrive(house, earlier.films.current)
        work_priors(house)
        priors.take_back(house.node.engine, house.node.settings)
        ask(house, earlier, "wado")
        let_time_pass(house)
        work_priors(house)
        house.assemble()
        arrive(house, earlier.films.prior)
        assert {row.state for row in (rows(house, "search") | rows(house, "fetch")).values()} == {"done"}
        assert [row.sent_at is not None for row in rows(house, "fetch").values()].count(True) == 1


def test_a_prior_that_is_sent_while_its_objects_are_written_is_delivered_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: EarlierArchive
) -> None:
    prior, store = earlier.films.prior, steps.deliveries_wanted
    sent: list[threading.Thread] = []

    def decide_while_it_is_sent(session: Session, settings: Settings, job: Job) -> bool:
        wanted = store(session, settings, job)
        house.receive(prior)
        sent.append(threading.Thread(target=lambda: assemble.take_arrivals(house.node)))
        sent[0].start()
        sent[0].join(1.0)  # before the objects are stored, unless somebody makes it wait
        return wanted

    with temporary_postgres() as url, running_house(tmp_path, monkeypatch, url) as house:
        house.set(archive="PACS@127.0.0.1:4242")
        with writing(house.node.engine) as session:
            priors.want_study(session, uid_of(prior), uid_of(earlier.films.current))
        with writing(house.node.engine) as session:
            session.execute(update(PriorRow).values(started_at=now()))
        house.receive(prior)
        house.assemble()
        with writing(house.node.engine) as session:
            session.execute(update(PriorRow).values(ended_at=now()))
        monkeypatch.setattr(steps, "deliveries_wanted", decide_while_it_is_sent)
        house.work()
        sent[0].join()
        assert [row.sent_at is not None for row in rows(house, "fetch").values()] == [True]
        assert deliveries(house, uid_of(prior)) == 2


def test_a_running_node_fetches_and_numbers_priors(tmp_path: Path, earlier: EarlierArchive) -> None:
    source = {"priors_source": earlier.archive.dicomweb, "priors_plain_http": True}
    with running_node(tmp_path, **source, archive=f"AWAY@127.0.0.1:{free_port()}") as node:
        node.send(earlier.films.current)
        node.wait_for_states("encoded", "encoded", "encoded")
        studies = {row.study_instance_uid: row.deliveries for row in node.rows()}
    films = earlier.films
    assert studies == {uid_of(films.current): 2, uid_of(films.prior): 0, uid_of(films.older): 0}
