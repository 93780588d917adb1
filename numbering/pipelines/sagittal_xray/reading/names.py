"""Whether the names of a film may be given: which are kept, how sure the least sure is, what they are counted from."""

from __future__ import annotations

from dataclasses import replace

from numbering.anatomy import Level
from numbering.enumeration import Numbering
from numbering.enumeration.abstention import AMBIGUOUS
from numbering.errors import ReasonCode
from numbering.pipelines.sagittal_xray.reading.read import Reading


def trimmed(numbering: Numbering, least: float) -> Numbering:
    """Without names at either end that may belong to no vertebra: names in between stay, or the film is refused."""
    levels = list(numbering.levels)
    for order in (range(len(levels)), range(len(levels) - 1, -1, -1)):
        for index in order:
            if levels[index] is None:
                continue
            if 1 - numbering.marginals[index].sum() <= 1 - least:
                break
            levels[index] = None
    return replace(numbering, levels=tuple(levels))


def unsure(numbering: Numbering, least: float) -> tuple[ReasonCode, str] | None:
    """Why the names are not sure enough, as a code and a sentence: the least probable decides, for all go together."""
    named = [(p, level) for p, level in zip(numbering.probabilities, numbering.levels, strict=True) if level]
    probability, level = min(named, key=lambda pair: pair[0])
    if probability >= least:
        return None
    sure = f"{level} has a probability of {probability:.2f}, expected {least:.2f}"
    if numbering.alternative is not None and numbering.alternative_probability >= AMBIGUOUS:
        pairs = zip(numbering.levels, numbering.alternative, strict=True)
        other = ", ".join(f"{two} for {one}" for one, two in pairs if one is not None and two not in (one, None))
        return ReasonCode.AMBIGUOUS, (
            f"{sure}; another numbering ({other}) is likely too ({numbering.alternative_probability:.2f}); "
            "decide by counting from C2, the ribs or the sacrum"
        )
    return ReasonCode.LOW_CONFIDENCE, f"{sure}; decide by counting from C2, the ribs or the sacrum"


def anchors(numbering: Numbering, reading: Reading) -> tuple[str, ...]:
    """What a count can start from on this film: ``C2``, ``last rib``, ``sacrum``."""
    bodies = {level: body for level, body in zip(numbering.levels, reading.bodies, strict=True) if level is not None}
    thoracic = max((level for level in bodies if level.region == "T"), default=None)
    ribs = thoracic is not None and Level.L1 in bodies and bodies[thoracic].rib >= 0.5 > bodies[Level.L1].rib
    found = {"C2": Level.C2 in bodies, "last rib": ribs, "sacrum": Level.S1 in bodies}
    return tuple(name for name, there in found.items() if there)
