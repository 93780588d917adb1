"""Who is let in, and how much one sender may use, over all processes that receive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from numbering.dicom.incoming import limits
from numbering.dicom.incoming.access import Door, Refusal
from numbering.dicom.incoming.limits import Pace, Slot, Slots, Watermark
from numbering.settings import Settings
from numbering.settings.kinds import AllowedPeer

PEERS = [AllowedPeer.parse(text) for text in ("CT1@10.1.2.0/24", "MR7", "@192.0.2.8", "V6@2001:db8::/32")]


@pytest.mark.parametrize(
    ("calling", "address", "refusal"),
    [
        ("CT1", "10.1.2.9", None),
        ("CT1 ", "10.1.2.9", None),
        ("CT1", "10.1.3.9", Refusal.ADDRESS),
        ("CT1", "::ffff:10.1.2.9", None),
        ("MR7", "203.0.113.1", None),
        ("ELSE", "192.0.2.8", None),
        ("V6", "2001:db8::1", None),
        ("V6", "fe80::1%eth0", Refusal.ADDRESS),
    ],
)
def test_a_peer_is_let_in_by_title_and_address(calling: str, address: str, refusal: Refusal | None) -> None:
    assert Door("NODE", peers=PEERS).refusal("NODE", calling, address) is refusal


def test_a_title_that_nobody_listed_is_not_recognised() -> None:
    door = Door("NODE", peers=[AllowedPeer.parse("CT1@10.1.2.0/24")])
    assert door.refusal("NODE", "ELSE", "10.1.2.9") is Refusal.CALLING_AE_TITLE


def test_another_called_title_is_refused_unless_that_is_allowed() -> None:
    assert Door("NODE").refusal("OTHER", "CT1", "10.1.2.9") is Refusal.CALLED_AE_TITLE
    assert Door("NODE", require_called=False).refusal("OTHER", "CT1", "10.1.2.9") is None


@pytest.mark.parametrize("text", ["", "@", "CT1@", "CT1@nowhere", "A" * 17, "CT1@10.0.0.0/40"])
def test_a_peer_that_cannot_be_read_stops_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(peers=(text,))


def test_slots_are_counted_for_all_and_for_each_peer(tmp_path: Path) -> None:
    first, second = Slots(tmp_path, 3, 2), Slots(tmp_path, 3, 2)  # as two processes have them
    taken = [first.take("a"), second.take("a")]
    assert all(isinstance(one, Slot) for one in taken)
    assert first.take("a") is Refusal.TOO_MANY_OF_PEER
    other = first.take("b")
    assert isinstance(other, Slot)
    assert second.take("c") is Refusal.TOO_MANY
    other.release()
    other.release()
    assert isinstance(second.take("c"), Slot)


def test_a_network_of_ipv6_addresses_counts_as_one_for_slots_and_pace(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 9, 1)
    taken = [slots.take(address) for address in ("2001:db8::1", "2001:db8:0:1::1", "10.0.0.1", "10.0.0.2")]
    assert all(isinstance(one, Slot) for one in taken)
    assert slots.take("2001:db8::ffff:1") is Refusal.TOO_MANY_OF_PEER
    assert slots.take("::ffff:10.0.0.1") is Refusal.TOO_MANY_OF_PEER
    pace = Pace(tmp_path / "pace", 0.01)
    pace.wait_seconds("2001:db8::1")
    assert pace.wait_seconds("2001:db8::2") > 100


def test_a_killed_process_gives_its_slots_back(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from numbering.dicom.incoming.limits import Slots;"
        "slot = Slots(Path(sys.argv[1]), 1, 1).take('a'); print(slot, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert Slots(tmp_path, 1, 1).take("b") is Refusal.TOO_MANY
        process.kill()
        process.wait()
    assert isinstance(Slots(tmp_path, 1, 1).take("b"), Slot)


def test_a_sender_is_held_to_its_pace_over_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    paces = [Pace(tmp_path / "pace", 10), Pace(tmp_path / "pace", 10)]
    waits = [paces[number % 2].wait_seconds("10.0.0.1") for number in range(14)]
    assert waits[:10] == pytest.approx([0.0] * 10)  # what it did not use in the last second
    assert waits[10:] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert paces[0].wait_seconds("10.0.0.2") == 0.0
    now[0] = 3.0  # the machine was started anew, and its clock with it: nobody waits for hours
    assert paces[0].wait_seconds("10.0.0.1") == 0.0


def test_no_pace_is_no_wait(tmp_path: Path) -> None:
    assert [Pace(tmp_path / "pace", 0).wait_seconds("a") for _ in range(1000)] == [0.0] * 1000


@pytest.mark.parametrize(
    ("minimum_bytes", "minimum_percent", "reached"), [(0, 0, False), (2**60, 0, True), (0, 100, True)]
)
def test_the_watermark_is_bytes_or_percent(
    tmp_path: Path, minimum_bytes: int, minimum_percent: float, reached: bool
) -> None:
    assert Watermark(tmp_path, minimum_bytes, minimum_percent).reached() is reached
