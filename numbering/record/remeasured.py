"""What becomes of a film's measurements when the record gives its vertebrae other names.

An endplate stays where it is, so an angle between two neighbours is told of their new names. What is *defined* by names
(lordosis from L1, slope of S1) would be another one: it is withheld until the film is measured anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from numbering.result import Findings, Measurement, Vertebra

DEFINED_BY_NAMES = ("lumbar-lordosis", "sacral-slope")
_A_LEVEL = re.compile(r"\b[CTLS]\d")


def remeasured(own: Findings, names: Mapping[int, str]) -> tuple[Measurement, ...]:
    """The measurements of ``own`` under the new names of its vertebrae, by their index; those without one have none."""
    return tuple(_told(measured, own, names) for measured in own.measurements)


def retold(own: Findings, names: Mapping[int, str], texts: tuple[str, ...]) -> tuple[str, ...]:
    """Sentences that name levels, marked as older than the new names where any name changed."""
    if not any(_changed(found, names.get(index)) for index, found in enumerate(own.vertebrae)):
        return texts
    return tuple(f"before names were corrected: {text}" if _A_LEVEL.search(text) else text for text in texts)


def _told(measured: Measurement, own: Findings, names: Mapping[int, str]) -> Measurement:
    here = {
        found.level: (found, names.get(index))
        for index, found in reversed(list(enumerate(own.vertebrae)))
        if measured.sop_instance_uid in (None, found.sop_instance_uid) and measured.frame in (None, found.frame)
    }
    if not any(_changed(found, name) for found, name in here.values()):
        return measured
    if measured.value is None:
        return _withheld(measured, "names on this film were corrected, and it was not measured anew")
    new = [here[level][1] if level in here else None for level in measured.levels]
    levels = tuple(name for name in new if name is not None)
    if levels == measured.levels:
        return measured
    if len(levels) < len(new):
        return _withheld(measured, f"of {' and '.join(measured.levels)} not both have a name any more")
    if measured.name.startswith(DEFINED_BY_NAMES):
        given = f"{'-'.join(measured.levels)} corrected to {'-'.join(levels)}"
        return _withheld(measured, f"it was measured under names that were corrected ({given}), and not anew")
    old = "-".join(measured.levels).lower()
    name = measured.name.removesuffix(old) + "-".join(levels).lower() if measured.name.endswith(old) else measured.name
    return measured.model_copy(update={"name": name, "levels": levels})


def _changed(found: Vertebra, name: str | None) -> bool:
    return name != found.level


def _withheld(measured: Measurement, reason: str) -> Measurement:
    return measured.model_copy(
        update={"value": None, "uncertainty": None, "lines": (), "reason": f"not given: {reason}"}
    )
