"""The rules of the test session, and the messages of a machine that lacks something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PASSES = "def test_it(): pass"
PASSED_OVER = {
    "skipped": "import pytest\n@pytest.mark.skip(reason='no scanner')\ndef test_it(): pass",
    "skipped while it ran": "import pytest\ndef test_it(): pytest.skip('no scanner')",
    "a module skipped": "import pytest\npytest.importorskip('no_such_scanner')\ndef test_it(): pass",
    "expected to fail": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False",
    "expected to fail and passing": "import pytest\n@pytest.mark.xfail\ndef test_it(): pass",
}


def session(folder: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """A pytest session with this project's rules over these test modules."""
    (folder / "conftest.py").write_text("from tests.conftest import pytest_sessionfinish\n")
    for number, module in enumerate(modules):
        (folder / f"test_{number}.py").write_text(module)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", PASSED_OVER.values(), ids=PASSED_OVER.keys())
def test_a_test_that_is_passed_over_fails_the_session(tmp_path, module):
    run = session(tmp_path, PASSES, module)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "passed over, which counts as a failure" in run.stdout


def test_a_session_in_which_every_test_ran_passes(tmp_path):
    assert session(tmp_path, PASSES).returncode == pytest.ExitCode.OK


def bare_path(folder: Path, *programs: str) -> str:
    """A PATH that holds these programs alone."""
    folder.mkdir()
    for program in programs:
        found = next(Path(part) / program for part in os.defpath.split(":") if (Path(part) / program).exists())
        (folder / program).symlink_to(found)
    return str(folder)


def test_missing_programs_are_named_with_the_command_that_installs_them(tmp_path):
    path = bare_path(tmp_path / "bin", "bash", "grep")
    (tmp_path / "bin" / "id").write_text("#!/bin/bash\necho 1000\n")
    (tmp_path / "bin" / "id").chmod(0o755)
    script = str(ROOT / "tools" / "system_packages.sh")
    run = subprocess.run([script], env={"PATH": path}, capture_output=True, text=True)
    assert run.returncode == 1
    install = run.stderr.splitlines()[-1].split()
    assert install[:3] == ["sudo", "apt-get", "install"]
    assert {"dcmtk", "dicom3tools"} <= set(install)


def test_a_machine_without_python_is_told_what_to_install(tmp_path):
    script = str(ROOT / "tools" / "virtual_environment.sh")
    run = subprocess.run([script, "python3.99", str(tmp_path / "v")], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == "No python3.99 here. Install it with: sudo apt-get install -y python3 python3-venv\n"


def test_an_environment_that_exists_is_left_as_it_is(tmp_path):
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.write_text("")
    pip.chmod(0o755)
    script = str(ROOT / "tools" / "virtual_environment.sh")
    run = subprocess.run([script, sys.executable, str(tmp_path)], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]
