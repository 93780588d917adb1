"""C-STORE over TLS: to pynetdicom and to DCMTK's storescp, with and without a certificate of our own."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from numbering.dicom.outgoing.deliver import Destination, Outcome, Sent, check, echo, send
from numbering.dicom.outgoing.destination import TLSFiles
from numbering.dicom.tls import server_context
from tests.archive import free_port
from tests.films import make_film
from tests.node import wait_for
from tests.peers import QUICK, peer

HOST = "127.0.0.1"


class Site:
    """A certificate authority and what it signed, as files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        self.authorities = folder / "authorities.pem"
        authority.cert_pem.write_to_path(self.authorities)
        self.server = self._issue(authority, folder, "server")
        self.client = self._issue(authority, folder, "client")

    def _issue(self, authority: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert(HOST)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def files(self, *, client: bool = False) -> TLSFiles:
        certificate, key = self.client if client else ("", "")
        return TLSFiles(authorities_file=str(self.authorities), certificate_file=str(certificate), key_file=str(key))

    def context(self, *, client_certificates: bool = False) -> ssl.SSLContext:
        wanted = "required" if client_certificates else "none"
        return server_context(*self.server, self.authorities, wanted)  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.dcm")


def stored(film: Path, destination: Destination) -> Sent:
    (sent,) = send([film], destination, "NUMBERING", timeouts=QUICK)
    return sent


def test_an_object_goes_over_tls(site: Site, film: Path) -> None:
    with peer(context=site.context(), tls=site.files()) as destination:
        assert echo(destination, "NUMBERING", timeouts=QUICK).outcome is Outcome.DELIVERED
        assert stored(film, destination).outcome is Outcome.DELIVERED


def test_our_certificate_is_shown_where_the_peer_asks_for_it(site: Site, film: Path) -> None:
    context = site.context(client_certificates=True)
    with peer(context=context, tls=site.files(client=True)) as destination:
        assert stored(film, destination).outcome is Outcome.DELIVERED
    with peer(context=context, tls=site.files()) as destination:
        sent = stored(film, destination)
    assert (sent.outcome, sent.connected) == (Outcome.UNREACHABLE, False)


def test_a_peer_whose_certificate_is_foreign_gets_nothing(site: Site, film: Path, tmp_path: Path) -> None:
    got: list[object] = []
    with peer(lambda event: got.append(event) or 0, context=Site(tmp_path / "other").context(), tls=site.files()) as to:
        sent = stored(film, to)
    assert (sent.outcome, sent.connected, got) == (Outcome.UNREACHABLE, False, [])
    assert "TLS" in sent.text


def test_a_plain_peer_gets_nothing_from_a_destination_with_tls(site: Site, film: Path) -> None:
    with peer(tls=site.files()) as destination:
        sent = stored(film, destination)
    assert (sent.outcome, sent.connected) == (Outcome.UNREACHABLE, False)


def test_a_missing_file_stops_the_start_and_is_named(site: Site, film: Path, tmp_path: Path) -> None:
    destination = Destination("A", HOST, 104, TLSFiles(authorities_file=str(tmp_path / "gone.pem")))
    with pytest.raises(ValueError, match=r"gone\.pem"):
        check(destination)
    assert "gone.pem" in stored(film, destination).text


@contextmanager
def storescp(folder: Path, site: Site) -> Iterator[Destination]:
    """DCMTK's storage SCP over TLS, which asks for our certificate."""
    folder.mkdir()
    port, (certificate, key) = free_port(), site.server
    dcmtk = shutil.which("storescp", path=os.defpath)  # pynetdicom brings another program of this name
    assert dcmtk, "storescp is missing: apt-get install dcmtk"
    command = [dcmtk, "--aetitle", "ARCHIVE", "--output-directory", str(folder)]
    command += ["+tls", str(key), str(certificate), "+cf", str(site.authorities), "-rc", "+xa", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    destination = Destination("ARCHIVE", HOST, port, site.files(client=True))
    try:
        wait_for(
            lambda: echo(destination, "NUMBERING", timeouts=QUICK).outcome is Outcome.DELIVERED, "storescp", seconds=15
        )
        yield destination
    finally:
        process.terminate()
        process.wait(10)


def test_dcmtk_takes_our_objects_over_tls(site: Site, film: Path, tmp_path: Path) -> None:
    with storescp(tmp_path / "dcmtk", site) as destination:
        assert stored(film, destination).outcome is Outcome.DELIVERED
    (kept,) = (tmp_path / "dcmtk").glob("DX*")
    assert kept.read_bytes()[-1000:] == film.read_bytes()[-1000:]
