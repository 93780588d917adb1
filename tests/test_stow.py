"""STOW-RS over real sockets: what is sent, and what becomes of each instance, whatever the service answers."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydicom import dcmread

from numbering.dicom.outgoing import stow as stow_module
from numbering.dicom.outgoing.deliver import Outcome, Sent, Timeouts, WebDestination, check, echo, send
from numbering.dicom.outgoing.destination import TLSFiles
from numbering.dicom.outgoing.stow_answer import Told, instances
from tests.archive import Archive, free_port, running_archive
from tests.films import make_film

QUICK = Timeouts(connection=2, association=2, message=2, network=5)


class Service:
    """What it was asked, and what it answers next; the last answer is kept."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Message, bytes]] = []
        self.answers: list[tuple[int, Any, dict[str, str]]] = [(200, None, {})]

    def answer(self, *statuses: int, body: Any = None, **headers: str) -> None:
        self.answers = [(status, body, headers) for status in statuses]

    def parts(self, request: int = -1) -> list[bytes]:
        _, _, headers, body = self.requests[request]
        whole = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
        found = [part for part in BytesParser().parsebytes(whole).walk() if not part.is_multipart()]
        assert {part.get_content_type() for part in found} == {"application/dicom"}
        return [part.get_payload(decode=True) for part in found]  # type: ignore[misc]


@contextmanager
def serving(service: Service, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """An HTTP server that answers so; yields its root."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.requests.append((self.command, self.path, self.headers, body))
            status, told, headers = service.answers[0]
            if len(service.answers) > 1:
                service.answers.pop(0)
            text = told if isinstance(told, bytes) else json.dumps(told).encode() if told is not None else b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_OPTIONS = do_GET = _any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/dicom-web"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def service() -> Iterator[tuple[Service, WebDestination]]:
    service = Service()
    with serving(service) as url:
        yield service, WebDestination.parse(url, plain_http=True)


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    return [make_film(tmp_path / f"{number}.dcm", rows=40 + number) for number in range(3)]


def uid_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def module(stored: list[Path], failed: dict[Path, int]) -> dict[str, Any]:
    """The body of an answer, as PS3.18 I.2 has it."""

    def item(path: Path, reason: int | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid_of(path)]}}
        return told if reason is None else {**told, "00081197": {"vr": "US", "Value": [reason]}}

    return {
        "00081199": {"vr": "SQ", "Value": [item(path) for path in stored]},
        "00081198": {"vr": "SQ", "Value": [item(path, reason) for path, reason in failed.items()]},
    }


def stored(paths: list[Path], destination: WebDestination) -> list[Sent]:
    return send(paths, destination, "NUMBERING", timeouts=QUICK)


def test_the_files_go_out_byte_for_byte_in_one_request(
    service: tuple[Service, WebDestination], films: list[Path]
) -> None:
    web, destination = service
    sent = stored(films, destination)
    assert [(one.path, one.outcome, one.status) for one in sent] == [(film, Outcome.DELIVERED, 200) for film in films]
    ((method, path, headers, body),) = web.requests
    assert (method, path) == ("POST", "/dicom-web/studies")
    assert headers["Accept"] == "application/dicom+json"
    assert int(headers["Content-Length"]) == len(body)
    assert web.parts() == [film.read_bytes() for film in films]


def test_large_loads_are_cut_into_requests(
    service: tuple[Service, WebDestination], films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow_module, "REQUEST_BYTES", films[0].stat().st_size + 1)
    web, destination = service
    assert {one.outcome for one in stored(films, destination)} == {Outcome.DELIVERED}
    assert [len(web.parts(number)) for number in range(3)] == [1, 1, 1]


def test_each_instance_has_its_own_outcome(service: tuple[Service, WebDestination], films: list[Path]) -> None:
    web, destination = service
    web.answer(202, body=module(films[:1], {films[1]: 0xA700, films[2]: 0x0122}))
    good, full, unknown = stored(films, destination)
    assert good.outcome is Outcome.DELIVERED
    assert (full.outcome, full.temporary) == (Outcome.REFUSED, True)
    assert (unknown.outcome, unknown.temporary) == (Outcome.REFUSED, False)
    assert "failure reason 0x0122" in unknown.text


def test_what_the_service_holds_already_is_delivered(
    service: tuple[Service, WebDestination], films: list[Path]
) -> None:
    web, destination = service
    web.answer(409, body=module([], dict.fromkeys(films, 0x0111)))
    assert {one.outcome for one in stored(films, destination)} == {Outcome.DELIVERED}


@pytest.mark.parametrize(
    ("status", "outcome", "temporary", "connected"),
    [
        (202, Outcome.REFUSED, True, True),
        (400, Outcome.REFUSED, False, True),
        (409, Outcome.REFUSED, False, True),
        (413, Outcome.REFUSED, False, True),
        (415, Outcome.REFUSED, False, True),
        (429, Outcome.REFUSED, True, True),
        (500, Outcome.REFUSED, True, True),
        (503, Outcome.REFUSED, True, True),
        (401, Outcome.UNREACHABLE, True, False),
        (403, Outcome.UNREACHABLE, True, False),
        (404, Outcome.UNREACHABLE, True, False),
    ],
)
def test_a_status_without_a_word_of_the_instance(
    service: tuple[Service, WebDestination],
    films: list[Path],
    status: int,
    outcome: Outcome,
    temporary: bool,
    connected: bool,
) -> None:
    web, destination = service
    web.answer(status, body=b"<html>no</html>")
    (sent,) = stored(films[:1], destination)
    assert (sent.outcome, sent.temporary, sent.connected) == (outcome, temporary, connected)
    assert f"HTTP {status}" in sent.text


def test_when_a_request_is_refused_as_a_whole_each_object_answers_for_itself(
    service: tuple[Service, WebDestination], films: list[Path]
) -> None:
    web, destination = service
    web.answer(413, 200, 409, 200)
    outcomes = [one.outcome for one in stored(films, destination)]
    assert outcomes == [Outcome.DELIVERED, Outcome.REFUSED, Outcome.DELIVERED]
    assert [len(web.parts(number)) for number in range(4)] == [3, 1, 1, 1]


def test_a_service_may_say_when_to_come_again(service: tuple[Service, WebDestination], films: list[Path]) -> None:
    web, destination = service
    web.answer(503, Retry_After="120")
    assert stored(films[:1], destination)[0].retry_after_seconds == 120
    web.answer(429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")
    assert stored(films[:1], destination)[0].retry_after_seconds > 1e9
    web.answer(429, Retry_After="soon")
    assert stored(films[:1], destination)[0].retry_after_seconds == 0


def test_a_redirection_is_never_followed(service: tuple[Service, WebDestination], films: list[Path]) -> None:
    inner = Service()
    web, destination = service
    with serving(inner) as elsewhere:
        web.answer(307, Location=f"{elsewhere}/studies")
        (sent,) = stored(films[:1], destination)
    assert (sent.outcome, sent.connected) == (Outcome.UNREACHABLE, False)
    assert "not followed" in sent.text
    assert inner.requests == []


def test_an_endless_answer_is_cut_off(
    service: tuple[Service, WebDestination], films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow_module, "ANSWER_BYTES", 1000)
    web, destination = service
    web.answer(202, body=b" " * 100_000)
    (sent,) = stored(films[:1], destination)
    assert (sent.outcome, sent.temporary) == (Outcome.REFUSED, True)


def test_nobody_there_and_a_service_that_hangs_up_are_unreachable(films: list[Path]) -> None:
    nobody = WebDestination.parse(f"http://127.0.0.1:{free_port()}", plain_http=True)
    sent = stored(films, nobody)
    assert {(one.outcome, one.connected) for one in sent} == {(Outcome.UNREACHABLE, False)}
    assert echo(nobody, "NUMBERING", timeouts=QUICK).outcome is Outcome.UNREACHABLE


def test_a_web_service_is_asked_whether_it_is_there(service: tuple[Service, WebDestination]) -> None:
    web, destination = service
    assert echo(destination, "NUMBERING").outcome is Outcome.DELIVERED
    web.answer(401)
    assert echo(destination, "NUMBERING").outcome is Outcome.REFUSED
    web.answer(503)
    assert echo(destination, "NUMBERING").outcome is Outcome.REFUSED
    assert {method for method, *_ in web.requests} == {"OPTIONS"}


@pytest.mark.parametrize(
    ("kind", "content", "header"),
    [
        ("token_file", "abc.def\n", "Bearer abc.def"),
        ("basic_file", "numbering:s3cret\n", "Basic bnVtYmVyaW5nOnMzY3JldA=="),
    ],
)
def test_credentials_come_from_files_and_may_change(
    tmp_path: Path, films: list[Path], kind: str, content: str, header: str
) -> None:
    secret, service = tmp_path / "secret", Service()
    secret.write_text(content)
    authority = trustme.CA()
    with serving(service, context_of(authority)) as url:
        destination = WebDestination.parse(url, authorities(authority, tmp_path), **{kind: str(secret)})  # type: ignore[arg-type]
        assert stored(films[:1], destination)[0].outcome is Outcome.DELIVERED
        assert service.requests[-1][2]["Authorization"] == header
        secret.unlink()
        (sent,) = stored(films[:1], destination)
        with pytest.raises(ValueError, match="cannot be read"):
            check(destination)
    assert (sent.outcome, sent.connected) == (Outcome.UNREACHABLE, False)
    assert str(secret) in sent.text
    assert "s3cret" not in sent.text


def context_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def authorities(authority: trustme.CA, folder: Path) -> TLSFiles:
    authority.cert_pem.write_to_path(folder / "authorities.pem")
    return TLSFiles(authorities_file=str(folder / "authorities.pem"))


def test_a_service_with_a_foreign_certificate_gets_nothing(tmp_path: Path, films: list[Path]) -> None:
    service = Service()
    with serving(service, context_of(trustme.CA())) as url:
        destination = WebDestination.parse(url, authorities(trustme.CA(), tmp_path))
        (sent,) = stored(films[:1], destination)
    assert (sent.outcome, sent.connected) == (Outcome.UNREACHABLE, False)
    assert service.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"7",
        b'{"00081199": 3}',
        b'{"00081199": {"Value": [null, {"00081155": []}]}}',
        b"\xff",
    ],
)
def test_an_answer_that_makes_no_sense_tells_nothing(answer: bytes) -> None:
    assert instances(answer) == {}


def test_an_instance_that_is_told_both_ways_has_failed(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    assert instances(json.dumps(module([film], {film: 0xC000})).encode()) == {uid_of(film): Told(False, 0xC000)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with running_archive(tmp_path_factory.mktemp("archive")) as running:
        yield running


def test_orthanc_keeps_what_it_is_sent(archive: Archive, films: list[Path], tmp_path: Path) -> None:
    destination = WebDestination.parse(archive.dicomweb, plain_http=True)
    assert echo(destination, "NUMBERING").outcome is Outcome.DELIVERED
    for _ in range(2):  # again, and it stays one of each
        assert [one.outcome for one in stored(films, destination)] == [Outcome.DELIVERED] * 3
    for film in films:
        assert dcmread(archive.download(uid_of(film), tmp_path)) == dcmread(film)


def test_orthanc_refuses_what_is_no_dicom_object_and_keeps_the_rest(
    archive: Archive, films: list[Path], tmp_path: Path
) -> None:
    broken = make_film(tmp_path / "broken.dcm")
    broken.write_bytes(broken.read_bytes()[:400])
    destination = WebDestination.parse(archive.dicomweb, plain_http=True)
    outcomes = [one.outcome for one in stored([films[0], broken, films[1]], destination)]
    assert outcomes[0] is outcomes[2] is Outcome.DELIVERED
    assert outcomes[1] is not Outcome.DELIVERED
