"""A worklist that is called by DICOM TLS: DCMTK's wlmscpfs, which speaks none, behind an end of TLS of our own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from numbering.dicom.tls import server_context
from numbering.dicom.worklist import WorklistFailed, items_of
from numbering.settings import Settings
from tests.archive import free_port
from tests.worklist import Step, running_worklist

HOST = "127.0.0.1"


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextmanager
def ended_tls(context: ssl.SSLContext, inner_port: int) -> Iterator[int]:
    """A port that takes TLS and passes what is in it to another port."""
    port, loop = free_port(), asyncio.new_event_loop()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(HOST, inner_port)
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer), return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(taken, HOST, port, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def signed(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """Certificate and key of the worklist's host."""
    issued = authority.issue_cert(HOST)
    certificate, key = folder / "worklist.pem", folder / "worklist.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


@pytest.fixture
def worklist(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a worklist with TLS, and the file of its authority."""
    authority = trustme.CA()
    authorities = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(authorities)
    context = server_context(*signed(authority, tmp_path), authorities, "none")
    with running_worklist(tmp_path / "items", [Step(accession="A1", step="TLIF L4/5, left")]) as address:
        title, _, place = address.partition("@")
        with ended_tls(context, int(place.rpartition(":")[2])) as port:
            yield f"{title}@{HOST}:{port}", authorities


def test_a_plan_comes_over_tls(worklist: tuple[str, Path]) -> None:
    address, authorities = worklist
    peer = Settings(worklist=address, worklist_tls=True, worklist_ca_file=str(authorities)).worklist_peer
    (item,) = items_of(peer, "NUMBERING", "A1", 10)
    assert item.texts["step-description"] == ("TLIF L4/5, left",)


def test_a_worklist_with_tls_is_not_asked_in_the_clear(worklist: tuple[str, Path]) -> None:
    with pytest.raises(WorklistFailed):
        items_of(Settings(worklist=worklist[0]).worklist_peer, "NUMBERING", "A1", 3)


def test_a_worklist_whose_certificate_is_foreign_is_not_asked(worklist: tuple[str, Path], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(foreign)
    peer = Settings(worklist=worklist[0], worklist_tls=True, worklist_ca_file=str(foreign)).worklist_peer
    with pytest.raises(WorklistFailed, match="TLS"):
        items_of(peer, "NUMBERING", "A1", 10)
