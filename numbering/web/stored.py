"""The answer to a store request: its status, and PS3.18 I.2, the Store Instances Response Module, as DICOM JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numbering.dicom.incoming.accept import OUT_OF_RESOURCES

REFERENCED_SOP_CLASS, REFERENCED_SOP_INSTANCE = "00081150", "00081155"
RETRIEVE_URL, WARNING_REASON, FAILURE_REASON = "00081190", "00081196", "00081197"
FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE, OTHER_FAILURES_SEQUENCE = "00081198", "00081199", "0008119A"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one part. Without UIDs it could not even be told what it is; 0 is neither warning nor failure."""

    study: str = ""
    sop_class: str = ""
    sop_instance: str = ""
    warning: int = 0
    failure: int = 0


def status_of(outcomes: Sequence[Outcome]) -> int:
    """PS3.18 table 10.5.3-1, and 503 when nothing could be kept for want of disk."""
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    if len(failures) == len(outcomes):
        return 503 if set(failures) == {OUT_OF_RESOURCES} else 409
    return 202 if failures or any(outcome.warning for outcome in outcomes) else 200


def response_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The data set. Retrieve URLs are empty, as for what cannot be retrieved here (type 2)."""
    kept = [outcome for outcome in outcomes if not outcome.failure]
    failed = [outcome for outcome in outcomes if outcome.failure and outcome.sop_instance]
    unknown = [outcome for outcome in outcomes if outcome.failure and not outcome.sop_instance]
    sequences = {
        FAILED_SOP_SEQUENCE: [{**_named(each), FAILURE_REASON: _us(each.failure)} for each in failed],
        REFERENCED_SOP_SEQUENCE: [_kept(each) for each in kept],
        OTHER_FAILURES_SEQUENCE: [{FAILURE_REASON: _us(each.failure)} for each in unknown],
    }
    told = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
    return {RETRIEVE_URL: {"vr": "UR"}, **told}


def _kept(outcome: Outcome) -> dict[str, Any]:
    warned = {WARNING_REASON: _us(outcome.warning)} if outcome.warning else {}
    return {**_named(outcome), RETRIEVE_URL: {"vr": "UR"}, **warned}


def _named(outcome: Outcome) -> dict[str, Any]:
    return {
        REFERENCED_SOP_CLASS: {"vr": "UI", "Value": [outcome.sop_class]},
        REFERENCED_SOP_INSTANCE: {"vr": "UI", "Value": [outcome.sop_instance]},
    }


def _us(value: int) -> dict[str, Any]:
    return {"vr": "US", "Value": [value]}
