"""The audit trail: messages by the schema and tables of PS3.15 A.5, kept whole and in order whatever happens."""

from __future__ import annotations

import base64
import json
import multiprocessing
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from numbering.audit import Alert, AuditTrail, Peer, journal
from numbering.audit.journal import Journal, files
from numbering.cli import app
from numbering.settings import Settings
from tests.audit_schema import faults
from tests.films import make_film
from tests.spoken import spoken

DX = "1.2.840.10008.5.1.4.1.1.1.1"
PEER = Peer("MODALITY", "10.0.0.7")
ANNA = Peer("anna", "10.0.0.9")
CLASSES = {DX: 3}

EVENTS: dict[str, Callable[[AuditTrail], None]] = {
    "started": lambda trail: trail.started("receive"),
    "stopped": lambda trail: trail.stopped("receive"),
    "begin in": lambda trail: trail.begin_transfer("in", "1.2.3", CLASSES, PEER, patient_id="P1"),
    "transferred in": lambda trail: trail.transferred("in", "1.2.3", CLASSES, PEER, patient_id="P1"),
    "transferred out": lambda trail: trail.transferred("out", "1.2.3", CLASSES, PEER, False, patient_id="P1"),
    "accessed": lambda trail: trail.accessed("1.2.3", CLASSES, patient_id="P1"),
    "accessed by a user": lambda trail: trail.accessed(
        "1.2.3", CLASSES, user=Peer("anna", "10.0.0.9"), patient_id="P1"
    ),
    "queried": lambda trail: trail.queried(PEER, {"QueryRetrieveLevel": "STUDY"}, patient_id="P1"),
    "login": lambda trail: trail.authenticated("anna", "10.0.0.9"),
    "logout": lambda trail: trail.authenticated("anna", "10.0.0.9", login=False),
    "alert": lambda trail: trail.security_alert(Alert.NODE_AUTHENTICATION, PEER, "wrong called title"),
    "alert of a kind of its own": lambda trail: trail.security_alert("odd", PEER, "something else"),
}

# Event, action, type, roles of the participants, (type, role, identifier's kind) of the objects: tables A.5.3.x-1
TABLES: dict[str, tuple[str, str, str, list[str], list[tuple[str, str, str]]]] = {
    "started": ("110100", "E", "110120", ["110150"], []),
    "stopped": ("110100", "E", "110121", ["110150"], []),
    "begin in": ("110102", "E", "", ["110153", "110152"], [("2", "3", "110180"), ("1", "1", "2")]),
    "transferred in": ("110104", "C", "", ["110153", "110152"], [("2", "3", "110180"), ("1", "1", "2")]),
    "transferred out": ("110104", "R", "", ["110153", "110152"], [("2", "3", "110180"), ("1", "1", "2")]),
    "accessed": ("110103", "R", "", [""], [("2", "3", "110180"), ("1", "1", "2")]),
    "accessed by a user": ("110103", "R", "", ["", ""], [("2", "3", "110180"), ("1", "1", "2")]),
    "queried": ("110112", "E", "", ["110153", "110152"], [("2", "3", "110181")]),
    "login": ("110114", "E", "110122", ["", ""], []),
    "logout": ("110114", "E", "110123", ["", ""], []),
    "alert": ("110113", "E", "110126", ["", ""], [("2", "13", "110182")]),
    "alert of a kind of its own": ("110113", "E", "110132", ["", ""], [("2", "13", "110182")]),
}


def trail_in(folder: Path, **settings: object) -> AuditTrail:
    return AuditTrail(Settings(data=folder, **settings))  # type: ignore[arg-type]


def messages(folder: Path) -> list[ET.Element]:
    records = Journal(folder / "audit").records()
    return [ET.fromstring(record.message) for record in records]  # noqa: S314 - our own


def code(element: ET.Element | None) -> str:
    return "" if element is None else element.get("csd-code", "")


def patients(folder: Path) -> list[str]:
    objects = [about for message in messages(folder) for about in message.iter("ParticipantObjectIdentification")]
    return [about.get("ParticipantObjectID", "") for about in objects if about.get("ParticipantObjectTypeCode") == "1"]


@pytest.mark.parametrize("event", EVENTS)
def test_every_message_obeys_the_schema_and_the_table_of_its_event(event: str, tmp_path: Path) -> None:
    EVENTS[event](trail_in(tmp_path, audit_site="Ward 7"))
    (message,) = messages(tmp_path)
    assert faults(message) == []
    identification = message.find("EventIdentification")
    assert identification is not None
    participants = message.findall("ActiveParticipant")
    objects = message.findall("ParticipantObjectIdentification")
    assert TABLES[event] == (
        code(identification.find("EventID")),
        identification.get("EventActionCode"),
        code(identification.find("EventTypeCode")),
        [code(participant.find("RoleIDCode")) for participant in participants],
        [
            (
                about.get("ParticipantObjectTypeCode"),
                about.get("ParticipantObjectTypeCodeRole"),
                code(about.find("ParticipantObjectIDTypeCode")),
            )
            for about in objects
        ],
    )


def test_a_message_that_breaks_the_schema_is_told_apart(tmp_path: Path) -> None:
    trail_in(tmp_path).started("receive")
    for spoil in (
        lambda message: message.remove(message.find("ActiveParticipant")),
        lambda message: message.find("EventIdentification").set("EventOutcomeIndicator", "1"),
        lambda message: message.find("EventIdentification").set("Patient", "x"),
        lambda message: message.append(ET.Element("ActiveParticipant", UserID="x", UserIsRequestor="true")),
    ):
        (message,) = messages(tmp_path)
        spoil(message)
        assert faults(message) != []


def test_who_sent_and_who_received_follow_from_the_direction(tmp_path: Path) -> None:
    trail = trail_in(tmp_path, ae_title="NODE")
    trail.transferred("in", "1.2.3", CLASSES, PEER)
    trail.transferred("out", "1.2.3", CLASSES, PEER, False)
    users = [[each.get("UserID") for each in message.iter("ActiveParticipant")] for message in messages(tmp_path)]
    assert users == [["MODALITY", "NODE"], ["NODE", "MODALITY"]]
    outcomes = [message.find("EventIdentification").get("EventOutcomeIndicator") for message in messages(tmp_path)]
    assert outcomes == ["0", "8"]
    (told,) = messages(tmp_path)[0].iter("SOPClass")
    assert (told.get("UID"), told.get("NumberOfInstances")) == (DX, "3")


def test_a_keyed_hash_stands_for_the_patient(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        trail = trail_in(tmp_path / folder)
        for patient_id in ("P1", "P2", "P1"):
            trail.accessed("1.2.3", CLASSES, patient_id=patient_id)
    first, second, again = patients(tmp_path / "one")
    assert first == again != second
    assert first.startswith("hmac:")
    assert first not in patients(tmp_path / "two")
    assert "P1" not in "".join(path.read_text() for path in files(tmp_path / "one" / "audit"))


def test_a_site_may_have_the_patients_number_written(tmp_path: Path) -> None:
    trail_in(tmp_path, audit_patient_id=True).accessed("1.2.3", CLASSES, patient_id="P1")
    assert patients(tmp_path) == ["P1"]


def test_the_patient_of_a_received_study_is_found_in_the_spool(tmp_path: Path) -> None:
    make_film(tmp_path / "spool" / "1.2.3" / "1.2.3.4" / "1.dcm", PatientID="P1", PatientName="SECRET^NAME")
    trail = trail_in(tmp_path)
    trail.transferred("in", "1.2.3", CLASSES, PEER)
    trail.accessed("1.2.3", CLASSES, patient_id="P1")
    trail.transferred("in", "1.2.4", CLASSES, PEER)
    found, told, unknown = patients(tmp_path)
    assert found == told
    assert unknown == "unknown"
    assert "SECRET" not in "".join(path.read_text() for path in files(tmp_path / "audit"))


def test_what_a_peer_says_of_itself_breaks_neither_the_xml_nor_the_line(tmp_path: Path) -> None:
    trail = trail_in(tmp_path)
    trail.transferred("in", "1.2.3", {'"><x a="': 1}, Peer('"/><AuditMessage>\n\r\x00\ud800&', "\x1b[2J]]>" * 1000))
    trail.queried(PEER, {"StudyDescription": "]]>\n\ud800"}, patient_id="P\n1")
    trail.security_alert(Alert.RESTRICTED_FUNCTION, PEER, "\x00\ud800" * 5000)
    assert [faults(message) for message in messages(tmp_path)] == [[], [], []]
    (path,) = files(tmp_path / "audit")
    assert len(path.read_bytes().splitlines()) == 3
    assert path.stat().st_size < 2**16


def test_the_trail_never_raises(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    with spoken() as said:
        trail = trail_in(tmp_path)
        for event in EVENTS.values():
            event(trail)
        trail.transferred("in", "../../etc", CLASSES, PEER)
    assert said.getvalue().count("an audit record could not be written") == len(EVENTS) + 1


def test_the_trail_is_for_its_owner_alone(tmp_path: Path) -> None:
    trail_in(tmp_path).accessed("1.2.3", CLASSES, patient_id="P1")
    folder = tmp_path / "audit"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_record_is_on_the_disk_before_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(journal.os, "fsync", synced.append)
    trail = trail_in(tmp_path)
    trail.started("receive")
    first = len(synced)
    trail.started("receive")
    assert len(synced) == first + 1


def write_records(folder: Path, number: int) -> None:
    trail = trail_in(folder)
    for _ in range(number):
        trail.transferred("in", "1.2.3", CLASSES, PEER, patient_id="P1")


def test_processes_and_threads_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=write_records, args=(tmp_path, 15)) for _ in range(3)]
    threads = [threading.Thread(target=write_records, args=(tmp_path, 15)) for _ in range(3)]
    for each in (*processes, *threads):
        each.start()
    for each in (*processes, *threads):
        each.join()
    records = list(Journal(tmp_path / "audit").records())
    assert [record.number for record in records] == list(range(1, 91))
    assert all(record.sound for record in records)
    assert len(set(patients(tmp_path))) == 1


def changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"MODALITY", b"SOMEBODY"), *lines[2:]]


def renumbered(lines: list[bytes]) -> list[bytes]:
    kept = [json.loads(line) for line in lines[:1] + lines[2:]]
    return [json.dumps({**line, "n": number}).encode() + b"\n" for number, line in enumerate(kept, 1)]


@pytest.mark.parametrize(
    "tamper",
    [
        changed,
        renumbered,
        lambda lines: lines[:1] + lines[2:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:2], lines[1], *lines[2:]],
        lambda lines: [lines[0], b"{}\n", *lines[2:]],
    ],
    ids=["changed", "renumbered", "taken out", "swapped", "put in", "emptied"],
)
def test_a_chain_that_was_tampered_with_is_broken(tamper: Callable[[list[bytes]], list[bytes]], tmp_path: Path) -> None:
    write_records(tmp_path, 4)
    assert all(record.sound for record in Journal(tmp_path / "audit").records())
    (path,) = files(tmp_path / "audit")
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    assert not all(record.sound for record in Journal(tmp_path / "audit").records())


def test_what_a_power_cut_left_of_a_line_is_cut_off_and_the_chain_goes_on(tmp_path: Path) -> None:
    write_records(tmp_path, 2)
    (path,) = files(tmp_path / "audit")
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[1][:100])
    write_records(tmp_path, 1)
    records = list(Journal(tmp_path / "audit").records())
    assert [(record.number, record.sound) for record in records] == [(1, True), (2, True), (3, True)]


def test_a_spoilt_last_line_is_seen_and_does_not_end_the_trail(tmp_path: Path) -> None:
    write_records(tmp_path, 2)
    (path,) = files(tmp_path / "audit")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b"spoilt\n")
    write_records(tmp_path, 2)
    assert [record.sound for record in Journal(tmp_path / "audit").records()] == [True, False, False, True]


def test_there_is_a_file_for_each_day_and_one_chain_over_all_even_when_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz=UTC):
            return datetime.now(tz) + ahead

    monkeypatch.setattr(journal, "datetime", Clock)
    for days in (0, 1, -1):
        ahead = timedelta(days=days)
        write_records(tmp_path, 2)
    found = files(tmp_path / "audit")
    assert [len(path.read_bytes().splitlines()) for path in found] == [2, 4]
    assert all(record.sound for record in Journal(tmp_path / "audit").records())
    found[0].unlink()
    left = list(Journal(tmp_path / "audit").records())
    assert [(record.number, record.sound) for record in left] == [(number, True) for number in range(3, 7)]


def test_old_days_are_removed_and_the_rest_is_still_one_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz=UTC):
            return datetime.now(tz) + ahead

    monkeypatch.setattr(journal, "datetime", Clock)
    for days in (0, 1, 2):
        ahead = timedelta(days=days)
        write_records(tmp_path, 2)
    trail_in(tmp_path).forget(2)
    assert len(files(tmp_path / "audit")) == 3
    trail_in(tmp_path).forget(1)
    assert len(files(tmp_path / "audit")) == 2
    write_records(tmp_path, 1)
    left = list(Journal(tmp_path / "audit").records())
    assert [(record.number, record.sound) for record in left] == [(number, True) for number in range(3, 8)]
    ahead = timedelta(days=100)
    trail_in(tmp_path).forget(1)
    assert [path.stem for path in files(tmp_path / "audit")] == [f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"]
    write_records(tmp_path, 1)
    assert [record.number for record in Journal(tmp_path / "audit").records()] == [5, 6, 7, 8]


def command(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str):
    monkeypatch.setenv("NUMBERING_DATA", str(folder))
    return CliRunner().invoke(app, ["audit", *arguments])


def test_the_command_shows_the_trail_and_what_of_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = trail_in(tmp_path)
    trail.transferred("in", "1.2.3", CLASSES, PEER, patient_id="P1")
    trail.transferred("in", "1.2.4", CLASSES, PEER, False, patient_id="P1")
    trail.security_alert(Alert.NODE_AUTHENTICATION, PEER, "wrong called title")
    shown = command(tmp_path, monkeypatch)
    assert shown.exit_code == 0
    assert "wrong called title" in shown.stdout
    told = json.loads(command(tmp_path, monkeypatch, "--study", "1.2.4", "--json", "-").stdout)
    assert (told["sound"], told["records"]) == (True, 3)
    (entry,) = told["entries"]
    assert (entry["event"], entry["success"], entry["objects"]) == ("DICOM Instances Transferred", False, 3)
    later = json.loads(command(tmp_path, monkeypatch, "--since", "2099-01-01", "--json", "-").stdout)
    assert later["entries"] == []


def test_the_command_fails_on_an_altered_trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(tmp_path, 3)
    (path,) = files(tmp_path / "audit")
    path.write_bytes(b"".join(changed(path.read_bytes().splitlines(keepends=True))))
    run = command(tmp_path, monkeypatch, "--json", "-")
    assert run.exit_code == 1
    assert json.loads(run.stdout)["sound"] is False


def test_the_command_says_where_a_trail_begins_of_which_old_files_were_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(tmp_path, 3)
    (path,) = files(tmp_path / "audit")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    told = json.loads(command(tmp_path, monkeypatch, "--json", "-").stdout)
    assert (told["sound"], told["first"], told["records"]) == (True, 2, 2)


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], []])
def test_the_command_says_when_it_is_misused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(tmp_path / "nothing", monkeypatch, *arguments).exit_code == 2


def test_a_query_is_kept_as_it_was_asked_but_for_the_patient(tmp_path: Path) -> None:
    trail_in(tmp_path).queried(PEER, {"QueryRetrieveLevel": "STUDY"}, patient_id="P1")
    (query,) = messages(tmp_path)[0].iter("ParticipantObjectQuery")
    lines = base64.b64decode(query.text or "").decode().splitlines()
    assert lines[0].startswith("PatientID=hmac:")
    assert lines[1] == "QueryRetrieveLevel=STUDY"
