"""The axis of a sacrum: where its five bodies lie, how wide and deep they are, in the sacrum's own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.anatomy.patient import Sacrum
from numbering.phantom.shapes.solids import Array

_SHARES = (0.27, 0.215, 0.185, 0.17, 0.16)
"""Heights of S1 to S5 as shares of the sacrum's length [E]."""
_LEANS = (7.0, 4.0, -10.0, -30.0, -46.0)
"""How far each segment leans back from S1's axis, degrees; negative: forward [E]."""
_WIDTHS = (1.0, 0.66, 0.55, 0.47, 0.38, 0.26)
"""Width of the bodies at the ends of the segments, shares of S1's endplate [E]; depth likewise."""
_DEPTHS = (1.0, 0.62, 0.46, 0.34, 0.25, 0.18)


@dataclass(frozen=True)
class Course:
    """The bodies' axis: points ``(6, 3)`` from S1's endplate to the tip, and their half widths and depths ``(6,)``."""

    points: Array
    wide: Array
    deep: Array

    def behind(self, index: int, share: float = 0.0) -> Array:
        """Front wall of the canal at a joint between segments, or ``share`` of the way to the next."""
        at = self.points[index] * (1 - share) + self.points[min(index + 1, 5)] * share
        return np.asarray(at + [0, self.deep[index] * (1 - share) + self.deep[min(index + 1, 5)] * share, 0])


def course(shape: Sacrum) -> Course:
    """The axis of this sacrum."""
    points = [np.zeros(3)]
    for share, lean in zip(_SHARES, _LEANS, strict=True):
        angle = np.radians(lean)
        points.append(points[-1] + share * shape.length * np.array([0, np.sin(angle), -np.cos(angle)]))
    wide = np.array(_WIDTHS) * shape.endplate_width / 2
    wide[1] *= 1 + 0.25 * shape.squared
    deep = np.array(_DEPTHS) * shape.endplate_depth / 2
    deep[1] *= 1 + 0.2 * shape.squared
    return Course(np.array(points), wide, deep)
