"""What is asked of a source of priors, and what it may answer. Plain types; what names a patient is never shown."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

MOST_STUDIES = 500
"""Studies of one patient that a source may list; more are taken for a fault of the source."""
MOST_SERIES = 1000
"""Series of one study that it may list."""

_INEXACT = re.compile(r"[*?\\\x00-\x1f\x7f]")
"""Wildcards and separators (PS3.4 C.2.2.2), with which an identifier would match other patients' too."""


class SourceUnavailable(Exception):
    """The source is down, silent or busy: ask again later. Says who and what, nothing of a patient."""


class SourceRefuses(Exception):
    """The source answers no; asking again helps once somebody has changed its settings or ours."""


class SourceMisbehaves(Exception):
    """What the source answers cannot be right (too much, unreadable, another study): asking again will not help."""


class OutOfTime(SourceUnavailable):
    """The time that a search or transfer may take is over."""


class Cancelled(Exception):
    """The node stops, or a person has interrupted."""


@dataclass(frozen=True)
class Patient:
    """Whom to ask for: Patient ID (0010,0020) and, where the header names one, its Issuer (0010,0021)."""

    patient_id: str = field(repr=False)
    issuer: str = field(default="", repr=False)

    @property
    def exact(self) -> bool:
        """Whether a query for this ID can only match this ID."""
        return 0 < len(self.patient_id) <= 64 and not _INEXACT.search(self.patient_id)

    def is_same(self, other: Patient) -> bool:
        """Whether the other is this patient: equal ID, and equal issuer where both name one."""
        if self.patient_id.strip() != other.patient_id.strip():
            return False
        return not (self.issuer.strip() and other.issuer.strip()) or self.issuer.strip() == other.issuer.strip()


@dataclass(frozen=True, kw_only=True)
class FoundStudy:
    """A study that the source lists. ``description`` is free text that may name a person: never logged or stored."""

    study_instance_uid: str
    study_date: date | None
    modalities: frozenset[str]
    description: str = field(repr=False)
    instances: int | None


@dataclass(frozen=True, kw_only=True)
class FoundSeries:
    """A series that the source lists."""

    series_instance_uid: str
    modality: str
    body_part: str = field(repr=False)
    description: str = field(repr=False)
    instances: int | None


class Allowance:
    """How much one search or transfer may take, of objects, bytes and seconds, and whether it is still wanted."""

    def __init__(self, *, objects: int, size: int, seconds: float, cancelled: threading.Event | None = None) -> None:
        self._objects, self._bytes = objects, size
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self._cancelled = cancelled or threading.Event()

    @property
    def seconds_left(self) -> float:
        """Seconds that are left; not below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def bytes_left(self) -> int:
        """Bytes that are left."""
        return self._bytes

    def check(self) -> None:
        """`Cancelled` or `OutOfTime` when there is no point in going on."""
        if self._cancelled.is_set():
            raise Cancelled
        if not self.seconds_left:
            raise OutOfTime(f"not done within {self._seconds:g} s")

    def spend(self, size: int, objects: int = 1) -> None:
        """Objects of this size have come; `SourceMisbehaves` when that is more than is allowed."""
        self._bytes -= size
        self._objects -= objects
        if self._bytes < 0 or self._objects < 0:
            what = "objects" if self._objects < 0 else "bytes"
            raise SourceMisbehaves(f"a study of more {what} than the settings allow")


@dataclass
class Received:
    """What of a series came: objects kept, those that were there already, and those that were dropped and why."""

    sop_classes: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    size: int = 0
    foreign: int = 0
    """Objects of another patient, study or series: dropped."""
    refused: int = 0
    """Objects that are no storable DICOM: dropped."""
    missing: int = 0
    """Objects that the source says it could not hand over."""

    @property
    def objects(self) -> int:
        """Objects that are in the spool now."""
        return sum(self.kept.values())

    def add(self, other: Received) -> None:
        """Count another series in."""
        self.sop_classes.update(other.sop_classes)
        self.kept.update(other.kept)
        self.size += other.size
        self.foreign += other.foreign
        self.refused += other.refused
        self.missing += other.missing


class Intake(Protocol):
    """Where a source's objects go (`numbering.dicom.priors.intake`)."""

    study_instance_uid: str
    series_instance_uid: str
    allowance: Allowance

    def take(self, whole: bytes) -> None:
        """A file came."""
        ...

    def arrived(self, missing: int) -> None:
        """The source has sent the series to our DICOM port, but for so many objects."""
        ...


class PriorSource(Protocol):
    """An archive that knows a patient's earlier studies.

    Every method raises `SourceUnavailable`, `SourceRefuses`, `SourceMisbehaves` or `Cancelled`, and nothing else.
    """

    @property
    def name(self) -> str:
        """How log, rows and audit trail call it: its title, or its host."""
        ...

    @property
    def address(self) -> str:
        """Its host."""
        ...

    @property
    def hands_over(self) -> bool:
        """Whether objects come by this very connection; else they come to our DICOM port, whose room reports them."""
        ...

    def studies(self, patient: Patient, allowance: Allowance) -> list[FoundStudy]:
        """The patient's studies; those that the answer gives to somebody else are left out."""
        ...

    def series(self, patient: Patient, study_instance_uid: str, allowance: Allowance) -> list[FoundSeries]:
        """The series of one of them."""
        ...

    def fetch(self, intake: Intake) -> None:
        """Have a series handed over."""
        ...


Progress = Callable[[str, int, int], None]


def day_of(text: str) -> date | None:
    """A DICOM date (``YYYYMMDD``; PS3.5 6.2); None when it is empty or none."""
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        return None


def number_of(text: object) -> int | None:
    """A count; None when it is empty or none."""
    shown = str(text or "").strip()
    return int(shown) if re.fullmatch(r"\d{1,9}", shown) else None
