"""How long a film takes, beyond the quiet time: from its C-STORE to its report in the archive, room by room.

    python benchmarks/latency.py [--films 20] [--quiet 0.5] [--threads 0]

A real node (its own processes, Redis, SQLite, data folder and ports) numbers simulated films, each a study of its own,
one after another, and delivers to a real archive (Orthanc). The first film, which loads the model, is told apart. The
second part times the network alone on one film: OpenVINO, as a node runs it on a CPU, against eager torch.

Prints tables and one line of JSON. Times are wall-clock milliseconds on this machine, with all that else runs on it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from numbering.dicom.outgoing.deliver import Destination, Outcome, send
from numbering.jobs.models import InstanceRow, Job, ObjectRow
from numbering.jobs.store import connect, reading
from numbering.phantom.generate import generate
from numbering.pipelines import card_named
from numbering.weights import registry
from tests.archive import Archive, free_port, running_archive
from tests.service import NODE_AE_TITLE, RunningNode, running_node

REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
PATIENCE_SECONDS = 120.0
SEED = 11
ROOMS = {
    "receive": "C-STORE, as the sender sees it (before the clock starts)",
    "notice": "C-STORE answered, until the assembler has read the header",
    "assemble": "quiet time over, until the job exists",
    "number": "job waits, pixels decoded, network, decision, result stored",
    "encode": "report and presentation state written",
    "deliver": "C-STORE to the archive, until the archive shows the report",
}


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One film's times in seconds: beyond the quiet time as a whole, in each room, and in the network step alone."""

    total: float
    rooms: dict[str, float]
    status: str


def new_study(film: Path, folder: Path) -> Path:
    """The film again, as a study of its own."""
    ds = dcmread(film)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path = folder / f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(path)
    return path


def pass_through(film: Path, node: RunningNode, archive: Archive) -> Passage:
    """Send one film and wait for its report."""
    header = dcmread(film, stop_before_pixels=True)
    study_uid = str(header.StudyInstanceUID)
    started = time.time()
    (sent,) = send([film], Destination.parse(node.destination), "MODALITY")
    stored = time.time()
    if sent.outcome is not Outcome.DELIVERED:
        raise RuntimeError(sent.text)
    archive.wait_for(study_uid, lambda held: REPORT in held.values(), seconds=PATIENCE_SECONDS)
    seen = time.time()
    node.wait_until_idle(jobs=1, seconds=PATIENCE_SECONDS)
    marks, status = _marks(node, study_uid)
    quiet = node.settings.quiet_seconds
    rooms = {
        "receive": stored - started,
        "notice": marks["noticed"] - stored,
        "assemble": marks["job"] - marks["noticed"] - quiet,
        "number": marks["numbered"] - marks["job"],
        "encode": marks["encoded"] - marks["numbered"],
        "deliver": seen - marks["encoded"],
    }
    return Passage(total=seen - stored - quiet, rooms=rooms, status=status)


def _marks(node: RunningNode, study_uid: str) -> tuple[dict[str, float], str]:
    """When a study's one film was noticed, became a job, was numbered and encoded (Unix time), and its status."""
    engine = connect(node.settings.sqlalchemy_url)
    try:
        with reading(engine) as session:
            job = session.scalars(select(Job).where(Job.study_uid == study_uid)).one()
            noticed = session.scalars(select(InstanceRow).where(InstanceRow.study_uid == study_uid)).one().arrived_at
            encoded = max(session.scalars(select(ObjectRow.created_at).where(ObjectRow.job_id == job.id)))
            numbered = _logged(node, job.id, "numbering done")
            times = {"noticed": noticed, "job": job.created_at, "numbered": numbered, "encoded": encoded}
            return {name: instant.timestamp() for name, instant in times.items()}, str(job.status)
    finally:
        engine.dispose()


def _logged(node: RunningNode, job_id: str, event: str) -> datetime:
    for line in node.log():
        if line.get("job") == job_id and line["event"] == event:
            return datetime.fromisoformat(line["timestamp"])
    raise LookupError(f"the node's log has no {event!r} of job {job_id}")


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {f"p{rank}": round(1000 * float(np.percentile(seconds, rank)), 1) for rank in (50, 95)}


def through_the_node(films: int, quiet_seconds: float, threads: int, folder: Path) -> dict[str, Any]:
    """The first part: figures of a node's passages."""
    (patient,) = generate(folder / "phantom", seed=SEED, count=1, anomaly="none")
    (film,) = patient.rglob("*.dcm")
    (folder / "films").mkdir()
    port = free_port()
    with (
        running_archive(folder / "archive", {NODE_AE_TITLE: port}) as archive,
        running_node(
            folder / "node",
            port=port,
            archive=archive.destination,
            quiet_seconds=quiet_seconds,
            inference_threads=threads,
            device="cpu",
        ) as node,
    ):
        first = pass_through(new_study(film, folder / "films"), node, archive)
        passages = [pass_through(new_study(film, folder / "films"), node, archive) for _ in range(films)]
    rooms = {name: milliseconds([passage.rooms[name] for passage in passages]) for name in ROOMS}
    inside = {
        name: float(np.mean([passage.rooms[name] for passage in passages])) for name in ROOMS if name != "receive"
    }
    return {
        "films": films,
        "quiet_seconds": quiet_seconds,
        "first_film_ms": round(1000 * first.total, 1),
        "beyond_quiet_ms": milliseconds([passage.total for passage in passages]),
        "rooms_ms": rooms,
        "share": {name: round(mean / sum(inside.values()), 3) for name, mean in inside.items()},
        "status": sorted({passage.status for passage in passages}),
        "rows_columns": [int(dcmread(film, stop_before_pixels=True)[key].value) for key in ("Rows", "Columns")],
    }


def timed(call: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run, after one that warms up."""
    call()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def network_alone(runs: int, threads: int) -> dict[str, dict[str, float]]:
    """The second part: one canvas of the installed AP model's size through each runtime, one after another."""
    import torch

    from numbering.pipelines.ap_xray.detector import Network, OpenVinoNetwork, TorchNetwork

    entry = registry()[card_named("ap-xray").weights]
    torch.set_num_threads(threads or os.cpu_count() or 1)
    size = int(entry.operating_point["image_size"])
    canvas = np.random.default_rng(SEED).random((1, 3, size, size), dtype=np.float32)
    networks: dict[str, Network] = {
        "OpenVINO f32": OpenVinoNetwork(entry, threads, "f32"),
        "OpenVINO bf16": OpenVinoNetwork(entry, threads, "bf16"),
        "torch eager f32": TorchNetwork(entry, "cpu"),
    }
    return {name: milliseconds(timed(partial(network.run, canvas), runs)) for name, network in networks.items()}


def show(node: dict[str, Any], network: dict[str, dict[str, float]]) -> None:
    """Both parts as tables."""
    rows, columns = node["rows_columns"]
    print(f"{node['films']} films of {rows} x {columns}, quiet time {node['quiet_seconds']} s; {platform.processor()}")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; outcome: {', '.join(node['status'])}\n")
    print(f"{'milliseconds':<16}{'p50':>9}{'p95':>9}{'share':>8}")
    beyond = node["beyond_quiet_ms"]
    print(
        f"{'beyond quiet':<16}{beyond['p50']:>9}{beyond['p95']:>9}{'100 %':>8}   (first film: {node['first_film_ms']})"
    )
    for name, meaning in ROOMS.items():
        figures = node["rooms_ms"][name]
        share = f"{100 * node['share'][name]:.0f} %" if name in node["share"] else ""
        print(f"  {name:<14}{figures['p50']:>9}{figures['p95']:>9}{share:>8}   {meaning}")
    print(f"\n{'network alone':<16}{'p50':>9}{'p95':>9}")
    for name, figures in network.items():
        print(f"{name:<16}{figures['p50']:>9}{figures['p95']:>9}")
    print()


def main() -> None:
    """Measure, print."""
    options = argparse.ArgumentParser(description="From C-STORE to the report in the archive, beyond the quiet time.")
    options.add_argument("--films", type=int, default=20)
    options.add_argument("--quiet", type=float, default=0.5, help="quiet seconds of the node")
    options.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: all")
    options.add_argument("--runs", type=int, default=30, help="runs of the network alone")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node = through_the_node(chosen.films, chosen.quiet, chosen.threads, Path(folder))
    network = network_alone(chosen.runs, chosen.threads)
    show(node, network)
    print(json.dumps({"benchmark": "latency", "node": node, "network_ms": network}))


if __name__ == "__main__":
    main()
