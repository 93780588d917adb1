"""Storage commitment: asking, answers on the same or a new association, what was not committed, and stray answers."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from sqlalchemy import select

from numbering.dicom.incoming.receive import Receiver, start_receiver
from numbering.dicom.outgoing.commitment_inbox import KEPT_SECONDS, Answer, CommitmentInbox
from numbering.jobs import circuit, commitments, deliveries
from numbering.jobs.commitments import ask_due, take_answers
from numbering.jobs.delivering import deliver_due
from numbering.jobs.models import Commitment, Delivery, Job, Notice, now
from numbering.jobs.notices import announce
from numbering.jobs.states import DeliveryState, State
from numbering.jobs.store import reading, writing
from numbering.settings.delivering import DestinationSettings
from numbering.settings.web import Webhook
from numbering.uids import InvalidUID
from tests.house import House, running_house
from tests.node import wait_for
from tests.peers import peer

NAME = "pacs"
ALL, SOME = 1, 2


class Pacs:
    """An archive that commits: what it was asked for, and how it answers."""

    def __init__(self, *, same: bool = True, status: int = 0x0000) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.got: list[str] = []
        self.acknowledged: list[int | None] = []
        self.failing: dict[str, int] = {}
        self.same, self.status = same, status
        self.handlers = ((evt.EVT_N_ACTION, self._action),)

    def __call__(self, event: evt.Event) -> int:
        self.got.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def _action(self, event: evt.Event) -> tuple[int, None]:
        request = event.action_information
        assert event.request.ActionTypeID == 1
        uids = [str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence]
        self.asked.append((str(request.TransactionUID), uids))
        if self.same and self.status == 0x0000:
            threading.Thread(target=self._answer, args=(event.assoc, request)).start()
        return self.status, None

    def _answer(self, assoc: Any, request: Dataset) -> None:
        uids = [str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence]
        wait_for(lambda: not assoc._is_paused, "the N-ACTION to be answered", seconds=5)
        told = report(str(request.TransactionUID), uids, self.failing)
        event_type = SOME if told.get("FailedSOPSequence") else ALL
        status, _ = assoc.send_n_event_report(
            told, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.acknowledged.append(status.get("Status"))


def report(transaction: str, uids: list[str], failing: dict[str, int] | None = None) -> Dataset:
    """What an archive reports: these are kept, but for those that fail for a reason."""
    told = Dataset()
    told.TransactionUID = transaction
    told.ReferencedSOPSequence = Sequence([item(uid) for uid in uids if uid not in (failing or {})])
    if failing:
        told.FailedSOPSequence = Sequence([item(uid, failing[uid]) for uid in uids if uid in failing])
    return told


def item(uid: str, reason: int | None = None) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CTImageStorage, uid
    if reason is not None:
        one.FailureReason = reason
    return one


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        yield house


def number(house: House, address: object, **settings: object) -> None:
    """Number a film whose two objects go to an archive that is asked for commitment."""
    destination = DestinationSettings(name=NAME, address=str(address), commitment=True, answer_seconds=3)
    house.set(destinations=(destination,), **{"commitment_wait_seconds": 3.0, **settings})
    house.receive(house.film())
    house.assemble()
    house.work()


def deliver_and_ask(house: House) -> None:
    while deliver_due(house.node, NAME):
        pass
    ask_due(house.node, NAME)
    take_answers(house.node)


def rows(house: House) -> list[Delivery]:
    with reading(house.node.engine) as session:
        found = list(session.scalars(select(Delivery).order_by(Delivery.created_at)))
        session.expunge_all()
        return found


def states(house: House) -> set[str]:
    return {row.state for row in rows(house)}


def let_time_pass(house: House) -> None:
    with writing(house.node.engine) as session:
        for row in session.scalars(select(Delivery)):
            row.not_before = now() - timedelta(seconds=1) if row.not_before else None


def test_an_answer_on_the_association_that_asked_commits_the_job(house: House) -> None:
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        deliver_due(house.node, NAME)
        row = house.only()
        assert (row.state, row.delivered, row.awaiting_commitment, row.finished) == (State.DELIVERED, 2, 2, False)
        ask_due(house.node, NAME)
    assert take_answers(house.node) == 1
    ((_, uids),) = pacs.asked
    assert sorted(uids) == sorted(pacs.got)
    assert states(house) == {DeliveryState.COMMITTED}
    row = house.only()
    assert (row.state, row.delivered, row.awaiting_commitment, row.finished) == (State.COMMITTED, 2, 0, True)


def test_the_association_that_asked_is_not_left_before_the_answer_was_acknowledged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = CommitmentInbox.keep

    def keep_slowly(inbox: CommitmentInbox, answer: Answer) -> None:
        keep(inbox, answer)
        time.sleep(0.5)

    monkeypatch.setattr(CommitmentInbox, "keep", keep_slowly)
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        deliver_and_ask(house)
        wait_for(lambda: pacs.acknowledged == [0x0000], "the acknowledgement", seconds=10)


def test_one_request_stands_for_all_that_waits(house: House) -> None:
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        for _ in range(3):
            number(house, address)
        deliver_and_ask(house)
    assert [len(uids) for _, uids in pacs.asked] == [6]
    assert {row.state for row in house.rows()} == {State.COMMITTED}


@pytest.fixture
def receiver(house: House) -> Iterator[Receiver]:
    settings = house.node.settings.model_copy(update={"port": 0})
    receiver = start_receiver(settings, house.node.spool)
    yield receiver
    receiver.stop(1)


def call_back(receiver: Receiver, told: Dataset, event_type: int = ALL, instance: str = "") -> int | None:
    """Open an association to our DICOM port in the SCP's role and report; the status that we answer."""
    ae = AE("ARCHIVE")
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = ae.associate(
        "127.0.0.1", receiver.port, [build_context(StorageCommitmentPushModel)], ae_title="NUMBERING", ext_neg=[role]
    )
    assert association.is_established
    assert association.accepted_contexts[0].as_scp
    status, _ = association.send_n_event_report(
        told, event_type, StorageCommitmentPushModel, instance or StorageCommitmentPushModelInstance
    )
    association.release()
    return status.get("Status")


def asked(house: House, pacs: Pacs, **settings: object) -> tuple[str, list[str]]:
    """Deliver and ask an archive that does not answer on the same association; its transaction and objects."""
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address, **{"commitment_wait_seconds": 0.0, **settings})
        deliver_and_ask(house)
    return pacs.asked[-1]


def test_an_answer_on_a_new_association_commits_the_job(house: House, receiver: Receiver) -> None:
    transaction, uids = asked(house, Pacs(same=False))
    assert states(house) == {DeliveryState.DELIVERED}
    assert call_back(receiver, report(transaction, uids)) == 0x0000
    take_answers(house.node)
    assert house.only().state == State.COMMITTED


def test_the_same_answer_again_and_a_late_one_change_nothing(house: House, receiver: Receiver) -> None:
    transaction, uids = asked(house, Pacs(same=False))
    for _ in range(3):
        assert call_back(receiver, report(transaction, uids)) == 0x0000
    take_answers(house.node)
    assert call_back(receiver, report(transaction, uids, dict.fromkeys(uids, 0x0112)), SOME) == 0x0000
    assert take_answers(house.node) == 1
    assert states(house) == {DeliveryState.COMMITTED}


def test_an_answer_to_nothing_that_we_asked_is_refused_and_leaves_no_file(house: House, receiver: Receiver) -> None:
    assert call_back(receiver, report("1.2.3", ["1.2.4"])) == 0x0110
    assert take_answers(house.node) == 0


@pytest.mark.parametrize(
    ("change", "event_type", "instance", "status"),
    [
        (lambda told: delattr(told, "TransactionUID"), ALL, "", 0x0115),
        (lambda told: setattr(told, "TransactionUID", ""), ALL, "", 0x0115),
        (lambda told: setattr(told.ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", ""), ALL, "", 0x0115),
        (lambda told: None, 3, "", 0x0113),
        (lambda told: None, ALL, "1.2.3.4", 0x0112),
    ],
    ids=["no transaction", "empty transaction", "no instance", "event type", "SOP instance"],
)
def test_an_answer_that_makes_no_sense_is_refused(
    house: House,
    receiver: Receiver,
    change: Callable[[Dataset], object],
    event_type: int,
    instance: str,
    status: int,
) -> None:
    transaction, uids = asked(house, Pacs(same=False))
    told = report(transaction, uids)
    change(told)
    assert call_back(receiver, told, event_type, instance) == status
    assert take_answers(house.node) == 0
    assert states(house) == {DeliveryState.DELIVERED}


def test_a_path_as_a_transaction_is_no_path(tmp_path: Path) -> None:
    inbox = CommitmentInbox(tmp_path / "commitments")
    for attempt in ("../../etc/passwd", "..", "1.2/3", ""):
        with pytest.raises(InvalidUID):
            inbox.expects(attempt)


def test_what_the_archive_does_not_hold_is_sent_again(house: House) -> None:
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        lost = house.only().objects[0][1]
        pacs.failing = {lost: 0x0112}
        deliver_and_ask(house)
        assert sorted(row.state for row in rows(house)) == [DeliveryState.COMMITTED, DeliveryState.QUEUED]
        assert house.only().state == State.ENCODED
        pacs.failing = {}
        deliver_and_ask(house)
    assert [pacs.got.count(uid) for uid in (lost, house.only().objects[1][1])] == [2, 1]
    assert house.only().state == State.COMMITTED


def test_what_is_never_committed_waits_for_a_person_in_the_end(house: House) -> None:
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address, commitment_attempts=2)
        pacs.failing = {uid: 0x0110 for _, uid, _ in house.only().objects}
        for _ in range(4):
            deliver_and_ask(house)
        assert states(house) == {DeliveryState.UNCOMMITTED}
        assert all("0x0110" in (row.answer or "") for row in rows(house))
        assert (house.only().state, house.only().finished) == (State.DELIVERED, True)
        assert len(pacs.asked) == 2
        pacs.failing = {}
        for row in rows(house):
            deliveries.restart(house.node.engine, row.id)
        assert house.only().state == State.ENCODED
        deliver_and_ask(house)
    assert house.only().state == State.COMMITTED


def test_silence_is_asked_again_under_a_new_transaction_and_given_up_in_the_end(house: House) -> None:
    pacs = Pacs(same=False)
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address, commitment_wait_seconds=0.0, commitment_attempts=3)
        for _ in range(5):
            deliver_and_ask(house)
            deliver_and_ask(house)  # it is not time yet
            let_time_pass(house)
    transactions = [transaction for transaction, _ in pacs.asked]
    assert len(set(transactions)) == len(transactions) == 3
    assert states(house) == {DeliveryState.UNCOMMITTED}
    assert commitments.requests_of(house.node, NAME) == transactions
    # Good news is good news, however late, and bad news of an old request is none.
    inbox, uids = CommitmentInbox(house.node.settings.commitments), [uid for _, uid, _ in house.only().objects]
    inbox.keep(Answer(transaction_uid=transactions[0], failed={uids[1]: 0x0112}))
    inbox.keep(Answer(transaction_uid=transactions[1], committed=(uids[0],)))
    take_answers(house.node)
    assert sorted(row.state for row in rows(house)) == [DeliveryState.COMMITTED, DeliveryState.UNCOMMITTED]


def test_an_archive_that_refuses_the_request_is_asked_again(house: House) -> None:
    pacs = Pacs(status=0x0213)
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        deliver_and_ask(house)
        assert {(row.state, row.commitment_attempts) for row in rows(house)} == {("delivered", 1)}
        assert all("0x0213" in (row.answer or "") for row in rows(house))
        pacs.status = 0x0000
        let_time_pass(house)
        deliver_and_ask(house)
    assert house.only().state == State.COMMITTED


def test_what_waits_for_commitment_is_done_when_the_settings_no_longer_ask_for_it(house: House) -> None:
    with peer(Pacs(same=False)) as address:
        number(house, address, commitment_wait_seconds=0.0)
        deliver_and_ask(house)
        assert house.only().awaiting_commitment == 2
        house.set(destinations=(DestinationSettings(name=NAME, address=str(address)),))
        assert not ask_due(house.node, NAME)
    assert (house.only().state, house.only().awaiting_commitment) == (State.DELIVERED, 0)
    assert not deliveries.work_waits(house.node.engine, NAME)


def test_whoever_asks_for_commitment_leaves_the_trial_of_a_destination_to_whoever_sends(house: House) -> None:
    with peer(Pacs()) as address:
        number(house, address)
        while deliver_due(house.node, NAME):
            pass
        circuit.failed(house.node.engine, NAME, "away", at_once=True, first_seconds=0.0, longest_seconds=0.0)
        assert not ask_due(house.node, NAME)
        assert circuit.admit(house.node.engine, NAME) is circuit.Admission.TRIAL


def test_a_request_that_our_own_disk_prevents_is_not_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with peer(Pacs()) as address:
        number(house, address)
        monkeypatch.setattr(CommitmentInbox, "expect", full)
        while deliver_due(house.node, NAME):
            pass
        with pytest.raises(OSError, match="no space"):
            ask_due(house.node, NAME)
    assert {row.commitment_attempts for row in rows(house)} == {0}


def test_while_the_archive_is_away_no_request_is_counted(house: House) -> None:
    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        deliver_due(house.node, NAME)
    ask_due(house.node, NAME)
    assert {(row.state, row.commitment_attempts) for row in rows(house)} == {("delivered", 0)}
    assert not ask_due(house.node, NAME)  # it is left alone for a while


def test_a_request_is_stored_before_it_is_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    pacs = Pacs()
    with peer(pacs, handlers=pacs.handlers) as address:
        number(house, address)
        deliver_due(house.node, NAME)
        with monkeypatch.context() as patch:
            patch.setattr(commitments, "ask_commitment", die)
            with pytest.raises(KeyboardInterrupt):
                ask_due(house.node, NAME)
        with reading(house.node.engine) as session:
            assert len(session.scalars(select(Commitment)).all()) == 1
        assert not ask_due(house.node, NAME)
        let_time_pass(house)
        deliver_and_ask(house)
    assert house.only().state == State.COMMITTED


def test_a_spoilt_answer_is_put_aside_and_stops_no_other(house: House) -> None:
    transaction, uids = asked(house, Pacs(same=False))
    inbox = CommitmentInbox(house.node.settings.commitments)
    (house.node.settings.commitments / "answers" / "0-1-1.2.json").write_text('{"transaction": ')
    inbox.keep(Answer(transaction_uid=transaction, committed=tuple(uids)))
    assert take_answers(house.node) == 1
    assert house.only().state == State.COMMITTED
    assert [file.suffix for file in (house.node.settings.commitments / "answers").iterdir()] == [".spoilt"]


def test_leftovers_of_the_inbox_are_removed_after_their_time(house: House) -> None:
    inbox = CommitmentInbox(house.node.settings.commitments)
    answers = house.node.settings.commitments / "answers"
    inbox.keep(Answer(transaction_uid="1.2", committed=("1.3",)))
    old, fresh = (answers / "0-1-1.2.spoilt", answers / ".a.part"), (answers / "1-1-1.2.spoilt", answers / ".b.part")
    for file in (*old, *fresh):
        file.touch()
    for file in (*old, *answers.glob("*.json")):
        os.utime(file, (0, time.time() - KEPT_SECONDS - 1))
    commitments.forget_old(house.node)
    assert not any(file.exists() for file in old)
    assert all(file.exists() for file in fresh)
    assert len(inbox.answers()) == 1  # what nobody took note of waits, however old


def test_a_job_that_arrives_and_is_committed_at_once_is_told_as_both(house: House, tmp_path: Path) -> None:
    """The commitment of the last delivery but one comes before the last one, which asks for none, arrives."""
    number(house, "PACS@127.0.0.1:1")
    secret = tmp_path / "secret"
    secret.write_bytes(b"0" * 32)
    events = ("delivered", "committed")
    announce(house.node.engine, [Webhook(name="ris", url="https://ris/told", secret_file=str(secret), events=events)])
    with writing(house.node.engine) as session:
        first, second = session.scalars(select(Delivery)).all()
        first.state = DeliveryState.COMMITTED.value
        second.state, second.wants_commitment = DeliveryState.DELIVERED.value, False
        deliveries.settle(session, session.get_one(Job, first.job_id))
    with reading(house.node.engine) as session:
        told = session.scalars(select(Notice.event).order_by(Notice.created_at)).all()
    assert told == ["delivered", "committed"]
