"""The pipeline with parts left out, for evaluation: the network looks once, whatever is made of what it saw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numbering.errors import ReasonCode
from numbering.pipelines.axial_mr.classes import CLASSES, NONE
from numbering.pipelines.axial_mr.model.runtime import Network, Seen
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.pipeline import AxialMr, conclude
from numbering.pipelines.axial_mr.reading.answer import Answer, Reader
from numbering.pipelines.axial_mr.reading.look import look
from numbering.result import Findings, ModelIdentity, NumberedDisc, NumberingBasis, StatedReason, Status
from numbering.stack import Stack
from numbering.weights import Entry

KEPT = 64
"""Calls kept: more than one series needs."""
BY_ITSELF = NumberingBasis(counted_from="not stated", statement="Every slice by itself, as if of a usual spine.")


class RememberingNetwork:
    """A `Network` that looks at the same pictures once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.size, self.runtime, self.weights = network.size, network.runtime, network.weights
        self._seen: dict[bytes, Seen] = {}

    def slices(self, images: NDArray[np.float32]) -> Seen:
        """See `Network`."""
        key = hashlib.blake2b(images.tobytes(), digest_size=16).digest()
        if len(self._seen) > KEPT:
            self._seen.clear()
        if key not in self._seen:
            self._seen[key] = self.network.slices(images)
        return self._seen[key]


class Variant:
    """The pipeline without some of `commands.PARTS`."""

    def __init__(
        self, network: Network, point: OperatingPoint, identity: ModelIdentity, without: frozenset[str]
    ) -> None:
        self.identity, self.network, self.without = identity, network, without
        self.forced = "abstention" in without
        self.point = replace(point, answer=0.0) if self.forced else point
        self.reader = Reader(network, self.point)

    def number(self, images: Sequence[Stack]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        stack, *companions = images
        if "series" in self.without:
            return by_themselves(stack, self.singles(stack))
        answer = self.reader.answer(stack, () if "sagittal" in self.without else companions)
        if self.forced and isinstance(answer, Answer) and answer.slices:
            answer = replace(answer, refused=None)
        return conclude(answer)

    def singles(self, stack: Stack) -> Mapping[str, NDArray[np.float64]]:
        """See `evaluation.Method`."""
        seen = look(stack, self.network, self.point.temperature)
        return {plane.name: np.exp(row) for plane, row in zip(stack.planes, seen.log_probabilities, strict=True)}


def by_themselves(stack: Stack, singles: Mapping[str, NDArray[np.float64]]) -> Findings:
    """Every slice under its likeliest class, as a name of the usual spine."""
    said = {plane: int(np.argmax(singles[plane.name])) for plane in stack.planes}
    discs = tuple(
        NumberedDisc(
            level=CLASSES[position],
            probability=float(np.clip(singles[plane.name][position], 0, 1)),
            sop_instance_uid=plane.sop_instance_uid,
            frame=plane.frame,
        )
        for plane, position in said.items()
        if position != NONE
    )
    if not discs:
        text = "no slice by itself looks like one through a disc"
        return Findings(status=Status.ABSTAINED, reason=StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text=text))
    return Findings(status=Status.NUMBERED, discs=discs, basis=BY_ITSELF)


class Variants:
    """The network of some weights (None: the installed ones), looked through once a series for all variants."""

    def __init__(self, device: str = "auto", entry: Entry | None = None) -> None:
        self.whole = AxialMr(device, entry=entry)
        self.network = RememberingNetwork(self.whole.reader.network)

    def without(self, parts: frozenset[str]) -> Variant:
        """The pipeline without these parts."""
        return Variant(self.network, self.whole.point, self.whole.identity, parts)
