"""A report of ours that a reader edited and the archive sends back: taken over, verified or not, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from numbering.jobs.record.corrections import corrections
from numbering.jobs.states import State
from tests.house import House, running_house
from tests.records import jobs, names, numbered, objects, settle

SITE = "363698007"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        yield house


def edited(house: House, edit: Callable[[Dataset], None], *, predecessor: bool = True) -> Path:
    """Our report as a reader's workstation would write it anew, after this edit."""
    (job,) = (job for job in jobs(house) if job.state != State.SUPERSEDED)
    ds = dcmread(objects(house, job)["SR"])
    old = ds.SOPInstanceUID, ds.SOPClassUID, ds.SeriesInstanceUID
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    ds.Manufacturer = "Workstation"
    if predecessor:
        ds.PredecessorDocumentsSequence = predecessors(ds.StudyInstanceUID, *old)
    edit(ds)
    path = house.folder / f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(path)
    return path


def predecessors(study: str, sop: str, sop_class: str, series: str) -> Sequence:
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID = sop, sop_class
    of_series, of_study = Dataset(), Dataset()
    of_series.SeriesInstanceUID, of_series.ReferencedSOPSequence = series, Sequence([item])
    of_study.StudyInstanceUID, of_study.ReferencedSeriesSequence = study, Sequence([of_series])
    return Sequence([of_study])


def group(ds: Dataset) -> Dataset:
    measured = next(item for item in ds.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    return measured.ContentSequence[0]


def site(ds: Dataset) -> Dataset:
    return next(item for item in group(ds).ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == SITE)


def called(value: str, scheme: str = "SCT") -> Callable[[Dataset], None]:
    """An edit: the first structure is called so."""

    def edit(ds: Dataset) -> None:
        code = site(ds).ConceptCodeSequence[0]
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "as the reader says"

    return edit


def verified(ds: Dataset) -> None:
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = "Reader^Rita", "Example Hospital"
    observer.VerificationDateTime = "20261121120000"
    observer.VerifyingObserverIdentificationCodeSequence = Sequence()
    ds.VerificationFlag, ds.VerifyingObserverSequence = "VERIFIED", Sequence([observer])


def come_back(house: House, path: Path) -> None:
    house.receive(path)
    house.assemble()
    settle(house)


L4, L5 = "11994002", "49668003"


@pytest.mark.parametrize("predecessor", [True, False])
def test_a_renamed_level_is_taken_over_and_the_report_superseded(house: House, predecessor: bool) -> None:
    numbered(house)
    come_back(house, edited(house, called(L4), predecessor=predecessor))
    assert [names(job) for job in jobs(house)] == [["L5"], ["L4"]]
    (row,) = corrections(house.node.engine)
    assert (row.source, row.was, row.name, row.verified, row.person) == ("sr", "L5", "L4", False, None)


def test_the_same_report_again_is_the_same_correction(house: House) -> None:
    numbered(house)
    path = edited(house, called("L6", "99NUMBERING"))
    come_back(house, path)
    come_back(house, path)
    assert len(corrections(house.node.engine)) == 1
    assert [names(job) for job in jobs(house)] == [["L5"], ["L6"]]


def test_a_verification_counts_only_where_the_site_trusts_who_sends_it(house: House) -> None:
    def edit(ds: Dataset) -> None:
        called(L4)(ds)
        verified(ds)

    numbered(house)
    come_back(house, edited(house, edit))
    (before,) = corrections(house.node.engine)
    assert not before.verified
    house.set(trust_verified_reports=True)

    def again(ds: Dataset) -> None:
        called("L6", "99NUMBERING")(ds)
        verified(ds)

    come_back(house, edited(house, again))
    row = corrections(house.node.engine)[-1]
    assert (row.verified, row.person, row.organisation, row.name) == (True, "Reader^Rita", "Example Hospital", "L6")
    latest = max(jobs(house), key=lambda job: job.revision)
    assert dcmread(objects(house, latest)["SR"]).VerificationFlag == "VERIFIED"


def test_a_trusted_verification_without_a_change_confirms_the_name(house: House) -> None:
    house.set(trust_verified_reports=True)
    numbered(house)
    come_back(house, edited(house, verified))
    (row,) = corrections(house.node.engine)
    assert (row.was, row.name, row.verified) == ("L5", "L5", True)


MALFORMED: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "a finding site that is no level": (called("54735007"), "no vertebra and no disc"),
    "a code of another scheme": (called(L4, "99OTHER"), "no vertebra and no disc"),
    "a disc for a vertebra": (called("84020006"), "a disc is no vertebra"),
    "no finding site any more": (lambda ds: group(ds).ContentSequence.remove(site(ds)), "0 finding sites"),
    "two finding sites": (lambda ds: group(ds).ContentSequence.append(site(ds)), "2 finding sites"),
    "no group of ours": (lambda ds: setattr(ds, "ContentSequence", Sequence()), "none of its groups"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_one_is_refused_as_a_whole_with_a_sentence(house: House, what: str) -> None:
    edit, because = MALFORMED[what]
    numbered(house)
    come_back(house, edited(house, edit))
    assert corrections(house.node.engine) == []
    refused = next(job for job in jobs(house) if job.part.startswith("refused/"))
    assert (refused.state, refused.reason_code) == (State.QUARANTINED, "correction-refused")
    assert because in (refused.reason_text or "")
    assert "nothing of it was taken over" in (refused.reason_text or "")


def test_our_own_report_that_comes_back_unchanged_corrects_nothing(house: House) -> None:
    numbered(house)
    (job,) = jobs(house)
    come_back(house, objects(house, job)["SR"])
    assert corrections(house.node.engine) == []
    assert [job.revision for job in jobs(house)] == [1]
