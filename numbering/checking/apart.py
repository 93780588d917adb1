"""Key images drawn by a process of their own, for rooms that never decode pixels: a picture may kill its reader.

Run as a program (``python -m numbering.checking.apart``) it is that process: JSON in, names of files out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from numbering.checking.kept import keep_pictures
from numbering.checking.key_images import FileOf, shown
from numbering.levelcheck import Check
from numbering.logs import logger
from numbering.record import PatientRecord

SECONDS = 60.0
"""Longer than decoding and drawing two films takes on a busy machine."""

log = logger(__name__)


def draw_apart(check: Check, record: PatientRecord, file: FileOf, folder: Path, stem: str) -> list[Path]:
    """As `numbering.checking.kept.keep_pictures`; no pictures when that fails. The answer does not rest on them."""
    files = {uid: str(path) for uid, _ in shown(check, record) if (path := file(uid)) is not None}
    asked = {
        "check": check.model_dump(mode="json"),
        "record": record.model_dump(mode="json"),
        "files": files,
        "folder": str(folder.absolute()),
        "stem": stem,
    }
    command = [sys.executable, "-m", "numbering.checking.apart"]
    try:
        drawn = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        log.warning("key images could not be drawn", error=error)
        return []
    return [folder / name for name in json.loads(drawn.stdout)]


def main() -> None:
    """Draw what stdin asks for."""
    asked = json.load(sys.stdin)
    files = {uid: Path(path) for uid, path in asked["files"].items()}
    check, record = Check.model_validate(asked["check"]), PatientRecord.model_validate(asked["record"])
    paths = keep_pictures(check, record, files.get, Path(asked["folder"]), asked["stem"])
    sys.stdout.write(json.dumps([path.name for path in paths]))


if __name__ == "__main__":
    main()
