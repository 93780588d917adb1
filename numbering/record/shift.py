"""When one vertebra gets another name, the rest shift with it: one map from old names to new."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

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
    old = sorted({*levels, *pins})
    for places in _readings(old):
        ways = [(one, names) for one in variants if (names := _names(places, pins, one))]
        if ways:
            _, names = min(ways, key=lambda way: (_moved_regions(old, way[1]), -PREVALENCE[way[0]], way[1]))
            return dict(zip(old, names, strict=True))
    return None


def _readings(levels: Sequence[Level]) -> list[dict[Level, int]]:
    """Where each level stands from the first one, in the spines that have them all: fewest gaps first, then likeliest.

    Spines in which they stand alike are one reading.
    """
    readings: dict[tuple[int, ...], float] = {}
    for one, ordinals in _ORDINALS.items():
        if all(level in ordinals for level in levels):
            places = tuple(ordinals[level] - ordinals[levels[0]] for level in levels)
            readings[places] = readings.get(places, 0.0) + PREVALENCE[one]
    order = sorted(readings, key=lambda places: (places[-1:], -readings[places]))
    return [dict(zip(levels, places, strict=True)) for places in order]


def _names(places: Mapping[Level, int], pins: Renaming, variant: Variant) -> list[Level] | None:
    """The names of a spine of this variant for these places, or None when it cannot fulfil the pins."""
    ordinals = _ORDINALS[variant]
    if not all(new in ordinals for new in pins.values()):
        return None
    first = {ordinals[new] - places[old] for old, new in pins.items()} or {ordinals.get(next(iter(places)), 0)}
    names = [_NAMES[variant].get(min(first) + place) for place in places.values()]
    found = [name for name in names if name is not None]
    return found if len(first) == 1 and len(found) == len(names) else None


def _moved_regions(old: Sequence[Level], new: Sequence[Level]) -> int:
    return sum(was.region != now.region for was, now in zip(old, new, strict=True))


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
