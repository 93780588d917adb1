"""What a site lets count: the least probability, and the bases that it accepts beside the two confirmed ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from numbering.record.model import CONFIRMABLE, Basis, BasisKind
from numbering.result import Frozen

LEAST_PROBABILITY = 0.95


class Policy(Frozen):
    """``widened_by``: bases that the site accepts although nobody counted or corrected; each verdict prints them.

    A probability below one half would let a name pass that is more likely wrong than right.
    """

    probability: Annotated[float, Field(ge=0.5, le=1)] = LEAST_PROBABILITY
    widened_by: tuple[BasisKind, ...] = ()

    @field_validator("widened_by")
    @classmethod
    def _widens(cls, kinds: tuple[BasisKind, ...]) -> tuple[BasisKind, ...]:
        for kind in kinds:
            if kind in CONFIRMABLE or kind is BasisKind.UNKNOWN:
                raise ValueError(f"{kind.value!r} widens no policy: it is confirmed already, or says nothing")
        return tuple(sorted(set(kinds)))

    def accepts(self, basis: Basis) -> bool:
        """Whether a name on this basis may agree or disagree with a plan."""
        return basis.confirmed or basis.kind in self.widened_by
