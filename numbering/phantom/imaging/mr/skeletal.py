"""Bone and disc: black cortex, marrow that turns to fat with age, nucleus and ring, what wear makes of them."""

from __future__ import annotations

import torch
from torch import Tensor

from numbering.phantom.imaging.mr.look import Look, Mix
from numbering.phantom.imaging.mr.tissue import ANNULUS, BLACK_NUCLEUS, NUCLEUS
from numbering.phantom.pose import Array, Placed
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.discs import Disc

CORTEX_MM = 0.7
TRABECULAE = 0.80
"""Share of a bone's inside that is marrow."""


def bone(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Marrow in patches, denser trabeculae under the endplates, and the vein that leaves a body behind."""
    patient = look.skeleton.patient
    base = 0.30 + 0.0042 * (patient.age - 20) + (0.04 if patient.sex == "M" and patient.age < 60 else 0.0)
    lobule, organ, grain = (look.field(name, 0, points) for name in ("lobule", "organ", "grain"))
    fat = (base + 0.045 * lobule + 0.03 * organ + 0.05 * grain).clamp(0.05, 0.92)
    marrow = ((-deep - CORTEX_MM + 0.4) / 0.8).clamp(0, 1)
    density = TRABECULAE * marrow * (1 - 0.12 * torch.exp(deep.clamp(max=0) / 3.0) + grain * 0.06)
    tint: Tensor = torch.ones_like(deep)
    placed = look.placed(int(structure.label))
    if placed is not None:
        fat = (fat + _fatty_endplates(placed, points)).clamp(0.05, 0.92)
        vein = _basivertebral(placed, points)
        density = torch.maximum(density, 0.7 * vein)
        fat, tint = fat * (1 - 0.5 * vein), tint + 0.25 * vein
    return density, fat, tint


def _own(placed: Placed, points: Tensor) -> Tensor:
    return (points - _like(placed.frame.centre, points)) @ _like(placed.frame.rotation, points)


def _fatty_endplates(placed: Placed, points: Tensor) -> Tensor:
    """More fat beside a worn disc (Modic type 2), most in front."""
    own, half = _own(placed, points), placed.vertebra.size.height / 2
    worn = max(0.0, placed.vertebra.disc.degeneration - 0.55) / 0.45
    near = torch.exp(-((own[:, 2] + half).clamp(min=0) / 5.0)) * (own[:, 1] < 0.3 * placed.vertebra.size.lower_depth)
    return 0.3 * worn * near


def _basivertebral(placed: Placed, points: Tensor) -> Tensor:
    """0…1: the wedge of veins that opens in the middle of the body's back wall."""
    own, size = _own(placed, points), placed.vertebra.size
    x, y, z = own.unbind(-1)
    wall = (size.upper_depth + size.lower_depth) / 4
    into = (wall - y) / (0.7 * wall)  # 0 at the wall, 1 at its tip
    open_mm = 0.5 + 2.8 * (1 - into).clamp(0, 1) ** 1.4
    across = ((open_mm - z.abs()) / 1.5).clamp(0, 1) * ((2.4 * open_mm - x.abs()) / 2.0).clamp(0, 1)
    return across * ((into + 0.25) / 0.1).clamp(0, 1) * ((1 - into) / 0.5).clamp(0, 1)


def disc(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """A healthy nucleus is bright, at times with a dark cleft; a worn one is nearly as dark as the ring.

    Bright core and black outermost fibres grade into each other from the middle outwards, so that no line parts the two
    structures and the core reaches the endplates.
    """
    place = look.nearest_disc(structure)
    worn, number = (structure.degeneration, structure.ordinal) if isinstance(structure, Disc) else (place.worn, 0)
    own = (points - _like(place.centre, points)) @ _like(place.axes, points)
    outwards = torch.hypot(own[:, 0] / (place.width / 2), own[:, 1] / (place.depth / 2))
    from_edge = (1 - outwards).clamp(min=0) * place.depth / 2
    nucleus, ring = look.water(Label.NUCLEUS, NUCLEUS), look.water(Label.ANNULUS, ANNULUS)
    core = nucleus + (look.water(Label.NUCLEUS, BLACK_NUCLEUS) - nucleus) * worn**0.7
    chance = look.chance(number)
    inside = ((from_edge - 2.0 - 2.0 * worn) / 4.5).clamp(0, 1)
    inside = inside * inside * (3 - 2 * inside)
    fibres = ring * (0.45 + 0.55 * (from_edge / 2.0).clamp(0, 1))
    cleft = max(0.0, 0.5 * chance - 0.15) * torch.exp(-((own[:, 2] / (0.9 + chance)) ** 2)) * (1 - worn) * inside
    grain, slow = look.field("grain", 0, points), look.field("lobule", 0, points)
    signal = (fibres + (core - fibres) * inside) * (1 - cleft) * (1 + 0.06 * slow + 0.04 * grain)
    return signal / max(look.water(structure.label), 1e-6), 0.0, 1.0


def _like(values: Array, points: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=points.device)
