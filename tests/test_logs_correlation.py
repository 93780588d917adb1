"""One film followed through the log of a real node: from its association, or its request, to its delivery."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.settings import Settings
from numbering.web.keys import Keys, Scope
from tests.films import SECRETS, make_film
from tests.node import RunningNode, running_node, wait_for
from tests.test_stow_endpoint import body, post
from tests.web import free_port


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that delivers to another's DICOM port."""
    folder = tmp_path_factory.mktemp("node")
    archive = start_receiver(Settings(ae_title="ARCHIVE", port=0, data=folder / "archive"), Spool(folder / "archive"))
    options = {"archive": f"ARCHIVE@127.0.0.1:{archive.port}", "web_port": free_port(), "log_level": "INFO"}
    try:
        with running_node(folder, **options) as node:
            yield node
    finally:
        archive.stop()


def lines(node: RunningNode) -> list[dict[str, Any]]:
    return [json.loads(line) for line in node.log.read_text().splitlines()]


def followed(node: RunningNode, film: Path) -> dict[str, list[dict[str, Any]]]:
    """Lines about this film's study or its job, by what they say."""
    study = str(dcmread(film).StudyInstanceUID)
    told = lines(node)
    jobs = {line["job"] for line in told if line.get("study_instance_uid") == study and "job" in line}
    assert len(jobs) == 1
    mine = [line for line in told if line.get("study_instance_uid") == study or line.get("job") in jobs]
    events: dict[str, list[dict[str, Any]]] = {}
    for line in mine:
        events.setdefault(line["event"], []).append(line)
    return events


def answers(url: str) -> bool:
    """Whether anybody answers there yet: a node is up when films can come, its web room may follow."""
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def test_a_film_is_followed_from_its_association_to_its_delivery(node: RunningNode, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    node.send(film)
    wait_for(lambda: {row.state for row in node.rows()} == {"delivered"}, "delivery", node)
    found = wait_for(lambda: (each := followed(node, film)) and "objects received" in each and each, "the log", node)
    assert isinstance(found, dict)
    (received,) = found["objects received"]
    assert len(received["association"]) == 16
    (arrived,) = found["arrived"]
    assert arrived["sop_instance_uid"] == str(dcmread(film).SOPInstanceUID)
    (made,) = found["a job is made"]
    for what in ("numbering done", "encoding done"):
        (line,) = found[what]
        assert (line["job"], line["series_instance_uid"]) == (made["job"], str(dcmread(film).SeriesInstanceUID))
    assert len(found["delivered"]) == len(node.rows()[0].objects)
    assert {line["job"] for line in found["delivered"]} == {made["job"]}


def test_a_film_is_followed_from_its_request_to_its_delivery(node: RunningNode, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    key = Keys(node.settings.data).add("modality", [Scope.STORE])
    url = f"http://127.0.0.1:{node.settings.web_port}"
    wait_for(lambda: answers(url), "the web room", node)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        answer = post(client, body(film.read_bytes()))
    assert answer.status_code == 200
    wait_for(lambda: "delivered" in {row.state for row in node.rows() if row.study_instance_uid
             == str(dcmread(film).StudyInstanceUID)}, "delivery", node)  # fmt: skip
    events = followed(node, film)
    (received,) = events["objects received"]
    assert received["request"] == answer.headers["x-request-id"]
    (request,) = [line for line in lines(node) if line.get("request") == received["request"] and "route" in line]
    assert (request["route"], request["status"], request["key"]) == ("/dicom-web/studies", 200, "modality")
    assert {"arrived", "a job is made", "numbering done", "encoding done", "delivered"} <= events.keys()
    assert key.split("_", 2)[2] not in node.log.read_text()


@pytest.mark.parametrize("title", [b'"},{"event":"f"}', b'X\n{"event":"f"}', b"X\x1b[2J\r\nforged"])
def test_a_peer_cannot_write_lines_of_its_own(node: RunningNode, title: bytes) -> None:
    """An AE title may hold any byte that a stranger likes, and a request's path too."""
    before = len(lines(node))
    with socket.create_connection(("127.0.0.1", int(str(node.facts["port"]))), timeout=10) as connection:
        connection.sendall(_associate_request(title.ljust(16)[:16], b"NOBODY".ljust(16)))
        assert connection.recv(100)[:1] in (b"\3", b"\7")  # A-ASSOCIATE-RJ, A-ABORT
    with socket.create_connection(("127.0.0.1", node.settings.web_port), timeout=10) as connection:
        connection.sendall(b"GET /%0a%7b%22event%22:%22forged%22%7d HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 404 " in connection.recv(100)
    wait_for(lambda: any(line["event"] == "request" for line in lines(node)[before:]), "the request", node)
    assert {line["event"] for line in lines(node)[before:]} <= {
        "association refused",
        "an association is aborted",
        "a library's message, withheld",
        "request",
    }
    assert all(line.isprintable() for line in node.log.read_text().splitlines())


def test_the_web_room_tells_what_all_rooms_counted(node: RunningNode) -> None:
    key = Keys(node.settings.data).add("prometheus", [Scope.READ])
    url = f"http://127.0.0.1:{node.settings.web_port}/metrics"
    told = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).text
    for line in (
        'numbering_objects_received_total{kept="stored",way="c-store"} 1.0',
        'numbering_objects_received_total{kept="stored",way="stow"} 1.0',
        'numbering_associations{way="c-store"} 0.0',
        'numbering_step_seconds_count{step="numbering"} 2.0',
        'numbering_deliveries_total{destination="archive",outcome="delivered"} 4.0',
        'numbering_jobs{state="delivered"} 2.0',
    ):
        assert line in told.splitlines(), told


def test_nothing_of_the_patient_is_in_the_log_of_all_that(node: RunningNode) -> None:
    told = node.log.read_text()
    assert told
    assert not any(secret in told for secret in SECRETS)


def _associate_request(calling: bytes, called: bytes) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2) that proposes verification."""

    def item(kind: int, value: bytes) -> bytes:
        return bytes([kind, 0]) + len(value).to_bytes(2, "big") + value

    context = bytes([1, 0, 0, 0]) + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x50, item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3"))
    value = b"\0\1\0\0" + called + calling + bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context)
    value += user
    return b"\1\0" + len(value).to_bytes(4, "big") + value
