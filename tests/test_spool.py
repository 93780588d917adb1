"""Received files: whole or not at all, durable, never overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from numbering import durable
from numbering.dicom.incoming import journal as arrivals
from numbering.dicom.incoming.journal import Journal
from numbering.dicom.incoming.spool import Kept, Kind, Spool
from numbering.uids import InvalidUID
from tests.films import make_film, uneven

STUDY, SERIES, SOP = "1.2.3", "1.2.3.4", "1.2.3.4.5"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def film(tmp_path: Path, name: str = "film.dcm", **options: object) -> bytes:
    path = make_film(tmp_path / name, study_uid=STUDY, series_uid=SERIES, sop_uid=SOP, **options)  # type: ignore[arg-type]
    return path.read_bytes()


def keep(spool: Spool, data: bytes) -> Kept:
    return spool.keep(STUDY, SERIES, SOP, data)


def everything(spool: Spool, pattern: str = "*") -> list[Path]:
    return sorted(path for path in spool.root.rglob(pattern) if path.is_file())


def test_a_kept_file_lies_under_its_uids_with_the_very_bytes(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    assert keep(spool, data) is Kept.STORED
    assert spool.files(STUDY, SERIES) == [spool.root / STUDY / SERIES / f"{SOP}.dcm"]
    assert spool.files(STUDY, SERIES)[0].read_bytes() == data


def test_an_arrival_names_the_object_and_its_digest_until_it_is_done(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    keep(spool, data)
    (arrival,) = Spool(spool.root).arrivals()
    assert (arrival.study_instance_uid, arrival.series_instance_uid, arrival.sop_instance_uid) == (STUDY, SERIES, SOP)
    assert (arrival.kind, arrival.digest) == (Kind.STORED, hashlib.sha256(data).hexdigest())
    assert abs(arrival.received.timestamp() - time.time()) < 60
    spool.done(arrival)
    spool.done(arrival)
    assert spool.arrivals() == []
    assert len(spool.files(STUDY, SERIES)) == 1


def test_arrivals_come_in_the_order_of_their_keeping(spool: Spool, tmp_path: Path) -> None:
    uids = [f"1.2.{number}" for number in (9, 3, 7, 1, 5)]
    for uid in uids:
        spool.keep(STUDY, SERIES, uid, film(tmp_path))
    assert [arrival.sop_instance_uid for arrival in spool.arrivals()] == uids


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", ["../../etc/passwd", "1.2/3", "", "1.2.03", "1." + "2" * 64, ".incoming", "1..2"])
def test_an_invalid_uid_never_becomes_a_path(spool: Spool, place: int, value: str) -> None:
    uids = [STUDY, SERIES, SOP]
    uids[place] = value
    with pytest.raises(InvalidUID):
        spool.keep(*uids, b"data")
    assert everything(spool) == []


def test_the_same_object_again_is_stored_once_and_marked_again(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    keep(spool, data)
    spool.done(spool.arrivals()[0])
    assert keep(spool, data) is Kept.ALREADY_STORED
    assert [arrival.kind for arrival in spool.arrivals()] == [Kind.STORED]
    assert len(spool.files(STUDY, SERIES)) == 1


def test_the_same_data_set_from_another_sender_is_the_same_object(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    ds = dcmread(tmp_path / "film.dcm")
    ds.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    ds.save_as(tmp_path / "other.dcm")
    other = (tmp_path / "other.dcm").read_bytes()
    assert other != data
    keep(spool, data)
    assert keep(spool, other) is Kept.ALREADY_STORED
    assert {arrival.digest for arrival in spool.arrivals()} == {hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    "change",
    [
        {"PatientName": "Other^Name"},
        {"PatientID": "77", "AccessionNumber": "B9"},
        {"StudyDescription": "Corrected", "ReferringPhysicianName": "Who^Ever"},
        {"transfer_syntax": ExplicitVRBigEndian},
    ],
    ids=["name", "number", "study", "big-endian"],
)
def test_other_demographics_or_transfer_syntax_are_kept_as_an_update(
    spool: Spool, tmp_path: Path, change: dict[str, str]
) -> None:
    first, second = film(tmp_path), film(tmp_path, "second.dcm", **recoded(change))
    keep(spool, first)
    assert keep(spool, second) is Kept.UPDATED
    assert spool.files(STUDY, SERIES)[0].read_bytes() == first
    assert [path.read_bytes() for path in spool.updates(SOP)] == [second]
    assert spool.arrivals()[-1].kind is Kind.UPDATE
    assert spool.arrivals()[-1].digest == hashlib.sha256(second).hexdigest()


def recoded(change: dict[str, str]) -> dict[str, object]:
    """Big endian needs its pixels swapped, which `make_film` leaves to its caller."""
    if change.get("transfer_syntax") != ExplicitVRBigEndian:
        return dict(change)
    return {**change, "PixelData": uneven().astype(">u2").tobytes() + b"\0" * (uneven().nbytes % 2)}


def test_a_losslessly_compressed_copy_is_an_update(spool: Spool, tmp_path: Path) -> None:
    keep(spool, film(tmp_path))
    ds = dcmread(tmp_path / "film.dcm")
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(tmp_path / "rle.dcm")
    assert keep(spool, (tmp_path / "rle.dcm").read_bytes()) is Kept.UPDATED


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": uneven()[::-1]},
        {"ImagerPixelSpacing": [0.5, 0.5]},
        {"PatientOrientation": ["R", "F"]},
        {"SeriesDescription": "LATERAL"},
        {"photometric": "MONOCHROME1", "pixels": uneven()},
    ],
    ids=["pixels", "spacing", "orientation", "series", "photometric"],
)
def test_another_picture_under_a_known_uid_is_quarantined(
    spool: Spool, tmp_path: Path, change: dict[str, object]
) -> None:
    first, second = film(tmp_path), film(tmp_path, "second.dcm", **change)
    keep(spool, first)
    assert keep(spool, second) is Kept.CONFLICT
    assert spool.files(STUDY, SERIES)[0].read_bytes() == first
    assert [path.read_bytes() for path in spool.quarantined(SOP)] == [second]
    assert spool.arrivals()[-1].kind is Kind.CONFLICT


def test_what_cannot_be_compared_is_quarantined(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    keep(spool, data)
    assert keep(spool, data[:-100]) is Kept.CONFLICT


def test_a_known_uid_in_another_study_is_quarantined(spool: Spool, tmp_path: Path) -> None:
    keep(spool, film(tmp_path))
    moved = make_film(tmp_path / "moved.dcm", study_uid="1.9", series_uid="1.9.1", sop_uid=SOP).read_bytes()
    assert spool.keep("1.9", "1.9.1", SOP, moved) is Kept.CONFLICT
    assert spool.files("1.9", "1.9.1") == []


@pytest.mark.parametrize("same", [True, False], ids=["one-object", "two-pictures"])
def test_writers_of_one_uid_at_once_lose_nothing(spool: Spool, tmp_path: Path, same: bool) -> None:
    objects = [film(tmp_path, f"{n}.dcm", pixels=uneven(31, 17) if same else uneven(31, 17) + n) for n in range(8)]
    if same:
        objects = objects[:1] * 8
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda data: keep(Spool(spool.root), data), objects))
    assert kept.count(Kept.STORED) == 1
    assert set(kept) - {Kept.STORED} == {Kept.ALREADY_STORED if same else Kept.CONFLICT}
    found = {path.read_bytes() for path in everything(spool, "*.dcm")}
    assert found == set(objects)
    assert len(spool.arrivals()) == 8


@pytest.mark.parametrize("call", ["fsync", "link", "fdatasync"])
def test_a_failing_disk_is_an_error_and_leaves_nothing_half_done(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    data = film(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space"):
            keep(spool, data)
    assert everything(spool, "*.part") == []
    assert spool.arrivals() == []
    assert keep(spool, data) in (Kept.STORED, Kept.ALREADY_STORED)
    assert spool.files(STUDY, SERIES)[0].read_bytes() == data


def test_a_full_journal_whose_sync_failed_is_given_up_and_never_synced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells of a failed sync once; the next one would succeed and promise what is lost (fsync(2))."""
    journal = Journal(tmp_path)
    journal.append({"line": 1})
    synced: list[int] = []

    def failing(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        if len(synced) == 1:
            raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr(arrivals, "FULL_BYTES", 1)
    monkeypatch.setattr(durable, "sync_data", failing)
    with pytest.raises(OSError, match="the disk failed"):
        journal.append({"line": 2})
    journal.append({"line": 3})
    assert synced.count(synced[0]) == 1
    assert [line.text for line in arrivals.Reader(tmp_path).pending()] == [{"line": 1}, {"line": 3}]


def test_half_a_line_that_cannot_be_taken_back_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.append({"line": 1})

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left")

    def failing(descriptor: int, length: int) -> None:
        raise OSError(errno.EIO, "the disk failed")

    with monkeypatch.context() as broken:
        broken.setattr(durable, "write", half)
        broken.setattr(durable, "shorten", failing)
        with pytest.raises(OSError, match="No space"):
            journal.append({"line": 2})
    journal.append({"line": 3})
    reader = arrivals.Reader(tmp_path)
    assert [line.text for line in reader.pending()] == [{"line": 1}, {"line": 3}]
    for line in reader.pending():
        reader.done(line)
    assert reader.pending() == []
    assert len(list(tmp_path.glob("*.journal"))) == 1  # the one that is still written; the torn one is removed


def test_the_first_start_makes_every_new_folder_above_the_spool_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync_folder", synced.append)
    Spool(tmp_path / "srv" / "data" / "spool")
    assert {tmp_path, tmp_path / "srv", tmp_path / "srv" / "data", tmp_path / "srv" / "data" / "spool"} <= {*synced}


def test_a_crash_before_the_file_was_shown_is_made_good_when_it_comes_again(spool: Spool, tmp_path: Path) -> None:
    data = film(tmp_path)
    keep(spool, data)
    spool.files(STUDY, SERIES)[0].unlink()
    assert keep(spool, data) is Kept.ALREADY_STORED
    assert spool.files(STUDY, SERIES)[0].read_bytes() == data


def test_leftovers_of_dead_writers_are_cleared_and_those_of_living_ones_are_not(spool: Spool) -> None:
    incoming = spool.root / ".incoming"
    dead, living, forgotten = (
        incoming / f"{pid}-0-{n}.part" for n, pid in enumerate((2**30, os.getpid(), os.getpid()))
    )
    for path in (dead, living, forgotten):
        path.write_bytes(b"half")
    os.utime(forgotten, (0, 0))
    Spool(spool.root)
    assert list(incoming.iterdir()) == [living]


def test_what_is_written_in_another_container_is_not_taken_for_a_leftover(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "unnamed", lambda folder: None)  # as over NFS
    monkeypatch.setattr(
        "numbering.dicom.incoming.spool._alive", lambda pid: False
    )  # as seen from another process namespace
    with spool.draft() as draft:
        draft.write(b"half")
        Spool(spool.root)
        assert len(list((spool.root / ".incoming").iterdir())) == 1
    assert list((spool.root / ".incoming").iterdir()) == []
