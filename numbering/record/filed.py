"""What goes into a record: one series as it was numbered, and where its images lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, model_validator

from numbering.plane import Plane
from numbering.result import Frozen, NumberingResult, Status
from numbering.study import View


class FiledImage(Frozen):
    """An image of the series, or one frame of it, of which no place is known: a projection, or its header lacks it."""

    sop_instance_uid: str
    frame: Annotated[int, Field(ge=1)] | None = None


FILED_IMAGES = TypeAdapter(tuple[Plane | FiledImage, ...])
"""Images of a series to JSON and back."""


class Filed(Frozen):
    """One series (or the part of it that one pipeline got) in a patient's record.

    ``result`` is what the pipeline itself concluded, in its latest run: never one that a conclusion renamed. It is None
    for a series that nothing numbered (``status`` and ``reason`` say why); such a series can still be given names by
    geometry. ``issued`` is the last revision that objects were written of, None when there is none yet.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    view: View | None = None
    images: tuple[Plane | FiledImage, ...]
    frame_of_reference_uid: str | None = None
    result: NumberingResult | None = None
    issued: NumberingResult | None = None
    status: Status
    reason: str | None = None

    @classmethod
    def of(
        cls,
        result: NumberingResult,
        *,
        frame_of_reference_uid: str | None = None,
        images: tuple[Plane | FiledImage, ...] = (),
        issued: NumberingResult | None = None,
    ) -> Self:
        """A numbered or abstained series; ``images`` are only needed where planes are known."""
        named = images or tuple(FiledImage(sop_instance_uid=one.sop_instance_uid) for one in result.sources)
        reason = result.findings.reason
        return cls(
            study_instance_uid=result.study_instance_uid,
            series_instance_uid=result.series_instance_uid,
            modality=result.modality,
            view=result.view,
            images=named,
            frame_of_reference_uid=frame_of_reference_uid,
            result=result,
            issued=issued,
            status=result.findings.status,
            reason=reason.text if reason else None,
        )

    @model_validator(mode="after")
    def _is_one_series(self) -> Self:
        for result in (self.result, self.issued):
            if result is not None and result.series_instance_uid != self.series_instance_uid:
                raise ValueError(f"result of series {result.series_instance_uid}, filed as {self.series_instance_uid}")
        return self

    @property
    def pipeline(self) -> str | None:
        """Which pipeline numbered it."""
        return self.result.pipeline if self.result else None

    @property
    def key(self) -> tuple[str, str]:
        """What there is one of in a record: a series and a pipeline."""
        return self.series_instance_uid, self.pipeline or ""

    def plane(self, sop_instance_uid: str, frame: int | None) -> Plane | None:
        """Where this image or frame lies."""
        where = sop_instance_uid, frame
        placed = (one for one in self.images if isinstance(one, Plane))
        return next((one for one in placed if (one.sop_instance_uid, one.frame) == where), None)


def standing(filed: Iterable[Filed]) -> list[Filed]:
    """The latest of each series and pipeline, in an order that does not depend on their arrival."""
    latest: dict[tuple[str, str], Filed] = {}
    for one in sorted(filed, key=_age):
        latest[one.key] = one
    numbered = {one.series_instance_uid for one in latest.values() if one.result}
    return [
        latest[key] for key in sorted(latest) if latest[key].result or latest[key].series_instance_uid not in numbered
    ]


def _age(one: Filed) -> tuple[int, int, str]:
    """The later revision stands; the text only settles which of two different equals is taken."""
    return one.result.revision if one.result else 0, one.issued.revision if one.issued else 0, one.model_dump_json()
