"""Plans from a modality worklist (DCMTK's wlmscpfs), and what of an item is the plan."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from numbering.checking.gather import Asked, NoAnswer, question_of
from numbering.checking.question import Misused
from numbering.dicom.worklist import Item, WorklistFailed, items_of, patient_of_items, plan_of
from numbering.levelcheck import NotUnderstood, Plan
from numbering.levelcheck.plan import Unclear
from numbering.priors.source import Patient
from numbering.settings import Settings
from numbering.settings.checking import PlanPlace
from tests.archive import free_port
from tests.worklist import Step, running_worklist

L4_L5 = ("SCT", "84020006")
STEPS = [
    Step(accession="A1", step="TLIF L4/5, left", procedure="Spine surgery", issuer="HOSPITAL"),
    Step(accession="A2", step="spine", step_codes=[L4_L5]),
    Step(accession="TWO", step="TLIF L4/5"),
    Step(accession="TWO", step="TLIF L4/5", patient_id="OTHER"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_worklist(tmp_path_factory.mktemp("worklist"), STEPS) as address:
        yield address


def settings(address: str, **more: object) -> Settings:
    return Settings(worklist=address, **more)  # type: ignore[arg-type]


def found(address: str, accession: str) -> list[Item]:
    return items_of(settings(address).worklist_peer, "NUMBERING", accession, 10)


def test_an_items_plan_and_patient_are_found_by_its_accession_number(address: str) -> None:
    items = found(address, "A1")
    assert patient_of_items(items) == Patient("SECRETID-7", "HOSPITAL")
    plan = plan_of(items, "step-description")
    assert isinstance(plan, Plan)
    assert (plan.name, plan.side) == ("L4-L5", "L")


def test_a_plan_may_be_a_code(address: str) -> None:
    plan = plan_of(found(address, "A2"), "step-code")
    assert isinstance(plan, Plan)
    assert plan.name == "L4-L5"
    assert plan_of(found(address, "A2"), "step-description") == NotUnderstood(Unclear.NO_NAME)


def test_an_accession_number_of_two_patients_or_of_none_gives_no_patient(address: str) -> None:
    assert len(found(address, "TWO")) == 2
    assert patient_of_items(found(address, "TWO")) is None
    assert patient_of_items([]) is None
    nobody = Item(patient=Patient(""), texts=item(step_description=("L4",)).texts)
    assert patient_of_items([nobody]) is None


@pytest.mark.parametrize("accession", ["A*", "?", "", "A" * 17, "A\\B"])
def test_an_accession_number_that_could_match_others_is_not_asked_for(accession: str) -> None:
    with pytest.raises(WorklistFailed, match="exactly"):
        found(f"NOBODY@127.0.0.1:{free_port()}", accession)


def test_a_worklist_that_is_down_or_rejects_us_says_so_and_names_no_patient(address: str) -> None:
    for wrong in (f"NOBODY@127.0.0.1:{free_port()}", address.replace("WORKLIST", "STRANGER")):
        with pytest.raises(WorklistFailed, match=r"127\.0\.0\.1"):
            found(wrong, "A1")


def test_the_question_takes_plan_and_patient_from_the_worklist(address: str) -> None:
    asked = Asked(worklist="A1", at="1.2.3:4,5", side="l")
    question = question_of(asked, settings(address), lambda name: None)
    assert isinstance(question.plan, Plan)
    assert question.patients == (Patient("SECRETID-7", "HOSPITAL"),)
    assert question.plan_source == "worklist"
    for accession, why in (("NONE", "no step"), ("TWO", "one and the same patient")):
        with pytest.raises(NoAnswer, match=why):
            question_of(Asked(worklist=accession), settings(address), lambda name: None)


def test_without_a_worklist_in_the_settings_asking_it_is_misuse() -> None:
    with pytest.raises(Misused, match="NUMBERING_WORKLIST"):
        question_of(Asked(worklist="A1"), Settings(), lambda name: None)


def item(**texts: tuple[str, ...]) -> Item:
    places: dict[PlanPlace, tuple[str, ...]] = {
        "step-description": (),
        "step-code": (),
        "procedure-description": (),
        "procedure-code": (),
    }
    named = {name.replace("_", "-"): value for name, value in texts.items()}
    return Item(patient=Patient("P"), texts={**places, **named})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([item()], Unclear.EMPTY),
        ([item(step_description=("TLIF L4?",))], Unclear.NO_NAME),
        ([item(step_description=("L4", "L5"))], Unclear.SEVERAL_NAMES),
        ([item(step_description=("L4",)), item(step_description=("L5",))], Unclear.SEVERAL_NAMES),
        ([item(step_description=("L4", "spine"))], Unclear.NO_NAME),
        ([item(step_description=("L4",), procedure_description=("L5",))], Unclear.SEVERAL_NAMES),
        ([item(step_description=("L4/5",), procedure_code=("SCT\x00715056000",))], Unclear.SEVERAL_NAMES),
        ([item(step_description=("L4 left",), procedure_description=("L4 right",))], Unclear.SEVERAL_SIDES),
        ([item(step_description=("L4",), procedure_description=("L4 right",))], Unclear.SEVERAL_SIDES),
        ([item(step_description=("L4 left", "L4 right"))], Unclear.SEVERAL_NAMES),
    ],
)
def test_a_worklist_item_that_does_not_name_one_level_is_not_understood(items: list[Item], why: Unclear) -> None:
    assert plan_of(items, "step-description") == NotUnderstood(why)


def test_what_other_places_say_of_no_level_does_not_matter() -> None:
    plan = plan_of([item(step_description=("L4 left",), procedure_description=("Spine surgery",))], "step-description")
    assert isinstance(plan, Plan)
    same = plan_of([item(step_description=("L4 left",), procedure_description=("L4",))], "step-description")
    assert same == plan
