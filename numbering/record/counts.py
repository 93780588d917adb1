"""How many thoracic and lumbar-type vertebrae each chain counts, what settles it, and what a count means elsewhere.

The name of the vertebra above the sacrum says how many lumbar-type vertebrae a numbering has; the name of the one above
L1, how many thoracic ones. A number that was presumed is no evidence; one that was counted from C2 without a gap, or
verified by a person, is known for this patient on all of their images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from math import prod
from types import MappingProxyType

from numbering.anatomy import VARIANTS, Level, Variant
from numbering.enumeration.model import PREVALENCE
from numbering.record.basis import weakness
from numbering.record.draft import Chain, Draft
from numbering.record.model import Basis, BasisKind, VariantShare

SUREST = 0.98
"""No count by one result is taken for surer than this, whatever probability it gives itself."""
KNOWN = 0.9
"""A number is known when confirmed claims alone say it, and with all others it is at least this probable."""
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
        if last is None or int(str(last)[1:]) not in _population(region):
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
    for run in chain.runs:
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
class Counted:
    """What all claims together say of one region: how probable each number is, and the one that is known, if any.

    ``known_by`` is the strongest confirmed claim where all confirmed ones agree and the number is sure enough. It is
    None where nothing is known; then ``shares`` are those of the population when nobody counted at all.
    """

    shares: Mapping[int, float]
    known_by: Claim | None = None

    def doubt(self, region: Region, number: int) -> float:
        """By what factor others' counts make a presumed number less probable than it is in most people; 1 at most."""
        return min(1.0, self.shares[number] / _population(region)[number])


def counted(found: Sequence[Claim]) -> dict[Region, Counted]:
    """For each region."""
    return {region: _counted(region, [claim for claim in found if claim.region is region]) for region in Region}


def _counted(region: Region, found: Sequence[Claim]) -> Counted:
    weights = {
        number: share * prod(_likelihood(claim, number) for claim in _evidence(found))
        for number, share in _population(region).items()
    }
    shares = {number: weight / sum(weights.values()) for number, weight in weights.items()}
    confirmed = sorted((claim for claim in found if claim.confirmed), key=_best_first)
    agreed = len({claim.number for claim in confirmed}) == 1
    known = agreed and shares[confirmed[0].number] >= KNOWN
    return Counted(shares, confirmed[0] if known else None)


def _best_first(claim: Claim) -> tuple[tuple[bool, int], float, str]:
    return weakness(claim.chain.strongest), -claim.probability, claim.series


def _evidence(found: Iterable[Claim]) -> list[Claim]:
    """What was counted, not presumed: one claim for each series and number, in the same order every time."""
    ordered = sorted((claim for claim in found if not claim.presumed), key=_best_first)
    return list({(claim.series, claim.region, claim.number): claim for claim in reversed(ordered)}.values())


def _likelihood(claim: Claim, number: int) -> float:
    """Of the claim, if this were the number, up to a factor.

    A result's probability holds the prior already, so that is divided out: one claim alone leaves its own probability.
    """
    prior = _population(claim.region)[claim.number]
    probability = min(max(claim.probability, prior), SUREST)
    return probability / prior if number == claim.number else (1 - probability) / (1 - prior)


@cache
def _population(region: Region) -> Mapping[int, float]:
    shares: dict[int, float] = {}
    for variant, share in PREVALENCE.items():
        shares[number_in(variant, region)] = shares.get(number_in(variant, region), 0.0) + share
    return MappingProxyType(shares)


def number_in(variant: Variant, region: Region) -> int:
    """How many vertebrae of this region a spine of this variant has."""
    return variant.thoracic if region is Region.THORACIC else variant.lumbar


def belief(found: Sequence[Claim]) -> tuple[VariantShare, ...]:
    """How probable each variant is by what was counted, not presumed; empty when nothing was. Likeliest first."""
    evidence = _evidence(found)
    if not evidence:
        return ()
    weights = {
        one: PREVALENCE[one] * prod(_likelihood(claim, number_in(one, claim.region)) for claim in evidence)
        for one in VARIANTS
    }
    total = sum(weights.values())
    shares = [
        VariantShare(thoracic=one.thoracic, lumbar=one.lumbar, probability=min(1.0, weight / total))
        for one, weight in weights.items()
    ]
    return tuple(sorted(shares, key=lambda share: (-share.probability, share.thoracic, share.lumbar)))
