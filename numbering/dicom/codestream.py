"""How large a compressed frame says it is, read from its first bytes without a decoder.

A codestream of a kilobyte may claim a picture of gigabytes, and decoders believe it: they take the memory, or end the
process. So no decoder gets a frame that does not have the size that the DICOM header states.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

START_OF_IMAGE = b"\xff\xd8"
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""JPEG's SOF0 to SOF15 (ITU-T T.81 table B.1) and JPEG-LS's SOF55 (ITU-T T.87 C.1.1)."""
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
SIZE = b"\xff\x4f\xff\x51"
"""JPEG 2000's SOC and SIZ (ITU-T T.800 A.4.1, A.5.1), of HTJ2K too."""
JP2 = b"\x00\x00\x00\x0cjP  "
"""The signature of a JP2 file, which DICOM forbids (PS3.5 A.4.4) and some write."""


@dataclass(frozen=True)
class FrameSize:
    """Rows, columns and samples of a pixel."""

    rows: int
    columns: int
    samples: int


def frame_size(frame: bytes) -> FrameSize | None:
    """What the codestream's header says; None when it is no JPEG, JPEG-LS or JPEG 2000, or is broken."""
    try:
        if frame[:2] == START_OF_IMAGE:
            return _of_jpeg(frame)
        if frame[:4] == SIZE:
            return _of_jpeg_2000(frame, 0)
        if frame[:8] == JP2:
            return _of_jpeg_2000(frame, frame.index(SIZE))
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _of_jpeg(frame: bytes) -> FrameSize | None:
    position = 2
    while True:
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in ALONE:
            position += 2
        elif marker in FRAME_HEADERS:
            _, rows, columns, samples = struct.unpack_from(">BHHB", frame, position + 4)
            return FrameSize(rows, columns, samples)
        elif marker in (START_OF_SCAN, END_OF_IMAGE):
            return None
        else:
            (length,) = struct.unpack_from(">H", frame, position + 2)
            position += 2 + length


def _of_jpeg_2000(frame: bytes, position: int) -> FrameSize:
    right, bottom, left, top = struct.unpack_from(">4I", frame, position + 8)
    (samples,) = struct.unpack_from(">H", frame, position + 40)
    return FrameSize(bottom - top, right - left, samples)
