"""How fast objects are taken in, and with how much memory: this node, DCMTK's storescp and Orthanc, in one run.

    python benchmarks/ingest.py [--images 1000] [--rounds 3] [--receivers numbering,storescp,orthanc]
    python benchmarks/ingest.py --instances 20000              memory of this node, every thousand instances
    python benchmarks/ingest.py --associations 16 --minutes 10 this node under load for a while; errors are counted

The same simulated CT slices (512 × 512, 525 KB, every one with UIDs and pixels of its own) go to each receiver by
DCMTK's ``storescu -R`` with ``TCP_NODELAY=1`` on both ends, over one association and over four. Senders and receivers
share this machine's cores. Rounds alternate between receivers, and medians are told. Memory is the proportional share
(PSS) of all the receiver's processes, at its highest.

What has happened when a sender is told of success: this node has synced file, folders and journal; Orthanc has synced
the file (SyncStorageArea) and written its index; storescp has synced nothing.

Prints tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from numbering.jobs.serve import environment_of
from numbering.settings import Settings
from tests.archive import free_port, running_archive

AE_TITLE = "NUMBERING"
ROOT_UID = "1.2.826.0.1.3680043.10.1338"
SLICES_OF_A_SERIES = 250
SAMPLE_SECONDS = 0.25
START_SECONDS = 60.0
SETTLED_SECONDS = 30.0


@dataclass
class Running:
    """A receiver that takes associations at this port, and its processes."""

    port: int
    ae_title: str
    pid: int
    folder: Path

    def stored(self) -> int:
        """Files of at least a slice's size below its folder."""
        return sum(path.stat().st_size > 500_000 for path in self.folder.rglob("*") if path.is_file())


@dataclass
class Load:
    """What was sent in which time, and what it cost the receiver."""

    images: int = 0
    bytes: int = 0
    seconds: float = 0.0
    peak_mib: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def images_per_second(self) -> float:
        """Objects that were answered, in a second."""
        return self.images / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        """Their files' bytes, in a second."""
        return self.bytes / self.seconds / 1e6


def slices(folder: Path, count: int, seed: int) -> list[Path]:
    """CT slices in series of `SLICES_OF_A_SERIES`, all of one study."""
    folder.mkdir(parents=True)
    chosen = random.Random(seed)
    study = f"{ROOT_UID}.{chosen.getrandbits(60)}"
    noise = np.random.default_rng(seed).integers(0, 4096, size=(600, 512), dtype=np.uint16)
    paths = []
    for number in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.{number}.1"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.{number // SLICES_OF_A_SERIES}"
        ds.PatientName, ds.PatientID, ds.StudyID, ds.AccessionNumber = "Bench^Mark", "B1", "1", ""
        ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ""
        ds.Modality, ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "CT", "simulated", 1, number
        ds.ImageType, ds.FrameOfReferenceUID = ["ORIGINAL", "PRIMARY", "AXIAL"], f"{study}.9"
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness, ds.PositionReferenceIndicator = [0.7, 0.7], 1, ""
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 512, 512
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleIntercept, ds.RescaleSlope, ds.KVP, ds.AcquisitionNumber = -1024, 1, 120, 1
        first = number % 88
        ds.PixelData = (noise[first : first + 512] + np.uint16(number)).tobytes()
        path = folder / f"{number:06d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


# Receivers


@contextmanager
def numbering(folder: Path) -> Iterator[Running]:
    """This node's acceptors, as ``numbering receive`` runs them."""
    settings = Settings(data=folder / "data", port=0, disk_minimum_mib=0, disk_minimum_percent=0)
    environment = environment_of(settings)
    del environment["NUMBERING_PARENT_PID"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "numbering", "receive"], stderr=log, env=environment, cwd=Path(__file__).parents[1]
        )
    with stopped(process):
        told = wait_for(lambda: next((folder / "data").glob("receive-*.json"), None), process, folder / "log")
        yield Running(json.loads(told.read_text())["port"], AE_TITLE, process.pid, folder / "data" / "spool" / "")


@contextmanager
def storescp(folder: Path) -> Iterator[Running]:
    """DCMTK's storescp, a process for each association, writing bytes as they come."""
    port, out = free_port(), folder / "out"
    out.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["storescp", "--fork", "+B", "-od", str(out), "-aet", AE_TITLE, str(port)],
            stderr=log,
            stdout=log,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
    with stopped(process):
        wait_for(lambda: echoes(port), process, folder / "log")
        yield Running(port, AE_TITLE, process.pid, out)


@contextmanager
def orthanc(folder: Path) -> Iterator[Running]:
    """Orthanc, as the tests run it, on its defaults for storage."""
    with running_archive(folder, {"STORESCU": free_port()}) as archive:
        yield Running(archive.dicom_port, "ARCHIVE", archive.process.pid, folder / "storage")


RECEIVERS = {"numbering": numbering, "storescp": storescp, "orthanc": orthanc}


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM at the end of the block, and SIGKILL where that does not do."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(ask: Any, process: subprocess.Popen[bytes], log: Path) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + START_SECONDS
    while not (answer := ask()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"a receiver did not start; {log} ends:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    return answer


def echoes(port: int) -> bool:
    """Whether something answers C-ECHO there."""
    return subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True, check=False).returncode == 0


# Memory


class Memory:
    """The proportional share of a process and all its descendants, sampled while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self.peak_mib = 0.0

    def __enter__(self) -> Memory:
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.peak_mib = max(self.peak_mib, share_mib(self._pid))


def share_mib(pid: int) -> float:
    """PSS of a process tree in MiB."""
    total = 0
    for one in tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


# Senders


def sender(receiver: Running, files: Sequence[Path], *options: str) -> subprocess.Popen[str]:
    """storescu with these files over one association."""
    command = ["storescu", "-R", *options, "-aec", receiver.ae_title, "127.0.0.1", str(receiver.port)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    return subprocess.Popen(
        [*command, *map(str, files)], env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def send(receiver: Running, files: Sequence[Path], associations: int) -> Load:
    """Send every file once, split over so many associations at once."""
    load = Load(images=len(files), bytes=sum(file.stat().st_size for file in files))
    with Memory(receiver.pid) as memory:
        began = time.monotonic()
        senders = [sender(receiver, files[part::associations]) for part in range(associations)]
        for one in senders:
            _, said = one.communicate()
            if one.returncode:
                load.failures.append(said[-300:])
        load.seconds = time.monotonic() - began
    load.peak_mib = memory.peak_mib
    return load


# Runs


def compare(names: Sequence[str], images: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Each receiver over one and over four associations, a few times."""
    loads: dict[tuple[str, int], list[Load]] = {}
    for round_number in range(rounds):
        for associations in (1, 4):
            files = slices(folder / "slices", images, seed=10 * round_number + associations)
            for name in names:
                place = folder / name
                place.mkdir()
                os.sync()
                with RECEIVERS[name](place) as receiver:
                    send(receiver, files[:8], associations)  # the first association loads code
                    load = send(receiver, files[8:], associations)
                    stored = receiver.stored()
                    assert load.failures == [], (name, load.failures)
                    assert stored >= len(files), f"{name} holds {stored} of {len(files)}"
                loads.setdefault((name, associations), []).append(load)
                shutil.rmtree(place)
            shutil.rmtree(folder / "slices")
    print(f"{'receiver':12}{'associations':>14}{'images/s':>12}{'MB/s':>10}{'PSS, MiB':>12}")
    figures: dict[str, Any] = {}
    for (name, associations), rounds_of in sorted(loads.items(), key=lambda one: (one[0][1], one[0][0])):
        speed = statistics.median(load.images_per_second for load in rounds_of)
        volume = statistics.median(load.megabytes_per_second for load in rounds_of)
        peak = max(load.peak_mib for load in rounds_of)
        print(f"{name:12}{associations:14d}{speed:12.0f}{volume:10.0f}{peak:12.0f}")
        figures[f"{name}/{associations}"] = {
            "images_per_second": round(speed, 1),
            "mb_per_second": round(volume, 1),
            "peak_mib": round(peak, 1),
            "rounds": [round(load.images_per_second, 1) for load in rounds_of],
        }
    return {"images": images, "rounds": rounds, "figures": figures, "ratios": ratios(loads)}


def ratios(loads: dict[tuple[str, int], list[Load]]) -> dict[str, float]:
    """This node's speed over each other receiver's: the median of the rounds, in each of which both ran."""
    found = {}
    for (name, associations), others in loads.items():
        ours = loads.get(("numbering", associations))
        if name != "numbering" and ours:
            each = [our.images_per_second / other.images_per_second for our, other in zip(ours, others, strict=True)]
            found[f"{name}/{associations}"] = round(statistics.median(each), 2)
            print(f"this node is {found[f'{name}/{associations}']:.2f} × {name} over {associations} association(s)")
    return found


def long_run(instances: int, folder: Path) -> dict[str, Any]:
    """Memory of this node while so many instances come over four associations."""
    files = slices(folder / "slices", 250, seed=1)
    rows: list[dict[str, float]] = []
    (folder / "numbering").mkdir()
    with numbering(folder / "numbering") as receiver:
        sent = 0
        while sent < instances:
            began = time.monotonic()
            with Memory(receiver.pid) as memory:
                senders = [sender(receiver, files, "+II") for _ in range(4)]
                for one in senders:
                    _, said = one.communicate()
                    assert one.returncode == 0, said[-300:]
            sent += 4 * len(files)
            rows.append({"instances": sent, "peak_mib": round(memory.peak_mib, 1)})
            seconds = time.monotonic() - began
            print(f"{sent:8d} instances{memory.peak_mib:8.1f} MiB{4 * len(files) / seconds:8.0f} images/s", flush=True)
            discard(receiver)
    return {"instances": sent, "memory": rows}


def discard(receiver: Running) -> None:
    """Delete what was received a while ago, so that long runs need no terabytes; folders and journals stay.

    A file that was just written is left alone: its receiver has not answered yet, and may still look at it.
    """
    settled = time.time() - SETTLED_SECONDS
    for path in receiver.folder.rglob("*.dcm"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < settled:
                path.unlink()


def endurance(associations: int, minutes: float, folder: Path) -> dict[str, Any]:
    """So many associations at once for so long; every one that fails is counted."""
    files = slices(folder / "slices", 50, seed=2)
    end = time.monotonic() + 60 * minutes
    failures: list[str] = []
    done = [0] * associations
    (folder / "numbering").mkdir()
    with ExitStack() as stack:
        receiver = stack.enter_context(numbering(folder / "numbering"))
        memory = stack.enter_context(Memory(receiver.pid))
        began = time.monotonic()

        def modality(number: int) -> None:
            while time.monotonic() < end:
                one = sender(receiver, files, "+II")
                _, said = one.communicate()
                if one.returncode:
                    failures.append(f"exit {one.returncode}, after {time.monotonic() - began:.0f} s: {said[-300:]}")
                done[number] += len(files)

        threads = [threading.Thread(target=modality, args=(number,)) for number in range(associations)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(5)
            discard(receiver)
        seconds = time.monotonic() - began
    log = (folder / "numbering" / "log").read_text()
    warnings = Counter(
        f"{told['event']} {told.get('reason', '')}".strip()
        for told in map(json.loads, filter(None, log.splitlines()))
        if told["level"] in ("warning", "error", "critical")
    )
    print(
        f"{sum(done)} instances, {associations} associations, {seconds:.0f} s: {sum(done) / seconds:.0f} a second; "
        f"{len(failures)} senders failed, {warnings.total()} warnings in the log, at most {memory.peak_mib:.0f} MiB"
    )
    return {
        "associations": associations,
        "seconds": round(seconds),
        "instances": sum(done),
        "failures": failures,
        "warnings": dict(warnings),
        "peak_mib": round(memory.peak_mib, 1),
    }


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000, help="slices in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--receivers", default=",".join(RECEIVERS))
    parser.add_argument("--instances", type=int, default=0, help="instead: memory over so many instances")
    parser.add_argument("--associations", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=0.0, help="instead: this long over --associations")
    parser.add_argument("--folder", type=Path, help="where everything is written; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if options.instances:
            told = long_run(options.instances, folder)
        elif options.minutes:
            told = endurance(options.associations, options.minutes, folder)
        else:
            told = compare(options.receivers.split(","), options.images, options.rounds, folder)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"benchmark": "ingest", **told, "machine": machine}))


if __name__ == "__main__":
    main()
