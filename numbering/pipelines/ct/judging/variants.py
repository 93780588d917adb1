"""The pipeline with parts left out, for evaluation: the networks look once, whatever is made of what they saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import label, map_coordinates

from numbering.anatomy import Level
from numbering.enumeration import LEVELS, Numbering
from numbering.errors import ReasonCode
from numbering.pipelines.ct.measuring.labels import label_volume
from numbering.pipelines.ct.measuring.measure import measurements
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.pipeline import Ct, conclude, vertebrae
from numbering.pipelines.ct.reading.answer import Answer, Reader, Reading
from numbering.pipelines.ct.reading.bodies import body_of
from numbering.pipelines.ct.reading.direct import Direct
from numbering.pipelines.ct.reading.eyes import DirectLook, Eyes
from numbering.pipelines.ct.reading.found import VOXEL, Found
from numbering.pipelines.ct.reading.slices import Slices
from numbering.pipelines.ct.reading.working import Working
from numbering.result import Findings, ModelIdentity, NumberingBasis, StatedReason, Status
from numbering.stack import Stack
from numbering.weights import Entry

NOT_FOUND = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="the direct search found no L1")
FORCED = NumberingBasis(counted_from="not stated", statement="What would have been said without the right to abstain.")


class Looks:
    """What was seen of the last series: the networks look at each once."""

    def __init__(self, eyes: Eyes) -> None:
        self.eyes, self.size = eyes, eyes.size
        self.direct: DirectLook | None = None
        self._last: tuple[Stack, Reading] | None = None

    def reading(self, stack: Stack, point: OperatingPoint) -> Reading:
        """What `Reader.read` makes of a series."""
        if self._last is None or self._last[0] is not stack:
            remembered = _Remembering(self)
            reading = Reader(remembered, point).read(stack, Slices.of(stack))
            self._last = stack, reading
        return self._last[1]


class _Remembering:
    """`Eyes` that leave what the direct network saw with `Looks`."""

    def __init__(self, looks: Looks) -> None:
        self._looks, self.size = looks, looks.size
        self.patch = looks.eyes.patch

    def whole(self, working: Working) -> DirectLook:
        """See `Eyes`."""
        self._looks.direct = self._looks.eyes.whole(working)
        return self._looks.direct


class _Reader(Reader):
    """A `Reader` that does not look again; ``silent``: nothing that the direct network says is heard.

    Where the walks begin may still be a hint of the direct network.
    """

    def __init__(self, looks: Looks, point: OperatingPoint, *, silent: bool) -> None:
        self.looks, self.silent = looks, silent
        # Seeing no L1 is made as likely with one in view as without: it then says nothing.
        super().__init__(looks.eyes, replace(point, direct_missed=1.0, direct_false=0.0) if silent else point)

    def read(self, stack: Stack, slices: Slices) -> Reading:
        """See `Reader`."""
        reading = self.looks.reading(stack, self.point)
        return replace(reading, direct=Direct(0.0, None, np.zeros(len(reading.found)))) if self.silent else reading


class Variant:
    """The pipeline without some of `commands.PARTS`."""

    def __init__(self, looks: Looks, point: OperatingPoint, identity: ModelIdentity, without: frozenset[str]) -> None:
        self.identity, self.looks, self.without = identity, looks, without
        self.forced = "abstention" in without
        self.point = replace(point, answer=0.0) if self.forced else point
        self.reader = _Reader(looks, self.point, silent="direct" in without)

    def number(self, images: Sequence[Stack]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        (stack,) = images
        if "instances" in self.without:
            return self._direct(stack)
        answer = self.reader.answer(stack)
        if self.forced and isinstance(answer, Answer) and answer.named:
            return forced(answer)
        return conclude(answer, self.point)

    def _direct(self, stack: Stack) -> Findings:
        """L1 alone, as the direct network segments it."""
        reading = self.looks.reading(stack, self.point)
        assert self.looks.direct is not None
        one = direct_found(self.looks.direct, reading.working)
        if one is None or reading.direct.volume_mm3 < self.point.direct_mm3:
            return Findings(status=Status.ABSTAINED, reason=NOT_FOUND)
        reading = replace(reading, found=(one,), bodies=(body_of(one, reading.working, reading.slices),))
        return forced(Answer(reading, _first_lumbar(float(one.share[one.mask].mean())), None))


def forced(answer: Answer) -> Findings:
    """What an answer says, whatever speaks against it."""
    return Findings(
        status=Status.NUMBERED,
        vertebrae=vertebrae(answer),
        measurements=measurements(answer) if Level.L1 in answer.named else (),
        basis=FORCED,
        segmentation=label_volume(answer),
    )


def direct_found(look: DirectLook, working: Working) -> Found | None:
    """The largest piece of L1 that the direct network sees, on the working volume; None where it sees none."""
    probabilities = look.probabilities[look.classes.index("L1")]
    pieces, count = label(probabilities >= VOXEL)
    if not count:
        return None
    sums = np.bincount(pieces.ravel(), probabilities.ravel())
    largest = 1 + int(np.argmax(sums[1:]))
    kept = np.where((pieces == largest) | (pieces == 0), probabilities, 0)
    at = np.argwhere(pieces == largest)
    corner = np.floor((at.min(0) - 1) * look.step + look.first).astype(int).clip(0)
    end = np.minimum(np.ceil((at.max(0) + 1) * look.step + look.first).astype(int) + 1, working.hu.shape)
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(corner, end, strict=True)), indexing="ij"))
    index = (np.moveaxis(grid, 0, -1) - look.first) / look.step
    share = map_coordinates(kept, np.moveaxis(index, -1, 0), order=1, mode="nearest").astype(np.float32)
    found = Found(
        share=share, corner=corner, level=20.0, spread=1.0, complete=1.0, rib=0.0, sacrum=0.0, dens=0.0,
        seen=frozenset({"down"}),
    )  # fmt: skip
    return found if found.mask.any() else None


def _first_lumbar(probability: float) -> Numbering:
    """One candidate, and it is L1."""
    marginals = np.zeros((1, len(LEVELS)))
    marginals[0, LEVELS.index(Level.L1)] = probability
    return Numbering(
        levels=(Level.L1,),
        probabilities=(probability,),
        probability=probability,
        alternative=None,
        alternative_probability=0.0,
        marginals=marginals,
        variants={},
        starts={},
    )


class Variants:
    """The networks of some weights (None: the installed ones), looked through once a series for all variants."""

    def __init__(self, device: str = "auto", entry: Entry | None = None) -> None:
        self.whole = Ct(device, entry=entry)
        self.looks = Looks(self.whole.reader.eyes)

    def without(self, parts: frozenset[str]) -> Variant:
        """The pipeline without these parts."""
        return Variant(self.looks, self.whole.point, self.whole.identity, parts)
