"""Faults beside a kill: many kills under load, a disk that takes no more, an archive that is away meanwhile."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import kill
from benchmarks.faults import wire
from numbering.dicom.incoming.accept import OUT_OF_RESOURCES
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.part10 import split
from numbering.jobs.serve import environment_of
from numbering.settings import Settings
from tests.archive import free_port
from tests.films import SOP_CLASS, make_film
from tests.node import ROOT, wait_for

LARGEST_FILE = 40_000
"""Bytes of a file on the disk that is full."""


@pytest.mark.parametrize("backend", ["embedded", "apart"])
def test_kills_of_every_process_under_load_lose_nothing_and_double_nothing(backend: str) -> None:
    """The short form of ``benchmarks/kill.py``: each kind of process once, a film every quarter of a second."""
    options = kill.parsed(["--backend", backend, "--kills", "1", "--rate", "4", "--pause", "1", "--seed", "7"])
    figures = kill.run(options, backend)
    assert set(figures["kills"].values()) == {1}
    assert figures["films"] > 10
    assert figures["differences"] == {}
    assert (figures["tracebacks"], figures["patients_in_log"]) == (0, 0)


def limited() -> None:
    """A disk that is full: beyond so many bytes the kernel takes no more, in the middle of a write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Settings]:
    """A receiver whose files cannot grow beyond `LARGEST_FILE`."""
    settings = Settings(data=tmp_path / "data", port=free_port(), disk_minimum_mib=0, disk_minimum_percent=0)
    environment = {**environment_of(settings), "PYTHONPATH": str(ROOT)}
    del environment["NUMBERING_PARENT_PID"]
    command = [sys.executable, "-m", "numbering.jobs.rooms", "receive"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, preexec_fn=limited)
    try:
        wait_for(lambda: b"receiver started" in (tmp_path / "log").read_bytes(), "the receiver")
        yield settings
    finally:
        process.terminate()
        process.wait(20)


def test_a_disk_that_is_full_in_the_middle_of_an_object_refuses_it_and_keeps_the_next(
    full: Settings, tmp_path: Path
) -> None:
    large = split(make_film(tmp_path / "large.dcm", rows=200, columns=200, sop_uid="1.2.3").read_bytes()).data_set
    small = split(make_film(tmp_path / "small.dcm", rows=20, columns=20, sop_uid="1.2.4").read_bytes()).data_set
    assert len(large) > LARGEST_FILE > len(small)

    def sent(sop: str, data: bytes) -> int | str:
        return wire.c_store(full.port, SOP_CLASS["DX"], sop, "1.2.840.10008.1.2.1", data)

    assert [sent("1.2.3", large), sent("1.2.4", small), sent("1.2.3", large)] == [OUT_OF_RESOURCES, 0, OUT_OF_RESOURCES]
    kept = list(full.spool.glob("[0-9]*/*/*.dcm"))
    assert [path.stem for path in kept] == ["1.2.4"]
    assert hashlib.sha256(split(kept[0].read_bytes()).data_set).digest() == hashlib.sha256(small).digest()
    assert [arrival.sop_instance_uid for arrival in Spool(full.spool).arrivals()] == ["1.2.4"]
    assert os.listdir(full.spool / ".incoming") == []  # noqa: PTH208
