"""Webhooks: told of what was committed and of nothing else, at least once, signed, and without a patient."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs import webhooks
from numbering.jobs.models import Delivery, Job, Notice, ObjectRow, now
from numbering.jobs.notices import announce
from numbering.jobs.rooms import assemble_forever
from numbering.jobs.signatures import WeakSecret, secret_of
from numbering.jobs.states import IllegalTransition, State
from numbering.jobs.store import connect, reading, upgrade, writing
from numbering.settings import Settings
from numbering.settings.web import Webhook
from tests.films import SECRETS, make_film
from tests.house import Clock
from tests.node import running_node, wait_for
from tests.receiver import Receiver, receiver
from tests.results import abstained, numbered, result_of

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    return file


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path}/numbering.db")
    upgrade(engine)
    yield engine
    engine.dispose()


def webhook(secret_file: Path, port: int = 1, **more: Any) -> Webhook:
    options = {"name": "ris", "url": f"http://127.0.0.1:{port}/told", "secret_file": str(secret_file), "plain": True}
    return Webhook(**{**options, **more})


def meant(tmp_path: Path, *hooks: Webhook, **more: Any) -> Settings:
    here = {"webhook_private_hosts": ("127.0.0.0/8",), "webhook_retry_seconds": 0}
    return Settings(**{"data": tmp_path, "webhooks": hooks, **here, **more})


def job_row(state: State, **columns: Any) -> Job:
    return Job(
        study_uid="1.2.3", series_uid="1.2.3.4", part="ap", modality="DX", state=state.value, input_digest="0" * 64,
        **columns,
    )  # fmt: skip


def moved(engine: Engine, before: State, *after: State, **columns: Any) -> str:
    """A job that went this way, a transaction for each step."""
    with writing(engine) as session:
        job = job_row(before)
        session.add(job)
        session.flush()
        identifier = job.id
    for state in after:
        with writing(engine) as session:
            job = session.get_one(Job, identifier)
            job.move(state)
            for name, value in columns.items():
                setattr(job, name, value)
    return identifier


def notices(engine: Engine) -> list[Notice]:
    with reading(engine) as session:
        rows = session.scalars(select(Notice).order_by(Notice.created_at)).all()
        session.expunge_all()
        return list(rows)


def events(engine: Engine) -> list[str]:
    return [row.event for row in notices(engine)]


def numbered_result(tmp_path: Path) -> str:
    return result_of([make_film(tmp_path / "film.dcm")], numbered("1.2.3.4.5")).model_dump_json()


def test_an_event_is_written_in_the_transaction_that_makes_it(engine: Engine, secret_file: Path) -> None:
    announce(engine, [webhook(secret_file)])
    moved(engine, State.QUEUED, State.RUNNING, State.FAILED, status="failed", reason_code="internal-error")
    (row,) = notices(engine)
    assert (row.event, row.webhook, row.state) == ("failed", "ris", "queued")


def test_a_notice_does_not_wait_for_as_long_as_the_clock_was_set_back(
    engine: Engine, secret_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Clock(monkeypatch)
    hook = webhook(secret_file)
    announce(engine, [hook])
    wall.jump(24)
    moved(engine, State.QUEUED, State.RUNNING, State.FAILED)
    assert not webhooks.tell_next(engine, meant(tmp_path, hook, webhook_retry_seconds=5), hook)  # nobody answers
    monkeypatch.setattr(webhooks, "_send", lambda *_: ("delivered", "answered 200"))
    wall.jump(-24)
    while webhooks.tell_next(engine, meant(tmp_path, hook), hook):
        pass
    assert {row.state for row in notices(engine)} == {"delivered"}


def test_a_transaction_that_is_undone_tells_nothing(engine: Engine, secret_file: Path) -> None:
    announce(engine, [webhook(secret_file)])
    identifier = moved(engine, State.QUEUED, State.RUNNING)
    with suppress(ZeroDivisionError), writing(engine) as session:
        session.get_one(Job, identifier).move(State.FAILED)
        session.flush()
        raise ZeroDivisionError
    assert events(engine) == []


def test_numbered_abstained_and_delivered_are_told_and_the_steps_between_are_not(engine, secret_file, tmp_path) -> None:
    announce(engine, [webhook(secret_file)])
    way = (State.RUNNING, State.INFERRED, State.ENCODING, State.INFERRED, State.ENCODING, State.ENCODED)
    moved(engine, State.QUEUED, *way, State.DELIVERED, status="numbered", result=numbered_result(tmp_path))
    assert events(engine) == ["numbered", "delivered"]


def test_a_result_that_the_record_says_again_is_told_as_its_next_revision(engine, secret_file, tmp_path) -> None:
    announce(engine, [webhook(secret_file)])
    first = moved(engine, State.QUEUED, State.RUNNING, State.INFERRED, status="numbered")
    again = job_row(
        State.INFERRED, status="numbered", revision=2, concluded_from=first, result=numbered_result(tmp_path)
    )
    with writing(engine) as session:
        session.add(again)
    told = [json.loads(row.body) for row in notices(engine)]
    assert [(each["event"], each["revision"]) for each in told] == [("numbered", 1), ("numbered", 2)]
    assert (told[0]["vertebrae"], told[1]["vertebrae"]) == ([], [{"level": "L5", "probability": 0.97}])


def test_a_part_that_is_unsuitable_from_the_start_is_told_where_that_is_wanted(engine, secret_file) -> None:
    announce(engine, [webhook(secret_file), webhook(secret_file, name="all", events=("unsuitable", "held"))])
    moved(engine, State.UNSUITABLE)
    assert [(row.webhook, row.event) for row in notices(engine)] == [("all", "unsuitable")]


def test_a_delivery_that_was_given_up_is_told_with_its_destination(engine: Engine, secret_file: Path) -> None:
    announce(engine, [webhook(secret_file)])
    job = moved(engine, State.QUEUED)
    with writing(engine) as session:
        session.add(ObjectRow(sop_uid="1.9", job_id=job, position=0, sop_class="1.8", kind="SR", digest="", path="x"))
        session.flush()
        session.add(Delivery(object_uid="1.9", job_id=job, destination="archive", state="sending"))
    with writing(engine) as session:
        session.scalars(select(Delivery)).one().state = "failed"
    (row,) = notices(engine)
    assert (row.event, json.loads(row.body)["destination"]) == ("undeliverable", "archive")


def test_levels_and_probabilities_are_told_and_identifiers_only_where_allowed(engine, secret_file, tmp_path) -> None:
    announce(engine, [webhook(secret_file), webhook(secret_file, name="blind", uids=False)])
    result = numbered_result(tmp_path)
    moved(engine, State.QUEUED, State.RUNNING, State.INFERRED, status="numbered", result=result)
    told = {row.webhook: json.loads(row.body) for row in notices(engine)}
    assert told["ris"]["vertebrae"] == [{"level": "L5", "probability": 0.97}]
    assert (told["ris"]["study_instance_uid"], told["ris"]["series_instance_uid"]) == ("1.2.3", "1.2.3.4")
    assert (told["blind"]["study_instance_uid"], told["blind"]["series_instance_uid"]) == (None, None)
    assert "1.2.3" not in json.dumps(told["blind"])
    assert not any(secret in row.body for row in notices(engine) for secret in SECRETS)


def test_an_abstention_is_told_with_its_code(engine: Engine, secret_file: Path, tmp_path: Path) -> None:
    announce(engine, [webhook(secret_file)])
    result = result_of([make_film(tmp_path / "film.dcm")], abstained("1.2.3.4.5")).model_dump_json()
    moved(
        engine, State.QUEUED, State.RUNNING, State.INFERRED,
        status="abstained", reason_code="low-confidence", result=result,
    )  # fmt: skip
    body = json.loads(notices(engine)[0].body)
    assert (body["event"], body["reason"], body["vertebrae"]) == ("abstained", "low-confidence", [])


@pytest.fixture
def peer() -> Iterator[Receiver]:
    with receiver() as peer:
        yield peer


@pytest.fixture
def waiting(engine: Engine, secret_file: Path, peer: Receiver, tmp_path: Path) -> tuple[Settings, Webhook]:
    """A webhook with one event to be told."""
    hook = webhook(secret_file, peer.port)
    announce(engine, [hook])
    moved(engine, State.QUEUED, State.RUNNING, State.FAILED, status="failed")
    return meant(tmp_path, hook), hook


def test_a_receiver_can_check_that_it_was_told_by_us(engine, waiting, peer) -> None:
    assert webhooks.tell_next(engine, *waiting)
    ((path, headers, body),) = peer.told
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert (path, headers["content-type"]) == ("/told", "application/json")
    assert json.loads(body)["id"] == headers["webhook-id"]
    (row,) = notices(engine)
    assert (row.state, row.answer) == ("delivered", "answered 200")
    assert not webhooks.tell_next(engine, *waiting)


def test_what_was_not_taken_is_told_again_under_the_same_number(engine, waiting, peer) -> None:
    peer.status = 503
    assert not webhooks.tell_next(engine, *waiting)
    assert notices(engine)[0].state == "queued"
    peer.status = 200
    assert webhooks.tell_next(engine, *waiting)
    assert len({headers["webhook-id"] for _, headers, _ in peer.told}) == 1
    assert len({body for _, _, body in peer.told}) == 1


def test_waiting_grows_and_nothing_is_sent_before_its_time(engine, waiting, peer) -> None:
    settings, hook = waiting
    patient = settings.model_copy(update={"webhook_retry_seconds": 60.0})
    peer.status = 500
    webhooks.tell_next(engine, patient, hook)
    webhooks.tell_next(engine, patient, hook)
    assert len(peer.told) == 1
    (row,) = notices(engine)
    assert row.not_before is not None
    assert row.not_before > now() + timedelta(seconds=50)


def test_without_attempts_left_it_waits_for_a_person_who_can_restart_it(engine, waiting, peer) -> None:
    settings, hook = waiting
    few = settings.model_copy(update={"webhook_attempts": 2})
    peer.status = 500
    for _ in range(4):
        webhooks.tell_next(engine, few, hook)
    (row,) = notices(engine)
    assert (row.state, row.attempts, row.answer) == ("failed", 2, "answered 500")
    peer.status = 200
    webhooks.restart(engine, row.id)
    assert webhooks.tell_next(engine, few, hook)
    with pytest.raises(IllegalTransition):
        webhooks.restart(engine, row.id)


def test_the_command_lists_what_was_given_up_and_restarts_it(engine, waiting, peer, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMBERING_DATA", str(tmp_path))
    monkeypatch.setattr("numbering.cli.logs.configure", lambda level: None)  # the runner's streams end with it
    settings, hook = waiting
    peer.status = 500
    webhooks.tell_next(engine, settings.model_copy(update={"webhook_attempts": 1}), hook)
    (listed,) = json.loads(CliRunner().invoke(app, ["notices", "list", "--json", "-"]).stdout)
    assert (listed["webhook"], listed["event"], listed["answer"]) == ("ris", "failed", "answered 500")
    assert CliRunner().invoke(app, ["notices", "restart", listed["notice"]]).exit_code == 0
    assert notices(engine)[0].state == "queued"
    assert CliRunner().invoke(app, ["notices", "restart", listed["notice"]]).exit_code == 1
    assert CliRunner().invoke(app, ["notices", "restart", "none"]).exit_code == 1


def test_a_redirect_is_no_success(engine, waiting, peer) -> None:
    peer.status, peer.headers = 302, {"Location": "http://169.254.169.254/"}
    assert not webhooks.tell_next(engine, *waiting)
    assert notices(engine)[0].answer == "answered 302"


def test_a_private_address_that_nobody_allowed_is_not_called(engine, waiting, peer) -> None:
    settings, hook = waiting
    webhooks.tell_next(engine, settings.model_copy(update={"webhook_private_hosts": ()}), hook)
    assert peer.told == []
    assert "not public" in str(notices(engine)[0].answer)


def test_a_claim_of_a_process_that_is_gone_is_taken_up(engine, waiting, peer) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with writing(engine) as session:
        row = session.scalars(select(Notice)).one()
        row.state, row.token = "sending", 1
        row.worker = webhooks.worker_name().rpartition("/")[0] + f"/{gone.pid}"
        row.lease_until = now() + timedelta(hours=1)
    assert webhooks.tell_next(engine, *waiting)
    assert len(peer.told) == 1


def test_a_claim_of_a_living_process_is_left_to_it(engine, waiting, peer) -> None:
    with writing(engine) as session:
        row = session.scalars(select(Notice)).one()
        row.state, row.worker = "sending", webhooks.worker_name()
        row.lease_until = now() + timedelta(seconds=webhooks.LEASE_SECONDS)
    assert not webhooks.tell_next(engine, *waiting)
    assert peer.told == []


def test_what_waits_for_a_webhook_that_is_no_more_fails_aloud(engine, waiting) -> None:
    webhooks.give_up_unknown(engine, [])
    (row,) = notices(engine)
    assert (row.state, row.answer) == ("failed", "the settings know no webhook of this name")


def test_a_node_without_any_webhook_gives_up_what_waits_for_one(engine, waiting, tmp_path) -> None:
    stopping = threading.Event()
    room = threading.Thread(target=assemble_forever, args=(meant(tmp_path, sweep_seconds=0.1), stopping))
    room.start()
    try:
        wait_for(lambda: notices(engine)[0].state == "failed", "a notice that fails", seconds=10)
    finally:
        stopping.set()
        room.join()


def test_only_what_was_told_long_ago_is_forgotten(engine, waiting, peer) -> None:
    webhooks.clear_away(engine)
    assert len(notices(engine)) == 1
    webhooks.tell_next(engine, *waiting)
    webhooks.clear_away(engine)
    assert len(notices(engine)) == 1
    with writing(engine) as session:
        session.scalars(select(Notice)).one().changed_at = now() - timedelta(days=31)
    webhooks.clear_away(engine)
    assert notices(engine) == []


@pytest.mark.parametrize("text", [b"short", b"", b"whsec_!!", b"whsec_AAAA"])
def test_a_weak_secret_signs_nothing_and_is_not_quoted(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(text)
    with pytest.raises(WeakSecret) as caught:
        secret_of(file)
    assert text.decode()[6:] == "" or text.decode()[6:] not in str(caught.value)
    with pytest.raises(WeakSecret, match="cannot be read"):
        secret_of(tmp_path / "missing")


def test_a_secret_may_be_base64(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"whsec_" + base64.b64encode(SECRET))
    assert secret_of(file) == SECRET


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://hook.example/"},
        {"url": "ftp://hook.example/", "plain": True},
        {"url": "https://user:word@hook.example/"},
        {"url": "https:///path"},
        {"url": "https://hook.example:99999/"},
        {"url": "file:///etc/passwd"},
        {"name": "../x"},
        {"events": ("everything",)},
    ],
)
def test_a_webhook_that_cannot_be_meant_stops_the_start(secret_file: Path, wrong: dict[str, Any]) -> None:
    right = {"name": "ris", "url": "https://hook.example/", "secret_file": str(secret_file)}
    Webhook(**right)
    with pytest.raises(ValidationError):
        Webhook(**{**right, **wrong})


def test_two_webhooks_of_one_name_stop_the_start(tmp_path: Path, secret_file: Path) -> None:
    with pytest.raises(ValidationError, match="one name"):
        meant(tmp_path, webhook(secret_file), webhook(secret_file, port=2))


def test_a_node_tells_its_webhook_of_a_film_and_again_after_its_web_room_was_killed(tmp_path, secret_file, peer):
    hook = webhook(secret_file, peer.port)
    settings = {"webhooks": (hook,), "webhook_private_hosts": ("127.0.0.1",), "webhook_retry_seconds": 0.1}
    with running_node(tmp_path, **settings) as node:
        peer.status = 503
        node.send(make_film(tmp_path / "film.dcm"))
        node.wait_for_states("encoded")
        wait_for(lambda: peer.told, "a first attempt", node)
        node.kill("web")
        peer.status = 200
        wait_for(lambda: notices(node.engine)[0].state == "delivered", "the webhook to be told", node)
    bodies = [json.loads(body) for _, _, body in peer.told]
    assert {body["event"] for body in bodies} == {"numbered"}
    assert bodies[0]["vertebrae"] == [{"level": "L5", "probability": 0.9}]
    assert len({body["id"] for body in bodies}) == 1
