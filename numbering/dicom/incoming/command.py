"""Commands of C-STORE (PS3.7 9.3.1, E.1) from and to bytes, for the way that every object takes.

All other commands go through pynetdicom. A command set is always Implicit VR Little Endian, its values even in length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
NO_DATA_SET = 0x0101

AFFECTED_SOP_CLASS, COMMAND_FIELD, MESSAGE_ID, RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
DATA_SET_TYPE, STATUS, ERROR_COMMENT, AFFECTED_SOP_INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000

_HEAD = struct.Struct("<HHL")


@dataclass(frozen=True)
class StoreRequest:
    """A C-STORE-RQ. The UIDs are as sent: not yet looked at."""

    message_id: int
    sop_class: str
    sop_instance: str
    has_data_set: bool


def store_request(command: bytes) -> StoreRequest | None:
    """The request in a command set; None when it is another command, or broken (pynetdicom then says what to do)."""
    values: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(command):
        group, element, length = _HEAD.unpack_from(command, position)
        position += 8
        if group != 0 or position + length > len(command):
            return None
        values[element] = command[position : position + length]
        position += length
    numbers = [_number(values.get(element)) for element in (COMMAND_FIELD, MESSAGE_ID, DATA_SET_TYPE)]
    field, message_id, data_set_type = numbers
    if position != len(command) or field != C_STORE_RQ or message_id is None or data_set_type is None:
        return None
    return StoreRequest(
        message_id=message_id,
        sop_class=_uid(values.get(AFFECTED_SOP_CLASS)),
        sop_instance=_uid(values.get(AFFECTED_SOP_INSTANCE)),
        has_data_set=data_set_type != NO_DATA_SET,
    )


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """The command set that answers the request."""
    elements = [
        (AFFECTED_SOP_CLASS, _text(request.sop_class, b"\0")),
        (COMMAND_FIELD, _short(C_STORE_RSP)),
        (RESPONDED_TO, _short(request.message_id)),
        (DATA_SET_TYPE, _short(NO_DATA_SET)),
        (STATUS, _short(status)),
        *([(ERROR_COMMENT, _text(comment, b" "))] if comment else []),
        (AFFECTED_SOP_INSTANCE, _text(request.sop_instance, b"\0")),
    ]
    body = b"".join(_HEAD.pack(0, element, len(value)) + value for element, value in elements if value)
    return _HEAD.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value, "little") if value is not None and len(value) == 2 else None


def _uid(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace").rstrip("\0 ")


def _short(number: int) -> bytes:
    return number.to_bytes(2, "little")


def _text(text: str, padding: bytes) -> bytes:
    encoded = text.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)
