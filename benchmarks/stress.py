"""Odd files through the whole node: stored byte for byte or refused with a status, and what the job said of them.

    python benchmarks/stress.py --data FOLDER

Sends every file below the folder by C-STORE to a node (whose network is a stub), waits until its jobs have ended, and
by STOW-RS to another. Prints a table and one line of JSON; exit code 1 when something was answered success and is not
stored byte for byte, when a job failed by a fault of ours, or when the log has a traceback.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx
from pydicom import dcmread
from sqlalchemy import select

from benchmarks.faults import wire
from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.part10 import split
from numbering.jobs.models import InstanceRow, Job, JobImage
from numbering.jobs.store import reading
from numbering.web.keys import Scope
from tests.logged import logged
from tests.node import RunningNode, running_node
from tests.web import running_web

TYPE = 'multipart/related; type="application/dicom"; boundary=EDGE'
KEPT = (0x0000, 0xB0C0)
PATIENCE_SECONDS = 300.0


@dataclass
class Passage:
    """What became of one file."""

    name: str
    syntax: str = ""
    sop_uid: str = ""
    by_c_store: int | str = "cannot be sent: it does not say what it is"
    by_stow: str = ""
    identical: bool = True
    told: str = ""


def announced(data: bytes) -> tuple[str, str, str, bytes] | None:
    """Class, instance, transfer syntax and data set, as a sender would read them from the file."""
    try:
        parts = split(data)
        return parts.sop_class, parts.sop_instance, parts.transfer_syntax, parts.data_set
    except ValueError:
        pass
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            ds = dcmread(file.name, force=True, stop_before_pixels=True)
            syntax = "1.2.840.10008.1.2" if ds.original_encoding[0] else "1.2.840.10008.1.2.1"
            return str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax, data
    except BROKEN_DICOM:
        return None


def by_c_store(data: bytes, passage: Passage, port: int, spool: Path) -> None:
    """Send it, and look for its very bytes."""
    found = announced(data)
    if found is None or not found[0] or not found[1]:
        return
    sop_class, passage.sop_uid, passage.syntax, data_set = found
    passage.by_c_store = wire.c_store(port, sop_class, passage.sop_uid, passage.syntax, data_set)
    if passage.by_c_store in KEPT:
        held = {hashlib.sha256(split(path.read_bytes()).data_set).digest() for path in spool.rglob("*.dcm")}
        passage.identical &= hashlib.sha256(data_set).digest() in held


def by_stow(data: bytes, passage: Passage, client: httpx.Client, spool: Path) -> None:
    """Send it, and look for its very bytes."""
    body = b"\r\n--EDGE\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--EDGE--\r\n"
    answer = client.post("/dicom-web/studies", content=body, headers={"Content-Type": TYPE})
    told = answer.json() if answer.status_code in (200, 202, 409) else {}
    items = [item for failed in ("00081198", "0008119A") for item in told.get(failed, {}).get("Value", [])]
    codes = [f"{item['00081197']['Value'][0]:04X}" for item in items if "00081197" in item]
    passage.by_stow = " ".join([str(answer.status_code), *codes])
    if answer.status_code in (200, 202) and not items:
        held = {hashlib.sha256(split(path.read_bytes()).data_set).digest() for path in spool.rglob("*.dcm")}
        passage.identical &= hashlib.sha256(split(data).data_set).digest() in held


def what_jobs_said(node: RunningNode) -> dict[str, str]:
    """State, and reason if any, of each image's last job; what it was taken for, when it has none."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    spool = Spool(node.settings.spool)
    while spool.arrivals() or not all(row.finished or row.state == "held" for row in node.rows()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {PATIENCE_SECONDS:g} s: {Counter(row.state for row in node.rows())}")
        time.sleep(0.5)
    with reading(node.engine) as session:
        said = dict(session.execute(select(InstanceRow.sop_uid, InstanceRow.kind)).all())
        jobs = session.execute(select(JobImage.sop_uid, Job).join(Job).order_by(Job.created_at))
        said |= {sop: f"{job.state}{f' ({job.reason_code})' if job.reason_code else ''}" for sop, job in jobs}
    return said


def send_all(files: dict[str, bytes], folder: Path) -> tuple[list[Passage], str]:
    """Every file both ways; the passages, and both nodes' logs."""
    passages = [Passage(name) for name in files]
    (folder / "first").mkdir()
    with running_node(folder / "first", disk_minimum_mib=0, disk_minimum_percent=0, web_port=0) as node:
        port = int(str(node.facts["port"]))
        for passage in passages:
            by_c_store(files[passage.name], passage, port, node.settings.spool)
        said = what_jobs_said(node)
        log = node.log.read_text()
    with logged() as told, running_web(folder / "second", web_requests_per_second=0) as web:
        client = web.client(Scope.STORE)
        for passage in passages:
            by_stow(files[passage.name], passage, client, web.node.settings.spool)
        log += told.getvalue()
    for passage in passages:
        passage.told = said.get(passage.sop_uid, "")
    return passages, log


def is_wrong(passage: Passage) -> bool:
    """Whether it is stored otherwise than sent, was too much for us, or has no answer."""
    broken = passage.by_stow.startswith("5") or passage.by_c_store in ("aborted", "hung up")
    return broken or not passage.identical or "internal-error" in passage.told


def status(value: int | str) -> str:
    """As a sender sees it."""
    return f"{value:04X}" if isinstance(value, int) else value


def main() -> int:
    """Send, tell."""
    options = argparse.ArgumentParser(description="Odd files through the whole node.")
    options.add_argument("--data", type=Path, required=True, help="folder of files, searched to the bottom")
    folder = options.parse_args().data
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    with tempfile.TemporaryDirectory() as scratch:
        passages, log = send_all(files, Path(scratch))
    print(f"{'file':<62}{'transfer syntax':<24}{'C-STORE':<10}{'STOW':<10}{'bytes':<7}job")
    for each in passages:
        kept = "same" if each.identical else "OTHER"
        name, answer = Path(each.name).name[:60], status(each.by_c_store)[:8]
        print(f"{name:<62}{each.syntax:<24}{answer:<10}{each.by_stow:<10}{kept:<7}{each.told}")
    wrong = [each.name for each in passages if is_wrong(each)]
    figures = {
        "benchmark": "stress",
        "files": len(passages),
        "by_c_store": Counter(status(each.by_c_store) for each in passages),
        "by_stow": Counter(each.by_stow for each in passages),
        "jobs": Counter(each.told for each in passages),
        "tracebacks": log.count("Traceback"),
        "wrong": wrong,
    }
    print(json.dumps(figures))
    return int(bool(wrong or figures["tracebacks"]))


if __name__ == "__main__":
    sys.exit(main())
