"""DICOM over TLS by the BCP 195 profile: DCMTK sends by it, what is older or weaker is refused."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from numbering.dicom.incoming.receive import FEWEST_WAITING, Receiver, start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.tls import TLSFileError, client_context, server_context
from numbering.jobs.serve import CannotStart, receive
from numbering.settings import Settings
from tests.archive import free_port
from tests.films import make_film
from tests.test_receive_limits import refused_so_far


@dataclass(frozen=True)
class Files:
    """PEM files of one party, and of the authority that signed it."""

    authorities: Path
    certificate: Path
    key: Path


def files(folder: Path, name: str, authority: trustme.CA) -> Files:
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert("127.0.0.1", "localhost", common_name=name)
    paths = Files(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
    authority.cert_pem.write_to_path(paths.authorities)
    paths.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(paths.key)
    return paths


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files, Files]:
    """The node's files, a sender's of the same authority, and a stranger's."""
    folder = tmp_path_factory.mktemp("pki")
    authority = trustme.CA()
    node, sender = files(folder, "node", authority), files(folder, "sender", authority)
    return node, sender, files(folder / "elsewhere", "stranger", trustme.CA())


Start = Callable[..., tuple[Receiver, Spool]]


@pytest.fixture
def start(tmp_path: Path, ours: tuple[Files, Files, Files]) -> Iterator[Start]:
    running: list[Receiver] = []

    def begin(**options: object) -> tuple[Receiver, Spool]:
        files = {
            "dicom_tls_certificate_file": str(ours[0].certificate),
            "dicom_tls_key_file": str(ours[0].key),
            "dicom_tls_authorities_file": str(ours[0].authorities),
        }
        settings = Settings(**{"data": tmp_path / "data", "port": 0, **files, **options})  # type: ignore[arg-type]
        spool = Spool(settings.spool)
        running.append(start_receiver(settings, spool))
        return running[0], spool

    yield begin
    for receiver in running:
        receiver.stop()


def storescu(port: int, film: Path, *options: object) -> subprocess.CompletedProcess[str]:
    command = ["storescu", "-R", *map(str, options), "-aec", "NUMBERING", "127.0.0.1", str(port), str(film)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def by_tls(party: Files) -> list[object]:
    return ["+tls", party.key, party.certificate, "+cf", party.authorities]


def anonymous(party: Files) -> list[object]:
    return ["+tla", "+cf", party.authorities]


def test_dcmtk_sends_over_tls(start: Start, ours: tuple[Files, Files, Files], tmp_path: Path) -> None:
    receiver, spool = start(dicom_tls_client_certificates="required")
    film = make_film(tmp_path / "film.dcm")
    sent = storescu(receiver.port, film, *by_tls(ours[1]))
    assert sent.returncode == 0, sent.stderr
    assert len(spool.arrivals()) == 1


@pytest.mark.parametrize(("certificates", "let_in"), [("none", True), ("optional", True), ("required", False)])
def test_a_sender_without_certificate(
    start: Start, ours: tuple[Files, Files, Files], tmp_path: Path, certificates: str, let_in: bool
) -> None:
    receiver, spool = start(dicom_tls_client_certificates=certificates)
    sent = storescu(receiver.port, make_film(tmp_path / "film.dcm"), *anonymous(ours[0]))
    assert (sent.returncode == 0, len(spool.arrivals())) == (let_in, int(let_in)), sent.stderr


def test_a_stranger_and_a_sender_in_the_clear_are_refused(
    start: Start, ours: tuple[Files, Files, Files], tmp_path: Path
) -> None:
    receiver, spool = start(dicom_tls_client_certificates="optional", artim_seconds=1)
    film = make_film(tmp_path / "film.dcm")
    stranger = ["+tls", ours[2].key, ours[2].certificate, "+cf", ours[0].authorities]
    assert storescu(receiver.port, film, *stranger).returncode != 0
    assert storescu(receiver.port, film).returncode != 0
    assert spool.arrivals() == []
    assert storescu(receiver.port, film, *by_tls(ours[1])).returncode == 0  # and the port still answers


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ({"maximum_version": ssl.TLSVersion.TLSv1_1}, "a protocol of before"),
        ({"ciphers": "AES128-SHA256:AES256-GCM-SHA384:@SECLEVEL=0"}, "no forward secrecy"),
        ({"ciphers": "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}, "no authenticated encryption"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_older_and_weaker_tls_is_refused(start: Start, weak: dict[str, object], why: str) -> None:
    receiver, _ = start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:@SECLEVEL=0")
    if "ciphers" in weak:
        context.set_ciphers(str(weak["ciphers"]))
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = weak["maximum_version"]  # type: ignore[assignment]
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_profile_s_own_versions_are_spoken(
    start: Start, ours: tuple[Files, Files, Files], version: ssl.TLSVersion
) -> None:
    receiver, _ = start()
    context = client_context(ours[0].authorities)
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as spoken,
    ):
        assert spoken.version() == version.name.replace("_", ".")
        assert spoken.compression() is None


def test_a_plain_port_beside_the_one_with_tls(start: Start, ours: tuple[Files, Files, Files], tmp_path: Path) -> None:
    receiver, spool = start(dicom_tls_port=free_port())
    film = make_film(tmp_path / "film.dcm")
    assert storescu(receiver.ports["plain"], film).returncode == 0
    assert storescu(receiver.ports["tls"], film, *by_tls(ours[1])).returncode == 0
    assert len(spool.arrivals()) == 2


def test_a_handshake_that_never_ends_holds_up_nobody(
    start: Start, ours: tuple[Files, Files, Files], tmp_path: Path
) -> None:
    receiver, _ = start(artim_seconds=1)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as idle:
        assert storescu(receiver.port, make_film(tmp_path / "film.dcm"), *by_tls(ours[1])).returncode == 0
        assert idle.recv(1) == b""  # closed by the node


def test_handshakes_under_way_are_counted_for_each_address(start: Start, ours: tuple[Files, Files, Files]) -> None:
    receiver, _ = start(maximum_associations=2, maximum_associations_per_peer=1, artim_seconds=60)
    here, before = ("127.0.0.1", receiver.port), refused_so_far("connections-of-peer")
    idle = [socket.create_connection(here, timeout=20) for _ in range(FEWEST_WAITING)]
    with socket.create_connection(here, timeout=5) as refused:
        assert refused.recv(1) == b""
    assert refused_so_far("connections-of-peer") == before + 1
    with socket.create_connection(here, timeout=20, source_address=("127.0.0.2", 0)) as plain:
        client_context(ours[0].authorities).wrap_socket(plain, server_hostname="127.0.0.1").close()
    for connection in idle:
        connection.close()


def test_a_host_that_is_not_in_the_certificate_is_refused(start: Start, ours: tuple[Files, Files, Files]) -> None:
    receiver, _ = start()
    for host, accepted in (("127.0.0.1", True), ("other.example", False)):
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as plain:
            try:
                client_context(ours[0].authorities).wrap_socket(plain, server_hostname=host).close()
                assert accepted
            except ssl.SSLCertVerificationError:
                assert not accepted
    assert not client_context(ours[0].authorities, check_hostname=False).check_hostname


def test_files_that_do_not_fit_are_named(ours: tuple[Files, Files, Files], tmp_path: Path) -> None:
    node, sender, _ = ours
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    locked = tmp_path / "locked.key"
    openssl = ["openssl", "pkey", "-in", node.key, "-aes128", "-passout", "pass:abcd", "-out", locked]
    subprocess.run(list(map(str, openssl)), check=True, capture_output=True)
    wrong: list[tuple[tuple[object, ...], str]] = [
        ((node.certificate, sender.key), "is not that of the certificate"),
        ((node.certificate, locked), "has a password"),
        ((junk, node.key), "expected a certificate"),
        ((tmp_path / "none.pem", node.key), "No such file"),
        ((node.certificate, ""), "needs its key"),
        ((node.certificate, node.key, "", "required"), "no file of authorities"),
        ((node.certificate, node.key, junk, "required"), "expected PEM certificates"),
    ]
    for arguments, said in wrong:
        with pytest.raises(TLSFileError, match=said):
            server_context(*arguments)  # type: ignore[arg-type]


def test_a_missing_certificate_stops_the_start(tmp_path: Path) -> None:
    lost = str(tmp_path / "lost.pem")
    settings = Settings(data=tmp_path, port=0, dicom_tls_certificate_file=lost, dicom_tls_key_file=lost)
    with pytest.raises(CannotStart, match=r"lost\.pem cannot be read"):
        receive(settings)
