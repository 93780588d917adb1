import ast
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numbering"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DICOM = {"pydicom", "pynetdicom", "highdicom", "gdcm"}
NETWORKS = {"torch", "openvino", "ultralytics", "torchvision", "cv2"}
LIGHT = [
    "numbering.anatomy",
    "numbering.enumeration",
    "numbering.errors",
    "numbering.geometry",
    "numbering.pipelines",
    "numbering.report",
    "numbering.result",
    "numbering.route",
    "numbering.settings",
    "numbering.study",
    "numbering.uids",
]


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def imported_by(path: Path) -> set[str]:
    """Top-level names of everything that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).partition(".")[0])
    return names


def importers(libraries: set[str]) -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imported_by(path) & libraries}


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name.lower().replace("_", "-"): str(pin.specifier) for pin in pins}


def test_cards_routes_and_results_load_neither_networks_nor_dicom():
    loaded = set(python(f"import sys, {', '.join(LIGHT)}; print(*sys.modules)").split())
    assert loaded >= set(LIGHT)
    assert not loaded & (DICOM | NETWORKS)


def test_serving_loads_without_what_only_training_uses():
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ("ultralytics", "torchvision", "cv2"))
    loaded = python(f"import sys; {blocked}; import numbering.pipelines.ap_xray.pipeline; print(*sys.modules)").split()
    assert "numbering.pipelines.ap_xray.pipeline" in loaded


def test_only_the_dicom_room_and_the_phantoms_writer_know_dicom():
    outside = {name for name in importers(DICOM) if not name.startswith(("dicom/", "phantom/dicom/"))}
    assert outside == set()


def test_only_pipelines_and_the_phantom_know_networks():
    outside = {name for name in importers(NETWORKS) if not name.startswith(("pipelines/", "phantom/"))}
    assert outside == set()


def test_openvino_is_imported_in_one_place_that_blocks_its_telemetry():
    assert importers({"openvino"}) == {"pipelines/openvino_ir.py"}
    for name in importers({"openvino"}):
        assert "openvino_telemetry" in (PACKAGE / name).read_text(), f"{name} imports openvino, which calls home"


@pytest.mark.parametrize("extra", ["", "train", "dev"])
def test_the_lock_pins_every_dependency_within_the_projects_range(extra):
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    pins = locked()
    for requirement in map(Requirement, wanted):
        pin = pins[requirement.name.lower().replace("_", "-")]
        assert requirement.specifier.contains(pin.removeprefix("==")), f"{requirement} is locked at {pin}"


def test_the_lock_names_exact_versions_and_no_hosts():
    assert all(pin.startswith("==") and "," not in pin for pin in locked().values())
    assert "://" not in (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> ZipFile:
    """A wheel of the tracked files, built as an installation builds it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(out)!r})"
    run = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return ZipFile(next(out.glob("*.whl")))


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "numbering", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [name for name in listed if (ROOT / name).is_file()]


def test_the_wheel_holds_every_file_of_the_package(wheel):
    ours = {name for name in tracked() if name.startswith("numbering/")}
    assert ours - set(wheel.namelist()) == set()


def test_the_wheel_states_its_licence_and_its_command(wheel):
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "AGPL-3.0-or-later"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "numbering = numbering.cli:app" in wheel.read(f"{info}/entry_points.txt").decode()
