"""The parts of a ``multipart/related`` body, one after the other, as they arrive (RFC 2046 5.1, PS3.18 8.6.1.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DICOM = "application/dicom"


class Malformed(Exception):
    """The body is not what its Content-Type says (400)."""


class TooLarge(Exception):
    """The body, one of its parts, or their number is beyond the limit (413)."""


class NotDICOM(Exception):
    """A media type that is not taken (415)."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes of a body, bytes of one part, number of parts."""

    body_bytes: int
    part_bytes: int
    parts: int


def boundary_of(content_type: str) -> bytes:
    """The boundary of a body of DICOM files; `NotDICOM`, or `Malformed` when it has none."""
    media_type, parameters = parse_options_header(content_type)
    kind = parameters.get(b"type", b"").decode("latin-1").lower()
    if media_type != b"multipart/related" or kind not in ("", DICOM):
        raise NotDICOM(f'expected Content-Type: multipart/related; type="{DICOM}"; boundary=…')
    boundary = parameters.get(b"boundary", b"")
    if not kind or not 1 <= len(boundary) <= 70:  # RFC 2387 3.1, RFC 2046 5.1.1
        raise Malformed(f'expected type="{DICOM}" and a boundary of 1 to 70 characters')
    return boundary


class Sink(Protocol):
    """Where the parts go, one after the other. Called in threads, never by two at a time."""

    def begin(self) -> None:
        """A part begins."""
        ...

    def write(self, data: memoryview) -> None:
        """A piece of it."""
        ...

    def end(self) -> None:
        """It is whole."""
        ...


async def read_parts(body: AsyncIterator[bytes], boundary: bytes, limits: Limits, sink: Sink) -> None:
    """Hand the DICOM files in the body to the sink as they come; nothing is held but what ``body`` gives at once.

    `Malformed`, `TooLarge`, and `NotDICOM` for a part of another type: what came before it has been handed on.
    """
    parser = MultipartParser(boundary, _Reader(limits, sink).callbacks())
    received = 0
    async for chunk in body:
        received += len(chunk)
        if received > limits.body_bytes:
            raise TooLarge(f"the request has more than {limits.body_bytes} bytes")
        try:
            await run_in_threadpool(parser.write, chunk)
        except FormParserError:
            raise Malformed("the multipart body does not parse by its boundary") from None
    if parser.state != MultipartState.END:
        raise Malformed("the body ends before its closing boundary")


@dataclass
class _Reader:
    """Passes on what the parser calls out, after it was counted and its headers were looked at."""

    limits: Limits
    sink: Sink
    _number: int = 0
    _bytes: int = 0
    _name: bytes = b""
    _value: bytes = b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._header_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self.sink.end,
        }

    def _begin(self) -> None:
        self._number += 1
        self._bytes = 0
        if self._number > self.limits.parts:
            raise TooLarge(f"the request has more than {self.limits.parts} parts")
        self.sink.begin()

    def _header_begin(self) -> None:
        self._name = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name, (media_type, _) = self._name.lower(), parse_options_header(self._value)
        if name == b"content-type" and media_type.decode("latin-1").lower() != DICOM:
            raise NotDICOM(f"part {self._number}: expected Content-Type: {DICOM}")
        if name == b"content-transfer-encoding" and self._value.strip().lower() not in (b"binary", b"8bit", b"7bit"):
            raise NotDICOM(f"part {self._number}: expected binary content")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._bytes += end - start
        if self._bytes > self.limits.part_bytes:
            raise TooLarge(f"part {self._number} has more than {self.limits.part_bytes} bytes")
        self.sink.write(memoryview(data)[start:end])
