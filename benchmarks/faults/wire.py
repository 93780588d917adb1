"""PDUs and commands put together by hand (PS3.8 9.3, PS3.7 9.3 and E.1), so that any part of them may be wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
C_STORE, C_ECHO, NO_DATA_SET = 0x0001, 0x0030, 0x0101
RELEASE = bytes([RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0])
ABORTED = bytes([ABORT, 0, 0, 0, 0, 4, 0, 0, 0, 0])


def pdu(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """A PDU; ``length`` may lie."""
    return bytes([kind, 0]) + (len(payload) if length is None else length).to_bytes(4, "big") + payload


def item(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """An item or sub-item of an association's negotiation; ``length`` may lie."""
    return bytes([kind, 0]) + (len(payload) % 65536 if length is None else length).to_bytes(2, "big") + payload


@dataclass(frozen=True)
class Context:
    """A proposed presentation context."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: Sequence[str]

    def encoded(self) -> bytes:
        """As an item (PS3.8 9.3.2.2)."""
        syntaxes = [item(0x40, syntax.encode()) for syntax in self.transfer_syntaxes]
        return item(
            0x20, bytes([self.number, 0, 0, 0]) + item(0x30, self.abstract_syntax.encode()) + b"".join(syntaxes)
        )


def associate(
    contexts: Iterable[Context],
    *,
    called: bytes = b"NUMBERING",
    calling: bytes = b"FUZZ",
    maximum: int = 16384,
    user_items: bytes = b"",
    version: int = 1,
) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
    user = item(0x51, maximum.to_bytes(4, "big")) + item(0x52, b"1.2.3.4") + user_items
    body = version.to_bytes(2, "big") + b"\0\0" + called.ljust(16)[:16] + calling.ljust(16)[:16] + b"\0" * 32
    body += item(0x10, APPLICATION_CONTEXT.encode()) + b"".join(context.encoded() for context in contexts)
    return pdu(ASSOCIATE_RQ, body + item(0x50, user))


def accepted(answer: bytes) -> set[int]:
    """The numbers of the contexts that an A-ASSOCIATE-AC accepts; empty for any other PDU."""
    found, at = set(), 74
    while answer[:1] == bytes([ASSOCIATE_AC]) and at + 8 <= len(answer):
        kind, length = answer[at], int.from_bytes(answer[at + 2 : at + 4], "big")
        if kind == 0x21 and answer[at + 6] == 0:
            found.add(answer[at + 4])
        at += 4 + length
    return found


def command(field: int, sop_class: str, sop_instance: str, *, message: int = 1, data: bool = True) -> bytes:
    """A command set in Implicit VR Little Endian (PS3.7 6.3.1, E.1)."""
    body = element(0x0002, even(sop_class)) + element(0x0100, short(field)) + element(0x0110, short(message))
    if field == C_STORE:
        body += element(0x0700, short(0))
    body += element(0x0800, short(1 if data else NO_DATA_SET))
    if field == C_STORE:
        body += element(0x1000, even(sop_instance))
    return element(0x0000, len(body).to_bytes(4, "little")) + body


def element(number: int, value: bytes) -> bytes:
    """An element of group 0000."""
    return b"\0\0" + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value


def short(value: int) -> bytes:
    """US."""
    return value.to_bytes(2, "little")


def even(value: str) -> bytes:
    """UI."""
    return value.encode() + b"\0" * (len(value) % 2)


def fragments(context: int, data: bytes, *, is_command: bool, size: int) -> Iterator[bytes]:
    """A message's bytes as P-DATA-TF PDUs of one PDV each (PS3.8 9.3.5, E.2)."""
    for at in range(0, max(len(data), 1), size):
        part = data[at : at + size]
        control = (1 if is_command else 0) | (2 if at + size >= len(data) else 0)
        yield pdu(P_DATA, (len(part) + 2).to_bytes(4, "big") + bytes([context, control]) + part)


def read_pdu(connection: socket.socket) -> bytes:
    """One whole PDU, or what came of it before the peer closed."""
    head = read_bytes(connection, 6)
    return head + read_bytes(connection, int.from_bytes(head[2:6], "big")) if len(head) == 6 else head


def read_bytes(connection: socket.socket, number: int) -> bytes:
    """So many bytes, or fewer when the peer closes."""
    found = b""
    while len(found) < number:
        try:
            part = connection.recv(number - len(found))
        except ConnectionError:
            return found
        if not part:
            return found
        found += part
    return found


def status(answer: bytes) -> int | None:
    """The Status (0000,0900) of a response in a single P-DATA-TF PDU; None when it is something else."""
    if answer[:1] != bytes([P_DATA]):
        return None
    at = answer.find(b"\0\0\x00\x09\x02\0\0\0")
    return int.from_bytes(answer[at + 8 : at + 10], "little") if at >= 0 else None


def c_store(port: int, sop_class: str, sop_instance: str, transfer_syntax: str, data_set: bytes) -> int | str:
    """Send one object as it is; the status of the answer, or why there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(associate([Context(1, sop_class, [transfer_syntax])]))
        answer = read_pdu(connection)
        if 1 not in accepted(answer):
            return "association rejected" if answer[:1] != bytes([ASSOCIATE_AC]) else "not accepted"
        message = command(C_STORE, sop_class, sop_instance)
        for sent in (
            fragments(1, message, is_command=True, size=16000),
            fragments(1, data_set, is_command=False, size=16000),
        ):
            connection.sendall(b"".join(sent))
        answer = read_pdu(connection)
        found = status(answer)
        if found is None:
            return "aborted" if answer[:1] == bytes([ABORT]) else "hung up"
        connection.sendall(RELEASE)
        read_pdu(connection)
        return found
