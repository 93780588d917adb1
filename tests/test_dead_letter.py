"""Delivery from the rows' side: batches, pauses, refusals, the dead letter and the way back from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pynetdicom import evt
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from numbering.dicom.outgoing.destination import Destination
from numbering.jobs import circuit, deliveries, delivering
from numbering.jobs.circuit import Admission
from numbering.jobs.claims import claim_deliveries
from numbering.jobs.delivering import deliver_due
from numbering.jobs.lines import Lines
from numbering.jobs.models import Delivery, DestinationRow, now
from numbering.jobs.overview import overview
from numbering.jobs.states import DeliveryState, IllegalTransition, State
from numbering.jobs.store import reading, writing
from numbering.settings.delivering import DestinationSettings
from tests.archive import free_port
from tests.films import SECRETS
from tests.house import House, running_house
from tests.node import wait_for
from tests.peers import peer
from tests.postgres import temporary_postgres

NAME = "archive"
VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        yield house


class Archive:
    """An archive that writes down what it was sent and answers ``status``."""

    def __init__(self) -> None:
        self.status = 0x0000
        self.got: list[str] = []
        self.associations = 0
        self.handlers = ((evt.EVT_ACCEPTED, self._accepted),)

    def __call__(self, event: evt.Event) -> int:
        self.got.append(str(event.request.AffectedSOPInstanceUID))
        return self.status

    def _accepted(self, event: evt.Event) -> None:
        offered = {str(context.abstract_syntax) for context in event.assoc.accepted_contexts}
        self.associations += offered != {VERIFICATION}


def number(house: House, films: int, destination: Destination | str, **settings: object) -> None:
    """Number so many films; their results wait for the archive."""
    house.set(archive=str(destination), delivery_retry_seconds=5.0, probe_seconds=30.0, **settings)
    for _ in range(films):
        house.receive(house.film())
    house.assemble()
    house.work()


def rows(house: House) -> list[Delivery]:
    with reading(house.node.engine) as session:
        found = list(session.scalars(select(Delivery).order_by(Delivery.created_at)))
        session.expunge_all()
        return found


def states(house: House) -> list[str]:
    return [row.state for row in rows(house)]


def let_time_pass(house: House) -> None:
    """Every pause of a delivery or destination is over."""
    with writing(house.node.engine) as session:
        for row in [*session.scalars(select(Delivery)), *session.scalars(select(DestinationRow))]:
            row.not_before = now() - timedelta(seconds=1) if row.not_before else None


def test_what_waits_for_one_destination_goes_over_one_association(house: House) -> None:
    archive = Archive()
    with peer(archive, handlers=archive.handlers) as destination:
        number(house, 3, destination)
        assert deliver_due(house.node, NAME)
        assert not deliver_due(house.node, NAME)
    assert archive.associations == 1
    assert len(archive.got) == len(set(archive.got)) == 6
    assert {row.state for row in house.rows()} == {State.DELIVERED}
    assert {(row.state, row.attempts) for row in rows(house)} == {("delivered", 1)}


def test_while_nobody_answers_no_attempt_is_counted_and_what_waits_is_released_at_once(house: House) -> None:
    port, archive = free_port(), Archive()
    number(house, 2, f"ARCHIVE@127.0.0.1:{port}")
    for _ in range(5):
        deliver_due(house.node, NAME)
        assert circuit.admit(house.node.engine, NAME) is Admission.SHUT
        let_time_pass(house)
    assert {(row.state, row.attempts) for row in rows(house)} == {("queued", 0)}
    with peer(archive, handlers=archive.handlers, port=port):
        assert deliver_due(house.node, NAME)  # one object, as a trial
        assert len(archive.got) == 1
        assert circuit.admit(house.node.engine, NAME) is Admission.OPEN
        assert deliver_due(house.node, NAME)
    assert len(archive.got) == len(set(archive.got)) == 4
    assert {row.state for row in house.rows()} == {State.DELIVERED}


def test_a_destination_out_of_reach_is_asked_ever_more_rarely_but_often_enough(house: House) -> None:
    number(house, 1, f"ARCHIVE@127.0.0.1:{free_port()}")
    pauses = []
    for _ in range(5):
        deliver_due(house.node, NAME)
        with reading(house.node.engine) as session:
            row = session.get_one(DestinationRow, NAME)
            assert row.not_before is not None
            assert row.failing_since is not None
            pauses.append(round((row.not_before - now()).total_seconds()))
        let_time_pass(house)
    assert pauses == [5, 10, 20, 30, 30]


def test_of_many_workers_one_asks_whether_a_destination_is_back(house: House) -> None:
    number(house, 1, f"ARCHIVE@127.0.0.1:{free_port()}")
    deliver_due(house.node, NAME)
    let_time_pass(house)
    assert [circuit.admit(house.node.engine, NAME) for _ in range(3)] == [Admission.TRIAL, *[Admission.SHUT] * 2]


def test_an_archive_whose_disk_is_full_gets_everything_when_there_is_room(house: House) -> None:
    archive = Archive()
    archive.status = 0xA700
    with peer(archive, handlers=archive.handlers) as destination:
        number(house, 2, destination, delivery_attempts=4)
        for _ in range(12):
            deliver_due(house.node, NAME)
            let_time_pass(house)
        assert set(states(house)) == {DeliveryState.QUEUED}  # refused twelve times, and not given up
        tried = len(archive.got)
        assert tried == 3 * 4 + 9  # three rounds with all, then one object each time
        archive.status = 0x0000
        while deliver_due(house.node, NAME):
            pass
    assert len(archive.got) == tried + 4
    assert {row.state for row in house.rows()} == {State.DELIVERED}


def test_what_is_refused_for_good_is_given_up_after_few_attempts_and_stops_nothing_else(house: House) -> None:
    def no_reports(event: evt.Event) -> int:
        return 0xC123 if event.request.AffectedSOPClassUID.startswith("1.2.840.10008.5.1.4.1.1.88") else 0x0000

    with peer(no_reports) as destination:
        number(house, 1, destination, refused_attempts=2)
        for _ in range(3):
            deliver_due(house.node, NAME)
            let_time_pass(house)
    row = house.only()
    assert (row.state, row.deliveries, row.delivered, row.undeliverable) == (State.ENCODED, 2, 1, 1)
    (failed,) = [each for each in rows(house) if each.state == DeliveryState.FAILED]
    assert failed.attempts == 2
    assert "0xC123 Failure" in (failed.answer or "")
    assert not any(secret in (failed.answer or "") for secret in SECRETS)


def test_a_person_restarts_what_failed_and_nothing_else(house: House) -> None:
    archive = Archive()
    archive.status = 0xC123
    with peer(archive) as destination:
        number(house, 1, destination, refused_attempts=1)
        deliver_due(house.node, NAME)
        assert set(states(house)) == {DeliveryState.FAILED}
        archive.status = 0x0000
        for row in rows(house):
            assert deliveries.restart(house.node.engine, row.id) is DeliveryState.QUEUED
        with pytest.raises(IllegalTransition):
            deliveries.restart(house.node.engine, rows(house)[0].id)
        deliver_due(house.node, NAME)
    assert house.only().state == State.DELIVERED
    with pytest.raises(NoResultFound):
        deliveries.restart(house.node.engine, "nothing")


def test_only_the_object_that_was_being_sent_when_a_worker_died_is_suspected(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive()

    def die_after_two() -> bool:
        if len(archive.got) == 2:
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr(delivering, "_give_back", lambda *_: None)  # as after kill -9
    with peer(archive) as destination:
        number(house, 2, destination)
        with pytest.raises(KeyboardInterrupt):
            deliver_due(house.node, NAME, die_after_two)
    with writing(house.node.engine) as session:
        for row in session.scalars(select(Delivery).where(Delivery.state == DeliveryState.SENDING)):
            row.lease_until = now() - timedelta(seconds=1)
        session.flush()
        deliveries.take_back(session)
    found = sorted((row.state, row.attempts) for row in rows(house))
    assert found == [("delivered", 1), ("delivered", 1), ("queued", 0), ("queued", 1)]


def test_an_object_that_kills_every_worker_ends_as_a_dead_letter(house: House) -> None:
    number(house, 1, "ARCHIVE@127.0.0.1:1")
    with writing(house.node.engine) as session:
        session.scalars(select(Delivery).limit(1)).one().attempts = 20
    assert len(claim_deliveries(house.node.engine, NAME, 10, 60, 20)) == 1
    assert sorted(states(house)) == [DeliveryState.FAILED, DeliveryState.SENDING]


def test_a_file_that_was_changed_or_is_gone_is_not_sent(house: House) -> None:
    archive = Archive()
    with peer(archive) as destination:
        number(house, 1, destination)
        (_, _, report), (_, _, state) = house.only().objects
        house.node.path(report).unlink()
        house.node.path(state).write_bytes(house.node.path(state).read_bytes() + b"\0\0")
        deliver_due(house.node, NAME)
    assert archive.got == []
    assert set(states(house)) == {DeliveryState.FAILED}
    assert {"cannot be read" in (row.answer or "") for row in rows(house)} == {True, False}


def test_a_destination_that_hangs_delays_no_other(house: House) -> None:
    both_at_once = threading.Barrier(2, timeout=30)

    def hang(event: evt.Event) -> int:
        both_at_once.wait()
        return 0x0000

    with peer(hang) as one, peer(hang) as other:
        places = [{"name": "one", "address": str(one)}, {"name": "other", "address": str(other)}]
        number(house, 1, "", destinations=tuple(DestinationSettings(**place) for place in places))
        lines = Lines(house.node)
        lines.start()
        try:
            wait_for(lambda: house.only().state == State.DELIVERED, "both", seconds=30)
        finally:
            lines.stop()
    assert {which for queue, which in house.bell.rung if queue == "deliver"} == {"one", "other"}


def test_a_destination_that_was_taken_out_of_the_settings_keeps_its_rows(house: House) -> None:
    number(house, 1, "ARCHIVE@127.0.0.1:1")
    house.set(archive="")
    assert not deliver_due(house.node, NAME)
    assert set(states(house)) == {DeliveryState.QUEUED}


def test_the_overview_comes_in_pages_and_by_state(house: House) -> None:
    for _ in range(3):
        house.receive(house.film())
    house.assemble()
    house.receive(house.film())
    house.take()
    engine = house.node.engine
    everything = overview(engine)
    assert [row.state for row in everything] == ["queued", "queued", "queued", "received"]
    pages = [overview(engine, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [row for page in pages for row in page] == everything
    assert [row.state for row in overview(engine, states=[State.RECEIVED])] == ["received"]
    assert overview(engine, study=everything[1].study_instance_uid) == [everything[1]]
    assert overview(engine, since=now() + timedelta(minutes=1)) == []


class TestOnPostgreSQL:
    """The same through the rows of PostgreSQL, whose locks are real."""

    @pytest.fixture
    def house(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
        with temporary_postgres() as url, running_house(tmp_path, monkeypatch, url) as house:
            yield house

    def test_an_outage_ends_with_everything_delivered_once(self, house: House) -> None:
        test_while_nobody_answers_no_attempt_is_counted_and_what_waits_is_released_at_once(house)
