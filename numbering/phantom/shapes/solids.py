"""What bones are made of: bars and drums as numbers in a row, and their signed distances for many points at once.

Both kinds take ``values`` ``(primitives, n, 1)`` and ``points`` ``(3, primitives, points)`` mm, and give distances
``(primitives, points)`` mm, negative inside, true near the surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.pose import Frame

Array = NDArray[np.float64]
Row = tuple[float, ...]


@dataclass(frozen=True)
class Part:
    """One primitive of a bone.

    ``blend`` is how far, mm, the seam with what came before is smoothed. Parts with ``carve`` are taken away after all
    others were joined.
    """

    kind: Literal["bar", "drum"]
    values: Row
    blend: float = 2.5
    carve: bool = False


def _unit(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def bar(
    start: Sequence[float] | Array,
    end: Sequence[float] | Array,
    radius: float | tuple[float, float],
    *,
    across: Sequence[float] | Array = (1.0, 0.0, 0.0),
    wide: float | tuple[float, float] = 0.0,
    tall: float | tuple[float, float] = 0.0,
    bow: Sequence[float] | Array = (0.0, 0.0, 0.0),
    blend: float = 2.5,
    carve: bool = False,
) -> Part:
    """A rounded, tapered, bowed bar from ``start`` to ``end``, which its round ends pass by ``radius``.

    Its section is a rectangle of half sides ``wide`` (along ``across``, made square to the bar) and ``tall``, rounded
    by ``radius``: all three at the start and at the end, or one number for both. ``bow`` is how far its middle leaves
    the straight line. mm, own frame.
    """
    a, b = np.asarray(start, float), np.asarray(end, float)
    length = max(float(np.linalg.norm(b - a)), 1e-3)
    along = _unit(b - a) if length > 1e-3 else np.array([0.0, 0.0, 1.0])
    first = np.asarray(across, float)
    first = first - along * (first @ along)
    if np.linalg.norm(first) < 1e-3:
        first = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [0.0, 0.0, 1.0])
    first = _unit(first)
    second = np.cross(along, first)
    turn = np.stack([along, first, second])
    bent = turn @ np.asarray(bow, float)
    sides = [np.broadcast_to(np.asarray(side, float), 2) for side in (wide, tall, radius)]
    ends = [number for pair in sides for number in (pair[0], pair[1] - pair[0])]
    values = [*turn.ravel(), *(-turn @ a), length, *ends, *(4 * bent[1:])]
    return Part("bar", tuple(float(value) for value in values), blend, carve)


def ball(centre: Sequence[float] | Array, radius: float, *, blend: float = 2.5, carve: bool = False) -> Part:
    """A ball."""
    return bar(centre, centre, radius, blend=blend, carve=carve)


def moved(part: Part, frame: Frame) -> Part:
    """A bar of a bone's own frame, in the patient's."""
    values = np.array(part.values)
    turn = values[:9].reshape(3, 3) @ frame.rotation.T
    values[:9], values[9:12] = turn.ravel(), values[9:12] - turn @ frame.centre
    return replace(part, values=tuple(values.tolist()))


def grown(part: Part, by_mm: float, *, carve: bool = False) -> Part:
    """A bar with a larger radius."""
    values = list(part.values)
    values[17] += by_mm
    return replace(part, values=tuple(values), carve=carve)


def sheet(rows: Array, radius: Array, *, blend: float = 1.0) -> list[Part]:
    """A curved plate through points ``(rows, columns, 3)``, ``radius`` half its thickness there ``(rows, columns)``.

    Every bar lies between two columns and is half a row wide to both sides; bars overlap by their rounded edges, and a
    small ``blend`` keeps the plate even where they do.
    """
    found = []
    for row in range(rows.shape[0] - 1):
        for column in range(rows.shape[1] - 1):
            four = rows[row : row + 2, column : column + 2]
            near, far = four[:, 0].mean(0), four[:, 1].mean(0)
            across = (four[1] - four[0]).mean(0)
            thick = radius[row : row + 2, column : column + 2].mean(0)
            wide = np.linalg.norm(four[1] - four[0], axis=1) / 2
            found.append(
                bar(
                    near,
                    far,
                    (float(thick[0]), float(thick[1])),
                    across=across,
                    wide=(max(float(wide[0]), 0.5), max(float(wide[1]), 0.5)),
                    blend=blend,
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class Drum:
    """A vertebral body: a waisted drum between two dished endplates, flat or hollow behind. mm, frame of the body.

    ``tilt`` is the slope dz/dy of an endplate's plane, ``dish`` its concavity beyond the rim's plane (negative:
    domed), ``hook`` how far its lateral rims rise (the uncinate processes), ``lip`` how far the rims flare out.
    """

    upper_width: float
    lower_width: float
    upper_depth: float
    lower_depth: float
    top: float
    bottom: float
    upper_tilt: float = 0.0
    lower_tilt: float = 0.0
    upper_dish: float = 1.5
    lower_dish: float = 2.0
    waist: float = 0.12
    hollow: float = 1.5
    """How far the middle of the hind wall lies before its sides."""
    hook: float = 0.0
    lower_hook: float = 0.0
    widest: float = 0.08
    """How far behind the middle the drum is widest, as a share of its depth."""
    lip: float = 0.0
    rounding: float = 1.6
    """Radius of the rims."""
    upper_lean: float = 0.0
    """Slope dz/dx of an endplate's plane."""
    lower_lean: float = 0.0
    sway: float = 0.0
    """How far its lower end lies behind its upper end."""
    wedge: float = 0.0
    """-1: its right half is missing, 1: its left half; what is left is a wedge."""


def drum(shape: Drum, blend: float = 2.5) -> Part:
    """A `Drum` as a part."""
    order = (
        shape.upper_width / 2,
        shape.lower_width / 2,
        shape.upper_depth / 2,
        shape.lower_depth / 2,
        shape.top,
        shape.bottom,
        shape.upper_tilt,
        shape.lower_tilt,
        shape.upper_dish,
        shape.lower_dish,
        shape.waist,
        shape.hollow,
        shape.hook,
        shape.lower_hook,
        shape.widest,
        shape.lip,
        shape.rounding,
        shape.wedge,
        shape.sway,
        shape.upper_lean,
        shape.lower_lean,
    )
    return Part("drum", tuple(float(value) for value in order), blend)


def bar_distance(values: Tensor, points: Tensor) -> Tensor:
    """Distance to bars."""
    x, y, z = points.unbind(0)
    p = values.unbind(1)
    # Products of many 3 x 3 matrices with few points each take longer than their sums written out.
    u = torch.addcmul(p[9], p[0], x).addcmul_(p[1], y).addcmul_(p[2], z)
    v = torch.addcmul(p[10], p[3], x).addcmul_(p[4], y).addcmul_(p[5], z)
    w = torch.addcmul(p[11], p[6], x).addcmul_(p[7], y).addcmul_(p[8], z)
    half = p[12] / 2
    share = (u / p[12]).clamp_(0, 1)
    arch = share * (1 - share)
    u.sub_(half).abs_().sub_(half)
    v.addcmul_(p[19], arch, value=-1).abs_().sub_(p[13]).addcmul_(p[14], share, value=-1)
    w.addcmul_(p[20], arch, value=-1).abs_().sub_(p[15]).addcmul_(p[16], share, value=-1)
    inside = torch.maximum(torch.maximum(u, v), w).clamp_(max=0)
    u.clamp_(min=0).square_().addcmul_(v.clamp_(min=0), v).addcmul_(w.clamp_(min=0), w)
    return inside.add_(u.sqrt_()).sub_(p[17]).addcmul_(p[18], share, value=-1)


def drum_distance(values: Tensor, points: Tensor) -> Tensor:
    """Distance to drums."""
    p = values.unbind(1)
    x, y, z = points.unbind(0)
    lean = (y.abs() - torch.maximum(p[2], p[3])).clamp_(min=0) * y.sign()  # planes end with the drum
    level = y - lean
    top, bottom = p[4] + p[6] * level + p[19] * x, p[5] + p[7] * level + p[20] * x
    side = x / torch.maximum(p[0], p[1])
    half = torch.where(p[17] == 0, 1.0, (0.56 - 1.3 * p[17] * side).clamp(0.01, 1))  # about 0 where a half is missing
    middle = (top + bottom) / 2
    reach = (top - bottom) / 2 * half
    share = ((z - middle) / reach.clamp(min=1)).clamp_(-1, 1)
    square = share * share
    waist = 1 - p[10] * (1 - square)
    y = y - p[18] * (1 - share) / 2
    flare = p[15] * square * square * square
    wide = ((p[0] + p[1]) / 2 + (p[0] - p[1]) / 2 * share) * waist + flare
    deep = ((p[2] + p[3]) / 2 + (p[2] - p[3]) / 2 * share) * (0.35 + 0.65 * waist) + flare
    shift = p[14] * 2 * deep
    behind = y - shift
    u = x / wide
    back = deep - shift
    aside = u.abs().clamp(max=1)
    bulge = p[11] * aside * aside * (2.6 - aside * 1.6)
    v = torch.where(behind > 0, behind / (back + bulge), behind / (deep + shift))
    u2, v2 = u * u, v * v
    blunt = torch.where(behind > 0, (u2 * u2 + v2 * v2).add_(1e-8).sqrt_(), u2 + v2 + 1e-8)
    ratio = blunt.sqrt()
    slope_u = torch.where(behind > 0, u2 * u / (ratio * ratio * ratio), u / ratio) / wide
    slope_v = torch.where(behind > 0, v2 * v / (ratio * ratio * ratio) / (back + bulge), v / ratio / (deep + shift))
    steep = (slope_u * slope_u + slope_v * slope_v).sqrt_().clamp_(min=0.5 / torch.maximum(p[0], p[2]))
    around = (ratio - 1) / steep
    dish = (1 - blunt.clamp(max=1)).square_()
    hook = ((u.abs() - 0.55) / 0.4).clamp(0, 1).square_() * (v.clamp(-1, 1) + 0.6).clamp(0, 1)
    above = z - middle - reach + p[8] * dish - p[12] * hook
    below = middle - reach - z + p[9] * dish + p[13] * hook
    cap = torch.maximum(above, below)
    r = p[16]
    near_a, near_c = (around + r).clamp(min=0), (cap + r).clamp(min=0)
    return torch.maximum(around, cap).add_(r).clamp_(max=0) + (near_a * near_a + near_c * near_c).sqrt_() - r


DISTANCE = {"bar": bar_distance, "drum": drum_distance}
