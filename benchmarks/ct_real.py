"""What the installed CT pipeline, or weights of a file, say of real CT studies without labels, with pictures.

    python benchmarks/ct_real.py --study DIR [--study DIR …] [--weights FILE] [--pictures DIR]

Every DICOM series of a folder is routed as a node does it, axial CTs are read, and what is found is printed: names,
basis, or why not. Pictures are sagittal sections along the named vertebrae. Nothing is compared with a truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from numbering.dicom.read import read_series
from numbering.dicom.stacks import stack
from numbering.pipelines.ct.install import candidate_entry
from numbering.pipelines.ct.judging import plots
from numbering.pipelines.ct.judging.cases import Case, Scan, TrueBody
from numbering.pipelines.ct.judging.scoring import score
from numbering.pipelines.ct.pipeline import Ct
from numbering.result import Findings
from numbering.stack import Stack
from numbering.study import Series, View


def main() -> None:
    """Read, print, draw."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--study", type=Path, action="append", required=True)
    options.add_argument("--weights", type=Path, help="safetensors; default: installed")
    options.add_argument("--pictures", type=Path)
    asked = options.parse_args()
    pipeline = Ct("cpu", entry=candidate_entry(asked.weights) if asked.weights else None)
    for study in asked.study:
        for number, series in enumerate(read_series(sorted(path for path in study.rglob("*") if path.is_file()))):
            print(json.dumps(read(pipeline, series, study.name, number, asked.pictures), ensure_ascii=False))


def read(pipeline: Ct, series: Series, study: str, number: int, pictures: Path | None) -> dict[str, Any]:
    """One series: what was found, in plain data. No name or date of a patient is in it."""
    said: dict[str, Any] = {"study": study, "series": number, "modality": series.modality, "images": len(series.images)}
    if series.modality != "CT":
        return said | {"status": "not a CT"}
    try:
        source = stack(series, View.AXIAL)
    except ValueError as error:
        return said | {"status": f"no axial slices: {error}"}
    began = time.perf_counter()
    findings = pipeline.number([source])
    said |= {
        "slices": len(source),
        "spacing_mm": source.spacing_mm,
        "seconds": round(time.perf_counter() - began, 1),
        "status": findings.status,
        "reason": findings.reason.text if findings.reason else None,
        "names": {one.level: round(one.probability, 3) for one in findings.vertebrae},
        "basis": findings.basis.statement if findings.basis else None,
        "quality": findings.quality,
    }
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        plots.tile(outcome(f"{study} {number}", source, findings)).save(pictures / f"{study}-{number}.png")
    return said


def outcome(name: str, source: Stack, findings: Findings) -> Any:
    """As if what was said were true, for the picture."""
    bodies = {
        one.level: TrueBody(centre_mm=np.array(one.centre_mm), whole=True, label=1)
        for one in findings.vertebrae
        if one.centre_mm is not None
    }
    scan = Scan(source, {})
    case = Case(name=name, patient=name, bodies=bodies, scan=lambda: scan)
    return score(case, scan, findings)


if __name__ == "__main__":
    main()
