"""Names carried over by geometry within a frame of reference, from one result's structures to another's.

Nothing is stored of this: when the source goes, so do the names that came from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from numbering.anatomy import Level
from numbering.record.basis import weakness
from numbering.record.draft import Chain, Draft, Named, renamed
from numbering.record.model import Basis, BasisKind, Contradiction, ContradictionKind, OtherName
from numbering.record.shift import assumed, renumber
from numbering.record.space import Part, apart, in_space, spacing, with_discs
from numbering.study import View

SAME_SHARE = 0.35
"""Two centres are of one structure when they are nearer than this share of the distance to the next vertebra."""
HUMAN = (BasisKind.HUMAN_CORRECTION, BasisKind.UNVERIFIED_CORRECTION)


@dataclass(frozen=True)
class Aligned:
    """Drafts that were compared within their frames of reference, and where they cannot both be right."""

    drafts: tuple[Draft, ...]
    contradictions: tuple[Contradiction, ...] = ()


def align(drafts: Sequence[Draft]) -> Aligned:
    """Each chain takes the names of the strongest chain that shows the same vertebrae, where that one is stronger.

    A count holds in the whole frame of reference, so a name that agrees with a stronger one takes its basis too. What a
    person named keeps its name.
    """
    result = {draft.filed.key: draft for draft in drafts}
    done: list[Part] = []
    contradictions: list[Contradiction] = []
    for part in sorted(in_space(drafts), key=lambda one: one.order):
        sources = [source for source in done if source.chain.space == part.chain.space]
        sources = [source for source in sources if source.draft.filed.key != part.draft.filed.key]
        for source in sources:
            new = adopt(source, part)
            if new is not part.chain:
                draft = result[part.draft.filed.key]
                why = f"names carried over from series {source.draft.series}"
                result[part.draft.filed.key] = draft.replaced(part.chain, new, why)
                part = Part(part.draft, new)
                break
        contradictions += [found for source in sources if (found := differing(source, part))]
        done.append(part)
    return Aligned(tuple(result[draft.filed.key] for draft in drafts), tuple(contradictions))


def matches(source: Chain, target: Chain) -> list[tuple[Named, Named]]:
    """Pairs (of the source, of the target) that are one structure by place: each the other's nearest, and near."""
    pairs = []
    for is_disc in (False, True):
        theirs = [one for one in with_discs(source) if one.is_disc is is_disc]
        ours = [one for one in target.members if one.is_disc is is_disc]
        for one in ours:
            near = min(theirs, key=lambda other: apart(one, other), default=None)
            if near is None or apart(one, near) > SAME_SHARE * spacing(source, near):
                continue
            if min(ours, key=lambda other: apart(near, other)) is one:
                pairs.append((near, one))
    return pairs


def adopt(source: Part, target: Part) -> Chain:
    """The target's chain under the names of a stronger source; the same chain when it is not stronger or none fit."""
    chain = target.chain
    pairs = matches(source.chain, chain)
    pins: dict[Level, Level] = {}
    for theirs, ours in pairs:
        if not weakness(theirs.basis) < weakness(ours.basis) or ours.basis.kind in HUMAN:
            return chain
        for old, new in zip(ours.levels, theirs.levels, strict=True):
            if pins.setdefault(old, new) != new:
                return chain
    renaming = renumber(chain.levels, pins) if pins else None
    if renaming is None:
        return chain
    by_level = {level: theirs for theirs, ours in pairs for level in ours.levels}
    matched = {id(ours): theirs for theirs, ours in pairs}
    members = []
    for one in chain.members:
        same = matched.get(id(one))
        basis = same.basis if same else _extended(one, by_level, chain, renaming)
        members.append(_named_by(one, same, basis, renaming, source.draft.series))
    return renamed(replace(chain, members=tuple(members)), renaming)


def _extended(one: Named, by_level: dict[Level, Named], chain: Chain, renaming: dict[Level, Level]) -> Basis:
    """Counted on from the matched ones in the same frame of reference, with what that takes for granted."""
    found = []
    for level in one.levels:
        options = []
        for pin, theirs in by_level.items():
            added = tuple(assumed(level, pin, chain.runs, renaming))
            basis = theirs.basis
            kind = BasisKind.INTERRUPTED_COUNT if added and basis.confirmed else basis.kind
            options.append(
                Basis(
                    kind=kind,
                    counted_from=basis.counted_from,
                    confirmed=basis.confirmed and not added,
                    assumptions=(*basis.assumptions, *added),
                )
            )
        found.append(min(options, key=weakness))
    return max(found, key=weakness)


def _named_by(one: Named, theirs: Named | None, basis: Basis, renaming: dict[Level, Level], series: str) -> Named:
    probability = theirs.probability if theirs else one.probability
    name = "-".join(str(renaming[level]) for level in one.levels)
    other = theirs.alternative if theirs else one.alternative
    if name != one.name and (other is None or other.name == name):
        other = OtherName(name=one.name, probability=min(0.5, 1 - probability))
    return replace(one, probability=probability, basis=basis, alternative=other, carried_from=series)


def differing(source: Part, target: Part) -> Contradiction | None:
    """Where two chains name one place differently."""
    wrong = [(theirs, ours) for theirs, ours in matches(source.chain, target.chain) if theirs.levels != ours.levels]
    if not wrong:
        return None
    views = {source.draft.filed.view, target.draft.filed.view}
    human = any(one.basis.kind in HUMAN for pair in wrong for one in pair)
    kind = ContradictionKind.PLANES if {View.AXIAL, View.SAGITTAL} <= views else ContradictionKind.SAME_PLACE
    levels = sorted({level for pair in wrong for one in pair for level in one.levels})
    theirs, ours = wrong[0]
    return Contradiction(
        kind=ContradictionKind.CORRECTION if human else kind,
        series=tuple(sorted({source.draft.series, target.draft.series})),
        levels=tuple(map(str, levels)),
        text=f"One place in space is {min(theirs.name, ours.name)} in one series and {max(theirs.name, ours.name)} "
        "in another.",
    )
