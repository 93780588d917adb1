"""A patient with six lumbar-type vertebrae: two lumbar films, a check, a whole-spine film, the same check, a person.

Films are simulated; what the pipelines find on them is what a reader of each film alone could say (the truth's
``justified``), so that the story tells of the record and the check, not of the networks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from typer.testing import CliRunner

from numbering.cli import app
from numbering.jobs.delivering import deliver_due
from numbering.jobs.record.corrections import By, Said, file_corrections
from numbering.phantom.generate import generate
from numbering.phantom.imaging.film import exposure
from numbering.phantom.imaging.film.geometry import Beam
from numbering.phantom.imaging.film.position import FIELDS_OF_VIEW, FieldOfView, View
from numbering.phantom.pose import Skeleton
from numbering.phantom.truth import read
from numbering.phantom.truth.film import FilmVertebra, TrueImage
from numbering.pipelines.ap_xray.card import CARD as AP_XRAY
from numbering.pipelines.sagittal_xray.card import CARD as SAGITTAL_XRAY
from numbering.record.model import Place
from numbering.result import Alternative, Findings, NumberingBasis, Status, Vertebra
from numbering.settings.delivering import DestinationSettings
from numbering.study import Radiograph
from tests.archive import Archive, running_archive
from tests.house import House, running_house
from tests.records import settle
from tests.stub_pipeline import Stub
from tests.true_findings import true_findings

SEED, ANOMALY, FILM_PIXELS = 11, "L6", 512
HIGHER_MM = 190.0
"""So much higher than usual reaches the whole-spine film: C2 is in view, as on slot-scanned films."""
ELSE_PROBABILITY = 0.05
READER = By(source="command", account="reader", person="Reader^Anna", organisation="Test hospital")


@dataclass(frozen=True)
class Film:
    """A simulated film, its truth, and what is found on it."""

    file: Path
    truth: TrueImage
    findings: Findings

    @property
    def lowest(self) -> FilmVertebra:
        """The lowest lumbar-type vertebra."""
        (found,) = (one for one in self.truth.vertebrae if one.lowest_lumbar)
        return found

    def middle(self, *points: Sequence[float]) -> Place:
        """The place in the middle of some points of the film."""
        x, y = np.mean(points, axis=0)
        return Place(sop_instance_uid=self.truth.sop_instance_uid, x=float(x), y=float(y))


@dataclass(frozen=True)
class Films:
    """What is taken of the patient, in this order."""

    ap: Film
    lateral: Film
    whole: Film

    @property
    def all(self) -> Sequence[Film]:
        return (self.ap, self.lateral, self.whole)


def taken(folder: Path) -> Films:
    """The patient's films."""
    aim = exposure.aim

    def higher(skeleton: Skeleton, view: View, field: FieldOfView, *asked: Any, **more: Any) -> Beam:
        beam = aim(skeleton, view, field, *asked, **more)
        rows = round(HIGHER_MM / beam.pitch) if field == "whole-spine" else 0
        return replace(beam, rows=beam.rows + rows, corner=beam.corner - beam.down * rows * beam.pitch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposure, "aim", higher)
        (patient,) = generate(
            folder, seed=SEED, count=1, views=("ap", "lateral"), field_of_view=FIELDS_OF_VIEW, anomaly=ANOMALY,
            film_pixels=FILM_PIXELS,
        )  # fmt: skip
    images = {(image.view, image.field_of_view): image for image in read(patient).images}
    ap, lateral, spine = images["AP", "lumbar"], images["lateral", "lumbar"], images["lateral", "whole-spine"]
    assert spine.justified is not None
    assert spine.justified.basis == "counted-from-c2"
    counted = true_findings(spine)
    assert counted.basis is not None
    basis = counted.basis.model_copy(update={"counted_from": "C2", "statement": "Counted from C2 to S1."})
    return Films(
        ap=Film(patient / ap.file, ap, _lowest(ap)),
        lateral=Film(patient / lateral.file, lateral, _presumed(lateral)),
        whole=Film(patient / spine.file, spine, counted.model_copy(update={"basis": basis})),
    )


def _lowest(image: TrueImage) -> Findings:
    """The lowest lumbar-type vertebra of a frontal film, by appearance."""
    (lowest,) = (one for one in image.vertebrae if one.lowest_lumbar)
    found = Vertebra(level="L5", probability=0.97, sop_instance_uid=image.sop_instance_uid, box=lowest.box)
    basis = NumberingBasis(
        counted_from="lowest lumbar-type vertebra by appearance, presumed L5",
        statement="The lowest lumbar-type vertebra by appearance, presumed L5.",
    )
    return Findings(status=Status.NUMBERED, vertebrae=(found,), basis=basis)


def _presumed(image: TrueImage) -> Findings:
    """What a reader of this film alone would say, and what else it might be: the true names."""
    true = true_findings(image)
    assert image.justified is not None
    assert image.justified.reading is not None
    assert image.justified.basis == "presumed-by-sacrum"
    names = (*image.justified.reading.levels, "S1")
    named = tuple(one.model_copy(update={"level": name}) for one, name in zip(true.vertebrae, names, strict=True))
    return Findings(
        status=Status.NUMBERED,
        vertebrae=named,
        alternative=Alternative(probability=ELSE_PROBABILITY, levels=tuple(one.level for one in true.vertebrae)),
        basis=NumberingBasis(
            counted_from="sacrum",
            anchors_in_view=("sacrum",),
            assumptions=("five lumbar-type vertebrae",),
            statement="Counted from the sacrum, five lumbar-type vertebrae presumed.",
        ),
    )


class Reader(Stub):
    """Finds on each film what the story says."""

    films: Sequence[Film] = ()

    def number(self, images: Sequence[Radiograph]) -> Findings:
        uid = images[0].sop_instance_uid
        (findings,) = (film.findings for film in self.films if film.truth.sop_instance_uid == uid)
        return findings


@dataclass
class Told:
    """A node with its archive, and the patient's films."""

    house: House
    archive: Archive
    films: Films
    folder: Path

    def arrives(self, *films: Film) -> None:
        """The films come, are numbered, and what follows from them for the others is delivered."""
        for film in films:
            self.house.receive(film.file)
        self.house.assemble()
        self.house.work()
        self.settled()

    def settled(self) -> None:
        """What the workers of a running node do by themselves."""
        settle(self.house)
        deliver_due(self.house.node, "pacs")

    def verified(self, name: str, *films: Film) -> None:
        """A person says what the lowest lumbar-type vertebra is called on these films."""
        said = [Said(place=film.middle(*film.lowest.corners), name=name) for film in films]
        file_corrections(self.house.node.engine, said, READER)
        self.settled()

    def checked(self, planned: str, on: Film | None = None) -> tuple[int, dict[str, object]]:
        """Exit code and answer of the check at the disc above the sacrum; its report goes to the archive."""
        film = on or self.films.lateral
        assert film.truth.s1 is not None
        at = film.middle(*film.lowest.corners[2:], *film.truth.s1)
        mark = f"{at.sop_instance_uid}:{at.x:.1f},{at.y:.1f}"
        data = str(self.house.node.settings.data)
        asked = ["check", "--data", data, "--planned", planned, "--at", mark, "--json", "-", "--sr"]
        result = CliRunner().invoke(app, asked)
        assert result.stdout.startswith("{"), result.output
        self.settled()
        return result.exit_code, json.loads(result.stdout)

    def held(self, name: str) -> dict[Path, Dataset]:
        """All that the archive holds of the patient's studies now."""
        into = self.folder / name
        into.mkdir()
        paths = [
            self.archive.download(uid, into)
            for study in self.archive.studies()
            for uid in self.archive.instances(study)
        ]
        return {path: dcmread(path) for path in paths}


@contextmanager
def told(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Told]:
    """The story's node, archive and films; nothing has arrived."""
    films = taken(folder / "films")
    patch.setattr(Reader, "films", films.all)
    patch.setenv("NUMBERING_BROKER_URL", "redis://127.0.0.1:1/0")
    with running_archive(folder / "archive") as archive, running_house(folder, patch) as house:
        for card in (AP_XRAY, SAGITTAL_XRAY):
            patch.setitem(card.__dict__, "path", "tests.story:Reader")
        patch.setattr("numbering.route.CARDS", (AP_XRAY, SAGITTAL_XRAY))
        patch.setattr("numbering.pipelines.CARDS", (AP_XRAY, SAGITTAL_XRAY))
        destination = {"name": "pacs", "address": archive.destination}
        house.set(destinations=(DestinationSettings.model_validate(destination),))
        patch.setenv("NUMBERING_DESTINATIONS", json.dumps([destination]))
        yield Told(house, archive, films, folder)
