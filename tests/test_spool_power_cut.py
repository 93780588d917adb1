"""The power goes at any moment: what was acknowledged is there, with its arrival, and what was not can be sent again.

Every operation of `durable` is written down while a spool keeps objects. Then each moment is played back on a disk that
keeps only what was synced, on one that happened to keep every name, and on some that kept this and that.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from numbering import durable
from numbering.dicom.incoming.spool import Kept, Spool
from tests.films import make_film, uneven

Operation = tuple[Any, ...]


class Recorder:
    """``os`` for `durable`: does what it is told, and writes it down."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._files: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _inode(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_ino

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = os.open(path, flags, mode)
        if flags & os.O_CREAT:
            self.operations.append(("name", Path(path), self._inode(descriptor)))
        self._files[descriptor] = os.dup(descriptor)  # so that no inode number is used again
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        self.operations.append(("write", self._inode(descriptor), bytes(data)))
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        folder = Path(f"/proc/self/fd/{descriptor}").resolve()
        self.operations.append(("folder", folder) if folder.is_dir() else ("sync", self._inode(descriptor)))

    fdatasync = fsync

    def link(self, source: str, target: Path, **options: Any) -> None:
        inode = self._inode(int(source.rpartition("/")[2]))
        os.link(source, target, **options)
        self.operations.append(("name", target, inode))

    def rename(self, source: Path, target: Path) -> None:
        inode = source.stat().st_ino
        source.rename(target)
        self.operations += [("name", target, inode), ("unname", source)]

    def unlink(self, path: Path) -> None:
        path.unlink()
        self.operations.append(("unname", path))

    def mkdir(self, path: Path, mode: int) -> None:
        path.mkdir(mode)
        self.operations.append(("name", path, None))


class Heedless:
    """``os`` for `durable` on a disk that is only looked at."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        """Nothing: this disk's power stays."""

    fdatasync = fsync


@dataclass
class Disk:
    """What a disk holds: what it was told to, and what of that is durable. A name of None is a folder's."""

    bytes: dict[int, bytes] = field(default_factory=dict)
    synced: dict[int, bytes] = field(default_factory=dict)
    names: dict[Path, int | None] = field(default_factory=dict)
    kept: dict[Path, int | None] = field(default_factory=dict)

    def do(self, operation: Operation) -> None:
        match operation:
            case ("write", inode, data):
                self.bytes[inode] = self.bytes.get(inode, b"") + data
            case ("sync", inode):
                self.synced[inode] = self.bytes.get(inode, b"")
            case ("name", path, inode):
                self.names[path] = inode
            case ("unname", path):
                del self.names[path]
            case ("folder", folder):
                others = {path: inode for path, inode in self.kept.items() if path.parent != folder}
                self.kept = others | {path: inode for path, inode in self.names.items() if path.parent == folder}

    def after_the_cut(self, old: Path, new: Path, lucky: Callable[[], bool]) -> None:
        """Put what is left below another folder; of what was not synced, each thing is there if luck will have it."""
        left = {path: inode for path, inode in self.kept.items() if path in self.names or not lucky()}
        left |= {path: inode for path, inode in self.names.items() if path not in left and lucky()}
        for path in sorted(left):
            place, inode = new / path.relative_to(old), left[path]
            if not place.parent.is_dir():
                continue
            if inode is None:
                place.mkdir(exist_ok=True)
                continue
            content = self.bytes if lucky() else self.synced
            twin = next((new / o.relative_to(old) for o in left if o < path and left[o] == inode), None)
            if twin is not None and twin.exists():
                os.link(twin, place)
            else:
                place.write_bytes(content.get(inode, b""))


STUDY = "1.2.3"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, bytes]]:
    """Series, instance and bytes of objects, in the order of their coming: new ones, an update, a conflict, a copy."""
    folder = tmp_path_factory.mktemp("films")

    def film(sop: str, **options: Any) -> bytes:
        path = make_film(folder / "film.dcm", study_uid=STUDY, series_uid="1.2.4", sop_uid=sop, **options)
        return path.read_bytes()

    first = film("1.5.1")
    return [
        ("1.2.4", "1.5.1", first),
        ("1.2.4", "1.5.2", film("1.5.2")),
        ("1.2.4", "1.5.1", film("1.5.1", PatientName="Other^Name")),
        ("1.2.4", "1.5.1", film("1.5.1", pixels=uneven()[::-1])),
        ("1.2.4", "1.5.1", first),
    ]


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, objects: list[tuple[str, str, bytes]]
) -> tuple[Path, list[Operation]]:
    root = tmp_path_factory.mktemp("spool") / "spool"
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        spool = Spool(root)
        patch.setattr(durable, "os", recorder)
        for series, sop, data in objects:
            kept = spool.keep(STUDY, series, sop, data)
            recorder.operations.append(("told", sop, hashlib.sha256(data).hexdigest(), kept))
    return root, recorder.operations


def luck(kind: str) -> Callable[[], bool]:
    chosen = random.Random(kind)
    return {"strict": lambda: False, "all": lambda: True}.get(kind, lambda: chosen.random() < 0.5)


@pytest.mark.parametrize("kind", ["strict", "all", "this", "that", "more"])
def test_what_was_acknowledged_outlasts_a_power_cut_at_any_moment(
    recorded: tuple[Path, list[Operation]],
    objects: list[tuple[str, str, bytes]],
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(durable, "os", Heedless())
    root, operations = recorded
    assert [operation[3] for operation in operations if operation[0] == "told"] == [
        Kept.STORED,
        Kept.STORED,
        Kept.UPDATED,
        Kept.CONFLICT,
        Kept.ALREADY_STORED,
    ]
    disk, told, lucky = Disk(), 0, luck(kind)
    for moment, operation in enumerate(operations):
        disk.do(operation)
        told += operation[0] == "told"
        if isinstance(operation[1], Path) and operation[1].parent.name == ".instances" and operation[0] == "name":
            continue  # one of 256 folders, which nothing needs before the last
        place = tmp_path / str(moment)
        Spool(place)
        disk.after_the_cut(root, place, lucky)
        check(place, objects[:told])
        check_that_all_can_be_sent_again(place, objects)


def check(place: Path, acknowledged: Iterable[tuple[str, str, bytes]]) -> None:
    arrivals = Spool(place).arrivals()
    spool = Spool(place)
    found = [
        (arrival.sop_instance_uid, hashlib.sha256(spool.path(arrival).read_bytes()).hexdigest()) for arrival in arrivals
    ]
    for arrival, (_, digest) in zip(arrivals, found, strict=True):
        assert arrival.digest == digest, "an arrival whose file holds other bytes"
    for _, sop, data in acknowledged:
        expected = (sop, hashlib.sha256(data).hexdigest())
        assert expected in found, f"{sop} was acknowledged and is lost"


def check_that_all_can_be_sent_again(place: Path, objects: Iterable[tuple[str, str, bytes]]) -> None:
    spool = Spool(place)
    for series, sop, data in objects:
        spool.keep(STUDY, series, sop, data)
    first = {sop: data for _, sop, data in reversed(list(objects))}
    for sop, data in first.items():
        assert (place / STUDY / "1.2.4" / f"{sop}.dcm").read_bytes() == data, (
            "half a file took the place of a whole one"
        )
        assert (place / STUDY / "1.2.4" / f"{sop}.dcm").samefile(spool._instance(sop))
