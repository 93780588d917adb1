"""Completion from the wire to the result: DCMTK and pynetdicom send, the node receives, assembles and numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from numbering.dicom.incoming.announce import INSTANCE_AVAILABILITY, MPPS
from numbering.dicom.incoming.receive import Receiver, start_receiver
from numbering.jobs.states import State
from tests.films import SOP_CLASS
from tests.house import House, running_house
from tests.test_announce import availability, beginning, performed

STUDY, SERIES = "1.2.3", "1.2.3.4"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def receiver(house: House) -> Iterator[Receiver]:
    started = start_receiver(house.node.settings.model_copy(update={"port": 0}), house.node.spool)
    yield started
    started.stop()


def film(house: House, number: int) -> Path:
    return house.film(study_uid=STUDY, series_uid=SERIES, sop_uid=f"{SERIES}.{number}")


def storescu(receiver: Receiver, *paths: Path, options: tuple[str, ...] = ()) -> None:
    storescu = shutil.which("storescu", path="/usr/bin")  # not pynetdicom's of the same name
    assert storescu, "storescu is missing: apt-get install dcmtk"
    command = [storescu, "-R", *options, "-aec", "NUMBERING", "127.0.0.1", str(receiver.port)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    sent = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, timeout=60, env=environment)
    assert sent.returncode == 0, sent.stderr


def tell(receiver: Receiver, sop_class: str, *messages: tuple[Dataset, str | None]) -> None:
    """N-CREATE the first message, and N-SET those that follow."""
    ae = AE("MODALITY")
    ae.add_requested_context(sop_class)
    assoc = ae.associate("127.0.0.1", receiver.port, ae_title="NUMBERING")
    (ds, uid), *changes = messages
    assert assoc.send_n_create(ds, sop_class, uid)[0].Status == 0
    for ds, changed in changes:
        assert assoc.send_n_set(ds, sop_class, changed)[0].Status == 0
    assoc.release()


def test_a_series_is_numbered_as_soon_as_all_that_the_modality_performed_is_here(
    house: House, receiver: Receiver
) -> None:
    step = generate_uid()
    storescu(receiver, film(house, 1))
    tell(receiver, MPPS, (beginning(STUDY), step), (performed({SERIES: [f"{SERIES}.1", f"{SERIES}.2"]}), step))
    house.assemble()
    row = house.only()
    assert (row.state, row.found, row.expected) == (State.HELD, 1, 2)
    storescu(receiver, film(house, 2))
    house.take()
    house.work()
    row = house.only()
    assert row.state == State.ENCODED
    assert row.result is not None
    assert len(row.result.sources) == 2


def test_a_series_is_numbered_as_soon_as_all_that_the_archive_holds_is_here(house: House, receiver: Receiver) -> None:
    tell(receiver, INSTANCE_AVAILABILITY, (availability(STUDY, {SERIES: [f"{SERIES}.1"]}), None))
    storescu(receiver, film(house, 1))
    house.take()
    assert (house.only().state, house.only().expected) == (State.QUEUED, 1)


def test_what_came_before_an_association_was_aborted_is_kept_and_numbered(house: House, receiver: Receiver) -> None:
    ae = AE("MODALITY")
    ae.add_requested_context(SOP_CLASS["DX"], "1.2.840.10008.1.2.1")
    assoc = ae.associate("127.0.0.1", receiver.port, ae_title="NUMBERING")
    assert assoc.send_c_store(dcmread(film(house, 1))).Status == 0
    assoc.abort()
    house.assemble()
    house.work()
    assert house.only().state == State.ENCODED
    storescu(receiver, film(house, 1), film(house, 2))  # it tries again, from the first
    house.assemble()
    house.work()
    result = house.only().result
    assert result is not None
    assert (result.revision, len(result.sources)) == (2, 2)


def test_a_study_sent_again_after_its_result_was_delivered_is_no_new_work(house: House, receiver: Receiver) -> None:
    paths = [film(house, number) for number in (1, 2)]
    storescu(receiver, *paths)
    house.assemble()
    house.work()
    before = house.rows(superseded=True)
    storescu(receiver, *paths, options=("-aet", "ANOTHER"))
    assert len(house.node.spool.arrivals()) == 2
    house.assemble()
    house.work()
    assert house.rows(superseded=True) == before
