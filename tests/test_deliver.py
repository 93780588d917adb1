"""Delivery over real sockets: what becomes of each object, whatever the peer does."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ImplicitVRLittleEndian,
)
from pynetdicom import AllStoragePresentationContexts, evt
from pynetdicom.dimse import DIMSEServiceProvider

from numbering.dicom.objects.encode import encode, write_objects
from numbering.dicom.outgoing.deliver import Destination, Outcome, echo, send
from tests.archive import free_port, running_archive
from tests.films import NAME, PATIENT_ID, make_film
from tests.peers import CLASSES, QUICK, peer
from tests.results import numbered, result_of


@pytest.fixture
def objects(tmp_path: Path) -> list[Path]:
    film = make_film(tmp_path / "film.dcm")
    uid = str(dcmread(film).SOPInstanceUID)
    written = write_objects(encode(result_of([film], numbered(uid)), {uid: film}), tmp_path / "out")
    return [*(item.path for item in written), film]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ORTHANC@localhost:4242", Destination("ORTHANC", "localhost", 4242)),
        ("MY PACS@pacs.example.org:104", Destination("MY PACS", "pacs.example.org", 104)),
        ("A@[::1]:11112", Destination("A", "::1", 11112)),
    ],
)
def test_a_destination_is_read_and_written_alike(text: str, expected: Destination) -> None:
    assert Destination.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected AET@HOST:PORT"),
        ("ORTHANC", "expected AET@HOST:PORT"),
        ("ORTHANC@localhost", "expected AET@HOST:PORT"),
        ("@localhost:104", "expected AET@HOST:PORT"),
        ("A@B@localhost:104", "expected AET@HOST:PORT"),
        ("ORTHANC@localhost:dicom", "expected AET@HOST:PORT"),
        ("ORTHANC@localhost:0", "port 0 must be from 1 to 65535"),
        ("ORTHANC@localhost:70000", "port 70000 must be from 1 to 65535"),
        ("SEVENTEEN-LETTERS@localhost:104", "must be 1 to 16"),
        ("BACK\\SLASH@localhost:104", "without backslash"),
    ],
)
def test_a_wrong_destination_is_refused_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Destination.parse(text)


def test_what_arrives_is_what_was_written(objects: list[Path]) -> None:
    arrived: dict[str, bytes] = {}

    def keep(event: evt.Event) -> int:
        arrived[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return 0x0000

    with peer(keep) as destination:
        sent = send(objects, destination, "NUMBERING")
    assert [item.path for item in sent] == objects
    assert [(item.outcome, item.status) for item in sent] == [(Outcome.DELIVERED, 0)] * 3
    for item in sent:
        assert item.path.read_bytes().endswith(arrived[item.sop_instance_uid])


def test_objects_go_over_one_association_that_does_not_wait_for_acknowledgements(objects: list[Path]) -> None:
    titles, delays = [], []

    def accepted(event: evt.Event) -> None:
        titles.append(event.assoc.requestor.ae_title)

    with peer(handlers=((evt.EVT_ACCEPTED, accepted),)) as destination, pytest.MonkeyPatch.context() as patch:
        original = socket.socket.setsockopt

        def seen(self: socket.socket, *arguments: Any) -> None:
            delays.append(arguments)
            original(self, *arguments)

        patch.setattr(socket.socket, "setsockopt", seen)
        send(objects, destination, "NUMBERING")
    assert titles == ["NUMBERING"]
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in delays


def test_a_peer_that_knows_only_implicit_vr_gets_implicit_vr(objects: list[Path]) -> None:
    read: list[Dataset] = []

    def keep(event: evt.Event) -> int:
        read.append(event.dataset)
        return 0x0000

    with peer(keep, syntaxes=(ImplicitVRLittleEndian,)) as destination:
        sent = send(objects[:1], destination, "NUMBERING")
    assert [item.outcome for item in sent] == [Outcome.DELIVERED]
    assert read[0].ContentSequence == dcmread(objects[0]).ContentSequence


def test_a_warning_is_a_delivery_and_says_so(objects: list[Path]) -> None:
    with peer(lambda event: 0xB000) as destination:
        (sent, *_) = send(objects, destination, "NUMBERING")
    assert (sent.outcome, sent.status) == (Outcome.DELIVERED, 0xB000)
    assert "0xB000 Warning" in sent.text


def test_a_refusal_of_one_object_does_not_stop_the_others(objects: list[Path]) -> None:
    def no_reports(event: evt.Event) -> Dataset | int:
        if event.request.AffectedSOPClassUID != ComprehensiveSRStorage:
            return 0x0000
        status = Dataset()
        status.Status, status.ErrorComment = 0xA700, f"no room for {NAME} {PATIENT_ID}"
        return status

    with peer(no_reports) as destination:
        sent = send(objects, destination, "NUMBERING")
    assert [item.outcome for item in sent] == [Outcome.REFUSED, Outcome.DELIVERED, Outcome.DELIVERED]
    assert "0xA700 Failure" in sent[0].text
    assert NAME not in sent[0].text
    assert PATIENT_ID not in sent[0].text


def test_a_class_that_the_peer_does_not_take_is_refused(objects: list[Path]) -> None:
    with peer(classes=CLASSES[1:]) as destination:
        sent = send(objects, destination, "NUMBERING")
    assert [item.outcome for item in sent] == [Outcome.REFUSED, Outcome.DELIVERED, Outcome.DELIVERED]
    assert f"accepts no {ComprehensiveSRStorage}" in sent[0].text


def test_nobody_there_is_unreachable(objects: list[Path]) -> None:
    nobody = Destination("ARCHIVE", "127.0.0.1", free_port())
    sent = send(objects, nobody, "NUMBERING", timeouts=QUICK)
    assert [item.outcome for item in sent] == [Outcome.UNREACHABLE] * 3
    assert "cannot be reached" in sent[0].text
    assert echo(nobody, "NUMBERING", timeouts=QUICK).outcome is Outcome.UNREACHABLE


def test_a_peer_that_takes_nothing_refuses(objects: list[Path]) -> None:
    with peer(classes=()) as destination:
        sent = send(objects, destination, "NUMBERING", timeouts=QUICK)
    assert [item.outcome for item in sent] == [Outcome.REFUSED] * 3
    assert "accepts none" in sent[0].text


def test_a_name_that_resolves_to_nothing_is_unreachable(objects: list[Path]) -> None:
    nowhere = Destination("ARCHIVE", "no-such-host.invalid", 104)
    assert {item.outcome for item in send(objects, nowhere, "NUMBERING", timeouts=QUICK)} == {Outcome.UNREACHABLE}


def test_a_rejected_association_says_why(objects: list[Path]) -> None:
    with peer(require=True) as destination:
        wrong = Destination("OTHER", destination.host, destination.port)
        (sent, *_) = send(objects, wrong, "NUMBERING", timeouts=QUICK)
    assert sent.outcome is Outcome.UNREACHABLE
    assert "Called AE title not recognised" in sent.text


def test_a_peer_that_hangs_up_in_the_middle_is_asked_again(objects: list[Path]) -> None:
    seen: list[str] = []

    def hang_up_once(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if len(seen) == 2:
            event.assoc.abort()
        return 0x0000

    with peer(hang_up_once) as destination:
        sent = send(objects, destination, "NUMBERING", timeouts=QUICK)
    assert [item.outcome for item in sent] == [Outcome.DELIVERED] * 3
    assert seen == [sent[n].sop_instance_uid for n in (0, 1, 1, 2)]


def test_a_peer_that_always_hangs_up_leaves_what_it_did_not_answer(objects: list[Path]) -> None:
    def hang_up(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    with peer(hang_up) as destination:
        sent = send(objects, destination, "NUMBERING", timeouts=QUICK)
    assert [(item.outcome, item.status) for item in sent] == [(Outcome.UNREACHABLE, None)] * 3


def test_a_response_without_status_is_no_delivery(objects: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynetdicom.association.Association.send_c_store", lambda *_: Dataset())
    with peer() as destination:
        (sent,) = send(objects[:1], destination, "NUMBERING", timeouts=QUICK)
    assert (sent.outcome, sent.status) == (Outcome.UNREACHABLE, None)
    assert "did not answer" in sent.text


def test_a_response_that_the_reactor_took_is_not_lost(objects: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[str] = []
    taken: list[bool] = []

    def keep(event: evt.Event) -> int:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    original = DIMSEServiceProvider.get_msg

    def reactor_takes_the_first(self: DIMSEServiceProvider, block: bool = False) -> Any:
        if block and not taken:
            taken.append(True)
            context_id, message = original(self, block)
            self.assoc._serve_request(message, context_id)
        return original(self, block)

    monkeypatch.setattr(DIMSEServiceProvider, "get_msg", reactor_takes_the_first)
    with peer(keep) as destination:
        sent = send(objects, destination, "NUMBERING", timeouts=QUICK)
    assert taken
    assert [item.outcome for item in sent] == [Outcome.DELIVERED] * 3
    assert received == [item.sop_instance_uid for item in sent]


def test_more_classes_than_an_association_holds_go_over_several(tmp_path: Path) -> None:
    known = [str(context.abstract_syntax) for context in AllStoragePresentationContexts][:150]
    paths = [tiny(tmp_path / f"{n}.dcm", sop_class) for n, sop_class in enumerate(known)]
    associations: list[str] = []

    def accepted(event: evt.Event) -> None:
        associations.append(event.assoc.name)

    with peer(classes=tuple(known[:140]), handlers=((evt.EVT_ACCEPTED, accepted),)) as destination:
        sent = send(paths, destination, "NUMBERING")
    assert [item.path for item in sent] == paths
    assert [item.outcome for item in sent] == [Outcome.DELIVERED] * 140 + [Outcome.REFUSED] * 10
    assert len(associations) == 2


def tiny(path: Path, sop_class: str) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID = sop_class, f"{sop_class}.9", "P"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_file_that_is_no_dicom_file_is_our_fault_and_raised_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        send([tmp_path / "missing.dcm"], Destination("A", "127.0.0.1", 1), "NUMBERING")


def test_orthanc_files_our_objects_in_the_films_study(objects: list[Path], tmp_path: Path) -> None:
    study = str(dcmread(objects[0]).StudyInstanceUID)
    with running_archive(tmp_path / "archive", modalities={"NUMBERING": 11112}) as archive:
        destination = Destination.parse(archive.destination)
        assert echo(destination, "NUMBERING").outcome is Outcome.DELIVERED
        sent = send(objects, destination, "NUMBERING")
        assert [item.outcome for item in sent] == [Outcome.DELIVERED] * 3
        assert set(archive.instances(study)) == {item.sop_instance_uid for item in sent}


def test_an_echo_is_answered() -> None:
    with peer() as destination:
        answer = echo(destination, "NUMBERING")
    assert answer.outcome is Outcome.DELIVERED
    assert str(destination) in answer.text
