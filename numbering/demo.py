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

from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.outgoing.deliver import Destination, send
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_folder
from numbering.jobs.overview import Row, overview
from numbering.jobs.serve import environment_of
from numbering.jobs.store import connect
from numbering.phantom.old.generate import generate
from numbering.pictures import draw_film
from numbering.settings import Settings

Progress = Callable[[str, int, int], None]

PATIENTS: tuple[tuple[int, str, str | None], ...] = (
    (1, "lumbar", None),
    (2, "whole-spine", None),
    (3, "lumbar", "scoliosis"),
    (4, "lumbar", "L6"),
)
"""Seed, field of view and anomaly. The last one has six lumbar-type vertebrae: there the presumption is wrong."""
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
    for number, (seed, field_of_view, anomaly) in enumerate(PATIENTS):
        progress("simulating films", number, STEPS)
        patients += generate(
            out / "patients" / f"{field_of_view}-{anomaly or 'usual'}",
            seed=seed,
            count=1,
            field_of_view=field_of_view,
            anomaly=anomaly,
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
    table = [_shown(patient, rows, spool, out / "pictures") for patient in patients]
    progress("done", STEPS, STEPS)
    return Shown(table, out / "archive", out / "pictures", all(row.deliveries and row.finished for row in rows))


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
    """Send every film to archive and node, as a modality does, and wait until all results are in the archive."""
    engine = connect(settings.sqlalchemy_url)
    for number, patient in enumerate(patients):
        progress("sending films", len(PATIENTS) + 1 + number, STEPS)
        films = sorted(patient.rglob("*.dcm"))
        for destination in (archive, node):
            send(films, destination, "MODALITY")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = overview(engine)
        finished = sum(row.finished for row in rows)
        progress("numbering", len(PATIENTS) + 2 + finished, STEPS)
        if (len(rows) >= len(patients) and finished == len(rows)) or time.monotonic() > deadline:
            engine.dispose()
            return rows
        time.sleep(0.2)


def _shown(patient: Path, rows: list[Row], archive: Spool, pictures: Path) -> tuple[str, ...]:
    """One study's line: what was sent, what is in the archive now, the truth and the answer; and its picture."""
    (series,), _ = read_folder(sorted(patient.rglob("*.dcm")))
    (row,) = [row for row in rows if row.study_instance_uid == series.study_instance_uid]
    (image,) = json.loads((patient / "truth.json").read_text())["images"]
    lowest = next((one for one in image["vertebrae"] if one["lowest_lumbar"]), None)
    truth = lowest["level"] if lowest else "not in view"
    arrived = len(list(archive.root.glob(f"{series.study_instance_uid}/*/*.dcm"))) - len(series.images)
    name = f"{patient.parent.name} {patient.name}"
    if row.result is None:
        return name, "1 film", f"{arrived} objects", truth, str(row.status or row.state), "", "", "no"
    findings = row.result.findings
    for film in radiographs(series):
        draw_film(film, findings, pictures / f"{patient.parent.name}-{patient.name}.png")
    found = ", ".join(vertebra.level for vertebra in findings.vertebrae)
    sure = ", ".join(f"{vertebra.probability:.2f}" for vertebra in findings.vertebrae)
    return name, "1 film", f"{arrived} objects", truth, findings.status, found, sure, "yes" if found == truth else "no"
