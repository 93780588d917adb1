"""What becomes of films whose view the header leaves open, or whose picture contradicts it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from numbering.dicom.read import read_series
from numbering.errors import ReasonCode
from numbering.infer import number
from numbering.pipelines.loaded import Pipelines
from numbering.pipelines.view.classifier import Seen
from numbering.pipelines.view.kinds import KINDS, Kind
from numbering.pipelines.view.use import check, view_of
from numbering.report import SeriesEntry
from numbering.result import NumberingResult, Origin, Status
from numbering.route import route, settled
from numbering.run import run
from numbering.study import Radiograph, View
from tests.films import make_film, uneven
from tests.stub_pipeline import Stub

SILENT = {"view_position": None, "patient_orientation": None}


class Looker:
    """Sees what it is told."""

    settings = {"view answer": "0.95"}

    def __init__(self, kind: Kind, probability: float = 0.99) -> None:
        self.seen = Seen(
            {one: probability if one is kind else (1 - probability) / 2 for one in KINDS},
            kind if probability >= 0.95 else None,
        )

    def look(self, film: Radiograph) -> Seen:
        return self.seen


class Stubbed(Pipelines):
    """Pipelines that find the middle of the picture, and a looker that sees what it is told."""

    def __init__(self, looker: Looker | None) -> None:
        super().__init__("cpu")
        self.looker = looker  # type: ignore[assignment]

    def named(self, name: str) -> Stub:
        return Stub()


def film() -> Radiograph:
    return Radiograph(sop_instance_uid="1.2.3", frame=None, pixels=uneven().astype("float32"))


def entry_of(tmp_path: Path, looker: Looker | None, **header: object) -> SeriesEntry:
    make_film(tmp_path / "film.dcm", **header)  # type: ignore[arg-type]
    (study,) = run([tmp_path / "film.dcm"], tmp_path / "out", Stubbed(looker)).report.studies
    (entry,) = study.series
    return entry


def result_of(tmp_path: Path, looker: Looker | None) -> NumberingResult:
    path = tmp_path / "film.dcm"
    (series,) = read_series([path if path.exists() else make_film(path)])
    (assignment,) = route(series)
    created = datetime(2026, 3, 1, tzinfo=UTC)
    return number(assignment, Stub(), origin=Origin.RUN, created_at=created, looker=looker)


def test_a_film_whose_header_is_silent_is_numbered_as_what_it_shows_and_says_so(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, Looker(Kind.FRONTAL), **SILENT)
    assert (entry.status, entry.pipeline, entry.view) == (Status.NUMBERED, "ap-xray", View.AP)
    assert any("view taken from the pixels" in words and "0.99" in words for words in entry.quality)


def test_without_weights_for_it_such_a_film_is_held_as_ever(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, None, **SILENT)
    assert entry.status is Status.HELD
    assert entry.reason is not None
    assert entry.reason.code is ReasonCode.VIEW_UNKNOWN
    assert "looked at" not in entry.reason.text


@pytest.mark.parametrize("looker", [Looker(Kind.LATERAL, 0.7), Looker(Kind.OTHER)], ids=["unsure", "other"])
def test_a_film_that_shows_neither_view_surely_is_held_and_says_what_it_looks_like(
    tmp_path: Path, looker: Looker
) -> None:
    entry = entry_of(tmp_path, looker, **SILENT)
    assert entry.status is Status.HELD
    assert entry.reason is not None
    assert looker.seen.words in entry.reason.text


def test_pixels_are_not_asked_where_a_header_speaks_of_an_oblique_view(tmp_path: Path) -> None:
    (series,) = read_series([make_film(tmp_path / "film.dcm", view_position="LPO")])
    (assignment,) = route(series)
    assert settled(assignment, View.AP) is assignment


def test_a_film_that_shows_the_other_view_than_its_header_says_is_abstained_on(tmp_path: Path) -> None:
    findings = result_of(tmp_path, Looker(Kind.LATERAL)).findings
    assert findings.status is Status.ABSTAINED
    assert findings.reason is not None
    assert findings.reason.code is ReasonCode.CONTRADICTORY
    assert "lateral with probability 0.99" in findings.reason.text
    assert "expected a frontal film" in findings.reason.text


@pytest.mark.parametrize("looker", [Looker(Kind.FRONTAL), Looker(Kind.LATERAL, 0.9)], ids=["agrees", "unsure"])
def test_a_look_that_agrees_or_is_unsure_changes_nothing_but_the_identity(tmp_path: Path, looker: Looker) -> None:
    looked, plain = result_of(tmp_path, looker), result_of(tmp_path, None)
    assert looked.findings == plain.findings
    assert looked.identity() != plain.identity()
    assert looked.settings == {"view answer": "0.95"}


def test_a_film_that_looks_like_no_view_is_numbered_with_a_doubt(tmp_path: Path) -> None:
    findings = result_of(tmp_path, Looker(Kind.OTHER)).findings
    assert findings.status is Status.NUMBERED
    assert any("does not look like a frontal or lateral film" in words for words in findings.quality)


def test_films_without_a_stated_view_contradict_nothing() -> None:
    assert check(None, [film()], Looker(Kind.LATERAL)) == (None, ())


def test_films_of_one_series_that_differ_settle_no_view() -> None:
    class Changing(Looker):
        kinds = iter((Kind.FRONTAL, Kind.LATERAL))

        def look(self, film: Radiograph) -> Seen:
            return Looker(next(self.kinds)).seen

    view, words = view_of([film(), film()], Changing(Kind.FRONTAL))
    assert view is None
    assert "frontal" in words
    assert "lateral" in words
