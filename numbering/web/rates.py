"""How often one address may do something: token buckets, of a bounded number of addresses."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from numbering.neighbourhood import neighbourhood

ADDRESSES = 4096
"""So many are remembered; the one that was quiet for longest is forgotten first."""


class Buckets:
    """Each address has ``burst`` tokens, and gets ``per_second`` of them back; without them it has to wait."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Take a token: 0 when there was one, else the seconds until there will be."""
        place, now = neighbourhood(address), self._clock()
        left, since = self._left.pop(place, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._left[place] = (left - 1 if not wait else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return wait
