"""What OHIF shows of a numbered CT and of numbered axial MR slices, simulated, with their truth for findings.

    python -m tools.volume_screenshots --out FOLDER

It starts an archive, stores series and objects there by C-STORE, opens the studies in OHIF in a headless Chromium and
writes ``ohif-segmentation.png`` (one slice, and all three planes as ``ohif-segmentation-planes.png``) and
``ohif-parametric-map.png``; it prints what the viewer complained of.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from deploy.ohif.fetch import PLAYWRIGHT, fetch
from deploy.ohif.serve import viewer
from numbering.dicom.objects.encode import encode, write_objects
from numbering.result import Findings, NumberingResult
from numbering.study import View
from tests.archive import running_archive
from tests.results import result_of
from tests.simulated_stacks import ct_findings, mr_findings, simulated_ct, simulated_mr, written
from tools.screenshots import store

SHOTS = (
    ("ct", "SEG", 30, "", "ohif-segmentation"),
    ("ct", "SEG", 0, "&hangingProtocolId=mpr", "ohif-segmentation-planes"),
    ("axial-mr", "PMAP", 7, "", "ohif-parametric-map"),
)
"""Of which pipeline, which overlay, how many slices on, in which layout, and the picture's name."""


def objects_of(
    paths: list[Path], findings: Findings, pipeline: str, folder: Path
) -> tuple[NumberingResult, list[Path]]:
    """The result on these files, and all objects that can be written of it."""
    result = result_of(paths, findings, view=View.AXIAL, pipeline=pipeline)
    sources = {one.sop_instance_uid: path for one, path in zip(result.sources, paths, strict=True)}
    return result, [one.path for one in write_objects(encode(result, sources, mapped=True), folder)]


def main() -> None:
    """Store and photograph."""
    options = argparse.ArgumentParser(description="What OHIF shows of a numbered CT and of axial MR.")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--only", help="one picture's name")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    ct, mr = simulated_ct(), simulated_mr(layout="block")
    script = Path(__file__).with_name("ohif_overlay.mjs")
    with tempfile.TemporaryDirectory() as name, running_archive(Path(name) / "archive") as archive:
        results = {}
        for pipeline, files, findings in (("ct", ct.files, ct_findings(ct)), ("axial-mr", mr.files, mr_findings(mr))):
            paths = written(files, Path(name) / pipeline)
            results[pipeline], objects = objects_of(paths, findings, pipeline, Path(name) / f"{pipeline}-objects")
            store([*paths, *objects], archive)
        with viewer(archive.url) as url:
            for pipeline, overlay, slices, layout, shot in SHOTS:
                if chosen.only in (None, shot):
                    page = f"{url}/viewer?StudyInstanceUIDs={results[pipeline].study_instance_uid}{layout}"
                    out = str(chosen.out / f"{shot}.png")
                    command = ["node", str(script), str(fetch(PLAYWRIGHT)), page, overlay, str(slices), out]
                    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=500)
                    print(json.dumps({shot: json.loads(done.stdout)}))


if __name__ == "__main__":
    main()
