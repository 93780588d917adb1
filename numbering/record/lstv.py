"""Suspicion of a lumbosacral transitional vertebra: what speaks for it, and what these images could not show.

What a pipeline told of is believed to be suspected; measured criteria are applied where measurements are given. Nothing
here ever says that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from numbering.record.counts import Claim, Region
from numbering.record.draft import Draft
from numbering.record.model import Transition
from numbering.result import Measurement

WORDS = ("transitional", "lstv", "castellvi", "sacralis", "sacraliz", "lumbaris", "lumbariz")
"""An anomaly that holds one of these is about the lumbosacral transition, "not excluded" included."""
LIKELY_OTHERWISE = 0.2
"""An alternative with another number of lumbar-type vertebrae that is this probable speaks for one."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One measured sign. ``measurement`` is the beginning of `Measurement.name`."""

    measurement: str
    unit: str
    holds: Callable[[float], bool]
    found: str
    missing: str


CRITERIA = (
    Criterion(
        measurement="transverse-process-height",
        unit="mm",
        holds=lambda height: height >= 19,
        found="transverse process {value:.0f} mm high, 19 mm or more (Castellvi)",
        missing="height of the transverse processes",
    ),
    Criterion(
        measurement="transverse-process-gap",
        unit="mm",
        holds=lambda gap: gap <= 0,
        found="transverse process touches the sacrum (Castellvi)",
        missing="contact of the transverse processes with the sacrum",
    ),
    Criterion(
        measurement="squaring",
        unit="1",
        holds=lambda ratio: ratio <= 1.37,
        found="squared body: upper to lower endplate {value:.2f}, 1.37 or less",
        missing="squaring of the transitional body",
    ),
    Criterion(
        measurement="s1-s2-disc-depth",
        unit="1",
        holds=lambda share: share >= 0.95,
        found="well-formed S1-S2 disc as deep as the sacrum (O'Driscoll 4)",
        missing="the S1-S2 disc",
    ),
)
"""Castellvi et al., Spine 1984;9:493-495 [M]; Wigh, Spine 1980;5:215-222 [M]; O'Driscoll et al., Skeletal Radiol
1996;25:225-230 [M]: the numbers are from memory and are to be checked before a finding rests on them alone."""


def transition(drafts: Sequence[Draft], claims: Sequence[Claim]) -> Transition:
    """What speaks for a transitional vertebra in all results together; ``unassessed``: criteria nobody measured."""
    evidence = sorted({*_told(drafts), *_measured(drafts), *_alternatives(drafts), *_counted(claims)})
    given = {name for draft in drafts for one in _measurements(draft) if one.value is not None for name in [one.name]}
    missing = (one for one in CRITERIA if not any(name.startswith(one.measurement) for name in given))
    return Transition(evidence=tuple(evidence), unassessed=tuple(one.missing for one in missing))


def _measurements(draft: Draft) -> tuple[Measurement, ...]:
    return draft.filed.result.findings.measurements if draft.filed.result else ()


def _told(drafts: Sequence[Draft]) -> Iterator[str]:
    for draft in drafts:
        for anomaly in draft.filed.result.findings.anomalies if draft.filed.result else ():
            if any(word in anomaly.casefold() for word in WORDS):
                yield f"{draft.filed.modality}: {anomaly}"


def _measured(drafts: Sequence[Draft]) -> Iterator[str]:
    for draft in drafts:
        for one in _measurements(draft):
            for criterion in CRITERIA:
                fits = one.name.startswith(criterion.measurement) and one.unit == criterion.unit
                if fits and one.value is not None and criterion.holds(one.value):
                    yield f"{draft.filed.modality}: {criterion.found.format(value=one.value)}"


def _alternatives(drafts: Sequence[Draft]) -> Iterator[str]:
    """Of the lowest vertebra of a chain, if that is a lumbar or sacral one in either reading."""
    for draft in drafts:
        for chain in draft.chains:
            for one in chain.vertebrae[-1:]:
                other = one.alternative
                if other and other.probability >= LIKELY_OTHERWISE and {one.name[0], other.name[0]} <= {"L", "S"}:
                    yield f"{draft.filed.modality}: {one.name} may as well be {other.name} ({other.probability:.2f})"


def _counted(claims: Sequence[Claim]) -> Iterator[str]:
    """Counts of lumbar-type vertebrae that differ between results, presumed ones left out."""
    counted = sorted({(claim.number, claim.draft.filed.modality) for claim in claims if _is_count(claim)})
    numbers = {number: sorted(one for _, one in same) for number, same in groupby(counted, key=lambda pair: pair[0])}
    if len(numbers) > 1:
        said = (f"{number} on {', '.join(modalities)}" for number, modalities in numbers.items())
        yield f"lumbar-type vertebrae are counted differently: {'; '.join(said)}"


def _is_count(claim: Claim) -> bool:
    return claim.region is Region.LUMBAR and not claim.presumed
