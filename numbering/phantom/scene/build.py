"""The whole scene in painting order: what comes later lies over what came before."""

from __future__ import annotations

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.abdomen import abdomen
from numbering.phantom.scene.arms import arms as both_arms
from numbering.phantom.scene.body import body, cavity
from numbering.phantom.scene.bowel import bowel
from numbering.phantom.scene.canal import canal
from numbering.phantom.scene.combine import overlaps
from numbering.phantom.scene.diaphragm import Dome, crura
from numbering.phantom.scene.grid import Bounds
from numbering.phantom.scene.kidneys import kidneys
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.muscles import muscles
from numbering.phantom.scene.site import Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.thorax import thorax
from numbering.phantom.scene.vessels import vessels
from numbering.phantom.shapes.discs import discs
from numbering.phantom.shapes.hardware import hardware
from numbering.phantom.shapes.source import ShapeSource


def scene(
    skeleton: Skeleton, source: ShapeSource, seed: int = 0, *, region: Bounds | None = None, arms: bool = False
) -> list[Structure]:
    """Every structure of the patient, in painting order: body, muscles, organs, vessels, discs, canal, bones, hardware.

    ``seed`` draws what changes from visit to visit (breath, loops of bowel); outlines of organs and muscles are the
    patient's own. Structures outside ``region`` are left out; those inside are the same as without it. Without ``arms``
    they are raised out of the field of view.
    """
    site = Site(skeleton, seed)
    dome, inside = Dome(site), cavity(site)
    found: list[Structure] = [
        *(both_arms(site) if arms else []),
        *body(site, inside),
        *thorax(site, dome, inside),
        *bowel(site, inside),
        *abdomen(site, dome, inside),
        *kidneys(site),
        *crura(site),
        *muscles(site),
        *vessels(site),
        *discs(skeleton),
        *canal(site),
        *bones(skeleton, source),
        *hardware(skeleton),
    ]
    kept = (structure for structure in found if arms or structure.label != Label.HUMERUS)
    return [structure for structure in kept if overlaps(structure.bounds, region)]


def bones(skeleton: Skeleton, source: ShapeSource) -> list[Structure]:
    """What the source of shapes gives."""
    found = [*source.skull(skeleton), *source.ribs(skeleton), *source.pelvis(skeleton), *source.sacrum(skeleton)]
    for placed in skeleton.vertebrae:
        found += source.vertebra(skeleton, placed)
    return found
