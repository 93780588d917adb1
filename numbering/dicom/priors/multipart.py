"""The body of a WADO-RS answer as it streams in: ``multipart/related`` of whole DICOM files (PS3.18 8.6.1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

DICOM = b"application/dicom"
CHUNK = 2**16
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{1,70}")
"""RFC 2046 5.1.1."""


class BrokenMultipart(ValueError):
    """The body is no ``multipart/related`` of DICOM files, or ends too early."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that the header names; `BrokenMultipart` for any other kind of body."""
    try:
        kind, options = parse_options_header(content_type)
    except (ValueError, IndexError):
        kind, options = b"", {}
    boundary = options.get(b"boundary", b"")
    if kind.lower() != b"multipart/related" or not _BOUNDARY.fullmatch(boundary):
        raise BrokenMultipart("expected multipart/related with a boundary")
    if options.get(b"type", DICOM).lower() != DICOM:
        raise BrokenMultipart("expected parts of type application/dicom")
    return boundary


def read_parts(
    boundary: bytes, chunks: Iterable[bytes], take: Callable[[bytes], None], room: Callable[[], int]
) -> None:
    """Call ``take`` with each part's bytes as they came; a part may have as many bytes as ``room`` says at that time.

    `BrokenMultipart` when the body is not one, when a part is larger, or when the end is missing.
    """
    part = _Part(take, room)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": part.begin,
            "on_part_data": part.more,
            "on_part_end": part.end,
            "on_end": part.close,
        },
    )
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), CHUNK):
                parser.write(chunk[start : start + CHUNK])
        parser.finalize()
    except FormParserError:
        raise BrokenMultipart("the multipart body is broken") from None
    if not part.closed:
        raise BrokenMultipart("the multipart body ends before its last boundary")


class _Part:
    """The part that is coming in."""

    def __init__(self, take: Callable[[bytes], None], room: Callable[[], int]) -> None:
        self._take = take
        self._room = room
        self._data = bytearray()
        self.closed = False

    def begin(self) -> None:
        self._data = bytearray()

    def more(self, data: bytes, start: int, end: int) -> None:
        if len(self._data) + end - start > self._room():
            raise BrokenMultipart("a part is larger than the settings allow")
        self._data += data[start:end]

    def end(self) -> None:
        self._take(bytes(self._data))
        self._data = bytearray()

    def close(self) -> None:
        self.closed = True
