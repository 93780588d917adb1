"""Plans from a modality worklist: C-FIND as SCU (PS3.4 Annex K), and what of an item is the plan.

One place of an item is the plan, which the site's settings name. Whatever the other places name as well must agree
with it. Patient and texts live in this process's memory alone: never stored, never logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.outgoing.association import NoAssociation, associate, leave
from numbering.dicom.outgoing.destination import Destination, Timeouts
from numbering.dicom.priors.matches import text_of
from numbering.levelcheck import NotUnderstood, Plan, parse_code, parse_plan
from numbering.levelcheck.plan import Unclear
from numbering.priors.source import Patient
from numbering.settings.checking import PlanPlace

PENDING = frozenset({0xFF00, 0xFF01})
MOST_ITEMS = 50
"""Steps that one accession number may have; more are taken for a fault of the worklist."""

_ACCESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,15}", re.ASCII)
_STEP = ("ScheduledProcedureStepDescription", "ScheduledProcedureStepID", "Modality", "ScheduledStationAETitle")
_REQUEST = ("PatientID", "IssuerOfPatientID", "RequestedProcedureDescription", "RequestedProcedureID")


class WorklistFailed(Exception):
    """The worklist gave no answer that can be used; says who and why, nothing of a patient."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One scheduled step: whose it is, and the texts (or ``SCHEME:CODE``) of each place in which a plan may stand."""

    patient: Patient = field(repr=False)
    texts: dict[PlanPlace, tuple[str, ...]] = field(repr=False)


def items_of(peer: Destination, ae_title: str, accession: str, seconds: float) -> list[Item]:
    """The scheduled steps of an accession number. `WorklistFailed` when the worklist does not answer as it should."""
    if not _ACCESSION.fullmatch(accession):
        raise WorklistFailed("that is no accession number that can be asked for exactly: 1 to 16 letters and digits")
    contexts = [build_context(ModalityWorklistInformationFind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]
    association = associate(contexts, peer, ae_title, Timeouts(message=seconds, network=seconds))
    if isinstance(association, NoAssociation):
        raise WorklistFailed(association.why)
    found = []
    try:
        for status, ds in association.send_c_find(_asked(accession), ModalityWorklistInformationFind):
            if _goes_on(status, peer) and ds is not None and text_of(ds, "AccessionNumber") == accession:
                found.append(_item(ds))
            if len(found) > MOST_ITEMS:
                raise WorklistFailed(f"{peer} answered with more than {MOST_ITEMS} items")
    except BROKEN_DICOM as error:
        association.abort()
        raise WorklistFailed(f"{peer}: the association broke ({type(error).__name__})") from None
    finally:
        leave(association)
    return found


def patient_of_items(items: Sequence[Item]) -> Patient | None:
    """Whose these steps are; None when they do not say, or are of several patients."""
    first = items[0].patient if items else Patient("")
    return first if first.exact and all(item.patient == first for item in items) else None


def plan_of(items: Sequence[Item], place: PlanPlace) -> Plan | NotUnderstood:
    """What these steps plan, by what stands in this place; all that stands there must be one and the same plan.

    What the other places name must be the same level, and no other side; what is not understood there names nothing.
    """
    plans = [_parsed(text) for item in items for text in item.texts[place]]
    if not plans:
        return NotUnderstood(Unclear.EMPTY)
    for plan in plans:
        if isinstance(plan, NotUnderstood):
            return plan
    plan = plans[0]
    assert isinstance(plan, Plan)
    if any(other != plan for other in plans):
        return NotUnderstood(Unclear.SEVERAL_NAMES)
    elsewhere = [_parsed(text) for item in items for texts in item.texts.values() for text in texts]
    for other in elsewhere:
        if isinstance(other, Plan) and (other.kind, other.levels) != (plan.kind, plan.levels):
            return NotUnderstood(Unclear.SEVERAL_NAMES)
        if isinstance(other, Plan) and other.side not in (None, plan.side):
            return NotUnderstood(Unclear.SEVERAL_SIDES)
    return plan


def _parsed(text: str) -> Plan | NotUnderstood:
    scheme, _, code = text.partition("\0")
    return parse_code(code, scheme) if code else parse_plan(text)


def _asked(accession: str) -> Dataset:
    step = Dataset()
    for keyword in _STEP:
        setattr(step, keyword, "")
    step.ScheduledProtocolCodeSequence = [_code()]
    ds = Dataset()
    for keyword in _REQUEST:
        setattr(ds, keyword, "")
    ds.AccessionNumber = accession
    ds.RequestedProcedureCodeSequence = [_code()]
    ds.ScheduledProcedureStepSequence = [step]
    return ds


def _code() -> Dataset:
    item = Dataset()
    item.CodeValue = item.CodingSchemeDesignator = item.CodeMeaning = ""
    return item


def _goes_on(status: Dataset, peer: Destination) -> bool:
    if "Status" not in status:
        raise WorklistFailed(f"{peer} did not answer, or ended the association")
    code = int(status.Status)
    if code not in PENDING and code != 0:
        raise WorklistFailed(f"{peer} answered with status 0x{code:04X}")
    return code in PENDING


def _item(ds: Dataset) -> Item:
    steps = list(_items(ds, "ScheduledProcedureStepSequence"))
    return Item(
        patient=Patient(text_of(ds, "PatientID"), text_of(ds, "IssuerOfPatientID")),
        texts={
            "step-description": _texts(steps, "ScheduledProcedureStepDescription"),
            "step-code": tuple(code for step in steps for code in _codes(step, "ScheduledProtocolCodeSequence")),
            "procedure-description": _texts([ds], "RequestedProcedureDescription"),
            "procedure-code": tuple(_codes(ds, "RequestedProcedureCodeSequence")),
        },
    )


def _texts(datasets: Sequence[Dataset], keyword: str) -> tuple[str, ...]:
    return tuple(text for ds in datasets if (text := text_of(ds, keyword)))


def _codes(ds: Dataset, keyword: str) -> Iterator[str]:
    """Scheme and value with NUL between, which no text can hold."""
    for item in _items(ds, keyword):
        if value := text_of(item, "CodeValue"):
            yield f"{text_of(item, 'CodingSchemeDesignator')}\0{value}"


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    try:
        return list(ds.get(keyword) or [])
    except BROKEN_DICOM:
        return []
