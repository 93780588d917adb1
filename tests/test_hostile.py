"""Odd and hostile objects by C-STORE and STOW-RS: stored byte for byte, or refused with the right status.

What is stored is then read as the node reads it: its reader and decoders say what is wrong, and nothing breaks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid

from benchmarks.faults import wire
from numbering.dicom.incoming.receive import Receiver, start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.part10 import compose, split
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_series
from numbering.errors import QuarantinedInput, UnsuitableStudy
from numbering.route import route
from numbering.settings import Settings
from numbering.web.keys import Scope
from tests.films import SECRETS, SOP_CLASS, make_film
from tests.logged import logged
from tests.web import RunningWeb, running_web

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
J2K, RLE, JPEG_LS = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"
TYPE = 'multipart/related; type="application/dicom"; boundary=EDGE'
PATIENT, PIXELS = b"\x10\x00\x10\x00", b"\xe0\x7f\x10\x00"


@dataclass(frozen=True)
class Sent:
    """An object as it is announced, and its bytes."""

    sop_instance: str
    transfer_syntax: str
    data_set: bytes


@dataclass(frozen=True)
class Node:
    """A receiver and a web room over one spool."""

    receiver: Receiver
    web: RunningWeb
    client: httpx.Client
    spool: Spool
    log: StringIO


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    data = tmp_path_factory.mktemp("node")
    options = Settings(data=data, port=0, disk_minimum_mib=0, disk_minimum_percent=0)
    with logged() as log, running_web(data, web_requests_per_second=0) as web:
        spool = Spool(options.spool)
        receiver = start_receiver(options, spool)
        yield Node(receiver, web, web.client(Scope.STORE), spool, log)
        receiver.stop()


def film(folder: Path, syntax: str = EXPLICIT) -> Sent:
    sop = generate_uid()
    plain = make_film(folder / f"{sop}.dcm", rows=12, columns=8, sop_uid=sop, transfer_syntax=syntax)
    return Sent(sop, syntax, split(plain.read_bytes()).data_set)


def element(group: int, number: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """In Explicit VR Little Endian; ``length`` may lie."""
    size = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2sHL", group, number, vr, 0, size) + value
    return struct.pack("<HH2sH", group, number, vr, size) + value


def with_inserted(sent: Sent, before: bytes, inserted: bytes) -> Sent:
    at = sent.data_set.index(before)
    return replace(sent, data_set=sent.data_set[:at] + inserted + sent.data_set[at:])


def nested(levels: int) -> bytes:
    """Sequences within sequences, all of undefined length and none of them closed."""
    return (element(0x0008, 0x1140, b"SQ", b"", 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)) * levels


def cut(sent: Sent, keep: float) -> Sent:
    return replace(sent, data_set=sent.data_set[: int(keep * len(sent.data_set))])


def cut_at(sent: Sent, place: bytes) -> Sent:
    return replace(sent, data_set=sent.data_set[: sent.data_set.index(place)])


def encapsulated(folder: Path, syntax: str, frame: bytes) -> Sent:
    """A film whose pixel data is this one frame."""
    plain = film(folder)
    at = plain.data_set.index(PIXELS)
    frame += b"\0" * (len(frame) % 2)
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) + struct.pack("<HHL", 0xFFFE, 0xE000, len(frame)) + frame
    items += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return Sent(plain.sop_instance, syntax, plain.data_set[:at] + element(0x7FE0, 0x10, b"OB", items, 0xFFFFFFFF))


def deflated(sent: Sent, tail: bytes = b"") -> Sent:
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Sent(sent.sop_instance, DEFLATED, deflater.compress(sent.data_set + tail) + deflater.flush())


def bomb(folder: Path) -> Sent:
    """A deflated film with a private element of 1.2 GiB of nothing."""
    sent = film(folder)
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [deflater.compress(sent.data_set + element(0x7FE1, 0x1010, b"OB", b"", 1200 * 2**20))]
    block = b"\0" * 2**20
    parts += [deflater.compress(block) for _ in range(1200)]
    return Sent(sent.sop_instance, DEFLATED, b"".join(parts) + deflater.flush())


def replaced(sent: Sent, old: bytes, new: bytes) -> Sent:
    assert old in sent.data_set
    return replace(sent, data_set=sent.data_set.replace(old, new, 1))


SIZES = b"\x28\x00\x10\x00US\x02\x00\x0c\x00"
"""Rows: 12."""
KEPT_AND_READ: dict[str, Callable[[Path], Sent]] = {
    "as it should be": film,
    "big endian": lambda folder: film(folder, BIG),
    "implicit": lambda folder: film(folder, IMPLICIT),
    "deflated": lambda folder: deflated(film(folder)),
    "a private sequence of unknown representation": lambda folder: with_inserted(
        film(folder), PATIENT, element(0x0009, 0x1001, b"UN", b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
    ),
    "group lengths": lambda folder: with_inserted(film(folder), PATIENT, element(0x0010, 0, b"UL", b"\0\0\0\0")),
    "a value of odd length": lambda folder: with_inserted(film(folder), PATIENT, element(0x0009, 0x11, b"LO", b"abc")),
    "a character set that is none": lambda folder: replaced(film(folder), b"ISO_IR 192", b"ISO_IR 999"),
}
KEPT_AND_SET_ASIDE: dict[str, Callable[[Path], Sent]] = {
    "cut in its pixels": lambda folder: cut(film(folder), 0.95),
    "cut before its pixels": lambda folder: cut_at(film(folder), PIXELS),
    "a length beyond the end": lambda folder: with_inserted(
        film(folder), PIXELS, element(0x0029, 0x11, b"OB", b"", 0xFFFFFFF0)
    ),
    "sequences a thousand deep": lambda folder: with_inserted(film(folder), PIXELS, nested(1000)),
    "rows without end": lambda folder: replaced(film(folder), SIZES, SIZES[:-2] + b"\xff\xff"),
    "no rows": lambda folder: replaced(film(folder), SIZES, SIZES[:-2] + b"\0\0"),
    "a bomb": bomb,
    "RLE that is none": lambda folder: encapsulated(folder, RLE, b"\xff" * 80),
    "RLE with segments beyond its end": lambda folder: encapsulated(
        folder, RLE, struct.pack("<16L", 15, *[2**31] * 15)
    ),
    "JPEG 2000 that is none": lambda folder: encapsulated(folder, J2K, b"\xff\x4f\xff\x51" + b"\xff" * 60),
    "JPEG-LS that is none": lambda folder: encapsulated(
        folder, JPEG_LS, b"\xff\xd8\xff\xf7\x00\x0b\x10" + b"\xff" * 60
    ),
    "an empty frame": lambda folder: encapsulated(folder, J2K, b""),
    "plain pixels under a compressed syntax": lambda folder: replace(film(folder), transfer_syntax=J2K),
}
REFUSED: dict[str, tuple[Callable[[Path], Sent], int]] = {
    "nothing": (lambda folder: Sent("1.2.3", EXPLICIT, b""), 0xA900),
    "noise": (lambda folder: Sent("1.2.3", EXPLICIT, b"\xff" * 2048), 0xA900),
    "cut in its identifiers": (lambda folder: cut(film(folder), 0.02), 0xC000),
    "deflated and broken": (lambda folder: Sent("1.2.3", DEFLATED, b"\xff" * 999), 0xC000),
    "sequences a hundred thousand deep before its identifiers": (
        lambda folder: with_inserted(film(folder), b"\x08\x00\x16\x00", nested(10**5)),
        0xC000,
    ),
    "another instance than announced": (lambda folder: Sent("1.2.3", EXPLICIT, film(folder).data_set), 0xA900),
    "a study that is a path": (
        lambda folder: _with_study(film(folder), b"../../../../../../etc/cron.d/x"),
        0xC001,
    ),
    "a study that is a query": (lambda folder: _with_study(film(folder), b"1'; DROP TABLE jobs; --"), 0xC001),
    "a study of too many digits": (lambda folder: _with_study(film(folder), b"1." + b"9" * 70), 0xC001),
    "a study with a line break": (lambda folder: _with_study(film(folder), b"1.2\n1.3 received"), 0xC001),
}


def _with_study(sent: Sent, value: bytes) -> Sent:
    at = sent.data_set.index(b"\x20\x00\x0d\x00UI")
    length = int.from_bytes(sent.data_set[at + 6 : at + 8], "little")
    new = element(0x0020, 0x000D, b"UI", value + b"\0" * (len(value) % 2))
    data_set = sent.data_set[:at] + new + sent.data_set[at + 8 + length :]
    return Sent(sent.sop_instance, sent.transfer_syntax, data_set)


def by_c_store(node: Node, sent: Sent) -> int | str:
    return wire.c_store(node.receiver.port, SOP_CLASS["DX"], sent.sop_instance, sent.transfer_syntax, sent.data_set)


def by_stow(node: Node, sent: Sent) -> int:
    """Its failure reason; 0 when it is kept."""
    file = compose(
        sop_class=SOP_CLASS["DX"],
        sop_instance=sent.sop_instance,
        transfer_syntax=sent.transfer_syntax,
        source_ae_title="",
        data_set=sent.data_set,
    )
    body = b"\r\n--EDGE\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--EDGE--\r\n"
    answer = node.client.post("/dicom-web/studies", content=body, headers={"Content-Type": TYPE})
    assert answer.status_code in (200, 202, 409), answer.text
    assert not [secret for secret in SECRETS if secret in answer.text]
    items = answer.json().get("00081198", {"Value": []})["Value"]
    return int(items[0]["00081197"]["Value"][0]) if items else 0


def stored(node: Node, sent: Sent) -> list[Path]:
    return sorted(node.spool.root.glob(f"[0-9]*/*/{sent.sop_instance}.dcm"))


def kept(node: Node, sent: Sent) -> Path:
    """The one file, after both ways said that they keep it: its data set is the very bytes."""
    assert (by_c_store(node, sent), by_stow(node, sent)) == (0, 0)
    (path,) = stored(node, sent)
    assert split(path.read_bytes()).data_set == sent.data_set
    return path


@pytest.mark.parametrize("kind", KEPT_AND_READ)
def test_an_odd_object_is_kept_as_it_is_and_read(node: Node, tmp_path: Path, kind: str) -> None:
    path = kept(node, KEPT_AND_READ[kind](tmp_path))
    (series,) = read_series([path])
    (picture,) = radiographs(series)
    assert picture.pixels.shape == (12, 8)


@pytest.mark.parametrize("kind", KEPT_AND_SET_ASIDE)
def test_a_broken_object_is_kept_as_it_is_and_set_aside(node: Node, tmp_path: Path, kind: str) -> None:
    path = kept(node, KEPT_AND_SET_ASIDE[kind](tmp_path))
    with pytest.raises((QuarantinedInput, UnsuitableStudy)) as caught:
        number(path)
    assert not [secret for secret in SECRETS if secret in caught.value.reason.text]


def number(path: Path) -> None:
    """As far as the network, as a worker does; the reason of a refusal is raised."""
    for series in read_series([path]):
        for fate in route(series):
            if fate.reason is not None:
                raise UnsuitableStudy(fate.reason.code, fate.reason.text)
            radiographs(fate.series)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_filed_is_refused_with_its_status_both_ways(node: Node, tmp_path: Path, kind: str) -> None:
    make, status = REFUSED[kind]
    sent = make(tmp_path)
    before = sorted(node.spool.root.rglob("*"))
    assert by_c_store(node, sent) == status
    assert by_stow(node, sent) == status
    assert sorted(node.spool.root.rglob("*")) == before


def test_nothing_hostile_reached_the_log(node: Node, tmp_path: Path) -> None:
    for make in (*KEPT_AND_READ.values(), *(make for make, _ in REFUSED.values())):
        by_c_store(node, make(tmp_path))
    said = node.log.getvalue()
    assert "object refused" in said
    assert not [word for word in (*SECRETS, "Traceback", "DROP TABLE", "cron.d", "1.3 received") if word in said]
