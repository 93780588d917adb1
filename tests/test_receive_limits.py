"""What a receiver does not take: from whom, how many, how large, how slow, and when the disk is nearly full."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydicom import dcmread
from pynetdicom import AE, build_context, build_role
from pynetdicom.association import Association

from numbering.dicom.incoming import limits
from numbering.dicom.incoming.acceptor import AcceptedAssociation
from numbering.dicom.incoming.command import _HEAD
from numbering.dicom.incoming.receive import FEWEST_WAITING, Receiver, start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.incoming.upper import StoringProvider
from numbering.settings import Settings
from tests.films import make_film, uneven
from tests.test_receive import send

Start = Callable[..., tuple[Receiver, Spool]]
REJECT, ABORT = 3, 7


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Receiver] = []

    def begin(**options: object) -> tuple[Receiver, Spool]:
        settings = Settings(**{"data": tmp_path / "data", "port": 0, **options})  # type: ignore[arg-type]
        spool = Spool(settings.spool)
        running.append(start_receiver(settings, spool))
        return running[0], spool

    yield begin
    for receiver in running:
        receiver.stop(0.1)


def associate(port: int, called: str = "NUMBERING", calling: str = "SENDER", address: str = "127.0.0.1") -> Association:
    ae = AE(calling)
    ae.add_requested_context("1.2.840.10008.1.1")
    ae.add_requested_context("1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1")
    return ae.associate("127.0.0.1", port, ae_title=called, bind_address=(address, 0))


def refused_so_far(reason: str) -> float:
    return REGISTRY.get_sample_value("numbering_associations_refused_total", {"reason": reason}) or 0.0


def rejected(assoc: Association) -> tuple[int, int, int]:
    assert assoc.is_rejected
    answer = assoc.acceptor.primitive
    assert answer is not None
    return answer.result, answer.result_source, answer.diagnostic


def test_an_association_for_somebody_else_is_rejected(start: Start) -> None:
    receiver, _ = start()
    before = refused_so_far("called-ae-title")
    assert rejected(associate(receiver.port, called="OTHER")) == (1, 1, 7)
    assert refused_so_far("called-ae-title") == before + 1


def test_a_stranger_is_rejected_and_the_security_officer_is_told(start: Start, tmp_path: Path) -> None:
    receiver, _ = start(peers=("CT1@192.0.2.0/24", "MR7@127.0.0.0/8"))
    assert rejected(associate(receiver.port, calling="ELSE")) == (1, 1, 3)
    assert rejected(associate(receiver.port, calling="CT1")) == (1, 1, 1)
    known = associate(receiver.port, calling="MR7")
    assert known.is_established
    known.release()
    assert audit_trail(tmp_path).count(b'originalText=\\"Node Authentication') == 2


def audit_trail(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / "data" / "audit").rglob("*") if path.is_file())


def test_each_study_of_an_association_is_one_audit_record(start: Start, tmp_path: Path) -> None:
    receiver, _ = start()
    films = [
        dcmread(make_film(tmp_path / f"{number}.dcm", study_uid=f"1.2.{number % 2}", sop_uid=f"1.4.{number}"))
        for number in range(4)
    ]
    assoc = associate(receiver.port)
    assert [assoc.send_c_store(film).Status for film in films] == [0] * 4
    assert b"Instances Transferred" not in audit_trail(tmp_path)
    assoc.release()
    settle(receiver)
    assert audit_trail(tmp_path).count(b"Instances Transferred") == 2


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("maximum_associations", "too-many"), ("maximum_associations_per_peer", "too-many-of-peer")],
)
def test_one_association_too_many_is_rejected_for_now(start: Start, setting: str, reason: str) -> None:
    receiver, _ = start(**{setting: 2})
    before = refused_so_far(reason)
    first, second = associate(receiver.port), associate(receiver.port)
    assert first.is_established
    assert second.is_established
    assert rejected(associate(receiver.port)) == (2, 3, 2)
    assert refused_so_far(reason) == before + 1
    first.release()
    deadline = time.monotonic() + 10
    while not (again := associate(receiver.port)).is_established:
        assert time.monotonic() < deadline, "the slot of an ended association was not given back"
    again.release()
    second.release()


def established_socket(port: int) -> tuple[Association, socket.socket]:
    """An association whose socket is ours to misuse."""
    assoc = associate(port)
    assert assoc.is_established
    assert assoc.dul.socket is not None
    assert assoc.dul.socket.socket is not None
    return assoc, assoc.dul.socket.socket


def aborted(assoc: Association) -> bool:
    deadline = time.monotonic() + 10
    while not assoc.is_aborted and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(assoc.is_aborted)


@pytest.mark.parametrize(
    "pdu",
    [
        b"\x04\x00" + (2**32 - 1).to_bytes(4, "big"),
        b"\x04\x00" + (131073).to_bytes(4, "big"),
        b"\x01\x00" + (2**31).to_bytes(4, "big"),
        b"\x04\x00\x00\x00\x00\x06" + (2**31).to_bytes(4, "big") + b"\x01\x03",
        b"\x04\x00\x00\x00\x00\x06" + (1).to_bytes(4, "big") + b"\x01\x03",
        b"\x04\x00\x00\x00\x00\x06" + (2).to_bytes(4, "big") + b"\xfd\x03",
        b"\x63\x00\x00\x00\x00\x00",
    ],
    ids=["4 GiB", "one byte too long", "request", "long value", "short value", "unknown context", "unknown type"],
)
def test_a_pdu_that_breaks_the_rules_is_aborted_at_once(start: Start, pdu: bytes) -> None:
    receiver, spool = start()
    assoc, raw = established_socket(receiver.port)
    raw.sendall(pdu)
    assert aborted(assoc)
    assert spool.arrivals() == []
    healthy = associate(receiver.port)
    assert healthy.send_c_echo().Status == 0
    healthy.release()


def test_a_command_without_end_is_aborted(start: Start) -> None:
    receiver, _ = start()
    assoc, raw = established_socket(receiver.port)
    fragment = bytes(60_000)
    value = (len(fragment) + 2).to_bytes(4, "big") + b"\x01\x01" + fragment
    raw.sendall(2 * (b"\x04\x00" + len(value).to_bytes(4, "big") + value))
    assert aborted(assoc)


@pytest.mark.parametrize("said", [b"", b"\x01\x00\x00\x00\x00\xff\x00"], ids=["nothing", "half a request"])
def test_who_connects_and_asks_for_nothing_is_cut_off(start: Start, said: bytes) -> None:
    receiver, _ = start(artim_seconds=0.5)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as idle:
        idle.sendall(said)
        answer = idle.recv(100)
        assert answer == b"" or answer[0] == ABORT


def test_an_address_that_asks_for_nothing_locks_no_other_out(start: Start) -> None:
    receiver, _ = start(maximum_associations=2, maximum_associations_per_peer=1)
    before = refused_so_far("connections-of-peer")
    open_one = associate(receiver.port)
    idle = [socket.create_connection(("127.0.0.1", receiver.port), timeout=20) for _ in range(FEWEST_WAITING)]
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as refused:
        assert refused.recv(1) == b""
    assert refused_so_far("connections-of-peer") == before + 1
    other = associate(receiver.port, address="127.0.0.2")
    assert other.is_established
    for connection in idle:
        connection.close()
    open_one.release()
    settle(receiver, but=1)
    again = associate(receiver.port)
    assert again.is_established
    again.release()
    other.release()


@pytest.mark.parametrize("thread", [AcceptedAssociation, StoringProvider])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_association_without_a_thread_is_closed_and_leaves_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, thread: type[threading.Thread]
) -> None:
    receiver, _ = start()
    begin, refused = threading.Thread.start, []

    def starting(self: threading.Thread) -> None:
        if isinstance(self, thread):
            refused.append(self.name)
            raise RuntimeError("can't start new thread")
        begin(self)

    monkeypatch.setattr(threading.Thread, "start", starting)
    before = bells()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
            assert connection.recv(1) == b""
    settle(receiver)
    assert (len(refused), bells()) == (3, before)


def bells() -> int:
    """Descriptors by which threads of associations are woken."""
    found = 0
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):  # the one by which the folder is read
            found += "eventfd" in str(descriptor.readlink())
    return found


def test_half_a_pdu_and_then_silence_is_aborted(start: Start) -> None:
    receiver, _ = start(idle_seconds=0.5)
    assoc, raw = established_socket(receiver.port)
    raw.sendall(b"\x04\x00\x00\x00\xff\xff\x00")
    assert aborted(assoc)


def test_an_idle_association_is_aborted(start: Start) -> None:
    receiver, _ = start(idle_seconds=0.5)
    assoc, _raw = established_socket(receiver.port)
    assert aborted(assoc)


def test_an_object_too_large_is_refused_and_nothing_of_it_stays(start: Start, tmp_path: Path) -> None:
    receiver, spool = start(maximum_object_mib=1)
    large = dcmread(make_film(tmp_path / "large.dcm", pixels=uneven(1000, 700)))
    assert send(receiver.port, large).Status == 0xA700
    assert spool.arrivals() == []
    assert list((spool.root / ".incoming").iterdir()) == []
    assert send(receiver.port, dcmread(make_film(tmp_path / "small.dcm"))).Status == 0


def message(context_id: int, *elements: tuple[int, bytes]) -> bytes:
    """A command set as a PDU of its own."""
    command = b"".join(_HEAD.pack(0, element, len(value)) + value for element, value in elements)
    value = (len(command) + 2).to_bytes(4, "big") + bytes((context_id, 3)) + command
    return b"\x04\x00" + len(value).to_bytes(4, "big") + value


def echo(number: int) -> bytes:
    """A C-ECHO-RQ."""
    identifier = number.to_bytes(2, "little")
    return message(1, (0x0002, b"1.2.840.10008.1.1\0"), (0x0100, b"\x30\0"), (0x0110, identifier), (0x0800, b"\1\1"))


def test_a_peer_that_asks_on_and_on_without_waiting_for_answers_is_aborted(start: Start) -> None:
    receiver, _ = start()
    assoc, raw = established_socket(receiver.port)
    one = echo(1)[6:]
    pdu = b"\x04\x00" + (1000 * len(one)).to_bytes(4, "big") + 1000 * one
    raw.sendall(pdu)
    assert aborted(assoc)


def test_reports_sent_on_and_on_do_not_become_threads(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[threading.Thread] = []

    def keep_serving(self: Association, *_: object) -> None:
        served.append(threading.current_thread())
        time.sleep(0.5)

    monkeypatch.setattr(Association, "_serve_request", keep_serving)
    receiver, _ = start()
    commitment = "1.2.840.10008.1.20.1"
    ae = AE("ARCHIVE")
    role = build_role(commitment, scp_role=True)
    assoc = ae.associate("127.0.0.1", receiver.port, [build_context(commitment)], ae_title="NUMBERING", ext_neg=[role])
    assert assoc.is_established
    assert assoc.dul.socket is not None
    assert assoc.dul.socket.socket is not None
    uid = commitment.encode()
    report = message(
        1,
        *((0x0002, uid), (0x0100, b"\0\1"), (0x0110, b"\1\0"), (0x0800, b"\1\1")),
        *((0x1000, uid + b".1\0\0"[: 2 + (len(uid) + 2) % 2]), (0x1002, b"\1\0")),
    )
    assoc.dul.socket.socket.sendall(100 * report)
    assert aborted(assoc)
    assert {type(thread) for thread in served} == {AcceptedAssociation}


def test_what_a_refused_peer_goes_on_to_send_is_not_gathered(start: Start) -> None:
    receiver, _ = start()
    title = b"ELSE".ljust(16)
    fixed = b"\x00\x01\x00\x00" + title + title + bytes(32)
    request = b"\x01\x00" + len(fixed).to_bytes(4, "big") + fixed
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as raw:
        with raw.makefile("rb") as answers:
            raw.sendall(request)
            assert answers.read(10)[0] == REJECT
            for _ in range(10):
                raw.sendall(request)
                assert answers.read(10)[0] == ABORT
        (refused,) = receiver.associations
        assert refused.dul._recv_pdu.qsize() <= 1


def test_an_object_without_end_is_aborted(start: Start) -> None:
    receiver, spool = start(maximum_object_mib=1)
    assoc, raw = established_socket(receiver.port)
    context = next(one for one in assoc.accepted_contexts if one.abstract_syntax != "1.2.840.10008.1.1")
    elements = [(0x0002, b"1.2\0"), (0x0100, b"\1\0"), (0x0110, b"\1\0"), (0x0800, b"\1\0"), (0x1000, b"1.2.3\0")]
    command = b"".join(_HEAD.pack(0, element, len(value)) + value for element, value in elements)
    number = bytes((context.context_id,))
    head = (len(command) + 2).to_bytes(4, "big") + number + b"\x03" + command
    raw.sendall(b"\x04\x00" + len(head).to_bytes(4, "big") + head)
    piece = (2**16 + 2).to_bytes(4, "big") + number + b"\x00" + bytes(2**16)
    pdu = b"\x04\x00" + len(piece).to_bytes(4, "big") + piece
    with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as the kernel likes
        raw.sendall(1000 * pdu)
    assert spool.arrivals() == []


def test_below_the_watermark_nothing_is_kept_and_above_it_all_goes_on(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, spool = start(disk_minimum_mib=1)
    film = dcmread(make_film(tmp_path / "film.dcm"))
    usage = limits.shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(limits.shutil, "disk_usage", lambda _: usage._replace(free=2**20 - 1))
        assert send(receiver.port, film).Status == 0xA700
        assert spool.arrivals() == []
        assert list((spool.root / ".incoming").iterdir()) == []
    assert send(receiver.port, film).Status == 0
    assert len(spool.arrivals()) == 1


def test_a_fast_sender_is_read_more_slowly_and_loses_nothing(start: Start, tmp_path: Path) -> None:
    receiver, spool = start(objects_per_second=4)
    films = [dcmread(make_film(tmp_path / f"{number}.dcm")) for number in range(7)]
    began = time.monotonic()
    ae = AE("SENDER")
    ae.add_requested_context(films[0].SOPClassUID, films[0].file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", receiver.port, ae_title="NUMBERING")
    assert [assoc.send_c_store(film).Status for film in films] == [0] * 7
    assoc.release()
    assert time.monotonic() - began >= 0.5  # seven, of which four were still to its credit
    assert len(spool.arrivals()) == 7


def test_an_aborted_association_leaves_what_was_acknowledged_and_nothing_else(start: Start, tmp_path: Path) -> None:
    receiver, spool = start()
    assert send(receiver.port, dcmread(make_film(tmp_path / "film.dcm"))).Status == 0
    assoc, raw = established_socket(receiver.port)
    raw.sendall(b"\x04\x00\x00\x00\x10\x00")
    raw.shutdown(socket.SHUT_RDWR)
    assoc.abort()
    deadline = time.monotonic() + 10
    while receiver.associations and time.monotonic() < deadline:
        time.sleep(0.01)
    assert receiver.associations == []
    assert len(spool.arrivals()) == 1
    assert list((spool.root / ".incoming").iterdir()) == []


def test_associations_that_end_leave_no_thread_and_no_descriptor(start: Start) -> None:
    receiver, _ = start()
    for _ in range(3):
        associate(receiver.port).release()
    settle(receiver)
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        associate(receiver.port).release()
        associate(receiver.port).abort()
        associate(receiver.port, called="OTHER")
    settle(receiver)
    assert threading.active_count() <= before[0]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before[1]


def settle(receiver: Receiver, but: int = 0) -> None:
    deadline = time.monotonic() + 10
    while len(receiver.associations) > but and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
