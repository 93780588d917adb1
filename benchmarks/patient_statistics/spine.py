"""Spacing, curves and alignment of the spine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.patient_statistics.drawn import Drawn
from benchmarks.patient_statistics.rows import Row, normal, share, within
from numbering.phantom.anatomy.wedges import lower_wedge, segment_angles, upper_wedge

SPACING = (  # mean, SD; the uppermost seven from the VerSe part of VID, 61–264 scans each
    ("C3-C4", 17.8, None), ("C4-C5", 17.2, None), ("C5-C6", 17.0, None), ("C6-C7", 18.0, None), ("C7-T1", 20.0, None),
    ("T1-T2", 21.0, None), ("T2-T3", 21.2, None), ("T3-T4", 21.1, None), ("T4-T5", 21.7, None), ("T5-T6", 22.1, None),
    ("T6-T7", 22.6, None), ("T7-T8", 23.3, None),
    ("T8-T9", 23.9, 2.0), ("T9-T10", 25.2, 2.0), ("T10-T11", 27.1, 2.2), ("T11-T12", 29.5, 2.3), ("T12-L1", 32.3, 2.4),
    ("L1-L2", 34.6, 2.4), ("L2-L3", 35.8, 2.7), ("L3-L4", 36.5, 2.7), ("L4-L5", 36.2, 3.0),
)  # fmt: skip
PEDICLES = (
    ("T9", 23.3, 1.9), ("T10", 24.7, 2.0), ("T11", 27.0, 2.3), ("T12", 29.4, 2.4), ("L1", 30.0, 2.6),
    ("L2", 30.4, 2.4), ("L3", 33.0, 2.9), ("L4", 36.7, 3.7), ("L5", 48.5, 5.9),
)  # fmt: skip
BENDS = (("L1", -1.3, 3.5), ("L2", 2.1, 4.1), ("L3", 7.3, 4.3), ("L4", 13.2, 5.2))
SEGMENTS = (("L1-L2", 1.2, 3.6), ("L2-L3", 5.9, 4.1), ("L3-L4", 9.1, 4.2), ("L4-L5", 12.7, 5.1), ("L5-S1", 21.6, 7.7))


def spacing(drawn: Drawn) -> list[Row]:
    """Distances of centres lying, how neighbours correlate, and the distance of the pedicles' middles."""
    usual, centres = drawn.usual, drawn.usual_centres()
    steps = np.linalg.norm(np.diff(centres, axis=1), axis=2)
    names = [str(vertebra.level) for vertebra in usual[0].vertebrae]
    pairs = [f"{upper}-{lower}" for upper, lower in pairwise(names)]
    found = [
        normal("spacing, mm", pair, steps[:, pairs.index(pair)], mean, sd, 0.04 * mean, "[H]")
        for pair, mean, sd in SPACING
    ]
    tall = np.array([patient.stature_mm for patient in usual])
    lower = steps[:, pairs.index("T8-T9") :]
    near = np.array([np.corrcoef(lower[:, i], lower[:, i + 1])[0, 1] for i in range(lower.shape[1] - 1)])
    name = "spacing"
    found.append(within(name, "neighbours' correlation T8…L5, least", "0.67 [H]", float(near.min()), 0.6, 0.82))
    found.append(within(name, "neighbours' correlation T8…L5, most", "0.73 [H]", float(near.max()), 0.6, 0.82))
    far = float(np.corrcoef(lower[:, 1], lower[:, -1])[0, 1])
    found.append(within(name, "correlation of T9-T10 with L4-L5", "0.44 [H]", far, 0.3, 0.6))
    length = float(np.corrcoef(lower.sum(1), tall)[0, 1])
    found.append(within(name, "correlation of T8–L5 with stature", "0.6–0.85 [E]", length, 0.6, 0.85))
    for level, mean, sd in PEDICLES:
        sizes = [patient.vertebrae[names.index(level)].size for patient in usual]
        middles = np.array([size.canal_width + size.pedicle_width for size in sizes])
        found.append(normal("pedicle centres, mm", level, middles, mean, sd, 0.04 * mean, "[H]", (0.75, 1.2)))
    return found


def curves(drawn: Drawn) -> list[Row]:
    """Bends of the chord lying, range of coronal tilt T9…lowest, axial rotation."""
    chords = np.diff(drawn.usual_centres(), axis=1)
    bends = np.diff(np.degrees(np.arctan2(chords[..., 1], -chords[..., 2])), axis=1)[:, -4:]
    found = [
        normal("chord bend lying, °", level, bends[:, index], mean, sd, 1.0, "[H]", (0.7, 1.2))
        for index, (level, mean, sd) in enumerate(BENDS)
    ]
    tilts, turns = [], []
    for skeleton in drawn.lying:
        lower = skeleton.vertebrae[-9:]
        axes = np.array([placed.frame.rotation[:, 0] for placed in lower])
        tilts.append(float(np.ptp(np.degrees(np.arctan2(axes[:, 2], axes[:, 0])))))
        turns += [placed.vertebra.turn for placed in lower]
    for limit, wanted, slack in ((10, 19.0, 0.0), (15, 4.2, 1.0), (20, 1.2, 0.5)):
        hits = np.array(tilts) > limit
        found.append(share("coronal tilt", f"range of pedicle lines > {limit}°", hits, wanted, wanted, "[H]", slack))
    found.append(within("axial rotation, °", "SD", "2.3–3.3 [H]", float(np.std(turns)), 2.1, 3.5, 1))
    return found


def alignment(drawn: Drawn) -> list[Row]:
    """Standing angles and balance."""
    name, usual = "standing, °", drawn.usual
    segments = np.array([segment_angles(patient.vertebrae, patient.sacrum) for patient in usual])
    incidence = np.array([patient.sacrum.pelvic_incidence for patient in usual])
    slope = np.array([patient.sacrum.slope for patient in usual])
    lordosis = segments[:, -5:].sum(1)
    ends = [patient.vertebrae[-1] for patient in usual]
    body = np.array([upper_wedge(last.size) + lower_wedge(last.size) for last in ends])
    kyphosis = -np.array(
        [
            row[6:17].sum() + upper_wedge(patient.vertebrae[17].size) + lower_wedge(patient.vertebrae[17].size)
            for row, patient in zip(segments, usual, strict=True)
        ]
    )
    found = [
        normal(name, "pelvic incidence", incidence, 50.5, 11.4, 1.5, "[V]"),
        normal(name, "sacral slope", slope, 41, 8, 4, "[M]"),
        normal(name, "pelvic tilt", incidence - slope, 13, 6, 1.5, "[M]"),
    ]
    found += [
        normal(name, pair, segments[:, index - 5], mean, sd, 1.8, "[V]")
        for index, (pair, mean, sd) in enumerate(SEGMENTS)
    ]
    found += [
        normal(name, "L1–S1, sum of the segments", lordosis, 50.5, 11, 5, "[V]"),
        normal(name, "L1–S1, second source", lordosis, 57, 11, 5, "[M]"),
        normal(name, "L1–L5, second source", lordosis - segments[:, -1] + body, 43, 11, 5, "[M]"),
        normal(name, "kyphosis T1–T12", kyphosis, 40, 10, 3, "[M]", (0.8, 1.35)),
    ]
    per_degree = float(np.polyfit(incidence, lordosis, 1)[0])
    found.append(within(name, "lordosis per degree of incidence", "0.62 [V]", per_degree, 0.5, 0.85))
    axis = np.array(
        [placed.s1_corners()[1, 1] - placed.vertebrae[5].frame.centre[1] for placed in drawn.usual_standing]
    )
    found.append(normal("standing, mm", "C7 in front of S1's back corner", axis, 10, 30, 15, "[E]"))
    loss = np.array([patient.supine_loss for patient in usual])
    found.append(within("lying, °", "less lordosis than standing", "5–8 [M]", float(loss.mean()), 5, 8, 1))
    return found
