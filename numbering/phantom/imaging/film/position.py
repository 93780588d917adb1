"""How a patient is set up for a film: format, distances, centring, and how far from straight they stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from numbering.phantom.imaging.film.geometry import Array, Beam, aimed
from numbering.phantom.pose import Skeleton

View = Literal["AP", "lateral"]
FieldOfView = Literal["whole-spine", "lumbar"]
FIELDS_OF_VIEW: tuple[FieldOfView, ...] = ("whole-spine", "lumbar")
VIEWS: tuple[View, ...] = ("AP", "lateral")


@dataclass(frozen=True, kw_only=True)
class Wander:
    """How far set-ups differ from the book, SDs; a multiple above 1 is domain randomisation beyond realism."""

    turn: float = 2.2
    """Degrees about the patient's long axis."""
    tilt: float = 2.2
    """Degrees head to foot."""
    roll: float = 1.0
    """Degrees in the plane of the film."""
    centring: float = 12.0
    """mm across; twice as much up and down."""

    def times(self, factor: float) -> Wander:
        """All of them, larger."""
        return Wander(
            turn=self.turn * factor, tilt=self.tilt * factor, roll=self.roll * factor, centring=self.centring * factor
        )


def aim(
    skeleton: Skeleton,
    view: View,
    field_of_view: FieldOfView,
    rng: np.random.Generator,
    *,
    pitch: float,
    wander: Wander | None = None,
) -> Beam:
    """Set up tube and detector (ANATOMY.md H): 1.0–1.15 m for lumbar films, 1.8–2 m for whole spines."""
    wander = wander or Wander()
    across, down, towards = _directions(view, rng, wander)
    at, height, width = _field(skeleton, view, field_of_view, rng)
    distance = float(rng.uniform(1780, 2000) if field_of_view == "whole-spine" else rng.uniform(1000, 1150))
    behind = _behind(skeleton, view, rng)
    shift = (float(rng.normal(0, wander.centring)), float(rng.normal(0, wander.centring * 1.5)))
    return aimed(
        at=at, across=across, down=down, towards=towards, distance=distance, behind=behind, shift=shift,
        field_mm=(height, width), pitch=pitch,
    )  # fmt: skip


def _directions(view: View, rng: np.random.Generator, wander: Wander) -> tuple[Array, Array, Array]:
    """Unit vectors along rows, down columns and from source to detector: straight first, then turned."""
    turn, tilt, roll = (float(np.clip(rng.normal(0, sd), -2.4 * sd, 2.4 * sd)) for sd in (
        wander.turn, wander.tilt, wander.roll))  # fmt: skip
    down = np.array([0, 0, -1.0])
    if view == "AP":
        across, towards = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    else:  # the front of the patient is on the image's left, as most are hung; either side at the detector
        across, towards = np.array([0, 1.0, 0]), np.array([1.0 if rng.random() < 0.8 else -1.0, 0, 0])
        if rng.random() < 0.12:
            across = -across
    about_z = _about(np.array([0, 0, 1.0]), turn)
    tilted = _about(across, tilt) @ about_z
    rolled = _about(tilted @ towards, roll) @ tilted
    return rolled @ across, rolled @ down, rolled @ towards


def _about(axis: Array, degrees: float) -> Array:
    """Rotation matrix (Rodrigues)."""
    angle, (x, y, z) = np.radians(degrees), axis / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew)


def _field(
    skeleton: Skeleton, view: View, field_of_view: FieldOfView, rng: np.random.Generator
) -> tuple[Array, float, float]:
    """The point aimed at, and height and width of the detector, mm."""
    if field_of_view == "lumbar":
        small = rng.random() < 0.25
        at = skeleton.at(float(rng.normal(22.1 if small else 22.7, 0.3)))
        height, width = (350.0, 300.0) if small else (430.0, 350.0)
    else:
        head = skeleton.height(float(rng.uniform(4.6, 7.2)))
        feet = -float(rng.uniform(30, 125))
        at = (skeleton.at(13.0) + skeleton.at(22.0)) / 2
        at[2] = (head + feet) / 2
        height, width = (head - feet) * 1.12, float(rng.uniform(300, 430))
    if view == "lateral":  # the spine lies behind the middle of the trunk
        at = at - np.array([0, float(rng.uniform(15, 60)), 0])
    return at, height, width


def _behind(skeleton: Skeleton, view: View, rng: np.random.Generator) -> float:
    """From the spine to the detector: what is behind it of the patient, table or stand, grid and air."""
    soft = skeleton.patient.soft
    if view == "AP":
        return float(np.clip(0.35 * soft.waist_half_depth + 25 + rng.uniform(60, 85), 115, 190))
    return float(np.clip(soft.waist_half_width + rng.uniform(50, 85), 190, 275))
