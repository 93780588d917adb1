"""A simulated lateral film through a node into an archive: what arrives says of it what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from numbering.jobs.states import State
from numbering.phantom.generate import generate
from numbering.phantom.truth import read
from numbering.phantom.truth.film import TrueImage
from numbering.result import Findings
from tests import stub_pipeline
from tests.archive import running_archive
from tests.node import running_node
from tests.tools import complaints, grey_levels
from tests.true_findings import true_findings

SEED, FILM_PIXELS = 7, 512


@dataclass(frozen=True)
class Arrived:
    """What the archive holds of one film."""

    film: Path
    image: TrueImage
    findings: Findings
    report: Path
    state: Path


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    folder = tmp_path_factory.mktemp("lateral-node")
    (patient,) = generate(
        folder / "patients", seed=SEED, count=1, anomaly="none", film_pixels=FILM_PIXELS, views=("lateral",)
    )
    (image,) = read(patient).images
    findings = true_findings(image)
    (folder / "findings.json").write_text(findings.model_dump_json())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(stub_pipeline.LATERAL, str(folder / "findings.json"))
        with running_archive(folder / "archive", {"NUMBERING": 1}) as archive:
            destination = {"name": "pacs", "address": archive.destination}
            with running_node(folder, destinations=[destination], segmentations=True) as node:
                node.send(patient / image.file)
                (row,) = node.wait_for_states(State.DELIVERED)
            held = archive.instances(row.study_instance_uid)
            assert set(held) == {uid for _, uid, _ in row.objects}
            files = {kind: archive.download(uid, folder) for kind, uid, _ in row.objects}
            assert list(files) == ["SR", "PR", "SEG"]
            assert (row.result.pipeline, row.result.view) == ("sagittal-xray", "lateral")
            yield Arrived(patient / image.file, image, findings, files["SR"], files["PR"])


def test_the_report_in_the_archive_has_the_true_corners_of_every_vertebra_in_view(arrived: Arrived) -> None:
    groups = hd.sr.srread(arrived.report).content.get_planar_roi_measurement_groups()
    by_level = {group.tracking_identifier: group.roi.value for group in groups}
    true = {one.level: one.corners for one in arrived.image.vertebrae if one.in_view}
    assert len(true) >= 5
    for level, corners in true.items():
        np.testing.assert_allclose(by_level[level][:4] - 0.5, corners, atol=1e-3)
        np.testing.assert_array_equal(by_level[level][4], by_level[level][0])
    np.testing.assert_allclose(by_level["S1"] - 0.5, arrived.image.s1, atol=1e-3)


def test_the_angles_in_the_archive_are_those_of_the_written_lines(arrived: Arrived) -> None:
    true = {angle.name: angle.value for angle in arrived.image.angles}
    found = {}
    for group in _measured(dcmread(arrived.report)):
        for item in group.ContentSequence:
            lines = [each for each in item.get("ContentSequence", []) if each.ValueType == "SCOORD"]
            if item.ValueType == "NUM" and lines:
                directions = [np.diff(np.array(line.GraphicData).reshape(2, 2), axis=0)[0] for line in lines]
                (x0, y0), (x1, y1) = directions
                value = float(item.MeasuredValueSequence[0].NumericValue)
                between = np.degrees(np.arctan2(abs(x0 * y1 - y0 * x1), x0 * x1 + y0 * y1))
                assert value == pytest.approx(between, abs=0.05)
                found[f"{item.ConceptNameCodeSequence[0].CodeValue} {len(found)}"] = value
    assert sorted(found.values()) == pytest.approx(sorted(true.values()), abs=0.01)


def test_the_presentation_state_in_the_archive_leaves_the_film_as_it_is(arrived: Arrived) -> None:
    np.testing.assert_array_equal(grey_levels(arrived.film, arrived.state), grey_levels(arrived.film))
    assert complaints(arrived.state) == []
    assert complaints(arrived.report) == []
    drawn = dcmread(arrived.state).GraphicAnnotationSequence
    assert len(drawn[0].GraphicObjectSequence) == len(arrived.findings.vertebrae)
    assert len(drawn[2].TextObjectSequence) == 3


def _measured(report: Dataset) -> list[Dataset]:
    name = "126010"  # Imaging Measurements
    (groups,) = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == name]
    return list(groups.ContentSequence)
