"""When the names are not sure enough to be given: never a guess."""

from __future__ import annotations

from numbering.enumeration.solver import Numbering
from numbering.errors import ReasonCode

LEAST_CONFIDENCE = 0.91
"""Below this the learnt likelihoods abstain: on about one spine in ten of those they were validated on (docs)."""
AMBIGUOUS = 0.2
"""An alternative this likely is named as the reason."""


def refusal(numbering: Numbering, least: float = LEAST_CONFIDENCE) -> tuple[ReasonCode, str] | None:
    """Why these names are not to be given, as a code and a sentence; None when they are."""
    named = [level for level in numbering.levels if level is not None]
    if not named:
        return ReasonCode.TARGET_NOT_IN_VIEW, "no candidate is a vertebra; check that the spine is in view"
    if numbering.confidence >= least:
        return None
    sure = f"names {named[0]}–{named[-1]} have a mean probability of {numbering.confidence:.2f}, expected {least:.2f}"
    if numbering.alternative is not None and numbering.alternative_probability >= AMBIGUOUS:
        other = [level for level in numbering.alternative if level is not None]
        return ReasonCode.AMBIGUOUS, (
            f"{sure}; {other[0]}–{other[-1]} is likely too ({numbering.alternative_probability:.2f}); "
            "decide by counting from C2, the ribs or the sacrum"
        )
    return ReasonCode.LOW_CONFIDENCE, f"{sure}; decide by counting from C2, the ribs or the sacrum"
