"""What numbering nodes wrote comes back: it is known, kept or dropped, and never numbered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select

from numbering.dicom import MANUFACTURER
from numbering.jobs import retention
from numbering.jobs.models import Delivery, InstanceRow
from numbering.jobs.store import reading
from tests.house import House, running_house


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with running_house(tmp_path, monkeypatch) as house:
        house.set(archive="ARCHIVE@127.0.0.1:9")
        house.receive(house.film())
        house.assemble()
        house.work()
        yield house


def come_back(house: House) -> list[Path]:
    """Our objects are sent to us; where the spool keeps them."""
    for _, _, path in house.only().objects:
        house.receive(house.node.path(path))
    house.assemble()
    return kept(house)


def kept(house: House) -> list[Path]:
    uids = [uid for _, uid, _ in house.only().objects]
    return [path for path in house.node.spool.root.rglob("*.dcm") if path.stem in uids]


def kinds(house: House) -> list[str]:
    with reading(house.node.engine) as session:
        return sorted(session.scalars(select(InstanceRow.kind)))


def test_our_results_are_kept_and_make_no_work(house: House) -> None:
    assert come_back(house)
    assert kinds(house) == ["image", "own", "own"]
    with reading(house.node.engine) as session:
        assert len(session.scalars(select(Delivery)).all()) == 2
    assert house.only().revision == 1


def test_our_results_are_dropped_where_that_is_the_policy_as_often_as_they_come(house: House) -> None:
    house.set(own_results="drop")
    for _ in range(2):
        come_back(house)
        retention.finish(house.node)
        assert kept(house) == []
        assert kinds(house) == ["image", "own", "own"]
    assert [row.revision for row in house.rows()] == [1]


def test_an_image_of_another_numbering_node_is_not_numbered(house: House) -> None:
    house.receive(house.film(Manufacturer=MANUFACTURER))
    house.assemble()
    assert len(house.rows()) == 1
    assert kinds(house) == ["image", "own"]


def test_our_object_is_known_by_its_uid_whatever_an_archive_writes_into_it(house: House, tmp_path: Path) -> None:
    ds = dcmread(house.node.path(house.only().objects[0][2]))
    ds.Manufacturer, ds.SoftwareVersions = "Some archive", "7"
    ds.save_as(tmp_path / "coerced.dcm")
    house.receive(tmp_path / "coerced.dcm")
    house.assemble()
    assert kinds(house) == ["image", "own"]
    assert len(house.rows()) == 1
