"""The storage SCP against DCMTK's tools and pynetdicom: bytes as sent, success only when durable."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE

from numbering.dicom.incoming.accept import STORAGE_CLASSES
from numbering.dicom.incoming.receive import Receiver, start_receiver
from numbering.dicom.incoming.spool import Kept, Spool
from numbering.dicom.part10 import split
from numbering.settings import Settings
from numbering.uids import IMPLEMENTATION_CLASS_UID
from tests.films import SECRETS, SOP_CLASS, make_ct, make_film, uneven


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Receiver, Spool]]:
    options = Settings(data=tmp_path / "data", port=0)  # type: ignore[call-arg]
    spool = Spool(options.spool)
    receiver = start_receiver(options, spool)
    yield receiver, spool
    receiver.stop()


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    assert shutil.which(name), f"{name} is not installed: apt-get install dcmtk"
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = [name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def storescu(port: int, *files: Path, options: tuple[str, ...] = ()) -> None:
    sent = tool("storescu", "-R", *options, "-aec", "NUMBERING", "127.0.0.1", port, *files)
    assert sent.returncode == 0, sent.stderr


def send(port: int, ds: Dataset, **changed: Any) -> Dataset:
    """C-STORE with pynetdicom, so that command and data set may disagree."""
    ae = AE("SENDER")
    ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", port, ae_title="NUMBERING")
    assert assoc.is_established
    for keyword, value in changed.items():
        setattr(ds.file_meta, keyword, value)
    answer = assoc.send_c_store(ds)
    assoc.release()
    return answer


def stored(spool: Spool) -> list[Path]:
    return sorted(path for path in spool.root.glob("[0-9]*/*/*.dcm"))


def test_an_echo_is_answered(node: tuple[Receiver, Spool]) -> None:
    answer = tool("echoscu", "-aec", "NUMBERING", "127.0.0.1", node[0].port)
    assert answer.returncode == 0, answer.stderr


def test_answers_are_not_held_back_by_nagles_algorithm(node: tuple[Receiver, Spool]) -> None:
    ae = AE("SENDER")
    ae.add_requested_context("1.2.840.10008.1.1")
    assoc = ae.associate("127.0.0.1", node[0].port, ae_title="NUMBERING")
    (accepted,) = node[0].associations
    open_socket = accepted.dul.socket and accepted.dul.socket.socket
    assert open_socket is not None
    assert open_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assoc.release()


TRANSFER_SYNTAXES = {
    "implicit": (("dcmconv", "+ti"), ("-xi",)),
    "explicit": (("dcmconv", "+te"), ("-xe",)),
    "big endian": (("dcmconv", "+tb"), ("-xb",)),
    "deflated": (("dcmconv", "+td"), ("-xd",)),
    "jpeg lossless": (("dcmcjpeg", "+e1"), ("-xs",)),
    "jpeg baseline": (("dcmcjpeg", "+eb"), ("-xy",)),
    "jpeg-ls": (("dcmcjpls", "+el"), ("-xt",)),
    "rle": (("dcmcrle",), ("-xr",)),
}


@pytest.mark.parametrize("name", TRANSFER_SYNTAXES)
def test_the_data_set_is_stored_byte_for_byte_in_every_transfer_syntax(
    node: tuple[Receiver, Spool], tmp_path: Path, name: str
) -> None:
    (encode, *how), options = TRANSFER_SYNTAXES[name]
    pixels = (uneven(40, 24, 255)).astype("u1") if name == "jpeg baseline" else uneven(40, 24)
    plain = make_film(tmp_path / "plain.dcm", modality="CR", pixels=pixels)
    file = tmp_path / "sent.dcm"
    assert tool(encode, *how, plain, file).returncode == 0
    storescu(node[0].port, file, options=options)
    (found,) = stored(node[1])
    kept, sent = split(found.read_bytes()), split(file.read_bytes())
    assert kept.transfer_syntax == sent.transfer_syntax
    # Of a deflated stream with an odd length DCMTK pads the file and not what it sends, or the other way round.
    padding = b"\0" if name == "deflated" else b""
    assert kept.data_set.rstrip(padding) == sent.data_set.rstrip(padding)


def test_the_file_is_a_proper_dicom_file(node: tuple[Receiver, Spool], tmp_path: Path) -> None:
    storescu(node[0].port, make_film(tmp_path / "film.dcm"), options=("-aet", "MODALITY"))
    (found,) = stored(node[1])
    ds = dcmread(found)
    assert found.parts[-3:] == (ds.StudyInstanceUID, ds.SeriesInstanceUID, f"{ds.SOPInstanceUID}.dcm")
    assert ds.file_meta.MediaStorageSOPClassUID == ds.SOPClassUID
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert ds.file_meta.SourceApplicationEntityTitle == "MODALITY"
    checked = tool("dciodvfy", found)
    assert "Error" not in checked.stderr, checked.stderr


def test_every_supported_class_and_transfer_syntax_is_accepted_retired_ones_too(node: tuple[Receiver, Spool]) -> None:
    syntaxes = ("", ".1", ".2", ".4.90", ".4.201", ".4.53", ".4.55", ".1.98")
    for storage in STORAGE_CLASSES:
        ae = AE("SENDER")
        for syntax in syntaxes:
            ae.add_requested_context(storage, f"1.2.840.10008.1.2{syntax}")
        assoc = ae.associate("127.0.0.1", node[0].port, ae_title="NUMBERING")
        assert len(assoc.accepted_contexts) == len(syntaxes), storage.name
        assoc.release()


def test_senders_at_once_lose_nothing(node: tuple[Receiver, Spool], tmp_path: Path) -> None:
    slices = [make_ct(tmp_path / f"{n}.dcm", study_uid="1.2", series_uid="1.3", sop_uid=f"1.4.{n}") for n in range(40)]
    command = ["storescu", "-R", "-aec", "NUMBERING", "127.0.0.1", str(node[0].port)]
    senders = [subprocess.Popen([*command, *map(str, slices[part::2]), str(slices[0])]) for part in range(2)]
    assert [sender.wait(60) for sender in senders] == [0, 0]
    assert {path.stem for path in node[1].files("1.2", "1.3")} == {f"1.4.{n}" for n in range(40)}
    arrivals = node[1].arrivals()
    assert {arrival.sop_instance_uid for arrival in arrivals} == {f"1.4.{n}" for n in range(40)}
    assert len(arrivals) == 42


def test_another_picture_under_a_known_uid_is_a_warning_and_is_not_overwritten(
    node: tuple[Receiver, Spool], tmp_path: Path
) -> None:
    uids: dict[str, Any] = {"study_uid": "1.2", "series_uid": "1.3", "sop_uid": "1.4"}
    first = dcmread(make_film(tmp_path / "a.dcm", **uids))
    assert send(node[0].port, first).Status == 0
    before = stored(node[1])[0].read_bytes()
    answer = send(node[0].port, dcmread(make_film(tmp_path / "b.dcm", pixels=uneven()[::-1], **uids)))
    assert answer.Status & 0xF000 == 0xB000
    assert [path.read_bytes() for path in stored(node[1])] == [before]
    assert len(node[1].quarantined("1.4")) == 1


def test_a_corrected_name_is_a_success(node: tuple[Receiver, Spool], tmp_path: Path) -> None:
    ds = dcmread(make_film(tmp_path / "a.dcm", sop_uid="1.4"))
    assert send(node[0].port, ds).Status == 0
    ds.PatientName = "Other^Name"
    assert send(node[0].port, ds).Status == 0
    assert [arrival.kind for arrival in node[1].arrivals()] == ["stored", "update"]


def refused(node: tuple[Receiver, Spool], answer: Dataset) -> int:
    assert len(answer.ErrorComment) <= 64
    assert not any(secret in answer.ErrorComment for secret in SECRETS)
    assert stored(node[1]) == []
    assert node[1].arrivals() == []
    return int(answer.Status)


def test_a_command_that_names_another_instance_is_refused(node: tuple[Receiver, Spool], tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.dcm")
    ae = AE("SENDER")
    ae.add_requested_context(SOP_CLASS["DX"], "1.2.840.10008.1.2.1")
    assoc = ae.associate("127.0.0.1", node[0].port, ae_title="NUMBERING")
    raw = split(path.read_bytes()).data_set
    answer = store_raw(assoc, raw, sop_instance="1.2.3.4.5")
    assoc.release()
    assert refused(node, answer) == 0xA900


@pytest.mark.parametrize("context", ["1.2.840.10008.1.1", SOP_CLASS["DX"]], ids=["verification", "another class"])
def test_a_class_that_is_not_taken_is_refused_in_whatever_context_it_comes(
    node: tuple[Receiver, Spool], tmp_path: Path, context: str
) -> None:
    plan = "1.2.840.10008.5.1.4.1.1.481.5"
    data_set = split(make_film(tmp_path / "a.dcm", sop_uid="1.2.3.4.5").read_bytes()).data_set
    data_set = data_set.replace(_element(SOP_CLASS["DX"]), _element(plan))
    ae = AE("SENDER")
    ae.add_requested_context(context, "1.2.840.10008.1.2.1")
    assoc = ae.associate("127.0.0.1", node[0].port, ae_title="NUMBERING")
    answer = store_raw(assoc, data_set, sop_instance="1.2.3.4.5", sop_class=plan)
    assoc.release()
    assert refused(node, answer) == 0x0122


def _element(sop_class: str) -> bytes:
    """SOP Class UID (0008,0016) in Explicit VR Little Endian."""
    value = sop_class.encode() + b"\0" * (len(sop_class) % 2)
    return b"\x08\x00\x16\x00UI" + len(value).to_bytes(2, "little") + value


def store_raw(assoc: Any, data_set: bytes, sop_instance: str, sop_class: str = SOP_CLASS["DX"]) -> Dataset:
    """Send bytes as they are, as a damaged sender would."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = sop_instance
    request.Priority = 2
    request.DataSet = BytesIO(data_set)
    assoc._reactor_checkpoint.clear()
    assoc.dimse.send_msg(request, assoc.accepted_contexts[0].context_id)
    _, response = assoc.dimse.get_msg(block=True)
    assoc._reactor_checkpoint.set()
    answer = Dataset()
    answer.Status, answer.ErrorComment = response.Status, response.ErrorComment or ""
    return answer


@pytest.mark.parametrize("data_set", [b"\0\0", b"\xff" * 500, b"SECRET^NAME" * 50], ids=["zeros", "ones", "text"])
def test_a_data_set_that_cannot_be_parsed_is_refused(node: tuple[Receiver, Spool], data_set: bytes) -> None:
    ae = AE("SENDER")
    ae.add_requested_context(SOP_CLASS["DX"], "1.2.840.10008.1.2.1")
    assoc = ae.associate("127.0.0.1", node[0].port, ae_title="NUMBERING")
    answer = store_raw(assoc, data_set, sop_instance="1.2.3.4.5")
    assoc.release()
    assert refused(node, answer) in (0xA900, *range(0xC000, 0xD000))


@pytest.mark.parametrize("value", ["../../../etc", "1.02.3", "", "1." + "9" * 70])
def test_an_invalid_series_uid_is_refused(
    node: tuple[Receiver, Spool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    ds = dcmread(make_film(tmp_path / "a.dcm"))
    ds.SeriesInstanceUID = value
    assert refused(node, send(node[0].port, ds)) & 0xF000 == 0xC000


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk_is_out_of_resources_and_leaves_no_file(
    node: tuple[Receiver, Spool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ds = dcmread(make_film(tmp_path / "a.dcm"))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        answer = send(node[0].port, ds)
    assert refused(node, answer) == 0xA700
    assert list((node[1].root / ".incoming").iterdir()) == []
    assert send(node[0].port, ds).Status == 0


def test_no_answer_comes_before_the_marker_is_durable(
    node: tuple[Receiver, Spool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    keep = Spool.keep_draft

    def slow_keep(*arguments: Any) -> Kept:
        kept = keep(*arguments)
        time.sleep(0.2)
        calls.append("kept")
        return kept

    monkeypatch.setattr(Spool, "keep_draft", slow_keep)
    assert send(node[0].port, dcmread(make_film(tmp_path / "a.dcm"))).Status == 0
    assert calls == ["kept"]


RECEIVE = """
import sys
from pathlib import Path
from numbering.dicom.incoming.receive import run_receiver
from numbering.settings import Settings
run_receiver(Settings(data=Path(sys.argv[1]), port=int(sys.argv[2])))
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", RECEIVE, str(tmp_path / "data"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        deadline = time.monotonic() + 30
        while tool("echoscu", "-aec", "NUMBERING", "127.0.0.1", port).returncode:
            assert running.poll() is None, running.stdout and running.stdout.read()
            assert time.monotonic() < deadline, "the receiver did not answer within 30 s"
            time.sleep(0.05)
        yield running, port
        running.kill()


def test_what_was_acknowledged_survives_a_kill(process: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    running, port = process
    ds = dcmread(make_film(tmp_path / "a.dcm"))
    assert send(port, ds).Status == 0
    running.kill()
    running.wait(10)
    spool = Spool(tmp_path / "data" / "spool")
    (arrival,) = spool.arrivals()
    assert arrival.sop_instance_uid == ds.SOPInstanceUID
    assert dcmread(stored(spool)[0]) == ds


def test_a_terminated_receiver_ends_by_itself_and_its_log_names_no_patient(
    process: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    running, port = process
    ds = dcmread(make_film(tmp_path / "a.dcm"))
    assert send(port, ds).Status == 0
    del ds.StudyInstanceUID
    assert send(port, ds).Status != 0
    running.send_signal(signal.SIGTERM)
    log, _ = running.communicate(timeout=20)
    assert running.returncode == 0, log
    assert ds.SOPInstanceUID in log
    assert "refused" in log
    assert not any(secret in log for secret in SECRETS), log
