"""A simulated CT and a simulated axial MR series through a node into an archive: what arrives says what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from numbering.jobs.states import State
from numbering.packed import unpacked
from numbering.result import Findings
from tests import stub_pipeline
from tests.archive import running_archive
from tests.node import running_node
from tests.simulated_stacks import ct_findings, mr_findings, simulated_ct, simulated_mr, written
from tests.tools import complaints


@dataclass(frozen=True)
class Arrived:
    """What the archive holds of one series: files by kind, in order."""

    findings: Findings
    files: dict[str, list[Path]]


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Arrived]]:
    folder = tmp_path_factory.mktemp("volume-node")
    ct, mr = simulated_ct(), simulated_mr()
    findings = {"ct": ct_findings(ct), "axial-mr": mr_findings(mr)}
    for name, one in findings.items():
        (folder / f"{name}.json").write_text(one.model_dump_json())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(stub_pipeline.VOLUMES, str(folder))
        with running_archive(folder / "archive", {"NUMBERING": 1}) as archive:
            kinds = ["SR", "PR", "SEG", "KO", "OT"]
            destination = {"name": "pacs", "address": archive.destination, "kinds": kinds}
            with running_node(folder, destinations=[destination]) as node:
                node.send(*written(ct.files, folder / "ct"), *written(mr.files, folder / "mr"))
                rows = node.wait_for_states(State.DELIVERED, State.DELIVERED)
            found = {}
            for row in rows:
                files: dict[str, list[Path]] = {}
                held = archive.instances(row.study_instance_uid)
                assert set(held) == {uid for _, uid, _ in row.objects}
                for kind, uid, _ in row.objects:
                    files.setdefault(kind, []).append(archive.download(uid, folder))
                assert (row.result.view, row.result.findings) == ("axial", findings[row.result.pipeline])
                found[row.result.pipeline] = Arrived(findings[row.result.pipeline], files)
            yield found


def test_everything_that_was_made_is_in_the_archive_and_valid(arrived: dict[str, Arrived]) -> None:
    kinds = {name: {kind: len(files) for kind, files in one.files.items()} for name, one in arrived.items()}
    assert kinds == {"ct": {"SR": 1, "PR": 6, "SEG": 1, "KO": 1}, "axial-mr": {"SR": 1, "PR": 9, "OT": 3, "KO": 1}}
    for one in arrived.values():
        for kind, files in one.files.items():
            assert complaints(files[0]) == [], kind


def test_the_segmentation_in_the_archive_has_the_voxels_that_were_simulated(arrived: dict[str, Arrived]) -> None:
    one = arrived["ct"]
    stored = one.findings.segmentation
    assert stored is not None
    segmentation = hd.seg.segread(one.files["SEG"][0])
    levels = [item.TrackingID for item in segmentation.SegmentSequence]
    uids = [plane.sop_instance_uid for plane in stored.planes]
    masks = segmentation.get_pixels_by_source_instance(uids)
    for plane, mask in zip(stored.planes, masks, strict=True):
        values = unpacked(plane.packed, stored.rows, stored.columns)
        for number, level in enumerate(levels):
            np.testing.assert_array_equal(mask[..., number].astype(bool), values == stored.value_of(level))


def test_the_report_in_the_archive_names_each_slice_by_the_level_of_its_disc(arrived: dict[str, Arrived]) -> None:
    one = arrived["axial-mr"]
    groups = _item(dcmread(one.files["SR"][0]), "126010").ContentSequence
    said = {
        str(_item(group, "121112").ReferencedSOPSequence[0].ReferencedSOPInstanceUID): str(
            _item(group, "363698007").ConceptCodeSequence[0].CodeMeaning
        )
        for group in groups
    }
    assert said == {
        disc.sop_instance_uid: f"Level of {disc.level.replace('-', '/')} intervertebral disc"
        for disc in one.findings.discs
    }


def _item(item: Dataset, name: str) -> Dataset:
    return next(one for one in item.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == name)
