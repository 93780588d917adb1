"""A real node and a real Orthanc that goes away and comes back, commits to what it holds, and sends everything back."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from numbering.jobs.models import Delivery, InstanceRow
from numbering.jobs.states import DeliveryState, State
from numbering.jobs.store import reading
from tests.archive import LOOPBACK, Archive, free_port, running_archive
from tests.films import make_film
from tests.node import RunningNode, running_node, wait_for

EVERYTHING_BACK = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  SendToModality(instanceId, "NUMBERING")
end
"""


class Site:
    """Ports and folders that a node and an archive agree on, whoever runs first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node_port, self.ports = free_port(), (free_port(), free_port())
        self.destinations = [
            {"name": "pacs", "address": f"ARCHIVE@{LOOPBACK}:{self.ports[0]}", "commitment": True},
            {
                "name": "web",
                "address": f"http://{LOOPBACK}:{self.ports[1]}/dicom-web",
                "plain_http": True,
                "kinds": ["SR"],
            },
        ]

    def archive(self, *scripts: Path) -> AbstractContextManager[Archive]:
        modalities = {"NUMBERING": self.node_port}
        return running_archive(self.folder / "archive", modalities, ports=self.ports, scripts=scripts)

    def node(self) -> AbstractContextManager[RunningNode]:
        (self.folder / "node").mkdir()
        return running_node(
            self.folder / "node", port=self.node_port, probe_seconds=0.5, destinations=self.destinations
        )

    def film(self) -> Path:
        return make_film(self.folder / f"{generate_uid()}.dcm")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def study_of(film: Path) -> str:
    return str(dcmread(film, stop_before_pixels=True).StudyInstanceUID)


def deliveries(node: RunningNode) -> list[Delivery]:
    with reading(node.engine) as session:
        found = list(session.scalars(select(Delivery)))
        session.expunge_all()
        return found


def whole(node: RunningNode, archive: Archive, films: list[Path]) -> None:
    """Wait until every film's result is committed to; the archive then holds exactly what the node wrote."""
    wait_for(
        lambda: [row.state for row in node.rows()] == [State.COMMITTED] * len(films), "every result's commitment", node
    )
    for film in films:
        (row,) = [row for row in node.rows() if row.study_instance_uid == study_of(film)]
        assert set(archive.instances(study_of(film))) == {uid for _, uid, _ in row.objects}
    assert all(row.attempts == 1 for row in deliveries(node))


def test_an_archive_that_is_down_gets_everything_once_when_it_is_up(site: Site) -> None:
    films = [site.film() for _ in range(4)]
    with site.node() as node:
        node.send(*films[:2])
        wait_for(lambda: [row.state for row in node.rows()] == [State.ENCODED] * 2, "two results", node)
        wait_for(lambda: "cannot be reached" in node.log.read_text(), "the archive to be missed", node)
        with site.archive() as archive:
            whole(node, archive, films[:2])
        node.send(*films[2:])
        wait_for(lambda: [row.state for row in node.rows()][2:] == [State.ENCODED] * 2, "two more", node)
        with site.archive() as archive:
            whole(node, archive, films)
        by_destination = Counter((row.destination, row.state) for row in deliveries(node))
    assert by_destination == {("pacs", DeliveryState.COMMITTED): 8, ("web", DeliveryState.DELIVERED): 4}


def test_an_archive_that_sends_everything_back_makes_no_loop(site: Site) -> None:
    script = site.folder / "back.lua"
    script.write_text(EVERYTHING_BACK)
    film = site.film()
    with site.node() as node, site.archive(script) as archive:
        node.send(film)
        whole(node, archive, [film])
        uids = {uid for _, uid, _ in node.rows()[0].objects}

        def own() -> set[str]:
            with reading(node.engine) as session:
                return set(session.scalars(select(InstanceRow.sop_uid).where(InstanceRow.kind == "own")))

        wait_for(lambda: own() == uids, "our results to come back", node)
        again = site.film()  # a whole round later, nothing has come of them
        node.send(again)
        wait_for(lambda: len(own()) == 4, "the next results to come back", node)
        whole(node, archive, [film, again])
        assert [(row.state, row.revision) for row in node.rows()] == [(State.COMMITTED, 1)] * 2
        assert len(deliveries(node)) == 6
