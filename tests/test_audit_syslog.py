"""Audit messages by syslog: framed as RFC 5424 and RFC 5425 want them, and never in the node's way."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import trustme
from pydantic import ValidationError

from numbering.audit import AuditTrail, syslog
from numbering.audit.journal import Journal
from numbering.settings import Settings
from tests.archive import free_port
from tests.audit_schema import faults
from tests.spoken import spoken

HEADER = re.compile(
    rb"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]+ numbering \d+ DICOM\+RFC3881 - \xef\xbb\xbf(<.*>)", re.DOTALL
)


def trail_to(folder: Path, url: str, **settings: object) -> AuditTrail:
    return AuditTrail(Settings(data=folder, audit_syslog=url, **settings))  # type: ignore[arg-type]


def message_in(data: bytes) -> ET.Element:
    match = HEADER.fullmatch(data)
    assert match, data
    return ET.fromstring(match[1])  # noqa: S314 - our own


def test_a_message_goes_out_as_one_datagram(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repository:
        repository.bind(("127.0.0.1", 0))
        repository.settimeout(20)
        trail = trail_to(tmp_path, f"udp://127.0.0.1:{repository.getsockname()[1]}")
        trail.started("receive")
        assert faults(message_in(repository.recv(2**16))) == []
        trail.stopped("receive")


def test_a_message_too_long_for_a_datagram_holds_up_no_other(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repository:
        repository.bind(("127.0.0.1", 0))
        repository.settimeout(20)
        trail = trail_to(tmp_path, f"udp://127.0.0.1:{repository.getsockname()[1]}")
        trail.accessed("1.2.3", {f"1.2.{number}": 1 for number in range(2000)}, patient_id="p")
        trail.started("receive")
        assert faults(message_in(repository.recv(2**16))) == []
        trail.stopped("receive")
    assert len(list(Journal(tmp_path / "audit").records())) == 3


def test_messages_go_out_over_tls_each_behind_its_length(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    got = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            with context.wrap_socket(plain, server_side=True) as peer:
                while chunk := peer.recv(2**16):
                    got.extend(chunk)

        repository = threading.Thread(target=serve)
        repository.start()
        url = f"tls://localhost:{server.getsockname()[1]}"
        trail = trail_to(tmp_path, url, audit_syslog_ca_file=str(tmp_path / "ca.pem"))
        trail.started("receive")
        trail.stopped("receive")
        repository.join(20)
    data, found = bytes(got), []
    while data:
        length, _, rest = data.partition(b" ")
        found.append(message_in(rest[: int(length)]))
        data = rest[int(length) :]
    assert [faults(message) for message in found] == [[], []]


def test_a_repository_with_another_certificate_gets_nothing(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    refused: list[type[Exception]] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            try:
                context.wrap_socket(plain, server_side=True)
            except OSError as error:
                refused.append(type(error))

        repository = threading.Thread(target=serve)
        repository.start()
        url = f"tls://localhost:{server.getsockname()[1]}"
        trail = trail_to(tmp_path, url, audit_syslog_ca_file=str(tmp_path / "ca.pem"))
        trail.started("receive")
        repository.join(20)
        trail.stopped("receive")
    assert refused
    assert len(list(Journal(tmp_path / "audit").records())) == 2


def test_a_repository_that_is_gone_holds_nothing_up_and_what_is_dropped_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "WAITING", 5)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with spoken() as said:
        sender = syslog.Syslog(syslog.Repository("tls", "127.0.0.1", free_port()), context)
        for _ in range(20):
            sender.send("<AuditMessage/>")
        sender.close()
    assert sender.dropped >= 14
    assert "audit messages do not reach syslog; the journal has them" in said.getvalue()


@pytest.mark.parametrize(
    "url", ["syslog.example.org", "http://x", "udp://", "tls://host:port", "tls://a b", "udp://h/x"]
)
def test_a_wrong_address_stops_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(audit_syslog=url)


@pytest.mark.parametrize(
    ("url", "place"),
    [("udp://log", ("log", 514)), ("tls://log", ("log", 6514)), ("tls://[::1]:99", ("::1", 99))],
)
def test_ports_are_those_of_the_standard_unless_said_otherwise(url: str, place: tuple[str, int]) -> None:
    repository = syslog.Repository.of(url)
    assert (repository.host, repository.port) == place


def test_a_missing_certificate_costs_the_copy_and_not_the_record(tmp_path: Path) -> None:
    with spoken() as said:
        trail_to(tmp_path, "tls://localhost", audit_syslog_ca_file=str(tmp_path / "none.pem")).started("receive")
    assert [record.sound for record in Journal(tmp_path / "audit").records()] == [True]
    assert "an audit record could not be written" in said.getvalue()


def test_a_full_disk_costs_the_record_and_not_the_copy(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repository:
        repository.bind(("127.0.0.1", 0))
        repository.settimeout(20)
        trail = trail_to(tmp_path, f"udp://127.0.0.1:{repository.getsockname()[1]}")
        trail.started("receive")
        assert faults(message_in(repository.recv(2**16))) == []
        trail.stopped("receive")
