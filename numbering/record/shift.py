"""When one vertebra gets another name, the rest shift with it: one map from old names to new."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from math import log

from numbering.anatomy import VARIANTS, Level, Variant
from numbering.enumeration.model import PREVALENCE

Renaming = Mapping[Level, Level]

_ORDINALS = {one: {level: ordinal for ordinal, level in enumerate(one.levels(), 1)} for one in VARIANTS}
_NAMES = {one: dict(enumerate(one.levels(), 1)) for one in VARIANTS}


def renumber(
    levels: Collection[Level], pins: Renaming, variants: Collection[Variant] = VARIANTS
) -> dict[Level, Level] | None:
    """New names of ``levels`` (one spine's, any order) such that each of ``pins`` (old: new) holds.

    Their ordinals all move by the same number; the new names are those of one of ``variants``. The old names are read
    as those of the spine in which they leave the fewest gaps. Of several ways the one is taken that keeps most
    vertebrae in their region (a rib-bearing one thoracic, the sacrum sacral), then the likeliest. None when no spine
    fits the pins: two of them contradict each other, or a name would not exist.
    """
    ways = list(_ways({*levels, *pins}, pins, variants))
    return min(ways, key=_cost)[0] if ways else None


def _ways(
    levels: Set[Level], pins: Renaming, variants: Collection[Variant]
) -> Iterator[tuple[dict[Level, Level], Variant, Variant]]:
    for before in VARIANTS:
        old_ordinals = _ORDINALS[before]
        if not levels <= old_ordinals.keys():
            continue
        for after in variants:
            new_ordinals = _ORDINALS[after]
            if not all(new in new_ordinals for new in pins.values()):
                continue
            moved = {new_ordinals[new] - old_ordinals[old] for old, new in pins.items()} or {0}
            if len(moved) > 1:
                continue
            renaming = _moved(levels, before, after, moved.pop())
            if renaming:
                yield renaming, before, after


def _moved(levels: Collection[Level], before: Variant, after: Variant, by: int) -> dict[Level, Level] | None:
    old_ordinals, new_names = _ORDINALS[before], _NAMES[after]
    renaming = {level: new_names.get(old_ordinals[level] + by) for level in sorted(levels)}
    return {old: new for old, new in renaming.items() if new} if all(renaming.values()) else None


def _cost(way: tuple[dict[Level, Level], Variant, Variant]) -> tuple[int, int, float, list[Level]]:
    renaming, before, after = way
    span = _ORDINALS[before][max(renaming)] - _ORDINALS[before][min(renaming)]
    changed = sum(old.region != new.region for old, new in renaming.items())
    return span, changed, -log(PREVALENCE[before]) - log(PREVALENCE[after]), list(renaming.values())


def assumed(level: Level, pin: Level, runs: Sequence[Sequence[Level]], renaming: Renaming) -> Iterator[str]:
    """What must hold for the new name of ``level`` when only that of ``pin`` is known. ``runs``: uninterrupted counts.

    Downwards a region begins with its first vertebra, by how that looks; upwards its number must be presumed.
    """
    if not any(level in run and pin in run for run in runs):
        yield f"no vertebra was missed between {renaming[level]} and {renaming[pin]}"
    passed = [old for old in renaming if min(level, pin) <= old <= max(level, pin) and old != pin]
    yield from (f"what looked like {old} is {renaming[old]}" for old in passed if old.region != renaming[old].region)
    if level < pin:
        for region in dict.fromkeys(renaming[old].region for old in passed):
            if region != renaming[pin].region:
                last = max(renaming[old] for old in passed if renaming[old].region == region)
                yield f"{last} is the last of its region"
