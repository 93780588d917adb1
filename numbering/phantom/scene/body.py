"""Skin, subcutaneous fat, the muscular wall of the trunk, and the fat that fills it."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import COS, SIN
from numbering.phantom.scene.stack import Stack, stack
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.trunk import Trunk

SKIN_MM = 2.0


def body(trunk: Trunk) -> list[Structure]:
    """From outside: skin, fat, wall, and the fat in the cavity, each laid over the one before."""
    skin = trunk.skin()
    return [
        stack(Label.SKIN, trunk.z, trunk.middle, skin),
        stack(Label.FAT, trunk.z, trunk.middle, skin - SKIN_MM),
        stack(Label.MUSCLE, trunk.z, trunk.middle, trunk.muscle()),
        cavity(trunk),
    ]


def cavity(trunk: Trunk) -> Stack:
    """What the wall encloses."""
    return stack(Label.FAT, trunk.z, trunk.middle, trunk.muscle() - wall_mm(trunk))


def wall_mm(trunk: Trunk) -> Array:
    """Thickness of the wall in each direction: rectus beside the white line in front, three layers at the side, and
    only fascia behind, where the muscles of the back have structures of their own."""
    across = np.abs(COS)
    front = np.where(SIN < 0, 1.0, 0.0)
    rectus = 9.0 * np.clip((across - 0.04) / 0.06, 0, 1) * np.clip((0.62 - across) / 0.1, 0, 1)
    flank = 18.0 * np.clip((across - 0.55) / 0.25, 0, 1)
    behind = np.clip((across - 0.8) / 0.15, 0, 1) * 16.0 + 2.0
    return np.broadcast_to(np.where(front > 0, np.maximum(rectus, flank) + 2.0, behind), (len(trunk.z), len(COS)))
