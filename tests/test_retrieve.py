"""Fetching series from a real archive by C-MOVE, C-GET and WADO-RS: byte for byte, and only what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.outgoing.deliver import Destination, send
from numbering.dicom.part10 import split
from numbering.dicom.priors import PriorSource, open_source
from numbering.dicom.priors.intake import SpoolIntake
from numbering.priors.source import Allowance, OutOfTime, Patient, SourceMisbehaves
from numbering.settings import Settings
from tests.earlier import OURS, EarlierArchive, another_study, uid_of

WAYS = ("move", "get", "wado")
PATIENT = Patient("PHANTOM-0040")


@pytest.fixture
def spool(tmp_path: Path, earlier: EarlierArchive) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    receiver = start_receiver(Settings(data=tmp_path, port=earlier.port, ae_title=OURS), spool)
    yield spool
    receiver.stop()


def source_at(way: str, earlier: EarlierArchive) -> PriorSource:
    address = earlier.archive.dicomweb if way == "wado" else earlier.archive.destination
    method = "get" if way == "get" else "move"
    return open_source(Settings(priors_source=address, priors_plain_http=True, priors_method=method, ae_title=OURS))


@pytest.fixture(params=WAYS)
def source(request: pytest.FixtureRequest, earlier: EarlierArchive) -> PriorSource:
    return source_at(request.param, earlier)


def intake_of(film: Path, spool: Spool, patient: Patient = PATIENT, *, size: int = 2**30, seconds: float = 20):
    allowance = Allowance(objects=10, size=size, seconds=seconds)
    return SpoolIntake(spool, patient, uid_of(film), uid_of(film, "SeriesInstanceUID"), allowance)


def test_a_prior_is_in_the_spool_as_the_archive_has_it(source, earlier, spool, tmp_path) -> None:
    film = earlier.films.prior
    intake = intake_of(film, spool)
    source.fetch(intake)
    assert intake.received.objects == 1
    assert (intake.received.foreign, intake.received.refused, intake.received.missing) == (0, 0, 0)
    assert list(intake.received.sop_classes) == [uid_of(film, "SOPClassUID")]
    (kept,) = spool.files(uid_of(film), uid_of(film, "SeriesInstanceUID"))
    held = earlier.archive.download(uid_of(film, "SOPInstanceUID"), tmp_path)
    assert split(kept.read_bytes()) == split(held.read_bytes())


@pytest.mark.parametrize("way", ["get", "wado"])
def test_a_compressed_prior_stays_compressed(way, earlier, spool, tmp_path) -> None:
    film = another_study(earlier.films.prior, tmp_path / "compressed.dcm", "20210101")
    ds = dcmread(film)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    ds.save_as(film)
    send([film], Destination.parse(earlier.archive.destination), OURS)
    source_at(way, earlier).fetch(intake_of(film, spool))
    (kept,) = spool.files(uid_of(film), uid_of(film, "SeriesInstanceUID"))
    assert split(kept.read_bytes()) == split(film.read_bytes())
    assert split(kept.read_bytes()).transfer_syntax == JPEGLSLossless


def test_fetching_again_keeps_one(source, earlier, spool) -> None:
    for _ in range(2):
        source.fetch(intake_of(earlier.films.older, spool))
    assert len(spool.files(uid_of(earlier.films.older), uid_of(earlier.films.older, "SeriesInstanceUID"))) == 1


@pytest.mark.parametrize("way", ["get", "wado"])
def test_an_object_of_another_patient_is_dropped_whatever_the_archive_says(way, earlier, spool) -> None:
    film = earlier.films.somebody_else
    intake = intake_of(film, spool)
    source_at(way, earlier).fetch(intake)
    assert (intake.received.objects, intake.received.foreign) == (0, 1)
    assert spool.files(uid_of(film), uid_of(film, "SeriesInstanceUID")) == []


def test_an_object_of_another_patient_that_was_moved_to_us_is_seen(earlier, spool) -> None:
    intake = intake_of(earlier.films.somebody_else, spool)
    source_at("move", earlier).fetch(intake)
    assert (intake.received.objects, intake.received.foreign) == (0, 1)


@pytest.mark.parametrize("way", ["get", "wado"])
def test_more_bytes_than_allowed_end_the_transfer(way, earlier, spool) -> None:
    intake = intake_of(earlier.films.prior, spool, size=1000)
    with pytest.raises(SourceMisbehaves):
        source_at(way, earlier).fetch(intake)
    assert intake.received.objects == 0


def test_a_transfer_whose_time_is_over_ends(source, earlier, spool) -> None:
    with pytest.raises(OutOfTime):
        source.fetch(intake_of(earlier.films.prior, spool, seconds=0))
