"""The programs that judge what we write, as functions; one that is missing fails the test and says how to get it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PACKAGES = {"dciodvfy": "dicom3tools", "dsrdump": "dcmtk", "dcmp2pgm": "dcmtk", "dcmpschk": "dcmtk"}


def program(name: str) -> str:
    """Where the program is; ``AssertionError`` names the package that brings it."""
    beside_python = Path(sys.executable).with_name(name)
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    assert found, f"{name} is missing: apt-get install {PACKAGES.get(name, name)}, or pip install dcmqi"
    return found


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program and return what it said."""
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)


def complaints(path: Path) -> list[str]:
    """What dciodvfy says against an object, without its one warning about coding schemes it does not know.

    A private scheme (99…) is unknown to it by nature, and so is the UID that identifies the scheme.
    """
    ran = run("dciodvfy", "-new", path)
    lines = (ran.stdout + ran.stderr).splitlines()
    assert any(line and not line.startswith(("Error", "Warning")) for line in lines), f"dciodvfy knew no IOD: {lines}"
    spoken = [line for line in lines if line.startswith(("Error", "Warning"))]
    return [
        line
        for line in spoken
        if not (
            line.startswith("Warning")
            and "Unrecognized defined term" in line
            and ("CodingSchemeDesignator" in line or "CodingSchemeUID" in line)
        )
    ]


def dumped(path: Path) -> str:
    """The report as dsrdump prints it. It may only say that its VR checker does not know UTF-8, and that it
    never checks the template of a key object selection.
    """
    ran = run("dsrdump", "+Pl", path)
    assert ran.returncode == 0, ran.stderr
    allowed = ("VR checker does not support", "Check for template constraints not yet supported")
    said = [line for line in ran.stderr.splitlines() if line.strip()]
    strange = [line for line in said if not any(words in line for words in allowed)]
    assert strange == []
    return ran.stdout


def tid1500(path: Path) -> dict[str, Any]:
    """The report as dcmqi reads it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        ran = run("tid1500reader", "--inputDICOM", path, "--outputMetadata", out)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        read: dict[str, Any] = json.loads(out.read_text())
        return read


def grey_levels(image: Path, presentation_state: Path | None = None, frame: int = 1) -> NDArray[np.uint8]:
    """``[row, column]`` as DCMTK shows the image, under a presentation state or by itself."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "shown.pgm"
        state = ["--pstate", presentation_state] if presentation_state else []
        ran = run("dcmp2pgm", "--frame", frame, *state, image, out)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert out.exists(), ran.stdout + ran.stderr
        return np.array(Image.open(out))
