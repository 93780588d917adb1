"""STOW-RS (PS3.18 10.5): the stored files as they are, byte for byte, in one streamed multipart request.

Redirects are not followed and no address in an answer is ever called: an archive tells the node nothing of where to go.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import uuid4

import httpx

from numbering.dicom.outgoing.destination import DEFAULT_TIMEOUTS, Echoed, Outcome, Sent, Timeouts, WebDestination
from numbering.dicom.outgoing.file import Outgoing
from numbering.dicom.outgoing.stow_answer import Told, instances
from numbering.dicom.outgoing.web_client import CredentialsError, web_client
from numbering.dicom.tls import TLSFileError

REQUEST_BYTES = 32 * 2**20
"""A request is cut here; one larger object still goes, alone."""
REQUEST_OBJECTS = 100
ANSWER_BYTES = 8 * 2**20
CHUNK_BYTES = 2**16

OUR_ACCESS = frozenset({401, 403, 404, 405, 407})
"""The service does not let us in, or is not at this address: no object is to blame."""
NOT_NOW = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


def stow(paths: Iterable[Path], destination: WebDestination, timeouts: Timeouts) -> Generator[Sent]:
    """Store these files; one `Sent` each. ``OSError`` and pydicom's errors are raised before anything is sent."""
    files = [Outgoing.read(path) for path in paths]
    try:
        client = web_client(destination, timeouts)
    except (TLSFileError, CredentialsError) as error:
        yield from (_not_let_in(file, f"{destination}: {error}") for file in files)
        return
    with client:
        for batch in _batches(files):
            yield from _store(client, batch, destination)


def echo_web(destination: WebDestination, timeouts: Timeouts) -> Echoed:
    """Whether the service answers at all; asked by OPTIONS, which changes nothing."""
    try:
        with web_client(destination, timeouts) as client:
            status = client.options(f"{destination}/studies").status_code
    except (TLSFileError, CredentialsError) as error:
        return Echoed(Outcome.UNREACHABLE, f"{destination}: {error}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Echoed(Outcome.UNREACHABLE, f"{destination} cannot be reached: {_why(error)}")
    if status in (401, 403, 407):
        return Echoed(Outcome.REFUSED, f"{destination} does not let us in (HTTP {status}): check the credentials' file")
    if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
        return Echoed(Outcome.REFUSED, f"{destination} answers HTTP {status}")
    return Echoed(Outcome.DELIVERED, f"{destination} answers")


def check_web(destination: WebDestination) -> None:
    """``ValueError`` names a file of certificates, keys or credentials that is missing or does not fit."""
    web_client(destination, DEFAULT_TIMEOUTS).close()


def _batches(files: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for file in files:
        length = file.path.stat().st_size
        if batch and (size + length > REQUEST_BYTES or len(batch) >= REQUEST_OBJECTS):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += length
    if batch:
        yield batch


def _store(client: httpx.Client, batch: Sequence[Outgoing], destination: WebDestination) -> Iterator[Sent]:
    parts = Multipart([file.path for file in batch])
    try:
        request = client.build_request("POST", f"{destination}/studies", content=iter(parts), headers=parts.headers)
        response = client.send(request, stream=True)
        try:
            answer = _limited(response)
        finally:
            response.close()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        text = f"{destination} cannot be reached: {_why(error)}"
        yield from (_not_let_in(file, text) for file in batch)
        return
    except httpx.HTTPError as error:
        for file in batch:
            text = f"{file.sop_instance_uid}: {destination} did not answer: {_why(error)}"
            yield Sent(file.path, file.sop_instance_uid, Outcome.UNREACHABLE, text, temporary=True)
        return
    told = instances(answer)
    for file in batch:
        if len(batch) > 1 and file.sop_instance_uid not in told and _blames_an_object(response.status_code):
            yield from _store(client, [file], destination)  # alone, so that it answers for itself
        else:
            yield _judged(file, destination, response, told.get(file.sop_instance_uid))


def _blames_an_object(status: int) -> bool:
    return 400 <= status < 500 and status not in OUR_ACCESS | NOT_NOW


def _limited(response: httpx.Response) -> bytes:
    """The answer, as far as it is of a sensible size; cut off, it says nothing."""
    answer = b""
    for chunk in response.iter_bytes(CHUNK_BYTES):
        answer += chunk
        if len(answer) > ANSWER_BYTES:
            return b""
    return answer


def _judged(file: Outgoing, destination: WebDestination, response: httpx.Response, told: Told | None) -> Sent:
    status, uid = response.status_code, file.sop_instance_uid
    if status in OUR_ACCESS:
        return _not_let_in(file, f"{destination} does not let us store (HTTP {status}): check address and credentials")
    if 300 <= status < 400:
        text = f"{destination} answers with a redirection (HTTP {status}), which is not followed: set its own address"
        return _not_let_in(file, text)
    if status in NOT_NOW:
        text = f"{uid}: {destination} cannot take it now (HTTP {status})"
        wait = _retry_after(response)
        return Sent(file.path, uid, Outcome.REFUSED, text, status, temporary=True, retry_after_seconds=wait)
    if told is None:
        return _untold(file, destination, status)
    if told.stored:
        said = f", warning 0x{told.reason:04X}" if told.reason else ""
        return Sent(file.path, uid, Outcome.DELIVERED, f"{uid}: stored by {destination} (HTTP {status}{said})", status)
    text = f"{uid}: refused by {destination} (HTTP {status}, failure reason 0x{told.reason:04X})"
    return Sent(file.path, uid, Outcome.REFUSED, text, status, temporary=told.temporary)


def _untold(file: Outgoing, destination: WebDestination, status: int) -> Sent:
    """The answer does not name this instance: 200 means all (PS3.18 table 10.5.3-1), the others leave it open."""
    uid = file.sop_instance_uid
    if status == httpx.codes.OK:
        return Sent(file.path, uid, Outcome.DELIVERED, f"{uid}: stored by {destination} (HTTP 200)", status)
    if 200 <= status < 300:
        text = f"{uid}: {destination} answered HTTP {status} without saying whether it stored this"
        return Sent(file.path, uid, Outcome.REFUSED, text, status, temporary=True)
    return Sent(file.path, uid, Outcome.REFUSED, f"{uid}: refused by {destination} (HTTP {status})", status)


def _not_let_in(file: Outgoing, why: str) -> Sent:
    uid = file.sop_instance_uid
    return Sent(file.path, uid, Outcome.UNREACHABLE, f"{uid}: {why}", temporary=True, connected=False)


def _why(error: Exception) -> str:
    """The kind of error; the text of a foreign one may quote what was sent."""
    return type(error).__name__


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the service asks us to wait (RFC 9110 10.2.3), 0 when it says nothing that makes sense."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


class Multipart:
    """``multipart/related`` (RFC 2387) of whole files, read while they are sent; its length is known beforehand."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._boundary = uuid4().hex
        self._head = f"--{self._boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._tail = f"--{self._boundary}--\r\n".encode()
        self._sizes = [path.stat().st_size for path in paths]

    @property
    def headers(self) -> dict[str, str]:
        """Content-Type and Content-Length."""
        length = sum(self._sizes) + len(self._paths) * (len(self._head) + 2) + len(self._tail)
        kind = f'multipart/related; type="application/dicom"; boundary={self._boundary}'
        return {"Content-Type": kind, "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        for path in self._paths:
            yield self._head
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
            yield b"\r\n"
        yield self._tail
