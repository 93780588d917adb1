"""The pipeline with parts left out, for evaluation: the networks look once, whatever is made of what they saw."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.pipeline import SagittalXray, conclude
from numbering.pipelines.sagittal_xray.reading.answer import Answer, Reader
from numbering.pipelines.sagittal_xray.reading.eyes import Canvas, CloserLook, Eyes, WholeLook
from numbering.result import Findings, ModelIdentity
from numbering.study import Radiograph
from numbering.weights import Entry

Look = TypeVar("Look")

KEPT = 400
"""Looks kept: more than one film needs."""


class RememberingEyes:
    """`Eyes` that look at the same canvas once."""

    def __init__(self, eyes: Eyes) -> None:
        self.eyes, self.size = eyes, eyes.size
        self._whole: dict[bytes, WholeLook] = {}
        self._closer: dict[bytes, CloserLook] = {}

    def whole(self, canvases: Sequence[Canvas]) -> list[WholeLook]:
        """See `Eyes`."""
        return _recalled(self._whole, canvases, self.eyes.whole)

    def closer(self, canvases: Sequence[Canvas]) -> list[CloserLook]:
        """See `Eyes`."""
        return _recalled(self._closer, canvases, self.eyes.closer)


def _recalled(
    memory: dict[bytes, Look], canvases: Sequence[Canvas], look: Callable[[Sequence[Canvas]], list[Look]]
) -> list[Look]:
    keys = [_key(canvas) for canvas in canvases]
    new = {key: canvas for key, canvas in zip(keys, canvases, strict=True) if key not in memory}
    if len(memory) > KEPT:
        memory.clear()
        new = dict(zip(keys, canvases, strict=True))
    memory.update(zip(new, look(list(new.values())), strict=True))
    return [memory[key] for key in keys]


def _key(canvas: Canvas) -> bytes:
    digest = hashlib.blake2b(canvas.pixels.tobytes(), digest_size=16)
    digest.update(repr((canvas.pixels.shape, canvas.placement, canvas.mirrored, canvas.turns)).encode())
    return digest.digest()


class Variant:
    """The pipeline without some of `commands.PARTS`."""

    def __init__(self, eyes: Eyes, point: OperatingPoint, identity: ModelIdentity, without: frozenset[str]) -> None:
        self.identity, self.point = identity, point
        self.forced = "abstention" in without
        point = replace(point, answer=0.0) if self.forced else point
        self.reader = Reader(eyes, point, without - {"abstention"})

    def number(self, images: Sequence[Radiograph]) -> Findings:
        """See `numbering.pipelines.Pipeline`."""
        answers = [self.reader.answer(film) for film in images]
        if self.forced:
            answers = [replace(one, refused=None) if isinstance(one, Answer) and one.bodies else one for one in answers]
        return conclude(answers, self.point)


class Variants:
    """The networks of some weights (None: the installed ones), looked through once for all variants."""

    def __init__(self, device: str = "auto", entry: Entry | None = None) -> None:
        self.whole = SagittalXray(device, entry=entry)
        self.eyes = RememberingEyes(self.whole.reader.eyes)

    def without(self, parts: frozenset[str]) -> Variant:
        """The pipeline without these parts."""
        return Variant(self.eyes, self.whole.point, self.whole.identity, parts)
