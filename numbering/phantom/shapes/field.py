"""The signed distance of many parts joined smoothly, each looked at only where it is near.

Points are cut into blocks of neighbours; a part is evaluated in the blocks whose middle it may reach, all blocks of one
kind together, so that the work follows the bone's surface and a GPU sees few, large kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.pose import Frame
from numbering.phantom.scene.structure import Bounds
from numbering.phantom.shapes.solids import DISTANCE, Array, Part

REACH_MM = 3.2
"""Distances up to here are true; beyond it they may fall short."""
SLACK = 1.12
"""How far a part's distance may change per mm: bows, tapers and dished endplates exceed 1 a little."""
OPEN_MM = 1000.0
"""Farther than anything."""
EDGE = 8
"""Points along a side of a block, where points come as a lattice; as ``(blocks, points)`` they are cut already.
Distances of points that are a block each, ``(n, 1)``, are true however far they lie."""
ROW = 64
"""Points in a block, where they come as a list."""
RUN = 16
"""Blocks that follow one another, mostly neighbours, are sorted out together first."""
FEW_PARTS = 12
"""So few are looked at in every block."""
CHUNK_POINTS = 1 << 16
"""Points looked at together on a CPU: what fits its cache."""


class Field:
    """Parts joined in order, in one frame; ``signed_distance`` of points of that frame, mm."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        order = sorted(range(len(parts)), key=lambda index: (parts[index].carve, index))
        self._parts = [parts[index] for index in order]
        self._tensors: dict[torch.device, list[tuple[str, Tensor, Tensor]]] = {}

    def boxes(self, margin_mm: float) -> Array:
        """``(parts, 2, 3)``: boxes that hold the added parts and a margin."""
        return np.array([_box(part, margin_mm) for part in self._parts if not part.carve])

    def bounds(self, margin_mm: float) -> Bounds:
        """One box around `boxes`."""
        boxes = self.boxes(margin_mm)
        return np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])

    def signed_distance(self, points: Tensor, frame: Frame | None = None) -> Tensor:
        """mm ``(...)`` of points ``(..., 3)`` of its own frame, or of the patient's where it lies in ``frame``."""
        blocks, restore = _blocks(points)
        if frame is not None:
            turn = torch.as_tensor(frame.rotation.T, dtype=torch.float32, device=points.device)
            offset = torch.as_tensor(-frame.rotation.T @ frame.centre, dtype=torch.float32, device=points.device)
            flat = torch.addmm(offset[:, None], turn, blocks.reshape(3, -1))
            blocks = flat.reshape(blocks.shape)
        return restore(self._in_blocks(blocks))

    def _in_blocks(self, blocks: Tensor) -> Tensor:
        """``(blocks, points)`` of ``(3, blocks, points)``."""
        low, high = blocks.amin(2), blocks.amax(2)
        middle, half = (low + high) / 2, ((high - low) / 2).square().sum(0).sqrt()
        kinds = self._on(blocks.device)
        slack = half * SLACK
        reach = self._reach(low, high, middle, slack, kinds, alone=blocks.shape[2] == 1)
        carve = torch.tensor([part.carve for part in self._parts], device=blocks.device)
        near = reach < slack + REACH_MM
        beyond = torch.where(carve[:, None] | near, OPEN_MM, reach - slack).amin(0)[:, None]
        active = (near & ~carve[:, None]).any(0)
        found = torch.where(active[:, None], OPEN_MM, beyond).expand(blocks.shape[1:]).contiguous()
        index = active.nonzero()[:, 0]
        step = max(1, CHUNK_POINTS // blocks.shape[2]) if blocks.device.type == "cpu" else max(len(index), 1)
        for some in index.split(step):
            whole = len(some) == blocks.shape[1]
            inner = blocks if whole else blocks.index_select(1, some)
            joined = self._joined(inner, near[:, some].cpu(), found[some], kinds)
            found[some] = torch.minimum(joined, beyond[some])
        return found

    def _reach(
        self,
        low: Tensor,
        high: Tensor,
        middle: Tensor,
        slack: Tensor,
        kinds: list[tuple[str, Tensor, Tensor]],
        alone: bool,
    ) -> Tensor:
        """``(parts, blocks)``: distances at the middles of blocks; where a whole row of blocks is out of a part's
        reach, a bound that says so of each."""
        count = middle.shape[1]
        if count < 4 * RUN or len(self._parts) < FEW_PARTS or alone:
            return torch.cat([_everywhere(kind, values, middle) for kind, values, _ in kinds])
        fill = torch.arange(math.ceil(count / RUN) * RUN, device=middle.device).clamp_(max=count - 1)
        lows, highs = low[:, fill].view(3, -1, RUN).amin(2), high[:, fill].view(3, -1, RUN).amax(2)
        wide = (highs - lows).square().sum(0).sqrt() * (SLACK / 2)
        middles, slacks = middle[:, fill].view(3, -1, RUN), slack[fill].view(-1, RUN)
        found = []
        for kind, values, _ in kinds:
            far = _everywhere(kind, values, (lows + highs) / 2) - wide
            reach = far[:, :, None] + slacks
            part, run = (far < REACH_MM).nonzero(as_tuple=True)
            reach[part, run] = DISTANCE[kind](values[part], middles[:, run])
            found.append(reach.flatten(1)[:, :count])
        return torch.cat(found)

    def _joined(self, blocks: Tensor, near: Tensor, found: Tensor, kinds: list[tuple[str, Tensor, Tensor]]) -> Tensor:
        first = 0
        for kind, values, blend in kinds:
            count = len(values)
            which, where = near[first : first + count].t().nonzero().unbind(1)[::-1]
            carve = self._parts[first].carve
            first += count
            if len(which) == 0:
                continue
            at, of = where.to(blocks.device), which.to(blocks.device)
            distance = DISTANCE[kind](values[of], blocks.index_select(1, at))
            if carve:
                distance = distance.neg_()
            starts = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(where, minlength=near.shape[1])])
            rank = torch.arange(len(where)) - starts.cumsum(0)[where]
            for turn in range(int(rank.max()) + 1):
                chosen = (rank == turn).nonzero()[:, 0].to(blocks.device)
                rows = at[chosen]
                found[rows] = _blended(found[rows], distance[chosen], blend[of[chosen]], carve)
        return found

    def _on(self, device: torch.device) -> list[tuple[str, Tensor, Tensor]]:
        """Runs of parts of one kind, as tensors."""
        if device not in self._tensors:
            runs: list[list[Part]] = []
            for part in self._parts:
                if not runs or (runs[-1][0].kind, runs[-1][0].carve) != (part.kind, part.carve):
                    runs.append([])
                runs[-1].append(part)
            self._tensors[device] = [
                (
                    run[0].kind,
                    torch.tensor([part.values for part in run], dtype=torch.float32, device=device)[:, :, None],
                    torch.tensor([part.blend for part in run], dtype=torch.float32, device=device)[:, None],
                )
                for run in runs
            ]
        return self._tensors[device]


def _blended(before: Tensor, new: Tensor, blend: Tensor, carve: bool) -> Tensor:
    """Smooth minimum (Quilez, quadratic); the smooth maximum where ``carve`` (``new`` is negated already)."""
    seam = (blend - (before - new).abs()).clamp_(min=0).square_() / (4 * blend)
    return torch.maximum(before, new) + seam if carve else torch.minimum(before, new) - seam


def _everywhere(kind: str, values: Tensor, middle: Tensor) -> Tensor:
    """``(parts, blocks)``: every part's distance at the middle of every block."""
    points = middle[:, None, :].expand(3, len(values), middle.shape[1])
    return DISTANCE[kind](values, points)


def _blocks(points: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Points as ``(3, blocks, points)`` and the way back."""
    shape = points.shape[:-1]
    if len(shape) == 2:
        return points.permute(2, 0, 1).contiguous(), lambda found: found
    if len(shape) != 3:
        flat = points.reshape(-1, 3)
        count = math.ceil(max(len(flat), 1) / ROW)
        fill = torch.arange(count * ROW, device=points.device).clamp_(max=max(len(flat) - 1, 0))
        blocks = flat[fill].t().reshape(3, count, ROW)
        return blocks, lambda found: found.reshape(-1)[: len(flat)].reshape(shape)
    sides = [math.ceil(length / EDGE) for length in shape]
    padded = points
    for axis, (length, blocks_along) in enumerate(zip(shape, sides, strict=True)):
        if length % EDGE:
            pick = torch.arange(blocks_along * EDGE, device=points.device).clamp_(max=length - 1)
            padded = padded.index_select(axis, pick)
    a, b, c = sides
    cut = padded.reshape(a, EDGE, b, EDGE, c, EDGE, 3).permute(6, 0, 2, 4, 1, 3, 5).reshape(3, a * b * c, EDGE**3)

    def restore(found: Tensor) -> Tensor:
        whole = found.reshape(a, b, c, EDGE, EDGE, EDGE).permute(0, 3, 1, 4, 2, 5)
        return whole.reshape(a * EDGE, b * EDGE, c * EDGE)[: shape[0], : shape[1], : shape[2]]

    return cut, restore


def _box(part: Part, margin: float) -> Array:
    values = np.array(part.values)
    if part.kind == "drum":
        half = np.array([max(values[0], values[1]) + 3, max(values[2], values[3]) + 3 + abs(values[18])])
        half *= 1 + max(0.0, -values[10])
        tilt = max(abs(values[6]), abs(values[7])) * half[1] + max(abs(values[19]), abs(values[20])) * half[0]
        low = [-half[0], -half[1], values[5] - tilt - max(0, values[13]) - max(0, -values[9])]
        high = [half[0], half[1], values[4] + tilt + max(0, values[12]) + max(0, -values[8])]
        return np.array([low, high]) + np.array([[-margin], [margin]])
    turn, offset, length = values[:9].reshape(3, 3), values[9:12], values[12]
    start = -turn.T @ offset
    along = np.linspace(0, 1, 9)[:, None]
    path = start + along * length * turn[0] + (along * (1 - along)) * (values[19] * turn[1] + values[20] * turn[2])
    wide, tall, radius = (max(values[i], values[i] + values[i + 1]) for i in (13, 15, 17))
    reach = np.abs(turn[1]) * wide + np.abs(turn[2]) * tall + radius + margin
    return np.array([path.min(0) - reach, path.max(0) + reach])
