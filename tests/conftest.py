"""What all tests share: a settings cache that no test leaks, and the rule that no test is passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.earlier import EarlierArchive

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers share the cores

PASSED_OVER = ("skipped", "xfailed", "xpassed")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sees the default settings, whatever the machine has set."""
    from numbering.settings import settings

    for name in [name for name in os.environ if name.startswith("NUMBERING_")]:
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EarlierArchive]:
    """An archive with earlier studies of two simulated patients; one for all tests, as it takes seconds to make."""
    from tests.earlier import archive_with_earlier_studies

    with archive_with_earlier_studies(tmp_path_factory.mktemp("earlier")) as running:
        yield running


def pytest_configure(config: pytest.Config) -> None:
    """What collects the workers' warnings imports their classes: of training libraries too, which need torchvision."""
    if getattr(config.option, "numprocesses", None):
        from numbering.pipelines.cpu_torchvision import prepare_torchvision

        prepare_torchvision()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that did not run, or was expected to fail, fails the session: a missing tool is a fault to mend."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    passed_over = [report for kind in PASSED_OVER for report in reporter.stats.get(kind, [])] if reporter else []
    if not passed_over:
        return
    for report in passed_over:
        reporter.write_line(
            f"\nFAILED: passed over, which counts as a failure: {report.nodeid} {report.longrepr or ''}"
        )
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
