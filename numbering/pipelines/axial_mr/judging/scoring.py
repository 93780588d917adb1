"""One series' answer against its truth, slice by slice. Knows findings and probabilities, not networks.

A slice that passes through a disc on the spine's axis shows it; one that passes beside it, within `cases.NEAR_MM` of
its middle, may bear its name or none, and is not asked of single slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.judging.cases import Case
from numbering.result import Findings, Status

CONFIDENT = 0.9
"""A wrong name with at least this probability is the worst that can be said."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the pipeline said of one case.

    ``right`` tells of each slice through a disc that has a class whether it bears that disc's name; ``justified``
    whether what it bears is what a perfect reader of the series would call it. ``discs`` tells of each such disc
    whether a slice through it bears its name. ``wrong`` are slices with another disc's name; ``probabilities`` those of
    the names said, with whether they are right. ``classes`` ``(n,)`` are true classes of the slices that show one
    thing, ``singles`` ``(n, 6)`` what each slice alone was taken for.
    """

    case: Case
    answered: bool
    reason: str
    right: Mapping[str, bool]
    justified: Mapping[str, bool]
    discs: Mapping[str, bool]
    wrong: tuple[str, ...]
    probabilities: tuple[tuple[float, bool], ...]
    classes: NDArray[np.intp]
    singles: NDArray[np.float64]
    findings: Findings

    @property
    def all_right(self) -> bool:
        """Whether every disc in the series that has a class bears its name, and no slice a wrong one."""
        return all(self.discs.values()) and not self.wrong

    @property
    def confident_wrong(self) -> bool:
        """Whether a name with a high probability is on another disc, or on none."""
        return any(probability >= CONFIDENT and not right for probability, right in self.probabilities)


def score(case: Case, findings: Findings, singles: Mapping[str, NDArray[np.float64]]) -> Outcome:
    """Compare the findings of one series with its truth; ``singles`` are class probabilities of each slice by name."""
    said = {
        one.sop_instance_uid if one.frame is None else f"{one.sop_instance_uid}#{one.frame}": one
        for one in findings.discs
    }
    fits = {name: one.level in _names_of(case, name) for name, one in said.items()}
    asked = [name for names in case.discs.values() for name in names]
    whole = [(true.position, name) for name, true in case.slices.items() if true.position is not None]
    return Outcome(
        case=case,
        answered=findings.status is Status.NUMBERED,
        reason=findings.reason.code if findings.reason else "",
        right={name: name in said and fits[name] for name in asked},
        justified={
            name: name in said and said[name].level == case.read_as[disc]
            for disc, names in case.discs.items()
            if disc in case.read_as
            for name in names
        },
        discs={disc: any(name in said and fits[name] for name in names) for disc, names in case.discs.items()},
        wrong=tuple(name for name, right in fits.items() if not right),
        probabilities=tuple((one.probability, fits[name]) for name, one in said.items()),
        classes=np.array([position for position, name in whole if name in singles], np.intp),
        singles=np.array([singles[name] for _, name in whole if name in singles], float).reshape(-1, len(CLASSES)),
        findings=findings,
    )


def _names_of(case: Case, name: str) -> tuple[str, ...]:
    """The names that a slice may bear."""
    if name not in case.slices:
        return ()
    near = case.slices[name].near
    return () if near is None else (near,)


def by_itself(case: Case, singles: Mapping[str, NDArray[np.float64]]) -> dict[str, str]:
    """The likeliest class of each slice alone, as a name of the usual spine; slices that seem to show none left out."""
    best = {name: int(np.argmax(row)) for name, row in singles.items() if name in case.slices}
    return {name: CLASSES[position] for name, position in best.items() if position != NONE}
