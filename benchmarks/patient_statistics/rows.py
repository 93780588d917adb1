"""One line of the table, and the three kinds of comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Hits = NDArray[np.float64] | NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    table: str
    quantity: str
    target: str
    allowed: str
    found: str
    ok: bool


def normal(
    table: str, quantity: str, values: Array, mean: float, sd: float | None, tolerance: float, mark: str,
    sd_range: tuple[float, float] = (0.8, 1.2),
) -> Row:  # fmt: skip
    """Mean within a tolerance, SD within a range of shares of the target's."""
    found, spread = float(np.mean(values)), float(np.std(values))
    ok = abs(found - mean) <= tolerance and (sd is None or sd_range[0] <= spread / sd <= sd_range[1])
    wanted = f"{mean:g}" if sd is None else f"{mean:g} ± {sd:.3g}"
    allowed = f"±{tolerance:.2g}" + ("" if sd is None else f", SD ×{sd_range[0]:g}–{sd_range[1]:g}")
    return Row(table, quantity, f"{wanted} {mark}", allowed, f"{found:.1f} ± {spread:.1f}", bool(ok))


def within(table: str, quantity: str, target: str, value: float, low: float, high: float, digits: int = 2) -> Row:
    """A single figure inside a range."""
    allowed = f"{low:g} … {high:g}"
    return Row(table, quantity, target, allowed, f"{value:.{digits}f}", bool(low <= value <= high))


def share(table: str, quantity: str, hits: Hits, low: float, high: float, mark: str, slack: float = 0.0) -> Row:
    """A share of patients within three standard errors (and ``slack``) of a range, all in %."""
    found, n = 100 * float(np.mean(hits)), max(1, len(hits))
    margin = 3 * float(np.sqrt(max(high * (100 - high), 50.0) / n)) + slack
    wanted = f"{low:g} %" if low == high else f"{low:g}–{high:g} %"
    ok = low - margin <= found <= high + margin
    return Row(table, quantity, f"{wanted} {mark}", f"±{margin:.2g}", f"{found:.1f} %", ok)
