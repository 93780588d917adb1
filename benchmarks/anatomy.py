"""Do sampled patients have the statistics of people? One table: target, found, verdict.

    python benchmarks/anatomy.py [--patients 1000] [--first-seed 0] [--json]

Draws patients of the population (seeds from ``--first-seed`` on) and compares them with measured and published numbers.
Marks: [H] measured on the VID keypoints (ImFusion VID, Bürgin et al., MICCAI 2023), [V] read in the source, [M] from
memory of it, [E] estimate. Spacing, bends and angles are those of patients with 12 thoracic and 5 lumbar vertebrae, all
other anomalies included. A mean is ``ok`` within its tolerance, a share within three standard errors of its range.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.patient_statistics import people, spine
from benchmarks.patient_statistics.drawn import Drawn
from benchmarks.patient_statistics.rows import Row
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.anatomy.sample import sample


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = compare([sample(options.first_seed + index) for index in range(options.patients)])
    if options.json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    else:
        print(table(rows))
        print(f"\n{sum(row.ok for row in rows)} of {len(rows)} as wanted, {options.patients} patients.")


def compare(patients: Sequence[Patient]) -> list[Row]:
    """All rows about these patients."""
    drawn = Drawn.of(patients)
    parts = (spine.spacing, spine.curves, spine.alignment, people.bone, people.soft, people.ribs)
    return [row for part in (*parts, people.published, people.each_anomaly) for row in part(drawn)]


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = ["| table | quantity | target | allowed | found | verdict |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {r.table} | {r.quantity} | {r.target} | {r.allowed} | {r.found} | {'ok' if r.ok else '**off**'} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
