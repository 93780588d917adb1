from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from numbering.errors import ReasonCode
from numbering.result import (
    Findings,
    ModelIdentity,
    NumberedDisc,
    NumberingBasis,
    NumberingResult,
    Origin,
    SourceImage,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.study import View

BOX = (301.25, 702.5, 398.125, 771.0625)
BASIS = NumberingBasis(counted_from="appearance", statement="Assumed five lumbar-type vertebrae.")
REASON = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="Film 1.2.3 shows no lumbar-type vertebra.")


def vertebra(level="L5", probability=0.97):
    return Vertebra(level=level, probability=probability, sop_instance_uid="1.2.3", box=BOX)


def numbered():
    return Findings(status=Status.NUMBERED, vertebrae=(vertebra(),), basis=BASIS)


def result(**changes):
    stored = NumberingResult(
        study_instance_uid="1.1",
        series_instance_uid="1.2",
        modality="DX",
        view=View.AP,
        pipeline="ap-xray",
        software_version="0.1.0",
        model=ModelIdentity(
            name="ap-xray",
            version="1",
            weights_file="w.xml",
            weights_sha256="ab",
            trained_on="films",
            runtime="openvino",
        ),
        sources=(SourceImage(sop_instance_uid="1.2.3", sop_class_uid="1.9", digest="d1", rows=900, columns=400),),
        findings=numbered(),
        settings={"threshold": "0.5"},
        origin=Origin.NODE,
        created_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    )
    return stored.model_copy(update=changes)


def test_a_result_goes_to_json_and_back_unchanged():
    stored = result()
    assert NumberingResult.model_validate_json(stored.model_dump_json()) == stored
    assert NumberingResult.model_validate_json(stored.model_dump_json()).model_dump_json() == stored.model_dump_json()


def test_a_stored_result_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        result().revision = 2


@pytest.mark.parametrize(
    "changes",
    [
        {"software_version": "0.1.1"},
        {"pipeline": "sagittal-xray"},
        {"revision": 2},
        {"origin": Origin.RUN},
        {"settings": {"threshold": "0.6"}},
        {"sources": (SourceImage(sop_instance_uid="1.2.3", sop_class_uid="1.9", digest="d2", rows=900, columns=400),)},
        {"model": result().model.model_copy(update={"weights_sha256": "cd"})},
        {"model": result().model.model_copy(update={"runtime": "torch"})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_decides_the_answer_is_part_of_the_identity(changes):
    assert result(**changes).identity() != result().identity()


def test_the_clock_is_no_part_of_the_identity():
    assert result(created_at=datetime(2027, 1, 1, tzinfo=UTC)).identity() == result().identity()


def test_an_abstention_without_a_reason_is_refused():
    with pytest.raises(ValidationError, match="an abstention has a reason"):
        Findings(status=Status.ABSTAINED)


def test_an_abstention_names_no_vertebra():
    with pytest.raises(ValidationError, match="no numbered structure"):
        Findings(status=Status.ABSTAINED, reason=REASON, vertebrae=(vertebra(),))


def test_a_numbering_without_its_basis_is_refused():
    with pytest.raises(ValidationError, match="has a basis"):
        Findings(status=Status.NUMBERED, vertebrae=(vertebra(),))


def test_a_numbering_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="at least one numbered structure"):
        Findings(status=Status.NUMBERED, basis=BASIS)


@pytest.mark.parametrize("probability", [-0.01, 1.01, float("nan")])
def test_a_probability_lies_between_nothing_and_certain(probability):
    with pytest.raises(ValidationError, match="probability"):
        vertebra(probability=probability)


def test_a_vertebra_has_a_name_that_exists():
    with pytest.raises(ValidationError, match="not a vertebra"):
        vertebra(level="L7")


def test_a_disc_lies_between_neighbours():
    assert NumberedDisc(level="L6-S1", probability=0.5, sop_instance_uid="1.2.3").level == "L6-S1"
    with pytest.raises(ValidationError, match="neighbours in no spine"):
        NumberedDisc(level="L3-L5", probability=0.5, sop_instance_uid="1.2.3")


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="PatientName"):
        Findings.model_validate({**numbered().model_dump(), "PatientName": "x"})
