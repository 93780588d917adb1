"""Figures as the cells of a printed table."""

from __future__ import annotations

from numbering.pipelines.judging.intervals import Interval

NOTHING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A number; whole ones as they are, none as a dash."""
    if value is None:
        return NOTHING
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def share(value: float | None, interval: Interval | None = None) -> str:
    """A share 0…1 in percent, with its interval below."""
    return spread(value, interval, 100.0)


def spread(value: float | None, interval: Interval | None, scale: float = 1.0) -> str:
    """A number times ``scale`` with its interval below."""
    if value is None:
        return NOTHING
    shown = f"{value * scale:.1f}"
    return f"{shown}\n{interval[0] * scale:.0f}–{interval[1] * scale:.0f}" if interval else shown
