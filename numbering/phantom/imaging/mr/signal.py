"""Signal of a tissue in a sequence: spin echo, inversion recovery and spoiled gradient echo equations."""

from __future__ import annotations

import math

from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.tissue import FAT, Tissue

GRADIENT = ("water GRE", "localizer")
"""Weightings acquired with a gradient echo; all others are spin echoes."""
_FAT_LEFT = {"T2 FS": 0.07, "water GRE": 0.14}
"""What spectral fat suppression leaves; inversion recovery follows from its equation."""
_TRABECULAR_T2_STAR_MS = 16.0
_VOID = 0.04
"""Flowing blood in a spin echo, against still."""


def water_signal(tissue: Tissue, protocol: Protocol) -> float:
    """Magnitude of a tissue's water, against fully relaxed free water at no echo time."""
    signal = _magnitude(tissue, protocol)
    if tissue.flow:
        # In-flow: fresh blood in a gradient echo is not saturated.
        return 0.55 if protocol.weighting in GRADIENT else signal * _VOID
    return signal


def fat_signal(protocol: Protocol) -> float:
    """Magnitude of pure fat."""
    return _magnitude(FAT, protocol) * _FAT_LEFT.get(protocol.weighting, 1.0)


def _magnitude(tissue: Tissue, protocol: Protocol) -> float:
    t1, t2 = tissue.at(protocol.field_tesla)
    if protocol.weighting in GRADIENT:
        recovery = math.exp(-protocol.repetition_ms / t1)
        angle = math.radians(protocol.flip_angle)
        spoiled = math.sin(angle) * (1 - recovery) / (1 - math.cos(angle) * recovery)
        return tissue.density * spoiled / math.sin(angle) * math.exp(-protocol.echo_ms / t2)
    longitudinal = 1 - math.exp(-protocol.repetition_ms / t1)
    if protocol.inversion_ms is not None:
        longitudinal = abs(1 - 2 * math.exp(-protocol.inversion_ms / t1) + math.exp(-protocol.repetition_ms / t1))
    return tissue.density * longitudinal * math.exp(-protocol.echo_ms / t2)
