"""Simulated patients with earlier studies, and an archive that holds them: what tests of priors share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from numbering.dicom.outgoing.deliver import Destination, Outcome, send
from numbering.uids import derived_uid
from tests.archive import Archive, free_port, running_archive
from tests.phantoms import lumbar_film

OURS = "NUMBERING"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """Films of two patients, each a study of its own. The first patient's newest study is ``current``."""

    current: Path
    prior: Path
    older: Path
    chest: Path
    somebody_else: Path

    @property
    def stored(self) -> list[Path]:
        """What the archive holds; the current study comes from a modality."""
        return [self.prior, self.older, self.chest, self.somebody_else]


def uid_of(film: Path, keyword: str = "StudyInstanceUID") -> str:
    """A UID of a film."""
    return str(dcmread(film, stop_before_pixels=True)[keyword].value)


def another_study(film: Path, to: Path, day: str, **elements: object) -> Path:
    """The same patient's film as a study of its own, of another day."""
    ds = dcmread(film)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(ds, keyword, derived_uid([str(ds[keyword].value)], to.name))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = day
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.save_as(to, enforce_file_format=True)
    return to


def smaller(film: Path, patient_id: str) -> Path:
    """The film with every fourth pixel of every fourth row, of this patient: what is tested is not how it looks."""
    ds = dcmread(film)
    ds.PatientID = patient_id
    ds.StudyDescription, ds.SeriesDescription = "Spine, simulated", "Lumbar spine AP"
    pixels = ds.pixel_array[::4, ::4]
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = pixels.tobytes()
    ds.ImagerPixelSpacing = [4 * float(spacing) for spacing in ds.ImagerPixelSpacing]
    ds.save_as(film)
    return film


def simulated(folder: Path) -> Earlier:
    """The films, written to this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    first = smaller(shutil.copyfile(lumbar_film(), folder / "film.dcm"), "PHANTOM-0040")
    return Earlier(
        current=another_study(first, folder / "current.dcm", "20240610"),
        prior=another_study(first, folder / "prior.dcm", "20230301"),
        older=another_study(first, folder / "older.dcm", "20190501"),
        chest=another_study(
            first,
            folder / "chest.dcm",
            "20220105",
            BodyPartExamined="CHEST",
            StudyDescription="Thorax",
            SeriesDescription="Thorax pa",
        ),
        somebody_else=another_study(
            first, folder / "somebody_else.dcm", "20230301", PatientID="PHANTOM-0041", PatientName="PHANTOM^SEED0041"
        ),
    )


@dataclass(frozen=True)
class EarlierArchive:
    """An archive with earlier studies, which knows our AE title at ``port``."""

    archive: Archive
    films: Earlier
    port: int


@contextmanager
def archive_with_earlier_studies(folder: Path) -> Iterator[EarlierArchive]:
    """Start one, and stop it at the end."""
    films = simulated(folder)
    port = free_port()
    with running_archive(folder / "archive", {OURS: port}) as archive:
        sent = send(films.stored, Destination.parse(archive.destination), OURS)
        assert {each.outcome for each in sent} == {Outcome.DELIVERED}
        yield EarlierArchive(archive, films, port)
    shutil.rmtree(folder / "archive", ignore_errors=True)
