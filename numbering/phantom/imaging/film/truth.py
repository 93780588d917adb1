"""What is true of a film, by projection of the anatomy's landmarks with the film's own beam."""

from __future__ import annotations

import numpy as np

from numbering.phantom.imaging.film import angles
from numbering.phantom.imaging.film.exposure import Film
from numbering.phantom.imaging.film.geometry import Array
from numbering.phantom.imaging.film.outline import body_outline
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.truth.base import TrueAngle, pair
from numbering.phantom.truth.film import FilmVertebra, TrueImage
from numbering.phantom.truth.justified import justified


def describe(skeleton: Skeleton, film: Film, *, sop_instance_uid: str, file: str, visit: int = 1) -> TrueImage:
    """The truth of one film, of every vertebra, also those outside of it."""
    vertebrae = tuple(_vertebra(placed, skeleton, film) for placed in skeleton.vertebrae)
    s1 = film.beam.project(s1_points(skeleton, film))
    sacrum = film.shows(s1)
    in_view = {one.ordinal for one in vertebrae if one.in_view}
    first, second = (pair(point) for point in s1)
    return TrueImage(
        sop_instance_uid=sop_instance_uid,
        file=file,
        visit=visit,
        view=film.view,
        field_of_view=film.field_of_view,
        rows=film.beam.rows,
        columns=film.beam.columns,
        spacing_mm=(film.beam.pitch, film.beam.pitch),
        magnification=round(film.magnification, 4),
        vertebrae=vertebrae,
        s1=(first, second),
        sacrum_in_view=sacrum,
        angles=tuple(TrueAngle(name=name, value=round(value, 2)) for name, value in _angles(skeleton, film, s1)),
        justified=justified(skeleton.patient, in_view, sacrum_in_view=sacrum),
    )


def corners(placed: Placed, film: Film) -> Array:
    """Image points ``(4, 2)`` of a body's corners, in the order of CONVENTIONS for the film's view, as it is hung."""
    if film.view == "lateral":
        return film.beam.project(placed.sagittal_corners())
    return film.beam.project(placed.coronal_corners())[_hung(film)]


def _hung(film: Film) -> list[int]:
    """Order that makes the patient's upper right, upper left, lower left, lower right the image's upper-left,
    upper-right, lower-right, lower-left, however the film is hung."""
    across, down = film.beam.across[[0, 2]], film.beam.down[[0, 2]]
    nominal = np.array([[-1.0, 1], [1, 1], [1, -1], [-1, -1]])
    x, y = nominal @ across, nominal @ down
    return [int(np.argmin(x + y)), int(np.argmax(x - y)), int(np.argmax(x + y)), int(np.argmin(x - y))]


def s1_points(skeleton: Skeleton, film: Film) -> Array:
    """Ends ``(2, 3)`` of S1's upper endplate: anterior, posterior; on an AP film the image's left, then right."""
    if film.view == "lateral":
        return skeleton.s1_corners()
    half = skeleton.patient.sacrum.endplate_width / 2
    ends = skeleton.sacrum.place(np.array([[-half, 0, 0], [half, 0, 0]]))
    return ends[np.argsort(film.beam.project(ends)[:, 0], kind="stable")]


def _vertebra(placed: Placed, skeleton: Skeleton, film: Film) -> FilmVertebra:
    outline = film.beam.project(body_outline(placed))
    found = corners(placed, film)
    (x0, y0), (x1, y1) = np.minimum(outline.min(0), found.min(0)), np.maximum(outline.max(0), found.max(0))
    box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    first, second, third, fourth = (pair(point) for point in found)
    return FilmVertebra(
        ordinal=placed.vertebra.ordinal,
        level=str(placed.vertebra.level),
        rib_bearing=placed.vertebra.rib_bearing,
        lowest_lumbar=placed.vertebra is skeleton.patient.lowest_lumbar,
        corners=(first, second, third, fourth),
        box=(*pair((x0, y0)), *pair((x1, y1))),
        in_view=film.shows(box),
    )


def _angles(skeleton: Skeleton, film: Film, s1: Array) -> list[tuple[str, float]]:
    shown = [placed for placed in skeleton.vertebrae if film.shows(corners(placed, film))]
    if film.view == "lateral":
        by_level = {str(placed.vertebra.level): corners(placed, film) for placed in shown}
        lowest = str(skeleton.patient.lowest_lumbar.level)
        return angles.lateral_angles(by_level, s1 if film.shows(s1) else None, lowest)
    plates = [film.beam.project(placed.coronal_corners()) for placed in shown]
    tilts = angles.tilts([plate[order] for plate in plates for order in ([0, 1], [3, 2])])
    names = [str(placed.vertebra.level).lower() for placed in shown]
    return [(f"cobb-{names[a]}-{names[b]}", value) for a, b, value in angles.cobb(tilts)]
