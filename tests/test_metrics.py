"""Metrics: counted by many processes, told by one, and without a word about a patient."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from numbering.jobs.checks.store import file_check
from numbering.jobs.models import Delivery, Job, ObjectRow, SeriesRow, now
from numbering.jobs.store import writing
from numbering.levelcheck import Policy, judge, parse_plan
from numbering.metric_files import ROOM_BYTES, Collector
from numbering.record import PatientRecord
from numbering.web.keys import Scope
from tests.films import SECRETS, make_film
from tests.test_stow_endpoint import body, post
from tests.web import RunningWeb, running_web

COUNT = """
import os, sys
from pathlib import Path
from numbering.metric_files import keep_in
keep_in(Path(sys.argv[1]))
from numbering.metrics import *
OBJECTS_RECEIVED.labels("c-store", "stored").inc(3)
STEP_SECONDS.labels("number").observe(0.2)
ASSOCIATIONS.inc(2)
if "fork" in sys.argv:
    if os.fork() == 0:
        OBJECTS_RECEIVED.labels("c-store", "stored").inc(4)
        ASSOCIATIONS.inc(1)
    else:
        os.wait()
print("counted", flush=True)
if "wait" in sys.argv:
    sys.stdin.read()
os._exit(0)
"""


def counting(folder: Path, *how: str) -> subprocess.Popen[str]:
    """A process that counts in this folder; returns when it has."""
    command = [sys.executable, "-c", COUNT, str(folder), *how]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if line == "counted\n":
            return process
    raise AssertionError(f"the process ended with {process.wait()} and had not counted")


def told(folder: Path) -> dict[str, float]:
    """Every sample, by its name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for metric in Collector(folder).collect()
        for sample in metric.samples
    }


RECEIVED = "numbering_objects_received_total[('kept', 'stored'), ('way', 'c-store')]"
OPEN = "numbering_associations[('way', 'c-store')]"
STEPS = "numbering_step_seconds_count[('step', 'number')]"


def test_what_processes_count_is_told_as_one_sum(tmp_path: Path) -> None:
    living = [counting(tmp_path, "wait") for _ in range(2)]
    sums = told(tmp_path)
    assert (sums[RECEIVED], sums[OPEN], sums[STEPS]) == (6, 4, 2)
    for process in living:
        process.communicate("")


def test_a_killed_process_keeps_its_counts_and_loses_its_associations(tmp_path: Path) -> None:
    process = counting(tmp_path, "wait")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for _ in range(2):  # the second time from the sum of the dead
        sums = told(tmp_path)
        assert (sums[RECEIVED], sums[STEPS]) == (3, 1)
        assert OPEN not in sums


def test_files_of_the_dead_are_cleared_away(tmp_path: Path) -> None:
    for _ in range(5):
        counting(tmp_path).communicate()
    assert told(tmp_path)[RECEIVED] == 15
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_dead.db", "histogram_dead.db"]
    assert list(tmp_path.glob("*.lock")) == []


def test_a_forked_process_counts_in_files_of_its_own(tmp_path: Path) -> None:
    counting(tmp_path, "fork").communicate()
    assert told(tmp_path)[RECEIVED] == 7


def test_files_take_their_room_before_they_are_mapped(tmp_path: Path) -> None:
    """Else a full disk would end in a SIGBUS of whoever counts."""
    process = counting(tmp_path, "wait")
    for path in tmp_path.glob("*.db"):
        assert path.stat().st_size == ROOM_BYTES
        assert path.stat().st_blocks * 512 >= ROOM_BYTES
    process.communicate("")


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("not a folder")
    process = counting(tmp_path / "metrics")
    process.communicate()
    assert process.returncode == 0


def test_importing_the_metrics_is_light() -> None:
    code = "import sys, numbering.metrics; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydicom", "torch", "fastapi", "sqlalchemy", "celery"} & set(loaded)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RunningWeb]:
    with running_web(tmp_path / "data") as web:
        yield web


def scraped(web: RunningWeb) -> dict[str, float]:
    answer = web.client(Scope.READ).get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {f"{one.name}{sorted(one.labels.items())}": one.value for family in families for one in family.samples}


def test_rows_disk_and_waiting_times_are_told(web: RunningWeb) -> None:
    with writing(web.node.engine) as session:
        session.add(SeriesRow(study_uid="1.2", series_uid="1.2.3"))
        job = Job(study_uid="1.2", series_uid="1.2.3", part="ap", modality="DX", state="queued", queue="ap-xray",
                  input_digest="0" * 64, created_at=now().replace(year=2020))  # fmt: skip
        session.add(job)
        session.flush()
        session.add(ObjectRow(sop_uid="1.2.4", job_id=job.id, position=0, sop_class="1.2", kind="SR", digest="",
                              path="x"))  # fmt: skip
        session.flush()
        session.add(Delivery(object_uid="1.2.4", job_id=job.id, destination="archive", state="failed"))
    unmarked = judge(parse_plan("L4"), None, PatientRecord(), Policy())
    file_check(web.node.engine, unmarked, asked_by="key or-2")
    sums = scraped(web)
    assert sums["numbering_jobs[('state', 'queued')]"] == 1
    assert sums["numbering_level_checks[('verdict', 'CANNOT CONFIRM')]"] == 1
    assert sums["numbering_series[('state', 'received')]"] == 1
    assert sums["numbering_deliveries_waiting[('destination', 'archive'), ('state', 'failed')]"] == 1
    assert sums["numbering_oldest_waiting_seconds[('queue', 'ap-xray')]"] > 86400
    assert sums["numbering_oldest_waiting_seconds[('queue', 'deliver')]"] == 0
    assert sums["numbering_disk_free_bytes[]"] > 0
    assert (sums["numbering_up[('part', 'database')]"], sums["numbering_up[('part', 'disk')]"]) == (1, 1)


def test_arrivals_that_wait_are_counted_and_other_processes_are_heard(web: RunningWeb, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.dcm")
    assert post(web.client(Scope.STORE), body(film.read_bytes())).status_code == 200
    counting(web.node.settings.metrics).communicate()
    sums = scraped(web)
    assert sums["numbering_arrivals_waiting[]"] == 1
    assert sums[RECEIVED] == 3


def test_a_database_that_is_out_of_reach_leaves_the_rest(web: RunningWeb) -> None:
    web.node.engine.dispose()
    for file in web.node.settings.data.glob("numbering.db*"):
        file.unlink()
    sums = scraped(web)
    assert sums["numbering_up[('part', 'database')]"] == 0
    assert sums["numbering_disk_free_bytes[]"] > 0


def test_no_label_holds_an_identifier_or_anything_of_a_patient(tmp_path: Path) -> None:
    """In a process of its own, which counts in files, as a room does."""
    run = subprocess.run(
        [sys.executable, "-c", SCRAPE, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert run.returncode == 0, run.stderr
    assert 'numbering_objects_received_total{kept="stored",way="stow"} 1.0' in run.stdout
    assert 'route="/dicom-web/studies/{study}"' in run.stdout
    assert not re.search(r"\d+\.\d+\.\d+", re.sub(r"[\d.e+]+$", "", run.stdout, flags=re.MULTILINE))
    assert not any(secret in run.stdout for secret in SECRETS)


SCRAPE = """
import sys
from pathlib import Path
from numbering import logs
logs.configure("ERROR")
from numbering.metric_files import keep_in
folder = Path(sys.argv[1])
keep_in(folder / "data" / "metrics")
from numbering.web.keys import Scope
from tests.films import make_film
from tests.test_stow_endpoint import body, post
from tests.web import running_web
film = make_film(folder / "film.dcm")
with running_web(folder / "data") as web:
    sender = web.client(Scope.STORE)
    post(sender, body(film.read_bytes()))
    post(sender, body(film.read_bytes()), "1.2.3.4.5")
    sender.get("/1.2.3.4/SECRET")
    print(web.client(Scope.READ).get("/metrics").text)
"""
