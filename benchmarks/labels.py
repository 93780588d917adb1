"""How consistent are the labelled boxes of an AASCE folder, and how well does the detector box what is labelled well?

    python benchmarks/labels.py --data AASCE [--split test]

Prints how high the labelled L5 is compared with the three vertebrae above it, and the overlap of the detector's boxes
with the labels of L5 and of all other vertebrae (films whose L5 label is right). Without a folder there is nothing to
measure, and it says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from numbering.geometry import intersection_over_union
from numbering.pipelines.ap_xray.cases import cases
from numbering.pipelines.ap_xray.pipeline import ApXray


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    if options.data is None:
        print("labels: no --data folder given, nothing to measure")
        return
    pipeline = ApXray("cpu")
    heights, l5, others = [], [], []
    for case in cases(options.data, "aasce", options.split, crops=0):
        if case.l5 is None or case.anatomy != "normal":
            continue
        tall = case.vertebrae[:, 3] - case.vertebrae[:, 1]
        heights.append(tall[-1] / tall[-4:-1].mean())
        found = np.array([body.box for body in pipeline.evidence(case.film)]).reshape(-1, 4)
        overlap = intersection_over_union(found, case.vertebrae).max(0, initial=0)
        l5.append(overlap[-1])
        others.extend(overlap[:-1])
    figures = {
        "films": len(heights),
        "split": options.split,
        "height of L5's label / mean of the three above (10th, 50th, 90th percentile)": [
            round(float(value), 2) for value in np.percentile(heights, [10, 50, 90])
        ],
        "labels of L5 overlapped by 0.5, by 0.75": [float(np.mean(np.array(l5) > t).round(3)) for t in (0.5, 0.75)],
        "labels of others overlapped by 0.5, by 0.75": [
            float(np.mean(np.array(others) > t).round(3)) for t in (0.5, 0.75)
        ],
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
