"""Where a patient's results contradict each other, and nothing has settled it.

Between modalities and examinations the numbers of vertebrae are compared; an AP with a lateral film of one study by
their order from head to foot, from the sacrum and from the last rib. What one result presumed and another one knows is
no contradiction any more: it was renamed before (`follow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from numbering.anatomy import Level
from numbering.record.counts import Claim, Region, claims
from numbering.record.draft import Draft, in_order
from numbering.record.inherit import HUMAN
from numbering.record.model import Contradiction, ContradictionKind
from numbering.study import View

FRONTAL = (View.AP, View.PA)
BELOW_NECK = tuple(str(level) for level in Level if level.region != "C")
"""What a wrong number puts in doubt: everything but the neck, which is counted from C2 or not at all."""
KINDS = {Region.THORACIC: ContradictionKind.THORACIC_COUNT, Region.LUMBAR: ContradictionKind.LUMBAR_COUNT}


def contradictions(drafts: Sequence[Draft]) -> list[Contradiction]:
    """All of these drafts, in an order that does not depend on theirs."""
    found = [*_disordered(drafts), *_counts(claims(drafts))]
    return sorted(set(found), key=lambda one: (one.kind, one.series, one.text))


def _disordered(drafts: Iterable[Draft]) -> Iterator[Contradiction]:
    for draft in drafts:
        for chain in draft.chains:
            if not in_order(chain):
                first, *_, last = (*chain.levels, chain.levels[-1])
                yield Contradiction(
                    kind=ContradictionKind.ORDER,
                    series=(draft.series,),
                    levels=tuple(map(str, chain.levels)),
                    text=f"The names {first} to {last} do not follow one another along the spine.",
                )


def _counts(found: Iterable[Claim]) -> Iterator[Contradiction]:
    by_region = {region: [claim for claim in found if claim.region is region] for region in Region}
    for region, same in by_region.items():
        for one, other in combinations(same, 2):
            if one.number != other.number:
                yield _contradiction(region, *sorted((one, other), key=lambda claim: (claim.number, claim.series)))


def _contradiction(region: Region, fewer: Claim, more: Claim) -> Contradiction:
    human = any(one.basis.kind in HUMAN for claim in (fewer, more) for one in claim.chain.members)
    kind = ContradictionKind.CORRECTION if human else KINDS[region]
    if not human and _two_views(fewer, more):
        kind = ContradictionKind.ORDER
    said = (f"{_who(claim)} {'presumes' if claim.presumed else 'counts'} {claim.number}" for claim in (fewer, more))
    return Contradiction(
        kind=kind,
        series=tuple(sorted({fewer.series, more.series})),
        levels=BELOW_NECK,
        text=f"Number of {region.value} vertebrae: {', '.join(said)}.",
    )


def _two_views(one: Claim, other: Claim) -> bool:
    views = {one.draft.filed.view, other.draft.filed.view}
    studies = {one.draft.filed.study_instance_uid, other.draft.filed.study_instance_uid}
    return len(studies) == 1 and View.LATERAL in views and bool(views & set(FRONTAL))


def _who(claim: Claim) -> str:
    view = claim.draft.filed.view
    return f"{claim.draft.filed.modality} {view.value}" if view else claim.draft.filed.modality
