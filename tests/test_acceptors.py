"""Several processes behind one port, killed and started again: no connection is lost, and the rooms run apart."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from numbering.dicom.incoming.spool import Spool
from numbering.jobs.supervisor import environment_of
from numbering.settings import Settings
from tests.films import make_ct
from tests.node import wait_for

ROOT = Path(__file__).parent.parent


@dataclass
class Apart:
    """A command that runs rooms, and the file in which it tells of them."""

    process: subprocess.Popen[bytes]
    told: Path

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.told.read_text())
        return facts

    def kill(self, room: str) -> None:
        """SIGKILL, and wait until the room lives again."""
        pid = self.facts["rooms"][room]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.facts["rooms"][room] not in (pid, None), f"another {room}")


@contextmanager
def apart(settings: Settings, *command: str, descriptors: tuple[int, ...] = ()) -> Iterator[Apart]:
    environment = environment_of(settings) | {"PYTHONPATH": str(ROOT)}
    del environment["NUMBERING_PARENT_PID"]
    if descriptors:  # as systemd does it: our number is the child's, because the shell becomes the command
        script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&"$0"'
        program = ["bash", "-c", script, str(descriptors[0]), sys.executable, "-m", "numbering", *command]
    else:
        program = [sys.executable, "-m", "numbering", *command]
    process = subprocess.Popen(program, env=environment, pass_fds=descriptors, cwd=ROOT)
    try:
        told = wait_for(lambda: next(settings.data.glob(f"{command[0]}-*.json"), None), f"{command[0]} to run")
        yield Apart(process, told)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.wait(20)
    assert process.returncode == 0
    assert list(settings.data.glob(f"{command[0]}-*.json")) == []


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data=tmp_path_factory.mktemp("data"), port=0, acceptors=2)


@pytest.fixture(scope="module")
def receivers(settings: Settings) -> Iterator[Apart]:
    with apart(settings, "receive") as running:
        yield running


def associate(port: int) -> Association:
    ae = AE("SENDER")
    ae.add_requested_context("1.2.840.10008.1.1")
    ae.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    return ae.associate("127.0.0.1", port, ae_title="NUMBERING")


def children_with_connections(port: int, pids: list[int]) -> dict[int, int]:
    """How many established connections of this port each process has."""
    there = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if int(line.split()[1].split(":")[1], 16) == port and line.split()[3] == "01"
    }
    found = {}
    for pid in pids:
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
        found[pid] = sum(link.startswith("socket:[") and link[8:-1] in there for link in links)
    return found


def test_both_acceptors_take_associations_from_one_port(receivers: Apart) -> None:
    port, rooms = receivers.facts["port"], receivers.facts["rooms"]
    assert list(rooms) == ["receive-1", "receive-2"]
    open_now = []
    for _ in range(4):
        open_now.append(associate(port))
        time.sleep(0.05)  # one after the other, so that who has fewer is first
    assert all(assoc.is_established for assoc in open_now)
    assert sorted(children_with_connections(port, list(rooms.values())).values()) == [2, 2]
    for assoc in open_now:
        assoc.release()


def test_a_connection_that_waits_outlives_the_acceptors(receivers: Apart) -> None:
    port, rooms = receivers.facts["port"], receivers.facts["rooms"]
    for pid in rooms.values():
        os.kill(pid, signal.SIGSTOP)  # so that the connection stays in the kernel's queue
    with socket.create_connection(("127.0.0.1", port), timeout=60) as waiting:
        for name in rooms:
            receivers.kill(name)
        waiting.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")  # a release where a request is expected
        assert waiting.recv(1) == b"\x07", "an acceptor that was started later should have answered with an abort"


def test_what_was_acknowledged_is_there_whichever_acceptor_is_killed(
    receivers: Apart, settings: Settings, tmp_path: Path
) -> None:
    sent: list[str] = []
    for number in range(6):
        name = f"receive-{1 + number % 2}"
        for part in range(5):
            sop = f"1.4.{number}.{part}"
            file = make_ct(tmp_path / f"{sop}.dcm", study_uid="1.2", series_uid="1.3", sop_uid=sop)
            assoc = associate(receivers.facts["port"])
            assert assoc.send_c_store(dcmread(file)).Status == 0
            sent.append(sop)
            assoc.release()
        receivers.kill(name)
    spool = Spool(settings.spool)
    assert {arrival.sop_instance_uid for arrival in spool.arrivals()} == set(sent)
    assert {path.stem for path in spool.files("1.2", "1.3")} == set(sent)


def test_the_port_of_systemd_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        settings = Settings(data=tmp_path, port=1, acceptors=1)
        with apart(settings, "receive", descriptors=(given.fileno(),)) as running:
            assert running.facts["port"] == given.getsockname()[1]
            assoc = associate(given.getsockname()[1])
            assert assoc.send_c_echo().Status == 0
            assoc.release()


def test_a_port_in_use_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "numbering", "receive", "--data", str(tmp_path), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert f"the DICOM port 127.0.0.1:{port} cannot be opened" in ended.stderr
