"""Killed in the middle of things: the result still arrives, once. Real processes, Redis, sockets and files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt

from numbering.errors import ReasonCode
from numbering.jobs.states import State
from tests.films import SECRETS, make_film
from tests.node import RunningNode, processes_below, running_node, wait_for


class Archive:
    """A storage SCP that writes down which objects it was given."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self._ae = AE("ARCHIVE")
        self._ae.supported_contexts = AllStoragePresentationContexts
        self._server = self._ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        assert self._server is not None
        self.address = f"ARCHIVE@127.0.0.1:{self._server.socket.getsockname()[1]}"  # type: ignore[union-attr]

    def _store(self, event: evt.Event) -> int:
        ds: Dataset = event.dataset
        self.got.append(f"{ds.Modality} {ds.SOPInstanceUID}")
        return 0x0000

    def stop(self) -> None:
        self._ae.shutdown()


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def node(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with running_node(tmp_path_factory.mktemp("node"), archive=archive.address) as node:
        yield node


def delivered_once(node: RunningNode, archive: Archive, film: Path) -> int:
    """Wait for the film's result; check that archive and database hold it exactly once. How often it was read."""
    ds = dcmread(film, stop_before_pixels=True)

    def finished() -> bool:
        return any(row.state == State.DELIVERED for row in node.rows() if row.study_instance_uid == ds.StudyInstanceUID)

    wait_for(finished, "the result to be delivered", node)
    rows = [row for row in node.rows() if row.study_instance_uid == ds.StudyInstanceUID]
    assert [(row.state, row.revision, row.deliveries, row.delivered) for row in rows] == [("delivered", 1, 2, 2)]
    objects = [f"{kind} {uid}" for kind, uid, _ in rows[0].objects]
    assert [kind for kind, _, _ in rows[0].objects] == ["SR", "PR"]
    assert [archive.got.count(each) for each in objects] == [1, 1]
    return len([image for image, _ in node.inferences() if image == ds.SOPInstanceUID])


def film_in(folder: Path) -> Path:
    return make_film(folder / f"{generate_uid()}.dcm")


def test_a_film_goes_in_and_its_results_come_out(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    node.send(film)
    assert delivered_once(node, archive, film) == 1


def test_kill_9_of_the_worker_in_the_middle_of_a_job(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(film)
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        assert node.rows()[-1].state == State.RUNNING
        killed = node.kill("infer")
    assert node.inferences()[-1][1] == killed
    assert delivered_once(node, archive, film) == 2
    assert node.inferences()[-1][1] != killed


def test_kill_9_of_redis_while_jobs_run_and_wait(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    running, waiting = film_in(tmp_path), film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(running)
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        node.send(waiting)
        wait_for(lambda: [row.state for row in node.rows()[-2:]] == ["running", "queued"], "two jobs", node)
        killed = node.kill("redis")
        wait_for(lambda: node.pid("redis") != killed, "another Redis", node)
    assert delivered_once(node, archive, running) == 1
    assert delivered_once(node, archive, waiting) == 1


def test_kill_9_of_everything_else_one_after_the_other(node: RunningNode, archive: Archive, tmp_path: Path) -> None:
    film = film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(film)
        assembler = node.kill("assemble")
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        post = node.kill("post")
        receiver = node.kill("receive-1")
        for room, killed in (("assemble", assembler), ("post", post), ("receive-1", receiver)):
            wait_for(lambda room=room, killed=killed: node.pid(room) != killed, f"another {room}", node)  # type: ignore[misc]
    assert delivered_once(node, archive, film) == 1


def test_nothing_of_the_patient_is_in_the_log_or_the_database(node: RunningNode, tmp_path: Path) -> None:
    cut = film_in(tmp_path)
    cut.write_bytes(cut.read_bytes()[:-5000])
    fault = node.runs.parent / "fault"
    fault.touch()
    node.send(cut, film_in(tmp_path), make_film(tmp_path / "no_view.dcm", view_position=None, patient_orientation=None))
    broken = {(State.QUARANTINED, ReasonCode.PIXELS_NOT_DECODABLE), (State.QUEUED, ReasonCode.INTERNAL_ERROR)}
    wait_for(lambda: broken <= {(row.state, row.reason.code) for row in node.rows() if row.reason}, "failures", node)
    fault.unlink()
    wait_for(lambda: all(row.finished for row in node.rows()), "all to end", node)
    found = [path for path in node.settings.data.rglob("*") if path.is_file() and path.parent.name != "objects"]
    kept = [path for path in found if not path.is_relative_to(node.settings.spool) and path.suffix != ".dcm"]
    assert {"numbering.db", "redis.log", "serve.json"} <= {path.name for path in kept}
    for path in (*kept, node.log):
        # In a process of its own: closing a file here would drop SQLite's locks on it (fcntl(2)).
        told = subprocess.run(["cat", path], capture_output=True, check=True).stdout
        assert [secret for secret in SECRETS if secret.encode() in told] == [], path
    assert b"ArithmeticError at numbering/infer.py" in node.log.read_bytes()


def test_kill_9_of_the_supervisor_leaves_no_process_and_loses_no_work(
    node: RunningNode, archive: Archive, tmp_path: Path
) -> None:
    film = film_in(tmp_path)
    with node.gate():
        before = len(node.inferences())
        node.send(film)
        wait_for(lambda: len(node.inferences()) > before, "the network to run", node)
        assert len(processes_below(node.settings.data)) == 6
        os.kill(node.process.pid, signal.SIGKILL)
        node.process.wait()
        wait_for(lambda: not processes_below(node.settings.data), "all its processes to end", node, 10)
    (node.settings.data / "serve.json").unlink()
    with running_node(node.settings.data.parent, archive=archive.address) as again:
        assert delivered_once(again, archive, film) == 2
        port = int(str(again.facts["port"]))
        started = time.monotonic()
        assert again.stop() == 0
        assert time.monotonic() - started < 10
    assert not processes_below(node.settings.data)
    assert not (node.settings.data / "serve.json").exists()
    with socket.create_server(("127.0.0.1", port)) as free:
        assert free.getsockname()[1] == port
