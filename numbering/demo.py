"""``numbering demo``: a node and a small archive on this machine, simulated studies through both, a table, pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from numbering.anatomy import from_to
from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.outgoing.deliver import Destination, send
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_folder
from numbering.jobs.overview import Row, overview
from numbering.jobs.serve import environment_of
from numbering.jobs.store import connect
from numbering.phantom.compare import compare
from numbering.phantom.generate import generate
from numbering.phantom.truth import Truth, read
from numbering.pictures.film import draw_film
from numbering.settings import Settings
from numbering.study import Series

Progress = Callable[[str, int, int], None]

PATIENTS: tuple[tuple[int, str, str, tuple[str, ...]], ...] = (
    (7, "lumbar", "none", ("ap", "lateral")),
    (4, "whole-spine", "none", ("ap",)),
    (3, "lumbar", "scoliosis", ("ap",)),
    (1, "lumbar", "L6", ("ap",)),
)
"""Seed, field of view of the films, anomaly, views: films that the AP model numbers (it abstains on others). The last
one has six lumbar-type vertebrae: there the presumption is wrong. Views that no pipeline is installed for are received,
and listed with that reason."""
FILM_PIXELS = 1200
"""Of a film's longer side: coarser than a hospital's, so that the demonstration does not take long."""
STEPS = 3 + 2 * len(PATIENTS)
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Shown:
    """The table's rows, where things lie, and whether every study came back."""

    rows: list[tuple[str, ...]]
    archive: Path
    pictures: Path
    complete: bool


def demonstrate(out: Path, progress: Progress = lambda what, done, total: None) -> Shown:
    """Run the whole way once. ``out`` keeps patients, the node's data, the archive and the pictures."""
    for folder in ("node", "archive", "pictures"):
        shutil.rmtree(out / folder, ignore_errors=True)
    patients = []
    for number, (seed, field_of_view, anomaly, views) in enumerate(PATIENTS):
        progress("simulating", number, STEPS)
        patients += generate(
            out / "patients" / f"{field_of_view}-{'usual' if anomaly == 'none' else anomaly}",
            seed=seed,
            count=1,
            views=views,
            field_of_view=field_of_view,
            anomaly=anomaly,
            film_pixels=FILM_PIXELS,
        )
    spool = Spool(out / "archive")
    archive = start_receiver(Settings(ae_title="ARCHIVE", port=0, data=out / "archive"), spool)
    try:
        settings = Settings(
            data=out / "node",
            port=0,
            web_port=0,
            quiet_seconds=1,
            archive=f"ARCHIVE@127.0.0.1:{archive.port}",
            ae_title="NUMBERING",
        )
        progress("starting the node", len(PATIENTS), STEPS)
        with running_node(settings, out / "node.log") as node:
            rows = _through(settings, node, Destination.parse(settings.archive), patients, progress)
    finally:
        archive.stop()
    progress("drawing", STEPS - 1, STEPS)
    table = [line for patient in patients for line in _shown(patient, rows, spool, out / "pictures")]
    progress("done", STEPS, STEPS)
    return Shown(table, out / "archive", out / "pictures", bool(rows) and all(row.finished for row in rows))


@contextmanager
def running_node(settings: Settings, log_file: Path) -> Iterator[Destination]:
    """A node of its own process tree; yields its address once its DICOM port answers, and stops it in the end.

    What it says goes to ``log_file``. ``RuntimeError`` when it does not come up.
    """
    told = settings.data / "serve.json"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        node = subprocess.Popen([sys.executable, "-m", "numbering", "serve"], stderr=log, env=environment_of(settings))
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not told.exists():
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the node did not start: {log_file} says why")
            time.sleep(0.1)
        yield Destination(settings.ae_title, settings.host, json.loads(told.read_text())["port"])
    finally:
        node.terminate()
        node.wait()


def _through(
    settings: Settings, node: Destination, archive: Destination, patients: list[Path], progress: Progress
) -> list[Row]:
    """Send every image to archive and node, as modalities do, and wait until all results are in the archive."""
    engine = connect(settings.sqlalchemy_url)
    sent = set()
    for number, patient in enumerate(patients):
        progress("sending", len(PATIENTS) + 1 + number, STEPS)
        files = sorted(patient.rglob("*.dcm"))
        sent |= {series.series_instance_uid for series in read_folder(files)[0]}
        for destination in (archive, node):
            send(files, destination, "MODALITY")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = overview(engine)
        finished = sum(row.finished for row in rows)
        progress("numbering", len(PATIENTS) + 2 + len(patients) * finished // len(sent), STEPS)
        if (len(rows) >= len(sent) and finished == len(rows)) or time.monotonic() > deadline:
            engine.dispose()
            return rows
        time.sleep(0.2)


def _shown(patient: Path, rows: list[Row], archive: Spool, pictures: Path) -> Iterator[tuple[str, ...]]:
    """A line for each series: what was sent, what is in the archive now, the truth and the answer; and its picture."""
    truth = read(patient)
    for series in read_folder(sorted(patient.rglob("*.dcm")))[0]:
        found = [row for row in rows if row.series_instance_uid == series.series_instance_uid]
        yield _line(patient.parent.name, series, truth, found[0] if found else None, archive, pictures)


def _line(name: str, series: Series, truth: Truth, row: Row | None, archive: Spool, pictures: Path) -> tuple[str, ...]:
    image = next((one for one in truth.images if one.sop_instance_uid == series.images[0].sop_instance_uid), None)
    sent = f"{image.view} film" if image else f"{len(series.images)} {series.modality} slices"
    if row is None:
        return name, sent, "", "", "never arrived", "", "", ""
    study = archive.root / row.study_instance_uid
    arrived = sum(next(study.glob(f"*/{uid}.dcm"), None) is not None for _, uid, _ in row.objects)
    if row.result is None or image is None:
        return name, sent, f"{arrived} objects", "", str(row.reason.code if row.reason else row.state), "", "", ""
    findings = row.result.findings
    for film in radiographs(series):
        draw_film(film, findings, pictures / f"{name}-{image.view.lower()}.png")
    lowest = next((one.level for one in image.vertebrae if one.lowest_lumbar and one.in_view), "not in view")
    named = findings.vertebrae
    levels = from_to(one.level for one in named)
    sure = f"{min(one.probability for one in named):.2f}" if named else ""
    verdict = str(compare(image, findings))
    return name, sent, f"{arrived} objects", lowest, str(findings.status), levels, sure, verdict
