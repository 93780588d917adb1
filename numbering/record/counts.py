"""How many thoracic and lumbar-type vertebrae each chain counts, what settles it, and what a count means elsewhere.

The name of the vertebra above the sacrum says how many lumbar-type vertebrae a numbering has; the name of the one above
L1, how many thoracic ones. A number that was presumed is no evidence; one that was counted from C2 without a gap, or
verified by a person, is known for this patient on all of their images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import prod

from numbering.anatomy import VARIANTS, Level, Variant
from numbering.enumeration.model import PREVALENCE
from numbering.record.basis import weakness
from numbering.record.draft import Chain, Draft, Named, renamed
from numbering.record.model import Basis, BasisKind, OtherName, VariantShare
from numbering.record.shift import renumber

SUREST = 0.98
"""No count by one result is taken for surer than this, whatever probability it gives itself."""
NOT_COUNTED = (BasisKind.APPEARANCE, BasisKind.SACRUM, BasisKind.PRIOR, BasisKind.UNKNOWN)
"""On these bases the number of lumbar-type vertebrae is presumed, and nothing is said of the thoracic ones: whether the
vertebra that is called T12 bears a rib was not asked.
"""


class Region(StrEnum):
    """What is counted."""

    THORACIC = "thoracic"
    LUMBAR = "lumbar-type"


@dataclass(frozen=True)
class Claim:
    """One chain's count of one region. ``last`` is its lowest vertebra there, by the chain's own names."""

    region: Region
    number: int
    last: Level
    presumed: bool
    confirmed: bool
    probability: float
    draft: Draft
    chain: Chain

    @property
    def series(self) -> str:
        """Whose claim it is."""
        return self.draft.series


def claims(drafts: Iterable[Draft]) -> list[Claim]:
    """Every chain's claims."""
    return [claim for draft in drafts for chain in draft.chains for claim in claims_of(draft, chain)]


def claims_of(draft: Draft, chain: Chain) -> Iterator[Claim]:
    """At most one claim for each region."""
    for region, letter, below in ((Region.THORACIC, "T", Level.L1), (Region.LUMBAR, "L", Level.S1)):
        last = _last(chain, letter, below)
        if last is None:
            continue
        about = [one for one in chain.members if {last, below} & set(one.levels)]
        if region is Region.THORACIC and any(one.basis.kind in NOT_COUNTED for one in about):
            continue
        yield Claim(
            region=region,
            number=int(str(last)[1:]),
            last=last,
            presumed=any(_presumes(one.basis, region) for one in about),
            confirmed=all(one.basis.confirmed for one in about),
            probability=min(one.probability for one in about),
            draft=draft,
            chain=chain,
        )


def _presumes(basis: Basis, region: Region) -> bool:
    if basis.kind is BasisKind.LAST_RIB:
        return region is Region.THORACIC
    return basis.kind in NOT_COUNTED or bool(basis.assumptions)


def _last(chain: Chain, letter: str, below: Level) -> Level | None:
    """The lowest vertebra of a region, where the chain shows that it is the lowest."""
    for run in chain.runs():
        for upper, lower in pairwise(run):
            if lower is below and upper.region == letter:
                return upper
    if letter == "L":
        levels = chain.levels
        if Level.L6 in levels:
            return Level.L6
        lowest = max(levels)
        by_appearance = any(one.basis.kind is BasisKind.APPEARANCE for one in chain.members if lowest in one.levels)
        return lowest if by_appearance and lowest.region == "L" else None
    return Level.T13 if Level.T13 in chain.levels else None


@dataclass(frozen=True)
class Settled:
    """A number that is known for this patient, by which claim. ``others`` are confirmed claims that say the same."""

    by: Claim
    others: tuple[Claim, ...] = ()

    @property
    def number(self) -> int:
        """How many."""
        return self.by.number


def settled(found: Iterable[Claim]) -> dict[Region, Settled]:
    """The numbers that are known: confirmed claims that do not contradict each other."""
    known = {}
    for region in Region:
        confirmed = [claim for claim in found if claim.region is region and claim.confirmed]
        if len({claim.number for claim in confirmed}) == 1:
            first, *others = sorted(confirmed, key=_best_first)
            known[region] = Settled(first, tuple(others))
    return known


def _best_first(claim: Claim) -> tuple[tuple[bool, int], float, str]:
    return weakness(claim.chain.strongest), -claim.probability, claim.series


def belief(found: Sequence[Claim]) -> tuple[VariantShare, ...]:
    """How probable each variant is by what was counted, not presumed; empty when nothing was. Likeliest first.

    Each result's marginals hold the prior already, so they are not run through the solver again: a count of one region
    is taken as one observation that is right with the probability of its names.
    """
    evidence = sorted(
        {(claim.series, claim.region, claim.number): claim for claim in found if not claim.presumed}.values(),
        key=lambda claim: (claim.series, claim.region, claim.number),
    )
    if not evidence:
        return ()
    weights = {one: PREVALENCE[one] * prod(_likelihood(claim, one) for claim in evidence) for one in VARIANTS}
    total = sum(weights.values())
    shares = [
        VariantShare(thoracic=one.thoracic, lumbar=one.lumbar, probability=min(1.0, weight / total))
        for one, weight in weights.items()
    ]
    return tuple(sorted(shares, key=lambda share: (-share.probability, share.thoracic, share.lumbar)))


def _likelihood(claim: Claim, variant: Variant) -> float:
    probability = min(SUREST, max(claim.probability, 1 / 3))
    return probability if claim.number == _count(variant, claim.region) else (1 - probability) / 2


def _count(variant: Variant, region: Region) -> int:
    return variant.thoracic if region is Region.THORACIC else variant.lumbar


def share(variants: Sequence[VariantShare], region: Region, number: int) -> float:
    """Probability of this number by these shares; by prevalence when there are none."""
    if not variants:
        return sum(part for variant, part in PREVALENCE.items() if _count(variant, region) == number)
    return sum(one.probability for one in variants if _count(one.variant, region) == number)


def follow(draft: Draft, known: Mapping[Region, Settled], variants: Sequence[VariantShare]) -> Draft:
    """The draft with its presumed numbers replaced by what is known, or less sure of them where others counted others.

    Names with a confirmed basis, and what a person named, stay.
    """
    for chain in draft.chains:
        for claim in claims_of(draft, chain):
            if not claim.presumed or _held(chain) or _counted_otherwise(draft, chain, known):
                continue
            if claim.region in known and known[claim.region].by.chain is not chain:
                new = _carried(claim, known[claim.region], known)
                if new is not None:
                    draft = draft.replaced(chain, new, _why(known[claim.region]))
                    break
            elif claim.region not in known and variants:
                new = _doubted(claim, variants)
                if new != chain:
                    draft = draft.replaced(chain, new, f"others count {claim.region.value} vertebrae")
                    break
    return draft


def _counted_otherwise(draft: Draft, chain: Chain, known: Mapping[Region, Settled]) -> bool:
    """Whether the chain itself counted, not presumed, another number than the known one: that is a contradiction."""
    counted = (claim for claim in claims_of(draft, chain) if not claim.presumed and claim.region in known)
    return any(claim.number != known[claim.region].number for claim in counted)


def _held(chain: Chain) -> bool:
    human = (BasisKind.HUMAN_CORRECTION, BasisKind.UNVERIFIED_CORRECTION)
    return any(one.basis.confirmed or one.basis.kind in human for one in chain.members)


def _why(known: Settled) -> str:
    return f"{known.number} {known.by.region.value} vertebrae are known from series {known.by.series}"


def _carried(claim: Claim, known: Settled, all_known: Mapping[Region, Settled]) -> Chain | None:
    """The chain's names when its lowest vertebra of the region is the lowest of the known number; None if none fit."""
    chain = claim.chain
    new_last = Level.parse(f"{str(claim.last)[0]}{known.number}")
    possible = [one for one in VARIANTS if all(_count(one, region) == it.number for region, it in all_known.items())]
    renaming = renumber(chain.levels, {claim.last: new_last}, possible)
    if renaming is None:
        return None
    lowest = "the last rib-bearing vertebra" if claim.region is Region.THORACIC else "the lowest lumbar-type vertebra"
    basis = Basis(
        kind=BasisKind.PRIOR,
        counted_from=f"{known.number} {claim.region.value} vertebrae counted in another series",
        assumptions=(f"{lowest} is the same on both",),
    )
    members = (_following(one, renaming, known, basis) for one in chain.members)
    return renamed(replace(chain, members=tuple(members)), renaming)


def _following(one: Named, renaming: Mapping[Level, Level], known: Settled, basis: Basis) -> Named:
    """As probable as that it is this vertebra of the row, whatever its name, and that the number is right."""
    name = "-".join(str(renaming[level]) for level in one.levels)
    other = one.alternative
    seen = one.probability + (other.probability if other and other.name == name != one.name else 0.0)
    certain = min(known.by.probability, SUREST)
    if name != one.name:
        other = OtherName(name=one.name, probability=min(0.5, one.probability * (1 - certain)))
    return replace(
        one,
        probability=min(1.0, seen) * certain,
        basis=basis,
        alternative=other,
        carried_from=known.by.series,
    )


def _doubted(claim: Claim, variants: Sequence[VariantShare]) -> Chain:
    """Less probable by as much as others' counts make the presumed number less probable than it is in most people."""
    ratio = share(variants, claim.region, claim.number) / share((), claim.region, claim.number)
    if ratio >= 1:
        return claim.chain
    members = (replace(one, probability=one.probability * ratio) for one in claim.chain.members)
    return replace(claim.chain, members=tuple(members))
