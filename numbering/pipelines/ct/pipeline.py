"""CT slices in; every vertebra in view named and segmented, L1 measured (Elton et al. 2020, both ways at once)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from numbering.enumeration import LEVELS
from numbering.pipelines.ct.card import CARD
from numbering.pipelines.ct.measuring.attenuation import nearest
from numbering.pipelines.ct.measuring.labels import label_volume, on_slice, window
from numbering.pipelines.ct.measuring.measure import key_images, measurements
from numbering.pipelines.ct.model.runtime import open_networks
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.reading import statement
from numbering.pipelines.ct.reading.answer import Answer, Reader
from numbering.pipelines.ct.reading.eyes import NetworkEyes
from numbering.pipelines.ct.reading.found import VOXEL
from numbering.pipelines.identity import identity, of_series
from numbering.result import Alternative, Box, Candidate, Findings, StatedReason, Status, Vertebra
from numbering.stack import Stack
from numbering.weights import Entry, registry


class Ct:
    """Numbers CT series of the trunk that show L1."""

    def __init__(self, device: str = "auto", threads: int = 0, entry: Entry | None = None) -> None:
        entry = entry or registry()[CARD.weights]
        networks = open_networks(entry, device, threads)
        self.point = OperatingPoint(**entry.operating_point)
        self.reader = Reader(NetworkEyes(networks), self.point)
        self.identity = identity(entry, networks.weights, networks.runtime)
        self.settings = {key: f"{value:g}" for key, value in asdict(self.point).items()} | {
            "walks": " and ".join(self.reader.ways)
        }

    def number(self, images: Sequence[Stack]) -> Findings:
        """Findings for the one stack of a series (see `Pipeline.number`)."""
        (stack,) = images
        return of_series(conclude(self.reader.answer(stack), self.point), stack)


def conclude(answer: Answer | StatedReason, point: OperatingPoint) -> Findings:
    """What an answer amounts to."""
    if isinstance(answer, StatedReason):
        return Findings(status=Status.ABSTAINED, reason=answer)
    if answer.refused:
        return Findings(
            status=Status.ABSTAINED,
            reason=answer.refused,
            candidates=_candidates(answer),
            quality=statement.quality(answer),
            anomalies=statement.anomalies(answer),
        )
    other = answer.alternative
    assert answer.numbering is not None
    return Findings(
        status=Status.NUMBERED,
        vertebrae=vertebrae(answer),
        measurements=measurements(answer),
        basis=statement.basis(answer, point.count_from_c2),
        alternative=(
            Alternative(
                probability=answer.numbering.alternative_probability, levels=tuple(str(level) for level in other)
            )
            if other
            else None
        ),
        anomalies=statement.anomalies(answer),
        quality=statement.quality(answer),
        segmentation=label_volume(answer),
        key_images=key_images(answer),
    )


def vertebrae(answer: Answer) -> tuple[Vertebra, ...]:
    """Every name with its place, head to foot."""
    found = []
    for level, place in answer.named.items():
        plane = answer.reading.stack.planes[answer.reading.slices.indices[nearest(answer, level)]]
        x, y, z = (round(float(value), 2) for value in answer.reading.bodies[place].centre_mm)
        found.append(
            Vertebra(
                level=str(level),
                probability=answer.probabilities[level],
                sop_instance_uid=plane.sop_instance_uid,
                frame=plane.frame,
                box=_box(answer, place),
                centre_mm=(x, y, z),
            )
        )
    return tuple(found)


def _box(answer: Answer, place: int) -> Box:
    """Around the body on the slice nearest to its middle, in that image's coordinates."""
    reading = answer.reading
    body, one = reading.bodies[place], reading.found[place]
    index = int(np.argmin(np.abs(reading.slices.heights - body.centre_mm @ reading.slices.normal)))
    _, rows, columns = window(one.corner - 1.0, one.corner + one.share.shape, reading)
    shown = on_slice(body.mask.astype(np.float32), one.corner, index, rows, columns, reading) >= VOXEL
    if shown.any():
        y, x = np.nonzero(shown)
        y, x = rows[y], columns[x]
    else:
        y, x = rows, columns
    return float(x.min()) - 0.5, float(y.min()) - 0.5, float(x.max()) + 0.5, float(y.max()) + 0.5


def _candidates(answer: Answer) -> tuple[Candidate, ...]:
    reading = answer.reading
    if answer.numbering is None:
        return ()
    found = []
    for place, marginals in enumerate(answer.numbering.marginals):
        index = int(np.argmin(np.abs(reading.slices.heights - reading.bodies[place].centre_mm @ reading.slices.normal)))
        plane = reading.stack.planes[reading.slices.indices[index]]
        found.append(
            Candidate(
                sop_instance_uid=plane.sop_instance_uid,
                frame=plane.frame,
                box=_box(answer, place),
                score=float(np.clip(reading.found[place].complete, 0, 1)),
                log_likelihood={
                    str(level): float(np.log(share))
                    for level, share in zip(LEVELS, marginals, strict=True)
                    if share > 0.01
                },
            )
        )
    return tuple(found)
