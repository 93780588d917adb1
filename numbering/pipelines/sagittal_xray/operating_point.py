"""The thresholds and calibrations that are fixed on validation films and kept in the weights registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What besides the weights decides an answer."""

    answer: float = 0.85
    """Least probability of every name; where one has less the film is not numbered."""
    seek: float = 0.05
    """Least probability that a level is in view for step II to look for it."""
    body: float = 0.5
    """Least probability that a crop shows a body for a missed vertebra to count as recovered."""
    below_sacrum: float = 0.8
    """Probability from which a body below the sacrum is believed: then the film is not numbered."""
    presence_temperature: float = 1.0
    body_temperature: float = 1.0
    rib_temperature: float = 1.0
    """The networks' logits are divided by these."""
    rib_trust: float = 4.0
    """Log-odds that one vertebra's ribs can speak for or against at most."""
    channel_trust: float = 0.5
    """Exponent of what the channels say: below 1, for their errors on one film go together."""
    shifted: float = 0.03
    """Probability that step I is off by one level on a whole film, to either side."""
    spread: float = 1.0
    """Standard deviation of a corner's error over that of its heat map."""
    steps: float = 0.5
    """What share of the disagreement between step I and step II counts as a corner's standard deviation."""
    plate_deg: float = 12.0
    """An endplate whose direction is known no better than ± this (95 %) is not measured."""
    count_from_c2: float = 1.01
    """Least probability of every name for a count from C2 to be stated; above 1: never."""
