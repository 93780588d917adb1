"""Archives that answer what they should not, for tests of those who ask."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

BOUNDARY = "zzz"


@dataclass
class Answer:
    """What the web service says to every request, or ``body`` makes of its path and query."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Callable[[str], bytes] = b""
    promised: int | None = None
    """Content-Length, when it is not the truth."""


def dicom_json(*found: object) -> Answer:
    """An answer to a query."""
    return Answer(headers={"Content-Type": "application/dicom+json"}, body=json.dumps(found).encode())


def parts(*files: bytes, end: bool = True, kind: str = "application/dicom") -> Answer:
    """An answer to a retrieval."""
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + file + b"\r\n" for file in files)
    headers = {"Content-Type": f'multipart/related; type="{kind}"; boundary={BOUNDARY}'}
    return Answer(headers=headers, body=body + (f"--{BOUNDARY}--\r\n".encode() if end else b""))


@dataclass
class HostileWeb:
    """A running one."""

    port: int
    requests: list[str]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"


@contextmanager
def hostile_web(answer: Answer) -> Iterator[HostileWeb]:
    """A DICOMweb service that answers so."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            body = answer.body(self.path) if callable(answer.body) else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.promised or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield HostileWeb(server.server_address[1], requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hostile_archive(
    matches: Sequence[Dataset] = (), *, again: int = 1, final: int = 0x0000, hold: float = 0
) -> Iterator[str]:
    """A C-FIND and C-MOVE provider; the address of one that finds these, over and over, and ends with this status."""
    released = threading.Event()

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        released.wait(hold)
        for _ in range(again):
            for match in matches:
                yield 0xFF00, match
        if final:
            yield final, None

    def move(event: evt.Event) -> Iterator[object]:
        yield None, None  # it does not know the destination

    ae = AE("HOSTILE")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    handlers = [(evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield f"HOSTILE@127.0.0.1:{server.server_address[1]}"
    finally:
        released.set()
        server.shutdown()
        ae.shutdown()
