"""The story of one patient through a node and a real Orthanc: each film that comes, each check, and a correction."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, KeyObjectSelectionDocumentStorage

from numbering.jobs.states import State
from tests.records import jobs, names
from tests.story import Told, told
from tests.tools import complaints, dumped


def test_six_lumbar_vertebrae_are_found_out_by_a_later_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with told(tmp_path, monkeypatch) as story:
        two_lumbar_films_presume_five(story)
        a_whole_spine_film_counts_six(story)
        a_person_verifies_what_was_counted(story)


def two_lumbar_films_presume_five(story: Told) -> None:
    story.arrives(story.films.ap, story.films.lateral)
    assert sorted(names(job) for job in jobs(story.house)) == [["L5"], ["T12", "L1", "L2", "L3", "L4", "L5", "S1"]]
    (lateral,) = (one for one in reports(story, "first") if "L1" in dumped_text(one))
    text = dumped_text(lateral)
    assert "five lumbar-type vertebrae presumed" in text
    assert "Alternative numbering" in text
    code, answer = story.checked("L5/S1")
    assert (code, answer["verdict"], answer["reason"]) == (4, "CANNOT CONFIRM", "basis-not-confirmed")
    assert "The mark is on what is called L5-S1" in str(answer["statement"])


def a_whole_spine_film_counts_six(story: Told) -> None:
    story.arrives(story.films.whole)
    now = [names(job) for job in jobs(story.house) if job.state == State.DELIVERED and job.result]
    assert sorted(now, key=len)[:2] == [["L6"], ["L1", "L2", "L3", "L4", "L5", "L6", "S1"]]
    assert [names(job) for job in jobs(story.house) if job.state == State.SUPERSEDED] == [
        ["L5"],
        ["T12", "L1", "L2", "L3", "L4", "L5", "S1"],
    ]
    # On the lumbar film the names are carried over, which confirms nothing; on the film that was counted they are.
    code, answer = story.checked("L5/S1")
    assert (code, answer["verdict"], answer["reason"]) == (4, "CANNOT CONFIRM", "basis-not-confirmed")
    assert "The mark is on what is called L6-S1" in str(answer["statement"])
    assert "This spine is not the usual one: 7C+12T+6L" in str(answer["statement"])
    code, answer = story.checked("L5/S1", on=story.films.whole)
    assert (code, answer["verdict"], answer["reason"]) == (3, "DISAGREES", "another-level")
    assert "L6-S1" in str(answer["statement"])


def a_person_verifies_what_was_counted(story: Told) -> None:
    story.verified("L6", story.films.ap, story.films.lateral)
    assert story.checked("L5/S1")[1]["verdict"] == "DISAGREES"
    code, answer = story.checked("L6/S1")
    assert (code, answer["verdict"]) == (0, "AGREES")
    assert "L6-S1: named by a person, verified" in str(answer["statement"])
    everything = story.held("last")
    assert [complaints(path) for path in everything] == [[] for _ in everything]
    verified = [one for one in everything.values() if one.get("VerificationFlag") == "VERIFIED"]
    assert [one.SeriesDescription for one in verified] == ["numbering: L6 (verified)"]
    assert all(one.PredecessorDocumentsSequence for one in verified)
    retired = [one for one in everything.values() if one.SOPClassUID == KeyObjectSelectionDocumentStorage]
    assert len(retired) == 4
    checks = [one.SeriesDescription for one in everything.values() if "level check" in one.SeriesDescription]
    assert sorted(checks) == [
        *["level check: AGREES (AI, unverified)"],
        *["level check: CANNOT CONFIRM (AI, unverified)"] * 2,
        *["level check: DISAGREES (AI, unverified)"] * 2,
    ]


def reports(story: Told, name: str) -> list[Path]:
    found: dict[Path, Dataset] = story.held(name)
    return [path for path, one in found.items() if one.SOPClassUID == ComprehensiveSRStorage]


def dumped_text(path: Path) -> str:
    return " ".join(dumped(path).split())
