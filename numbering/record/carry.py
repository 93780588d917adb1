"""Names for images on which nothing is named, by geometry alone: slices that no pipeline takes, reformats, the rest.

Only centres are carried: how far a structure reaches on such an image is not known, and is not made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbering.plane import Mm, Plane
from numbering.record.draft import Chain, Draft, Named, in_order
from numbering.record.model import Place
from numbering.record.space import Part, apart, in_space, spacing, with_discs

ACROSS_MM = 8.0
"""A slice along the spine shows a structure when it passes its centre this near; bodies are three times as wide."""
ALONG_SHARE = {False: 0.25, True: 0.08}
"""The same for a slice across the spine, of a vertebra (False) and a disc (True), as a share of the distance to the
next vertebra: well inside the body's height, and inside the disc's."""


def carry(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """Names for images without any, from the strongest chain of their frame of reference that reaches them."""
    wanted = {draft.filed.frame_of_reference_uid for draft in drafts if any(_bare(draft))}
    parts = (part for part in in_space(drafts) if part.chain.space in wanted and in_order(part.chain))
    sources = [(part, _extents(part.chain)) for part in sorted(parts, key=lambda one: one.order)]
    return tuple(_onto(draft, [source for source in sources if _same_space(source[0], draft)]) for draft in drafts)


def _bare(draft: Draft) -> Iterator[Plane]:
    """Images in space on which nothing is named."""
    named = {(one.sop_instance_uid, one.frame) for chain in draft.chains for one in chain.members}
    for image in draft.filed.images:
        if isinstance(image, Plane) and (image.sop_instance_uid, image.frame) not in named:
            yield image


def _same_space(part: Part, draft: Draft) -> bool:
    return part.chain.space == draft.filed.frame_of_reference_uid


@dataclass(frozen=True)
class _Extent:
    """A structure, the direction of the spine there (unit vector), and how far from its centre along the spine a slice
    still shows it, mm.
    """

    named: Named
    centre_mm: Mm
    axis: Mm
    reach_mm: float


def _extents(chain: Chain) -> list[_Extent]:
    found = []
    for one in with_discs(chain):
        axis = _axis(chain, one)
        if one.centre_mm is not None and axis is not None:
            found.append(_Extent(one, one.centre_mm, axis, ALONG_SHARE[one.is_disc] * spacing(chain, one)))
    return found


def _onto(draft: Draft, sources: Sequence[tuple[Part, Sequence[_Extent]]]) -> Draft:
    added = []
    for plane in _bare(draft):
        for source, extents in sources:
            shown = tuple(_shown(extents, plane, source.draft.series))
            if shown:
                added.append(Chain(shown))
                break
    return replace(draft, chains=(*draft.chains, *added))


def _shown(extents: Sequence[_Extent], plane: Plane, series: str) -> Iterator[Named]:
    """The structures that this image cuts; across the spine only the nearest one."""
    across: list[tuple[float, Named]] = []
    for extent in extents:
        xy, off = plane.to_pixel(extent.centre_mm), float(plane.off_mm(extent.centre_mm))
        if not plane.shows(xy):
            continue
        here = _projected(extent.named, plane, float(xy[0]), float(xy[1]), series)
        if abs(float(np.dot(plane.normal, extent.axis))) > np.sqrt(0.5):
            reach = extent.reach_mm + plane.thickness_mm / 2
            if abs(off) <= reach:
                across.append((abs(off) / reach, here))
        elif abs(off) <= ACROSS_MM:
            yield here
    if across:
        yield min(across, key=lambda pair: pair[0])[1]


def _projected(one: Named, image: Plane, x: float, y: float, series: str) -> Named:
    """Its centre alone: how far it reaches on this image is not known."""
    return replace(
        one,
        own=None,
        sop_instance_uid=image.sop_instance_uid,
        frame=image.frame,
        place=Place(sop_instance_uid=image.sop_instance_uid, frame=image.frame, x=x, y=y),
        box=None,
        corners=None,
        carried_from=series,
    )


def _axis(chain: Chain, one: Named) -> Mm | None:
    """Unit vector along the spine there; None where only one structure is known."""
    others = [other for other in chain.members if other is not one and apart(one, other) > 0]
    if not others or one.centre_mm is None:
        return None
    nearest = min(others, key=lambda other: apart(one, other))
    step = np.subtract(nearest.centre_mm or one.centre_mm, one.centre_mm)
    x, y, z = step / np.linalg.norm(step)
    return float(x), float(y), float(z)
