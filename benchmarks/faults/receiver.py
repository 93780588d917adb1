"""The receiver as a target: conversations over a socket, most of them wrong somewhere, and what must hold after each.

What must hold: whoever is answered success finds the object in the spool byte for byte; the spool holds nothing but
what was sent; a refusal has a status of PS3.4 B.2.3; the connection ends when the sender has ended; nothing is written
outside the spool; the log has no traceback and no patient; memory, threads and files come back to what they were.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from benchmarks.faults import wire
from numbering.dicom.part10 import split
from numbering.jobs.serve import environment_of
from numbering.settings import Settings
from tests.archive import free_port
from tests.films import SECRETS

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 120.0
"""For one answer, at idle priority on a busy machine."""
MEMORY_MIB = 1024
REFUSALS = {0x0110, 0x0122, 0x0117, 0x0124, 0x0210, 0x0211, 0x0212, *range(0xA700, 0xA800), *range(0xA900, 0xAA00)}
KEPT = {0x0000, 0xB0C0}


@dataclass(frozen=True)
class Piece:
    """Bytes to send; ``data_set`` is what they store if all goes well, ``answered`` whether the sender waits."""

    sent: bytes
    data_set: bytes | None = None
    answered: bool = False

    def __repr__(self) -> str:
        return f"<{len(self.sent)} bytes>"


@dataclass(frozen=True)
class Conversation:
    """An association request and what follows; ``wild`` when bytes were changed, so that anything may be understood."""

    request: bytes
    pieces: tuple[Piece, ...]
    wild: bool

    def written(self) -> bytes:
        """For a person to replay: one line of hexadecimal digits for each piece."""
        return "\n".join([self.request.hex(), *(piece.sent.hex() for piece in self.pieces)]).encode()


@dataclass(frozen=True)
class Seed:
    """A film to send: class, instance, transfer syntax and data set."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data_set: bytes

    @classmethod
    def of(cls, data: bytes) -> Seed | None:
        """A file of the corpus; None when it is no whole DICOM file."""
        try:
            parts = split(data)
        except ValueError:
            return None
        return cls(parts.sop_class, parts.sop_instance, parts.transfer_syntax, parts.data_set)


def mutated(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Data after changes: (what, where as a share of the length, bytes)."""
    for what, where, new in changes:
        at = int(where * len(data))
        if what == "put":
            data = data[:at] + new + data[at + len(new) :]
        elif what == "insert":
            data = data[:at] + new + data[at:]
        elif what == "cut":
            data = data[:at] + data[at + 1 + len(new) * 16 :]
        else:
            data = data[:at]
    return data


WORDS = st.sampled_from(
    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", b"\x08\0\x18\0UI", b"../../x", b"\x7f\xff"]
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "insert", "cut", "end"]),
        st.floats(0, 1),
        st.one_of(st.binary(min_size=1, max_size=6), WORDS),
    ),
    min_size=1,
    max_size=4,
)
UIDS = st.sampled_from(["1.2.3", "1..2", "../../../tmp/x", "1.2.840.10008.1.1", "9" * 70, "", "1.2\0", "0.0"])


@st.composite
def conversations(draw: st.DrawFn, seeds: list[Seed]) -> Conversation:
    """Of a valid sender, of one whose data sets or commands are wrong, or of noise."""
    films = draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=3))
    contexts = [wire.Context(1 + 2 * at, film.sop_class, [film.transfer_syntax]) for at, film in enumerate(films)]
    request = wire.associate(
        [*contexts, wire.Context(101, "1.2.840.10008.1.1", ["1.2.840.10008.1.2"])],
        calling=draw(st.sampled_from([b"FUZZ", b"SECRET", b"\xff\xfe", b"A" * 16, b""])),
        maximum=draw(st.sampled_from([16384, 0, 1, 2**32 - 1, 4096])),
        user_items=draw(st.sampled_from([b"", wire.item(0x53, b"\0\0\0\0"), wire.item(0x58, b"\x01\x01\0\x01A\0\0")])),
    )
    pieces = [draw(_stores(film, context.number)) for film, context in zip(films, contexts, strict=True)]
    if draw(st.booleans()):
        pieces.insert(0, _echo(draw(st.sampled_from([101, 103, 0, 255]))))
    pieces.append(Piece(draw(st.sampled_from([wire.RELEASE, wire.ABORTED, b"", b"\x04\0\xff\xff\xff\xff"]))))
    return draw(_maybe_wild(request, pieces))


@st.composite
def _stores(draw: st.DrawFn, film: Seed, context: int) -> Piece:
    data_set, sop_class, sop_instance = film.data_set, film.sop_class, film.sop_instance
    if draw(st.booleans()):
        data_set = mutated(data_set, draw(CHANGES))
    elif draw(st.booleans()):
        sop_class, sop_instance = draw(UIDS), draw(UIDS)
    size = draw(st.sampled_from([16000, 4000, 1000]))
    message = wire.command(wire.C_STORE, sop_class, sop_instance, message=draw(st.integers(0, 65535)))
    parts = [
        *wire.fragments(context, message, is_command=True, size=size),
        *wire.fragments(context, data_set, is_command=False, size=size),
    ]
    return Piece(b"".join(parts), data_set, answered=True)


def _echo(context: int) -> Piece:
    message = wire.command(wire.C_ECHO, "1.2.840.10008.1.1", "", data=False)
    return Piece(b"".join(wire.fragments(context, message, is_command=True, size=16000)), answered=context == 101)


@st.composite
def _maybe_wild(draw: st.DrawFn, request: bytes, pieces: list[Piece]) -> Conversation:
    which = draw(st.integers(-len(pieces) - 3, len(pieces)))
    if which < 0:
        return Conversation(request, tuple(pieces), wild=False)
    if which == 0:
        return Conversation(mutated(request, draw(CHANGES)), tuple(pieces), wild=True)
    changed = Piece(mutated(pieces[which - 1].sent, draw(CHANGES)))
    return Conversation(request, (*pieces[: which - 1], changed, *pieces[which:]), wild=True)


@dataclass
class Receiver:
    """A receiver of its own process, and what it was sent."""

    settings: Settings
    process: subprocess.Popen[bytes]
    folder: Path
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    stored: dict[Path, str] = field(default_factory=dict)
    read: int = 0
    wild: bool = False

    def talk(self, conversation: Conversation) -> None:
        """Hold the conversation; ``AssertionError`` when a promise was broken."""
        self.wild |= conversation.wild
        self.sent |= {_digest(piece.data_set) for piece in conversation.pieces if piece.data_set is not None}
        with socket.create_connection(("127.0.0.1", self.settings.port), timeout=PATIENCE_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(ConnectionError):  # the receiver may hang up; a TimeoutError is a hang
                self._say(connection, conversation)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            wire.read_bytes(connection, 2**24)  # until the receiver closes: TimeoutError when it hangs
        self._check()

    def _say(self, connection: socket.socket, conversation: Conversation) -> None:
        connection.sendall(conversation.request)
        if conversation.wild:
            connection.sendall(b"".join(piece.sent for piece in conversation.pieces))
            return
        taken = wire.accepted(wire.read_pdu(connection))
        for piece in conversation.pieces:
            connection.sendall(piece.sent)
            if not piece.answered or piece.sent[10] not in taken:
                if piece.answered:
                    return
                continue
            answer = wire.read_pdu(connection)
            status = wire.status(answer)
            if answer[:1] == bytes([wire.ABORT]) or not answer:
                return  # a command that is no command
            assert status in KEPT | REFUSALS or (status or 0) & 0xF000 == 0xC000, f"answered {answer.hex()}"
            if status == 0 and piece.data_set is not None:
                self.acknowledged.add(_digest(piece.data_set))

    def _check(self) -> None:
        assert self.process.poll() is None, f"the receiver ended with {self.process.returncode}"
        spool = self.settings.spool
        for path in spool.rglob("*.dcm"):
            if path not in self.stored:
                assert re.fullmatch(r"[0-9.]+|[0-9a-f]{2}|[0-9a-f]{64}", path.name.removesuffix(".dcm")), path
                self.stored[path] = _digest(split(path.read_bytes()).data_set)
        held = set(self.stored.values())
        assert self.acknowledged <= held, "answered success and not stored"
        assert self.wild or held <= self.sent, "stored and never sent"
        outside = {path.name for path in self.folder.iterdir()} - {"data", "log"}
        assert not outside, f"written outside the spool: {outside}"
        with (self.folder / "log").open("rb") as log:
            log.seek(self.read)
            told = log.read().decode(errors="replace")
            self.read = log.tell()
        assert "Traceback" not in told, told
        assert not [secret for secret in SECRETS if secret in told.replace('"SECRET"', "")], told

    def check_usage(self, before: dict[str, int]) -> None:
        """After all conversations: memory bounded, threads and open files as before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (usage := self.usage())["threads"] > before["threads"] or usage["files"] > before["files"] + 2:
            assert time.monotonic() < deadline, f"left behind: {usage}, before: {before}"
            time.sleep(0.2)
        assert usage["mib"] < MEMORY_MIB, usage

    def usage(self) -> dict[str, int]:
        """Resident memory in MiB, threads and open files of the receiver's processes."""
        pids = [self.process.pid, *_children(self.process.pid)]
        told = [(Path("/proc") / str(pid) / "status").read_text() for pid in pids]
        return {
            "mib": sum(int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) for text in told) // 1024,  # type: ignore[union-attr]
            "threads": sum(int(re.search(r"Threads:\s+(\d+)", text).group(1)) for text in told),  # type: ignore[union-attr]
            "files": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),  # noqa: PTH208
        }


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, told) for each in (child, *_children(child))]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def running_receiver(**settings: object) -> Iterator[Receiver]:
    """Start the receiving room of a node in a folder of its own, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="receiver-"))
    chosen = Settings(data=folder / "data", port=free_port(), **settings)  # type: ignore[arg-type]
    environment = {**environment_of(chosen), "PYTHONPATH": str(CHECKOUT)}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "numbering.jobs.rooms", "receive"]
        process = subprocess.Popen(command, env=environment, cwd=folder, stderr=log)
    receiver = Receiver(chosen, process, folder)
    try:
        _wait_until_answering(receiver)
        yield receiver
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_answering(receiver: Receiver) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", receiver.settings.port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, (receiver.folder / "log").read_text()
            time.sleep(0.1)
        else:
            return
