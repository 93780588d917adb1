"""The thresholds and calibrations that are fixed on validation series and kept in the weights registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What besides the weights decides an answer."""

    temperature: float = 1.0
    """The network's logits are divided by this."""
    answer: float = 0.8
    """Least probability of every name; where one has less the series is not numbered."""
    slice_trust: float = 0.5
    """Exponent of what single slices say: below 1, for slices through one disc err together."""
    shifted: float = 0.02
    """Probability that the network is off by one disc on the whole series, to either side."""
    contradicted: float = 3.0
    """By how much (log-odds) every name loses where sagittal images contradict the numbering."""
