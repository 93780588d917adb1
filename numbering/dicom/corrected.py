"""A structured report of ours that a reader has edited: which groups it names how, and who verified it.

Whether it is one of ours, and what it changes, is told by whoever knows what we wrote (`jobs/corrected_reports.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.part10 import refuse_bomb
from numbering.levelcheck import NotUnderstood, parse_code

REPORTS = frozenset({ComprehensiveSRStorage, Comprehensive3DSRStorage, EnhancedSRStorage})
MOST_ITEMS = 20000
"""Content items of one report that are looked at; ours have some hundreds."""
DEEPEST = 12
LONGEST_NAME = 64
"""Of a person (one component group of a PN) and an organisation (LO)."""

_TRACKING_UID = ("112040", "DCM")
_FINDING_SITE = ("363698007", "SCT")


@dataclass(frozen=True)
class NamedGroup:
    """A measurement group. ``sites`` are the structures it names; None among them is a code that names none."""

    tracking_uid: str
    sites: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class CorrectedReport:
    """What an edited report says. ``fault`` is why its content could not be read; then there are no groups.

    ``person`` and ``organisation`` are those who verified it as it says, empty where it says nothing of the kind.
    """

    predecessors: tuple[str, ...]
    groups: tuple[NamedGroup, ...] = ()
    person: str = ""
    organisation: str = ""
    fault: str = ""


def corrected_report(path: Path) -> CorrectedReport | None:
    """The report in this file; None when not even its head can be read."""
    try:
        with path.open("rb") as file:
            refuse_bomb(file)
            ds = dcmread(file, stop_before_pixels=True)
        predecessors = tuple(_predecessors(ds))
    except BROKEN_DICOM:
        return None
    try:
        groups = tuple(_groups(ds))
        person, organisation = _verified(ds)
    except BROKEN_DICOM:
        return CorrectedReport(predecessors=predecessors, fault="its content cannot be read")
    return CorrectedReport(predecessors=predecessors, groups=groups, person=person, organisation=organisation)


def _predecessors(ds: Dataset) -> Iterator[str]:
    for study in ds.get("PredecessorDocumentsSequence") or []:
        for series in study.get("ReferencedSeriesSequence") or []:
            yield from (str(item.ReferencedSOPInstanceUID) for item in series.get("ReferencedSOPSequence") or [])


def _groups(ds: Dataset) -> Iterator[NamedGroup]:
    """Every container that has a tracking UID of its own."""
    for container in _containers(ds):
        items = container.get("ContentSequence") or []
        uids = [str(item.UID) for item in items if item.get("ValueType") == "UIDREF" and _name(item) == _TRACKING_UID]
        if len(uids) == 1:
            sites = (item for item in items if item.get("ValueType") == "CODE" and _name(item) == _FINDING_SITE)
            yield NamedGroup(uids[0], tuple(_structure(item) for item in sites))


def _containers(ds: Dataset) -> Iterator[Dataset]:
    waiting, seen = [(ds, 0)], 0
    while waiting:
        item, depth = waiting.pop(0)
        children = item.get("ContentSequence") or []
        seen += len(children)
        if seen > MOST_ITEMS or depth > DEEPEST:
            raise ValueError("more content than a report of ours has")
        yield item
        waiting += [(child, depth + 1) for child in children if child.get("ValueType") == "CONTAINER"]


def _name(item: Dataset) -> tuple[str, str]:
    sequence = item.get("ConceptNameCodeSequence") or []
    return _code(sequence[0]) if len(sequence) == 1 else ("", "")


def _code(item: Dataset) -> tuple[str, str]:
    return str(item.get("CodeValue") or ""), str(item.get("CodingSchemeDesignator") or "")


def _structure(item: Dataset) -> str | None:
    codes = item.get("ConceptCodeSequence") or []
    plan = parse_code(*_code(codes[0])) if len(codes) == 1 else None
    return None if plan is None or isinstance(plan, NotUnderstood) else plan.name


def _verified(ds: Dataset) -> tuple[str, str]:
    """Person and organisation of the last verification; empty ones unless the report says that it is verified."""
    observers = ds.get("VerifyingObserverSequence") or []
    if ds.get("VerificationFlag") != "VERIFIED" or not observers:
        return "", ""
    last = max(observers, key=lambda item: str(item.get("VerificationDateTime") or ""))
    person = str(last.get("VerifyingObserverName") or "").split("=")[0].strip()
    organisation = str(last.get("VerifyingOrganization") or "").strip()
    return person[:LONGEST_NAME], organisation[:LONGEST_NAME]
