"""Health and readiness: what is asked by load balancers and by people at night."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from numbering.jobs.redis import redis_command, socket_path
from numbering.web import health
from numbering.web.access import loopback
from numbering.web.keys import Scope
from tests.web import RunningWeb, running_web


@contextmanager
def broker(data: Path) -> Iterator[None]:
    """The node's own Redis, for this data folder."""
    data.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(redis_command(data), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not socket_path(data).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    data = tmp_path_factory.mktemp("web")
    with broker(data), running_web(data) as web:
        yield web


def parts(answer: httpx.Response) -> dict[str, str]:
    told: dict[str, str] = answer.json()["parts"]
    return told


def test_a_node_whose_parts_are_all_there_is_ready(web: RunningWeb) -> None:
    answer = web.client().get("/ready")
    assert answer.status_code == 200
    assert parts(answer) == {"database": "ready", "spool": "ready", "disk": "ready", "broker": "ready"}


def test_asking_leaves_nothing_in_the_spool(web: RunningWeb) -> None:
    web.client().get("/ready")
    assert list((web.node.settings.spool / ".incoming").glob("*ready*")) == []


def test_a_dead_broker_is_named(tmp_path: Path) -> None:
    with broker(tmp_path), running_web(tmp_path) as web:
        assert web.client().get("/ready").status_code == 200
    with running_web(tmp_path) as web:
        answer = web.client().get("/ready")
        assert answer.status_code == 503
        assert [name for name, word in parts(answer).items() if word != "ready"] == ["broker"]
        assert web.client().get("/health").json() == {"status": "alive"}


def test_a_spool_that_is_gone_is_named(tmp_path: Path) -> None:
    with running_web(tmp_path) as web:
        shutil.rmtree(web.node.settings.spool)
        answer = web.client().get("/ready")
        assert answer.status_code == 503
        assert {"spool", "disk"} <= {name for name, word in parts(answer).items() if word != "ready"}


def test_a_database_without_its_tables_is_named(tmp_path: Path) -> None:
    with running_web(tmp_path) as web:
        web.node.engine.dispose()
        for file in tmp_path.glob("numbering.db*"):
            file.unlink()
        assert parts(web.client().get("/ready"))["database"] == "out of reach (OperationalError)"


def test_a_disk_below_the_watermark_is_named(tmp_path: Path) -> None:
    with running_web(tmp_path, disk_minimum_percent=100) as web:
        answer = web.client().get("/ready")
        assert answer.status_code == 503
        assert "objects are refused" in parts(answer)["disk"]


def test_a_part_that_hangs_is_asked_once_however_often_somebody_wants_to_know(
    web: RunningWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    mended = threading.Event()

    def hanging(_: object) -> None:
        asked.append(len(asked))
        mended.wait(60)

    monkeypatch.setattr(health, "PART_SECONDS", 0.1)
    monkeypatch.setitem(health.PARTS, "database", hanging)
    answers = [web.client().get("/ready") for _ in range(4)]
    mended.set()
    assert [answer.status_code for answer in answers] == [503] * 4
    assert all("still asking" in parts(answer)["database"] for answer in answers)
    assert asked == [0]
    monkeypatch.setattr(health, "PART_SECONDS", 10)
    assert parts(web.client().get("/ready"))["database"] == "ready"


def test_health_and_readiness_need_no_key_from_this_machine_and_one_from_elsewhere(web, monkeypatch) -> None:
    assert web.client().get("/health").status_code == 200
    monkeypatch.setattr("numbering.web.access.loopback", lambda address: False)
    assert [web.client().get(path).status_code for path in ("/health", "/ready")] == [401, 401]
    assert [web.client(Scope.READ).get(path).status_code for path in ("/health", "/ready")] == [200, 200]
    assert web.client(Scope.STORE).get("/health").status_code == 403


def test_a_header_that_claims_this_machine_is_not_believed(web: RunningWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("numbering.web.access.loopback", lambda address: bool(seen.append(address)))
    headers = {"X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3", "X-Real-IP": "10.1.2.3"}
    assert web.client().get("/health", headers=headers).status_code == 401
    assert seen == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("::1", True), ("127.8.8.8", True), ("10.0.0.1", False), ("", False), ("localhost", False)],
)
def test_this_machine_is_told_by_address(address: str, here: bool) -> None:
    assert loopback(address) is here
