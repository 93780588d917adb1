"""What a number that is known for a patient means for a result that only presumed one: other names, another basis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from numbering.anatomy import VARIANTS, Level
from numbering.record.counts import SUREST, Claim, Counted, Region, claims_of, number_in
from numbering.record.draft import Chain, Draft, Named, renamed
from numbering.record.model import Basis, BasisKind, OtherName
from numbering.record.shift import renumber


def follow(draft: Draft, known: Mapping[Region, Counted]) -> Draft:
    """The draft with its presumed numbers replaced by what is known, or less sure of them where others counted others.

    Names with a confirmed basis, and what a person named, stay.
    """
    for chain in draft.chains:
        for claim in claims_of(draft, chain):
            if not claim.presumed or _held(chain):
                continue
            by = known[claim.region].known_by
            if by is not None and not _counted_otherwise(draft, chain, known):
                new, why = _carried(claim, by, known), f"{by.number} {by.region.value} vertebrae in series {by.series}"
            else:
                new, why = _doubted(claim, known), f"others count {claim.region.value} vertebrae differently"
            if new != chain:
                draft = draft.replaced(chain, new, why)
                break
    return draft


def _counted_otherwise(draft: Draft, chain: Chain, known: Mapping[Region, Counted]) -> bool:
    """Whether the chain itself counted, not presumed, another number than the known one: that is a contradiction."""
    for claim in claims_of(draft, chain):
        by = known[claim.region].known_by
        if by is not None and not claim.presumed and claim.number != by.number:
            return True
    return False


def _held(chain: Chain) -> bool:
    human = (BasisKind.HUMAN_CORRECTION, BasisKind.UNVERIFIED_CORRECTION)
    return any(one.basis.confirmed or one.basis.kind in human for one in chain.members)


def _carried(claim: Claim, by: Claim, known: Mapping[Region, Counted]) -> Chain:
    """The chain's names when its lowest vertebra of the region is that of the known number; its own if none fit."""
    chain = claim.chain
    new_last = Level.parse(f"{claim.last.region}{by.number}")
    numbers = {region: it.known_by.number for region, it in known.items() if it.known_by}
    possible = [one for one in VARIANTS if all(number_in(one, region) == it for region, it in numbers.items())]
    renaming = renumber(chain.levels, {claim.last: new_last}, possible)
    if renaming is None:
        return chain
    lowest = "the last rib-bearing vertebra" if claim.region is Region.THORACIC else "the lowest lumbar-type vertebra"
    basis = Basis(
        kind=BasisKind.PRIOR,
        counted_from=f"{by.number} {claim.region.value} vertebrae counted in another series",
        assumptions=(f"{lowest} is the same on both",),
    )
    sure = min(SUREST, known[claim.region].shares[by.number])
    members = (replace(_following(one, renaming, sure), basis=basis, carried_from=by.series) for one in chain.members)
    return renamed(replace(chain, members=tuple(members)), renaming)


def _following(one: Named, renaming: Mapping[Level, Level], sure: float) -> Named:
    """As probable as that it is this vertebra of the row, whatever its name, and that the number is right."""
    name = "-".join(str(renaming[level]) for level in one.levels)
    if name == one.name:
        return one
    other = one.alternative
    seen = one.probability + (other.probability if other and other.name == name else 0.0)
    own = OtherName(name=one.name, probability=min(0.5, one.probability * (1 - sure)))
    return replace(one, probability=min(1.0, seen) * sure, alternative=own)


def _doubted(claim: Claim, known: Mapping[Region, Counted]) -> Chain:
    factor = known[claim.region].doubt(claim.region, claim.number)
    if factor == 1:
        return claim.chain
    members = (replace(one, probability=one.probability * factor) for one in claim.chain.members)
    return replace(claim.chain, members=tuple(members))
