"""The body of a STOW-RS answer (PS3.18 10.5.3, I.2), which we ask for in JSON: what became of each instance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numbering.dicom.outgoing.store_scu import DUPLICATE, is_temporary

REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE = "00081199", "00081198"
REFERENCED_SOP_INSTANCE_UID = "00081155"
WARNING_REASON, FAILURE_REASON = "00081196", "00081197"


@dataclass(frozen=True)
class Told:
    """What an answer says of one instance; ``reason`` is its warning or failure reason, 0 without one."""

    stored: bool
    reason: int = 0

    @property
    def temporary(self) -> bool:
        """Whether the failure may pass: out of resources, or a fault that says no more."""
        return is_temporary(self.reason)


def instances(answer: bytes) -> Mapping[str, Told]:
    """By SOP Instance UID; empty when the answer is none of the kind. An instance told both ways has failed."""
    try:
        module = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, Told] = {}
    for dataset in module if isinstance(module, list) else [module]:
        for uid, reason in _items(dataset, REFERENCED_SOP_SEQUENCE, WARNING_REASON):
            found[uid] = Told(stored=True, reason=reason)
        for uid, reason in _items(dataset, FAILED_SOP_SEQUENCE, FAILURE_REASON):
            found[uid] = Told(stored=reason == DUPLICATE, reason=reason)
    return found


def _items(dataset: Any, sequence: str, reason: str) -> Iterator[tuple[str, int]]:
    for item in _values(dataset, sequence):
        for uid in _values(item, REFERENCED_SOP_INSTANCE_UID):
            said = next(iter(_values(item, reason)), 0)
            yield str(uid), said if isinstance(said, int) and 0 <= said <= 0xFFFF else 0


def _values(dataset: Any, tag: str) -> list[Any]:
    element = dataset.get(tag) if isinstance(dataset, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
