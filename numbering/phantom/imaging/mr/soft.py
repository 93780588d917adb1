"""Muscle, fat, canal, vessels and viscera: streaks, septa, roots, walls and fillings that no surface draws."""

from __future__ import annotations

import torch
from torch import Tensor

from numbering.phantom.imaging.mr.look import Look, Mix
from numbering.phantom.imaging.mr.signal import GRADIENT
from numbering.phantom.imaging.mr.tissue import CORD, ORGAN, tissue_of
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.stack import Stack
from numbering.phantom.scene.structure import Structure

BACK = range(Label.QUADRATUS_RIGHT, Label.MULTIFIDUS_LEFT + 1)
_NARROW_MM = 5.0
"""Half the width of the ligaments between the spinous processes, at most; the yellow one is as wide as the canal."""
_SLOW = frozenset({Label.CAVA, Label.ILIAC_VESSELS, Label.PULMONARY_VESSELS})


def muscle(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Flecks of fat along the fibres, lobes of it, fat in the clefts and planes; more behind and with age."""
    share = look.skeleton.patient.soft.muscle_fat * (1.0 if structure.label in BACK else 0.3)
    strands, bundles = (look.field("strand", number, points) for number in (0, 1))
    slow, lobule, organ = (look.field(name, 0, points) for name in ("region", "lobule", "organ"))
    rare = 1.2 - 2.0 * share - 0.35 * slow - 0.35 * lobule
    # Short streaks in the plane across the fibres: a sheet, broken off where its bundle ends.
    flecks = ((strands - rare) / 0.7).clamp(0, 1) * _sheet(bundles - 0.3, 0.30 + 0.5 * share)
    lobes = ((organ + slow * 0.5 - 2.4 + 3.2 * share) / 0.8).clamp(0, 1) * (0.4 + 0.6 * (bundles > -0.4))
    cleft = _sheet(organ, 0.05 + 0.10 * share) * (slow > 0.0) * ((deep + 16) / 6).clamp(0, 1)
    plane = ((deep + 0.9) / 0.9).clamp(0, 1) * ((bundles + 0.9) / 0.6).clamp(0, 1)
    fat = (
        0.02 + 0.3 * share + 0.6 * flecks + 0.7 * lobes + (0.2 + 0.8 * min(share * 2, 0.6)) * cleft + 0.45 * plane
    ).clamp(0, 0.93)
    return 1.0, fat, 1 + bundles * 0.05 + look.field("grain", 0, points) * 0.04 + lobule * 0.03


def fat(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Septa, and small vessels that keep to some regions."""
    lobule, organ, region = (look.field(name, 0, points) for name in ("lobule", "organ", "region"))
    septa = _sheet(lobule, 0.09) * (organ / 1.2).clamp(0, 1)
    vessel = _line(organ, look.field("organ", 1, points), 0.12) * ((region + 0.3) / 0.8).clamp(0, 1)
    share = (0.97 - 0.15 * septa - 0.8 * vessel - 0.025 * (1 + organ + lobule)).clamp(0.02, 1.0)
    return 1.0, share, 1 - 0.6 * vessel


def ligament(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """The yellow ligament is dark; between the spinous processes fibres lie in fat and small muscles."""
    strands, grain = look.field("lobule", 1, points), look.field("grain", 0, points)
    if not isinstance(structure, Stack) or structure.radius[:, 0].mean() > _NARROW_MM:
        return 1.0, (0.12 + 0.05 * strands).clamp(0.02, 0.4), 1 + 0.1 * grain
    return 1.0, (0.30 + 0.15 * strands).clamp(0.05, 0.7), 1.5 + 0.15 * grain


def epidural(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Fat behind and beside the sac; in front of it mostly veins."""
    ahead = structure.signed_distance(points - torch.tensor([0.0, 6.0, 0.0], device=points.device))
    front = ((ahead + 2.5) / 2.5).clamp(0, 1)
    return 1.0, 0.88 - 0.7 * front, 1.0


def sac(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Fluid, dark where it pulses and along the dura; below the conus fine roots lie behind, as in one who lies."""
    flow = ((look.field("flow", 0, points) - 0.6) / 1.2).clamp(0, 1)
    dura = ((deep + 0.5) / 0.5).clamp(0, 1)
    behind = structure.signed_distance(points + torch.tensor([0.0, 5.0, 0.0], device=points.device))
    bundle = ((behind + 2.0) / 3.0).clamp(0, 1) * (deep < -0.8)
    end = look.skeleton.height(look.skeleton.patient.soft.conus_ordinal)
    # The bundle thins out as its roots leave.
    reach = (points[:, 2] / max(end, 1.0)).clamp(0.15, 1.0) * (points[:, 2] < end + 5)
    roots = ((look.field("rootlet", 0, points) - 0.75 + 0.4 * reach) / 0.35).clamp(0, 1) * bundle * (reach > 0)
    nerve = look.water(Label.NERVE, CORD) / max(look.water(Label.THECAL_SAC), 1e-6)
    still = 1 + roots * 0.8 * (nerve - 1)
    return still * (1 - look.protocol.pulsation * 0.8 * flow) * (1 - 0.3 * dura), 0.0, 1.0


def vessel(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Void with a grey wall; slow blood in a vein may shine."""
    wall = ((look.in_vessels(structure, deep, points) + 1.4) / 1.0).clamp(0, 1)
    blood, organ = look.water(structure.label), look.water(Label.LIVER, ORGAN)
    slow = structure.label in _SLOW and look.protocol.weighting not in GRADIENT
    streams = 2.5 * look.field("organ", 0, points).clamp(0, 1) if slow else 0.0
    return 1.0, wall * 0.05, 1 + wall * (0.55 * organ / max(blood, 1e-6) - 1) + streams


def gut(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """A wall, and fluid and paste inside."""
    wall = ((deep + 2.5) / 1.0).clamp(0, 1)
    filling, lobule = look.field("organ", 0, points), look.field("lobule", 0, points)
    content = (0.85 + 0.28 * filling + 0.16 * lobule).clamp(0.0, 2.0)
    return 1.0, (0.1 * filling).clamp(0, 0.4), content + wall * (1.0 - content)


def solid_organ(look: Look, structure: Structure, deep: Tensor, points: Tensor) -> Mix:
    """Vessels within; the kidney's medulla is brighter than its cortex on T2, darker on T1."""
    organ = look.field("organ", 0, points)
    weight = 1 - 0.5 * _line(organ, look.field("organ", 1, points), 0.16)
    if structure.label in (Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT):
        pyramid = ((-deep - 7) / 2).clamp(0, 1) * (look.field("organ", 2, points) > 0)
        weight = weight * (1 + pyramid * (0.2 if look.protocol.weighting != "T1" else -0.2))
    return weight * (1 + 0.04 * look.field("grain", 0, points)), tissue_of(structure.label).fat, 1.0


def _sheet(field: Tensor, width: float) -> Tensor:
    """0…1: thin sheets where a field is near zero."""
    return torch.exp(-((field / width) ** 2))


def _line(first: Tensor, second: Tensor, width: float) -> Tensor:
    """0…1: curved lines where both fields are near zero, such as small vessels."""
    return torch.exp(-(first**2 + second**2) / width**2)
