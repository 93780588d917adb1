"""STOW-RS as a target: multipart bodies of good and broken files, wrong at their seams, and HTTP that is none.

What must hold: an answer of PS3.18 10.5, never 500; what is answered as kept is in the spool byte for byte; the spool
holds nothing but what was sent; nothing else is written; the log has no traceback and no patient.
"""

from __future__ import annotations

import hashlib
import io
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from hypothesis import strategies as st

from benchmarks.faults.receiver import CHANGES, PATIENCE_SECONDS, mutated
from numbering import logs
from numbering.web.keys import Scope
from tests.films import SECRETS
from tests.web import RunningWeb, running_web

ANSWERS = {200, 202, 400, 401, 405, 406, 408, 409, 411, 413, 414, 415, 431, 501, 505}
DICOM = b"Content-Type: application/dicom\r\n"
HEADERS = (DICOM, b"", DICOM * 3, b"Content-Type: text/html\r\n", b"Content-Transfer-Encoding: base64\r\n", b"X\r\n")
TYPE = 'multipart/related; type="application/dicom"; boundary=EDGE'
TYPES = (
    TYPE,
    'multipart/related; type="application/dicom"',
    "multipart/form-data; boundary=EDGE",
    "",
    TYPE + "; x" * 99,
)
STUDIES = ("", "1.2.3", "../../etc", "1" * 80, "%2e%2e%2f", "'; DROP TABLE jobs; --", "1.2.3\x7f")


@dataclass(frozen=True)
class Post:
    """A request: its body, and the files in it; ``raw`` when it is bytes for the socket rather than a request."""

    body: bytes
    files: tuple[bytes, ...] = ()
    content_type: str = TYPE
    study: str = ""
    raw: bool = False
    wild: bool = False

    def __repr__(self) -> str:
        return f"<{len(self.body)} bytes, {len(self.files)} files>"

    def written(self) -> bytes:
        """To replay."""
        return f"{self.raw}\n{self.content_type}\n{self.study}\n".encode() + self.body


@st.composite
def posts(draw: st.DrawFn, seeds: list[bytes]) -> Post:
    """Bodies of whole files, of broken ones, with broken seams; and noise instead of HTTP."""
    files = []
    for file in draw(st.lists(st.sampled_from(seeds), max_size=3)):
        files.append(mutated(file, draw(CHANGES)) if draw(st.booleans()) else file)
    headers = [draw(st.sampled_from(HEADERS)) if draw(st.integers(0, 9)) == 0 else DICOM for _ in files]
    parts = [b"\r\n--EDGE\r\n" + head + b"\r\n" + file for head, file in zip(headers, files, strict=True)]
    body = b"".join(parts) + b"\r\n--EDGE--\r\n"
    content_type = draw(st.sampled_from(TYPES)) if draw(st.integers(0, 9)) == 0 else TYPE
    study = draw(st.sampled_from(STUDIES)) if draw(st.integers(0, 4)) == 0 else ""
    which = draw(st.integers(0, 9))
    if which == 0:
        head = b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: " + TYPE.encode()
        request = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n" + body
        return Post(mutated(request, draw(CHANGES)), raw=True, wild=True)
    if which < 4:
        return Post(mutated(body, draw(CHANGES)), tuple(files), content_type, study, wild=True)
    return Post(body, tuple(files), content_type, study)


@dataclass
class Target:
    """A web room in this process, and what it was sent."""

    web: RunningWeb
    log: io.StringIO
    client: httpx.Client
    folder: Path
    sent: set[str] = field(default_factory=set)
    stored: dict[Path, str] = field(default_factory=dict)
    wild: bool = False

    def post(self, post: Post) -> None:
        """Send it; ``AssertionError`` when a promise was broken."""
        self.wild |= post.wild
        self.sent |= {_digest(file) for file in post.files}
        kept = self._raw(post) if post.raw else self._ask(post)
        for path in self.web.node.spool.root.rglob("*.dcm"):
            if path not in self.stored:
                assert re.fullmatch(r"[0-9.]+|[0-9a-f]{64}", path.name.removesuffix(".dcm")), path
                self.stored[path] = _digest(path.read_bytes())
        held = {path.stem for path in self.stored}
        assert kept <= held, f"told as kept and not stored: {kept - held}"
        assert self.wild or set(self.stored.values()) <= self.sent, "stored and never sent"
        told = self.log.getvalue()
        assert "Traceback" not in told, told
        assert not [secret for secret in SECRETS if secret in told], told
        assert "a request broke" not in told, told
        self.log.truncate(0)
        self.log.seek(0)

    def _ask(self, post: Post) -> set[str]:
        """The SOP instance UIDs that the answer says are kept."""
        path = f"/dicom-web/studies/{post.study}" if post.study else "/dicom-web/studies"
        try:
            answer = self.client.post(path, content=post.body, headers={"Content-Type": post.content_type})
        except (httpx.InvalidURL, httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError):
            return set()
        assert answer.status_code in ANSWERS | {404}, answer.status_code
        assert not [secret for secret in SECRETS if secret in answer.text], answer.text
        if answer.status_code not in (200, 202):
            return set()
        items = answer.json().get("00081199", {}).get("Value", [])
        return {item["00081155"]["Value"][0] for item in items}

    def _raw(self, post: Post) -> set[str]:
        with self.web.connect() as connection:
            with suppress(OSError):
                connection.sendall(post.body)
                connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while connection.recv(65536):
                    pass
        return set()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def running_target(folder: Path) -> Iterator[Target]:
    """A web room with a log in memory."""
    log = io.StringIO()
    logs.configure("INFO", json=True, stream=log)
    with running_web(folder / "data", web_requests_per_second=0, web_idle_seconds=20) as web:
        client = web.client(Scope.STORE)
        client.timeout = PATIENCE_SECONDS
        yield Target(web, log, client, folder)
