"""A real modality worklist for tests: DCMTK's wlmscpfs over files that a test makes."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.archive import free_port
from tests.tools import program

TITLE = "WORKLIST"
CODE = tuple[str, str]
"""Scheme and value."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One scheduled step as a RIS would list it."""

    accession: str
    step: str = ""
    procedure: str = "Surgery"
    step_codes: Sequence[CODE] = field(default=())
    procedure_codes: Sequence[CODE] = field(default=())
    patient_id: str = "SECRETID-7"
    issuer: str = ""


def write_item(folder: Path, step: Step) -> Path:
    """Write the step as a ``.wl`` file."""
    scheduled = Dataset()
    scheduled.Modality = "XA"
    scheduled.ScheduledStationAETitle = "CARM"
    scheduled.ScheduledProcedureStepStartDate = "20260301"
    scheduled.ScheduledProcedureStepStartTime = "0800"
    scheduled.ScheduledPerformingPhysicianName = ""
    if step.step:
        scheduled.ScheduledProcedureStepDescription = step.step
    scheduled.ScheduledProcedureStepID = "1"
    if step.step_codes:  # empty, wlmscpfs would leave the whole item out
        scheduled.ScheduledProtocolCodeSequence = [_code(*code) for code in step.step_codes]
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.AccessionNumber = step.accession
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = "SECRET^NAME", step.patient_id, step.issuer
    ds.PatientBirthDate, ds.PatientSex = "19010203", "O"
    ds.StudyInstanceUID = generate_uid()
    ds.RequestedProcedureID = "P1"
    ds.RequestedProcedureDescription = step.procedure
    if step.procedure_codes:
        ds.RequestedProcedureCodeSequence = [_code(*code) for code in step.procedure_codes]
    ds.ScheduledProcedureStepSequence = [scheduled]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.31"
    ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{generate_uid()}.wl"
    ds.save_as(path, enforce_file_format=True)
    return path


def _code(scheme: str, value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    return item


@contextmanager
def running_worklist(folder: Path, steps: Sequence[Step]) -> Iterator[str]:
    """Serve these steps; yields the worklist's address."""
    items = folder / TITLE
    items.mkdir(parents=True)
    (items / "lockfile").touch()
    for step in steps:
        write_item(items, step)
    port = free_port()
    command = [program("wlmscpfs"), "--data-files-path", str(folder), str(port)]
    with (folder / "wlmscpfs.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_up(process, port, folder / "wlmscpfs.log")
        yield f"{TITLE}@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"wlmscpfs did not answer: {log.read_text()}")
