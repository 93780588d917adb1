"""The thresholds and calibrations that are fixed on validation volumes and kept in the weights registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What besides the weights decides an answer."""

    answer: float = 0.85
    """Least probability of L1 and of every name between the first and the last that are given."""
    level_trust: float = 0.5
    """Exponent of what the levels say: below 1, for errors of neighbours go together."""
    level_temperature: float = 1.0
    """The spreads of the levels are multiplied by this."""
    shifted: float = 0.03
    """Probability that the levels of a whole volume are off by one, to either side."""
    rib_trust: float = 2.5
    sacrum_trust: float = 3.0
    dens_trust: float = 3.0
    """Log-odds that ribs, a sacrum or a dens seen at one vertebra can speak at most."""
    direct_right: float = 0.93
    """Probability that the direct network finds L1 where it is, if it is in view …"""
    direct_beside: float = 0.03
    """… that it takes the vertebra above or below for it …"""
    direct_missed: float = 0.03
    """… and that it finds none."""
    direct_false: float = 0.1
    """Probability that it finds one where there is none."""
    direct_mm3: float = 3000.0
    """Less than this is no L1."""
    count_from_c2: float = 1.01
    """Least probability of every name for a count from C2 to be stated; above 1: never."""
