"""Whose an object is, and of what day: read when it is needed, for the moment only. Never stored, never logged."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.multival import MultiValue

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.part10 import refuse_bomb
from numbering.priors.source import Patient, day_of
from numbering.uids import checked_uid


def patient_of(path: Path) -> Patient:
    """Whose object a file is; an empty ID when it does not say. For the moment only: never stored, never logged."""
    try:
        with path.open("rb") as file:
            return patient_in(file)
    except OSError:
        return Patient("")


def study_date_of(path: Path) -> date | None:
    """Study Date (0008,0020) of a file; None when it does not say."""
    try:
        with path.open("rb") as file:
            return day_of(str(_head(file, "StudyDate").get("StudyDate") or ""))
    except BROKEN_DICOM:
        return None


def patient_in(file: BinaryIO) -> Patient:
    """Whose object an open file is; an empty ID when it does not say."""
    try:
        ds = _head(file, "PatientID", "IssuerOfPatientID")
        return Patient(_text(ds, "PatientID"), _text(ds, "IssuerOfPatientID"))
    except BROKEN_DICOM:
        return Patient("")


def _text(ds: Dataset, keyword: str) -> str:
    """A value as text; one that is several, which an identifier must not be, with the backslashes that it had."""
    value = ds.get(keyword)
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value or "").strip()


def _head(file: BinaryIO, *keywords: str) -> Dataset:
    refuse_bomb(file)
    return dcmread(file, stop_before_pixels=True, specific_tags=list(keywords))


def patient_of_study(spool: Path, study_instance_uid: str) -> Patient:
    """Whose a received study is, by any of its files; an empty ID when none is there. `InvalidUID` for no UID."""
    folder = spool / checked_uid(study_instance_uid, "Study Instance UID")
    path = next(folder.glob("*/*.dcm"), None)
    return patient_of(path) if path is not None else Patient("")
