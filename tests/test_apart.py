"""One node, whether in one piece with SQLite or in parts with PostgreSQL and Redis: the same tests over both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from numbering.jobs.serve import environment_of
from numbering.web.keys import Keys, Scope
from tests.apart import running_apart
from tests.archive import free_port
from tests.films import make_film
from tests.node import ROOT, RunningNode, running_node, wait_for
from tests.test_crash import Archive, delivered_once

Running = Callable[..., AbstractContextManager[RunningNode]]
SIZES: dict[str, Running] = {"in one piece": running_node, "in parts": running_apart}


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.stop()


@pytest.fixture(scope="module", params=SIZES)
def node(
    request: pytest.FixtureRequest, archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNode]:
    folder = tmp_path_factory.mktemp("node")
    with SIZES[request.param](folder, archive=archive.address, web_port=free_port()) as node:
        yield node


@pytest.fixture
def http(node: RunningNode) -> Iterator[httpx.Client]:
    name = generate_uid()[-16:]
    key = Keys(node.settings.data).add(name, tuple(Scope))
    address = f"http://127.0.0.1:{node.settings.web_port}"
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        wait_for(lambda: answers(client), "HTTP", node)
        yield client


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def film_in(folder: Path) -> Path:
    return make_film(folder / f"{generate_uid()}.dcm")


def test_a_film_goes_in_and_its_objects_come_out_once(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    node.send(film)
    assert delivered_once(node, archive, film) == 1
    ds = dcmread(film)
    stored = node.settings.spool / ds.StudyInstanceUID / ds.SeriesInstanceUID / f"{ds.SOPInstanceUID}.dcm"
    assert dcmread(stored).PixelData == ds.PixelData


def test_a_film_goes_in_by_stow_and_its_objects_come_out_once(
    node: RunningNode, http: httpx.Client, archive: Archive, tmp_path: Path
) -> None:
    film = film_in(tmp_path)
    body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + film.read_bytes() + b"\r\n--part--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=part'
    answer = http.post(
        "/dicom-web/studies", content=body, headers={"Content-Type": kind, "Accept": "application/dicom+json"}
    )
    assert answer.status_code == 200, answer.text
    assert delivered_once(node, archive, film) == 1


def test_the_web_room_sees_every_room_and_adds_what_they_count(
    node: RunningNode, http: httpx.Client, archive: Archive, tmp_path: Path
) -> None:
    film = film_in(tmp_path)
    node.send(film)
    delivered_once(node, archive, film)
    ready = http.get("/ready")
    assert (ready.status_code, set(ready.json()["parts"].values())) == (200, {"ready"})
    told = http.get("/metrics").text
    counted = {line.split(" ")[0]: float(line.split(" ")[1]) for line in told.splitlines() if line[:1] not in "#"}
    assert counted['numbering_objects_received_total{kept="stored",way="c-store"}'] >= 1
    assert sum(number for name, number in counted.items() if name.startswith("numbering_step_seconds_count")) >= 1
    assert counted['numbering_jobs{state="delivered"}'] >= 1


def test_kill_9_of_a_worker_in_the_middle_of_a_job(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(film)
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        killed = node.kill("infer")
    assert node.inferences()[-1][1] == killed
    assert delivered_once(node, archive, film) == 2
    assert node.inferences()[-1][1] != killed


def test_kill_9_of_every_other_room_while_a_film_is_read(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(film)
        killed = {"assemble": node.kill("assemble")}
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        killed |= {room: node.kill(room) for room in ("post", "receive-1")}
        for room, pid in killed.items():
            wait_for(lambda room=room, pid=pid: node.pid(room) != pid, f"another {room}", node)  # type: ignore[misc]
    assert delivered_once(node, archive, film) == 1
    late = film_in(tmp_path)
    wait_for(lambda: sent(node, late), "the new acceptor", node)
    assert delivered_once(node, archive, late) == 1


def sent(node: RunningNode, film: Path) -> bool:
    try:
        node.send(film)
    except AssertionError:
        return False
    return True


def test_the_health_check_of_the_image_finds_what_answers(node: RunningNode, http: httpx.Client) -> None:
    del http  # so that it answers
    port = int(str(node.facts["port"]))
    for room, there, code in (("dicom", port, 0), ("web", port, 0), ("dicom", free_port(), 1)):
        settings = node.settings.model_copy(update={"port": there})
        environment = {**environment_of(settings), "PYTHONPATH": str(ROOT)}
        asked = subprocess.run(
            [sys.executable, ROOT / "deploy" / "docker" / "alive.py", room],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == code, (room, asked.stderr)
