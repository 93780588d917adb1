"""Series of one study in a node: one CT of several is numbered, and axial MR is numbered beside its sagittal series."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from numbering import infer
from numbering.checking.files import KnownFiles
from numbering.dicom.read import read_series
from numbering.errors import QuarantinedInput, ReasonCode
from numbering.jobs.models import Job
from numbering.jobs.node import Node
from numbering.jobs.overview import Row
from numbering.jobs.store import MIGRATIONS, connect, reading, upgrade
from numbering.pipelines import card_named
from numbering.record.filed import FILED_IMAGES
from numbering.result import Findings, ModelIdentity, Origin, StatedReason, Status
from numbering.route import route_studies
from numbering.run import run
from numbering.stack import Stack
from numbering.study import View
from tests.house import House, running_house
from tests.test_infer import CREATED
from tests.test_route_volumes import CT_CARD, MR_CARD, SAGITTAL
from tests.volumes import affine, volume_of, write_series


class Seeing:
    """A pipeline that keeps what it was given, looks at a pixel of each stack, and abstains."""

    identity = ModelIdentity(
        name="seeing", version="1", weights_file="none", weights_sha256="0" * 64, trained_on="nothing", runtime="Python"
    )
    settings: dict[str, str] = {}

    def __init__(self) -> None:
        self.seen: list[Sequence[Stack]] = []

    def number(self, images: Sequence[Stack]) -> Findings:
        self.seen.append(images)
        names = ", ".join(f"{stack.planes[0].name} {stack.pixels(0)[0, 0]:g}" for stack in images)
        reason = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=f"found {names}")
        return Findings(status=Status.ABSTAINED, reason=reason)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Seeing:
    cards = (card_named("ap-xray"), CT_CARD, MR_CARD)
    monkeypatch.setattr("numbering.route.CARDS", cards)
    monkeypatch.setattr("numbering.pipelines.CARDS", cards)
    return Seeing()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Seeing) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as running:
        running.node.pipelines = SimpleNamespace(named=lambda name: pipeline, looker=None)  # type: ignore[assignment]
        yield running


def scan(folder: Path, uid: str, step_mm: float, count: int) -> list[Path]:
    """An axial CT series from z = 300 down."""
    matrix = affine(step=(0, 0, -step_mm))
    stack = Stack.of_array(volume_of(matrix, (count, 5, 4)), matrix, series_uid=f"{uid}.9")
    return write_series(folder / uid, stack, SeriesInstanceUID=uid)


def mr(folder: Path, uid: str, matrix: np.ndarray, count: int = 4, **elements: object) -> list[Path]:
    stack = Stack.of_array(volume_of(matrix, (count, 5, 4)), matrix, series_uid=f"{uid}.9", modality="MR")
    return write_series(folder / uid, stack, SeriesInstanceUID=uid, **elements)


def arrived(house: House, *series: list[Path]) -> dict[str, Row]:
    """The rows after these series came one after the other."""
    for paths in series:
        for path in paths:
            house.receive(path)
        house.assemble()
    return {row.series_instance_uid: row for row in house.rows()}


def test_a_thick_series_after_a_thin_one_of_the_same_is_listed_and_not_numbered(house: House) -> None:
    rows = arrived(house, scan(house.folder, "1.2.1", 1, 21), scan(house.folder, "1.2.2", 5, 5))
    assert [rows[uid].state for uid in ("1.2.1", "1.2.2")] == ["queued", "unsuitable"]
    assert rows["1.2.2"].reason is not None
    assert "series 1.2.1 shows in 1.0 mm slices" in rows["1.2.2"].reason.text


def test_a_thin_series_after_a_thick_one_is_numbered_beside_it(house: House) -> None:
    rows = arrived(house, scan(house.folder, "1.2.2", 5, 5), scan(house.folder, "1.2.1", 1, 21))
    assert {row.state for row in rows.values()} == {"queued"}


def test_a_series_that_was_numbered_stays_so_when_a_slice_comes_late(house: House) -> None:
    first, *later = scan(house.folder, "1.2.2", 5, 5)
    arrived(house, later, scan(house.folder, "1.2.1", 1, 21), [first])
    rows = {(row.series_instance_uid, row.revision): row for row in house.rows()}
    assert rows["1.2.2", 2].state == "queued"


def test_a_job_sees_the_stack_of_its_series(house: House, pipeline: Seeing) -> None:
    arrived(house, scan(house.folder, "1.2.1", 2, 6))
    house.work()
    ((stack,),) = pipeline.seen
    assert (len(stack), stack.uniform, stack.modality, stack.view) == (6, True, "CT", View.AXIAL)
    with reading(house.node.engine) as session:
        (job,) = session.query(Job).all()
        assert (job.status, job.reason_code) == ("abstained", "target-not-in-view")
        assert job.reason_text == f"found {stack.planes[0].name} {stack.pixels(0)[0, 0]:g}"


def test_axial_mr_is_numbered_beside_the_sagittal_series_of_its_study(house: House, pipeline: Seeing) -> None:
    sagittal = mr(house.folder, "1.2.2", SAGITTAL, 15)
    elsewhere = mr(house.folder, "1.2.3", SAGITTAL, 15, FrameOfReferenceUID="1.2.77")
    rows = arrived(house, sagittal, elsewhere, mr(house.folder, "1.2.1", affine()))
    assert [rows[uid].state for uid in ("1.2.1", "1.2.2", "1.2.3")] == ["queued", "unsuitable", "unsuitable"]
    house.work()
    ((axial, beside),) = pipeline.seen
    assert (axial.view, len(axial)) == (View.AXIAL, 4)
    assert (beside.view, len(beside), beside.planes[0].sop_instance_uid[:5]) == (View.SAGITTAL, 15, "1.2.2")


def test_companions_whose_files_are_gone_are_left_out(house: House, pipeline: Seeing) -> None:
    arrived(house, mr(house.folder, "1.2.2", SAGITTAL, 15), mr(house.folder, "1.2.1", affine()))
    for path in spooled(house.node, "1.2.2"):
        path.unlink()
    house.work()
    ((axial,),) = pipeline.seen
    assert axial.view is View.AXIAL


def spooled(node: Node, series_uid: str) -> list[Path]:
    with reading(node.engine) as session:
        jobs = session.query(Job).filter(Job.series_uid == series_uid).all()
        return [node.path(image.path) for job in jobs for image in job.images]


def test_what_was_looked_at_besides_is_part_of_the_results_identity(tmp_path: Path, pipeline: Seeing) -> None:
    paths = [*mr(tmp_path, "1.2.1", affine()), *mr(tmp_path, "1.2.2", SAGITTAL, 15)]
    both = next(part for part in route_studies(read_series(paths)) if part.to_number)
    alone = next(part for part in route_studies(read_series(paths[:4])) if part.to_number)
    results = [infer.number(one, pipeline, origin=Origin.RUN, created_at=CREATED) for one in (both, alone)]
    assert results[0].settings["companions"].startswith("15 images, sha256 ")
    assert "companions" not in results[1].settings
    assert [len(result.sources) for result in results] == [4, 4], "only what is numbered is a source"


def test_a_run_gives_a_pipeline_the_stacks_and_lists_what_was_not_chosen(tmp_path: Path, pipeline: Seeing) -> None:
    scan(tmp_path / "in", "1.2.1", 1, 21)
    scan(tmp_path / "in", "1.2.2", 5, 5)
    pipelines = SimpleNamespace(named=lambda name: pipeline, looker=None)
    (study,) = run([tmp_path / "in"], tmp_path / "out", pipelines).report.studies  # type: ignore[arg-type]
    entries = {entry.series_instance_uid: entry for entry in study.series}
    assert {uid: entry.status for uid, entry in entries.items()} == {"1.2.1": "abstained", "1.2.2": "unsuitable"}
    assert [len(stack) for (stack,) in pipeline.seen] == [21]


def test_pixels_that_break_while_a_pipeline_reads_fail_the_series(tmp_path: Path, pipeline: Seeing) -> None:
    paths = scan(tmp_path / "in", "1.2.1", 1, 6)
    (assignment,) = route_studies(read_series(paths))
    for path in paths:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(QuarantinedInput, match=r"1\.2\.1\.9\.1"):
        infer.number(assignment, pipeline, origin=Origin.RUN, created_at=CREATED)


def test_a_level_check_of_plain_files_chooses_and_looks_around_too(tmp_path: Path, pipeline: Seeing) -> None:
    paths = [*mr(tmp_path, "1.2.1", affine()), *mr(tmp_path, "1.2.2", SAGITTAL, 15)]
    known = KnownFiles(paths, SimpleNamespace(named=lambda name: pipeline, looker=None))  # type: ignore[arg-type]
    known.record(known.of_study("1.2.840.1") or "")
    assert [[stack.view for stack in stacks] for stacks in pipeline.seen] == [[View.AXIAL, View.SAGITTAL]]


def migrate(engine: Engine, step: Callable[[Config, str], None], to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        step(config, to)


def test_planes_kept_by_an_earlier_version_are_read(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'numbering.db'}")
    upgrade(engine)
    migrate(engine, command.downgrade, "0007")
    old = (
        '[{"sop_instance_uid": "1.2.3", "frame": 2, "plane": {"origin_mm": [1, 2, 3], "along_row": [0, 1, 0], '
        '"along_column": [0, 0, -1], "spacing_mm": [0.5, 0.25], "thickness_mm": 4, "rows": 10, "columns": 20}}, '
        '{"sop_instance_uid": "1.2.4", "frame": null, "plane": null}]'
    )
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO record_geometry VALUES ('1.2', '1.2.1', '1.2.9', :images)"), {"images": old}
        )
    upgrade(engine)
    with engine.begin() as connection:
        (images,) = connection.execute(text("SELECT images FROM record_geometry")).scalars()
    plane, placeless = FILED_IMAGES.validate_json(images)
    assert plane.model_dump() == {
        "sop_instance_uid": "1.2.3", "frame": 2, "rows": 10, "columns": 20, "position_mm": (1, 2, 3),
        "row_direction": (0, 1, 0), "column_direction": (0, 0, -1), "spacing_mm": (0.5, 0.25), "thickness_mm": 4,
    }  # fmt: skip
    assert placeless.model_dump() == {"sop_instance_uid": "1.2.4", "frame": None}
    migrate(engine, command.downgrade, "0007")
    with engine.begin() as connection:
        (images,) = connection.execute(text("SELECT images FROM record_geometry")).scalars()
    assert json.loads(images) == json.loads(old)
