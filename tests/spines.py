"""Records of patients for the level check: whole spines on one image, uneven in every direction, and marks in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from numbering.anatomy import USUAL, Level, Variant
from numbering.levelcheck import Mark, MarkSource, Side
from numbering.levelcheck.answer import Place as MarkedPlace
from numbering.record.model import (
    CONFIRMABLE,
    Anchor,
    Basis,
    BasisKind,
    Contradiction,
    ContradictionKind,
    OtherName,
    PatientRecord,
    Place,
    SeriesEntry,
    Structure,
    Transition,
    VariantShare,
)
from numbering.result import Status
from numbering.study import View

IMAGE, OTHER_IMAGE, STRANGE_IMAGE = "1.2.3.1", "1.2.3.2", "1.2.3.9"
SERIES, OTHER_SERIES = "1.2.31", "1.2.32"
STUDY, OTHER_STUDY = "1.2.301", "1.2.302"
HEIGHT, DISC, WIDTH = 30.0, 10.0, 44.0

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Body:
    """Where a vertebra lies on the image: it leans a little, and no two are alike."""

    corners: Corners

    @property
    def centre(self) -> tuple[float, float]:
        return sum(x for x, _ in self.corners) / 4, sum(y for _, y in self.corners) / 4

    @property
    def box(self) -> tuple[float, float, float, float]:
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return min(xs), min(ys), max(xs), max(ys)


@cache
def bodies(variant: Variant) -> dict[Level, Body]:
    """C2 to S2 of a frontal film, head up, pixels: larger towards the foot, bent a little to one side."""
    placed, top = {}, 80.0
    for index, level in enumerate(variant.levels()[1:]):
        if level > Level.S2:
            break
        scale = 0.55 + 0.02 * index
        x, half, height = 260 + 0.05 * (index - 12) ** 2, WIDTH * scale / 2, HEIGHT * scale
        lean = 0.02 * (index - 12) * half / 4
        placed[level] = Body(
            (
                (x - half, top - lean),
                (x + half, top + lean),
                (x + half + 1, top + height + lean),
                (x - half + 1, top + height - lean),
            )
        )
        top += height + DISC * scale
    return placed


def basis(kind: BasisKind | str = BasisKind.COUNTED_FROM_C2, assumptions: tuple[str, ...] = ()) -> Basis:
    """A basis of this kind, confirmed where it can be."""
    kind = BasisKind(kind)
    words = {BasisKind.COUNTED_FROM_C2: "C2", BasisKind.APPEARANCE: "L5 by appearance"}
    confirmed = kind in CONFIRMABLE and not assumptions
    return Basis(kind=kind, counted_from=words.get(kind, str(kind)), confirmed=confirmed, assumptions=assumptions)


def structures(
    variant: Variant = USUAL,
    *,
    seen: tuple[str, str] = ("C2", "S1"),
    on: Basis | None = None,
    probability: float = 0.99,
    extent: str = "corners",
    image: str = IMAGE,
    shift: int = 0,
    alternative: OtherName | None = None,
    listed_discs: bool = False,
) -> tuple[Structure, ...]:
    """The vertebrae from one to another as one result names them; ``shift`` names each by the one so far below it."""
    placed = {level: body for level, body in bodies(variant).items() if Level(seen[0]) <= level <= Level(seen[1])}
    names = list(bodies(variant))
    made = [
        _structure(str(names[names.index(level) + shift]), body, on or basis(), probability, extent, image, alternative)
        for level, body in placed.items()
        if 0 <= names.index(level) + shift < len(names)
    ]
    return tuple(made) + (_discs(made) if listed_discs else ())


def _structure(
    name: str, body: Body, on: Basis, probability: float, extent: str, image: str, alternative: OtherName | None
) -> Structure:
    x, y = body.centre
    return Structure(
        name=name,
        probability=probability,
        place=Place(sop_instance_uid=image, x=x, y=y),
        basis=on,
        alternative=alternative,
        corners=body.corners if extent == "corners" else None,
        box=body.box if extent == "box" else None,
    )


def _discs(vertebrae: list[Structure]) -> tuple[Structure, ...]:
    pairs = pairwise(vertebrae)
    return tuple(
        upper.model_copy(
            update={
                "name": f"{upper.name}-{lower.name}",
                "corners": None,
                "box": None,
                "place": upper.place.model_copy(
                    update={
                        "x": (upper.place.x + lower.place.x) / 2,
                        "y": (upper.place.y + lower.place.y) / 2,
                    }
                ),
            }
        )
        for upper, lower in pairs
        if lower.name != "S2"
    )


def entry(
    structures: tuple[Structure, ...],
    *,
    series: str = SERIES,
    study: str = STUDY,
    image: str = IMAGE,
    reason: str | None = None,
) -> SeriesEntry:
    """A result in the record; without structures it abstained."""
    return SeriesEntry(
        study_instance_uid=study,
        series_instance_uid=series,
        modality="DX",
        view=View.AP,
        pipeline="ap-xray",
        status=Status.NUMBERED if structures else Status.ABSTAINED,
        reason=reason,
        images=(image,),
        structures=structures,
    )


def record(
    *entries: SeriesEntry,
    variant: Variant | None = USUAL,
    contradictions: tuple[Contradiction, ...] = (),
    evidence: tuple[str, ...] = (),
) -> PatientRecord:
    """A patient of these results; ``variant`` is what the record believes, None when it believes nothing."""
    shares = ()
    if variant:
        shares = (VariantShare(thoracic=variant.thoracic, lumbar=variant.lumbar, probability=0.99),)
    anchored = [one for one in entries if one.structures]
    anchor = None
    if anchored:
        anchor = Anchor(kind=anchored[0].structures[0].basis.kind, series_instance_uid=anchored[0].series_instance_uid)
    return PatientRecord(
        series=entries,
        contradictions=contradictions,
        variants=shares,
        transition=Transition(evidence=evidence),
        anchor=anchor,
    )


def contradiction(
    levels: tuple[str, ...] = (), kind: ContradictionKind = ContradictionKind.LUMBAR_COUNT
) -> Contradiction:
    """Two series that cannot both be right."""
    return Contradiction(
        kind=kind, series=(SERIES, OTHER_SERIES), levels=levels, text="One counts six lumbar vertebrae, the other five."
    )


def mark(words: str, variant: Variant = USUAL) -> Mark | None:
    """A mark in words: ``L4``, ``L4-L5``, ``L4 upper edge``, ``left of L4``, ``below S2``; ``no mark``.

    It may end in ``side L`` or ``side R``, ``on another image``, ``on a strange image`` or ``on frame 2``.
    """
    if words == "no mark":
        return None
    found = re.fullmatch(
        r"(?P<where>.+?)(?: side (?P<side>[LR]))?(?: on (?P<image>another image|a strange image|frame 2))?", words
    )
    assert found, words
    x, y = point(found["where"], variant)
    uid = {"another image": OTHER_IMAGE, "a strange image": STRANGE_IMAGE}.get(found["image"] or "", IMAGE)
    place = MarkedPlace(sop_instance_uid=uid, frame=2 if found["image"] == "frame 2" else None, x=x, y=y)
    return Mark(place=place, source=MarkSource.GIVEN, side=Side(found["side"]) if found["side"] else None)


def point(where: str, variant: Variant = USUAL) -> tuple[float, float]:
    """The place of these words on the image."""
    placed = bodies(variant)
    words: dict[str, Any] = {}
    name = re.search(r"[CTLS]\d+(-[CTLS]\d+)?", where)
    assert name, where
    parts = [placed[Level(part)] for part in name[0].split("-")]
    if len(parts) == 2:
        words[name[0]] = _middle(_middle(*parts[0].corners[2:]), _middle(*parts[1].corners[:2]))
        return words[where]
    (body,) = parts
    (x, y), (x0, y0, x1, y1) = body.centre, body.box
    words = {
        name[0]: (x, y),
        f"{name[0]} high": (x + 4, y - 0.3 * (y1 - y0)),
        f"{name[0]} low": (x - 5, y + 0.3 * (y1 - y0)),
        f"{name[0]} upper edge": _middle(*body.corners[:2]),
        f"{name[0]} lower edge": _middle(*body.corners[2:]),
        f"left of {name[0]}": (x0 - 25, y),
        f"right of {name[0]}": (x1 + 25, y),
        f"above {name[0]}": (x, y0 - 60),
        f"below {name[0]}": (x, y1 + 60),
        f"left edge of {name[0]}": ((body.corners[0][0] + body.corners[3][0]) / 2 + 0.3, y),
    }
    return words[where]


def _middle(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
