"""Numbers of vertebrae other than the usual ones, in words: what every pipeline that counts reports alike."""

from __future__ import annotations

from collections.abc import Mapping

from numbering.anatomy import Variant

COUNTS = {4: "four", 5: "five", 6: "six", 11: "eleven", 12: "twelve", 13: "thirteen"}
SUSPECTED = 0.2
"""Probability from which another number of vertebrae than the usual one is reported as suspected."""
READINGS = {
    6: "L6, or a lumbarised S1",
    4: "L5 may be sacralised",
    13: "T13, or L1 with lumbar ribs",
    11: "the ribs of T12 may be missing",
}


def numerical(variants: Mapping[Variant, float]) -> list[str]:
    """Suspected differences from twelve thoracic and five lumbar vertebrae, with their probability."""
    found = []
    for region, usual in (("lumbar", 5), ("thoracic", 12)):
        for count in (usual + 1, usual - 1):
            chance = sum(share for variant, share in variants.items() if getattr(variant, region) == count)
            if chance >= SUSPECTED:
                kind = "lumbar-type" if region == "lumbar" else "thoracic"
                found.append(
                    f"{COUNTS[count]} {kind} vertebrae suspected (probability {chance:.2f}): {READINGS[count]}"
                )
    return found
