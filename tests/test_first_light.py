"""The whole way, with a real node, a real archive and the real model: a film goes in, its numbering comes out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from numbering.cli import app
from numbering.dicom.outgoing.deliver import Destination, Outcome, send
from tests.archive import Archive, free_port, running_archive
from tests.phantoms import FILM_PIXELS, SEED, lumbar_film
from tests.service import NODE_AE_TITLE, RunningNode, running_node

REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"
QUIET_SECONDS = 0.5
PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningNode, Archive]]:
    """A node and the archive that it delivers to; the archive sends radiographs on to the node."""
    folder = tmp_path_factory.mktemp("site")
    port = free_port()
    with (
        running_archive(folder / "archive", {NODE_AE_TITLE: port, "MODALITY": free_port()}, routed=True) as archive,
        running_node(
            folder / "node", port=port, archive=archive.destination, quiet_seconds=QUIET_SECONDS, sweep_seconds=0.2
        ) as node,
    ):
        yield node, archive


@pytest.fixture(scope="module")
def simulated() -> Path:
    """A simulated lumbar AP film."""
    return lumbar_film()


@pytest.fixture
def film(simulated: Path, tmp_path: Path) -> Path:
    """The simulated film as a new study, so that no test meets another's results."""
    ds = dcmread(simulated)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(tmp_path / "film.dcm")
    return tmp_path / "film.dcm"


def study_of(film: Path) -> str:
    return str(dcmread(film, stop_before_pixels=True).StudyInstanceUID)


def give(film: Path, destination: str) -> None:
    (sent,) = send([film], Destination.parse(destination), "MODALITY")
    assert sent.outcome is Outcome.DELIVERED, sent.text


def has_results(held: Mapping[str, str]) -> bool:
    return {REPORT, PRESENTATION} <= set(held.values())


def jobs_of(study_uid: str, node: RunningNode) -> int:
    return sum(row.study_instance_uid == study_uid for row in node.rows())


def settle() -> None:
    """Longer than a node needs to begin on something new."""
    time.sleep(4 * QUIET_SECONDS)


def test_a_film_comes_back_as_report_and_presentation_state_in_its_study(
    site: tuple[RunningNode, Archive], film: Path, tmp_path: Path
) -> None:
    _, archive = site
    give(film, archive.destination)
    held = archive.wait_for(study_of(film), has_results, seconds=PATIENCE_SECONDS)

    source = dcmread(film, stop_before_pixels=True)
    assert sorted(held.values()) == sorted([source.SOPClassUID, REPORT, PRESENTATION])
    assert archive.studies().count(source.StudyInstanceUID) == 1
    report, state = (
        dcmread(archive.download(uid, tmp_path))
        for wanted in (REPORT, PRESENTATION)
        for uid, sop_class in held.items()
        if sop_class == wanted
    )
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    shown = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert shown.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert report.PatientID == state.PatientID == source.PatientID


def test_a_film_sent_twice_is_numbered_once(site: tuple[RunningNode, Archive], film: Path) -> None:
    node, archive = site
    give(film, node.destination)
    give(film, node.destination)
    held = archive.wait_for(study_of(film), has_results, seconds=PATIENCE_SECONDS)
    give(film, node.destination)
    settle()
    assert archive.instances(study_of(film)) == held
    assert jobs_of(study_of(film), node) == 1


def test_the_archive_may_send_our_results_back(site: tuple[RunningNode, Archive], film: Path) -> None:
    node, archive = site
    give(film, archive.destination)
    held = archive.wait_for(study_of(film), has_results, seconds=PATIENCE_SECONDS)
    archive.forward(study_of(film), NODE_AE_TITLE)
    settle()
    assert archive.instances(study_of(film)) == held
    assert jobs_of(study_of(film), node) == 1


def test_no_message_of_the_node_names_the_patient(site: tuple[RunningNode, Archive], film: Path) -> None:
    node, archive = site
    ds = dcmread(film)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "SECRET^NAME", "SECRETID", "19010203"
    ds.save_as(film)
    give(film, node.destination)
    archive.wait_for(study_of(film), has_results, seconds=PATIENCE_SECONDS)
    said = node.log_file.read_text()
    assert study_of(film) in said or dcmread(film).SeriesInstanceUID in said
    assert not [secret for secret in ("SECRET", "19010203") if secret in said]


def test_the_selftest_goes_through_archive_and_node_and_compares_with_the_truth(
    site: tuple[RunningNode, Archive], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, archive = site
    monkeypatch.setenv("NUMBERING_PORT", str(node.settings.port))
    arguments = ["--data", str(node.settings.data), "--to", archive.destination, "--from", "MODALITY"]
    arguments += ["--qido", archive.dicomweb, "--plain-http", "--count", "1", "--seed", str(SEED)]
    arguments += ["--film-pixels", str(FILM_PIXELS), "--out", str(tmp_path), "--json", "-"]
    result = CliRunner().invoke(app, ["selftest", *arguments])
    (line,) = json.loads(result.stdout)["series"]
    assert (line["status"], line["truth"], line["verdict"]) == ("numbered", "L5", "right")
    assert (line["objects"], line["delivered"], line["in_archive"]) == (2, 2, 2)
    assert result.exit_code == 0
    study = line["study_instance_uid"]
    assert len(archive.instances(study)) == 3
    assert str(dcmread(next(tmp_path.rglob("*.dcm"))).PatientName).startswith("PHANTOM^")
