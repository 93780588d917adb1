"""A correction on its way to a real Orthanc and back: a superseding report, the old one retired, and it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
)
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.delivering import deliver_due
from numbering.jobs.states import State
from numbering.settings.delivering import DestinationSettings
from numbering.web.keys import Keys, Scope
from tests.archive import Archive, running_archive
from tests.house import House, running_house
from tests.records import jobs, names, numbered, settle
from tests.tools import complaints, dumped


def held(archive: Archive, study: str, folder: Path) -> list[Dataset]:
    """All objects that the archive has of a study, each without a complaint."""
    folder.mkdir()
    paths = [archive.download(uid, folder) for uid in archive.instances(study)]
    assert [complaints(path) for path in paths] == [[] for _ in paths]
    for path in paths:
        if dcmread(path).SOPClassUID in (ComprehensiveSRStorage, KeyObjectSelectionDocumentStorage):
            dumped(path)
    return [dcmread(path) for path in paths]


def of_class(objects: list[Dataset], sop_class: str) -> list[Dataset]:
    found = [each for each in objects if each.SOPClassUID == sop_class]
    return sorted(found, key=lambda each: each.InstanceCreationTime)


def corrected(house: House, film: Path) -> None:
    """A person renames the L5 that the node saw, by the command."""
    data = house.node.settings.data
    key = data / "reader.key"
    key.write_text(Keys(data).add("reader", [Scope.CORRECT], person="Reader^Rita", organisation="Example Hospital"))
    image = dcmread(film, stop_before_pixels=True).SOPInstanceUID
    asked = ["correct", "--at", image, "--was", "L5", "--is", "L6", "--key", str(key), "--data", str(data)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output


def settled(house: House) -> None:
    """What the workers of a running node do by themselves: encode and deliver."""
    settle(house)
    deliver_due(house.node, "pacs")


def test_a_correction_reaches_the_archive_and_stands_when_the_archive_sends_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBERING_BROKER_URL", "redis://127.0.0.1:1/0")
    with running_archive(tmp_path / "archive") as archive, running_house(tmp_path, monkeypatch) as house:
        house.set(destinations=(DestinationSettings(name="pacs", address=archive.destination),))
        film = numbered(house)
        study = str(dcmread(film).StudyInstanceUID)
        settled(house)
        before = held(archive, study, tmp_path / "before")
        corrected(house, film)
        settled(house)
        after = held(archive, study, tmp_path / "after")
        for path in (film, *(tmp_path / "after").iterdir()):
            house.receive(path)
        house.assemble()
        settled(house)
        assert [(names(job), job.state) for job in jobs(house)] == [
            (["L5"], State.SUPERSEDED),
            (["L6"], State.DELIVERED),
        ]
        assert set(archive.instances(study)) == {each.SOPInstanceUID for each in after}
    assert (len(before), len(after)) == (2, 5)
    old, new = of_class(after, ComprehensiveSRStorage)
    assert (old.VerificationFlag, new.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    (predecessor,) = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert predecessor.ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert [each.SeriesDescription for each in (old, new)] == [
        "numbering: L5 (AI, unverified)",
        "numbering: L6 (verified)",
    ]
    (retired,) = of_class(after, KeyObjectSelectionDocumentStorage)
    named = [item.ReferencedSOPSequence[0] for item in retired.ContentSequence if item.ValueType == "COMPOSITE"]
    assert {each.ReferencedSOPInstanceUID for each in named} == {each.SOPInstanceUID for each in before}
    assert len(of_class(after, GrayscaleSoftcopyPresentationStateStorage)) == 2
