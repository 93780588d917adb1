"""Which earlier studies and series are worth fetching, by what the archive lists of them."""

from __future__ import annotations

from datetime import date

import pytest

from numbering.priors.policy import why_not_series, why_not_study
from numbering.priors.source import FoundSeries, FoundStudy
from numbering.settings.priors import Priors

POLICY = Priors(priors_modalities=("CR", "DX", "CT", "MR"))


def study(description: str, *modalities: str) -> FoundStudy:
    return FoundStudy(
        study_instance_uid="1.2",
        study_date=date(2023, 3, 1),
        modalities=frozenset(modalities),
        description=description,
        instances=1,
    )


def series(modality: str, body_part: str = "", description: str = "") -> FoundSeries:
    return FoundSeries(
        series_instance_uid="1.3", modality=modality, body_part=body_part, description=description, instances=1
    )


@pytest.mark.parametrize(
    ("description", "modalities", "why_not"),
    [
        ("Lumbar spine", ("DX",), ""),
        ("Thorax pa", ("DX",), "another body part"),
        ("Thorax", (), "another body part"),
        ("Thorax", ("CT",), ""),
        ("Thorax", ("DX", "CT"), ""),
        ("Hand", ("CT",), "another body part"),
    ],
)
def test_slices_of_a_chest_show_the_spine_and_films_of_one_do_not(
    description: str, modalities: tuple[str, ...], why_not: str
) -> None:
    found = study(description, *modalities)
    assert why_not_study(found, POLICY, study_instance_uid="1.9", study_date=date(2024, 6, 10)) == why_not


@pytest.mark.parametrize(
    ("found", "why_not"),
    [
        (series("DX", "CHEST"), "another body part"),
        (series("CT", "CHEST"), ""),
        (series("CT", "HAND"), "another body part"),
        (series("DX", "CSPINE"), "the neck alone"),
        (series("DX", "LSPINE"), ""),
        (series("US", "LSPINE"), "another modality"),
    ],
)
def test_of_a_study_the_series_that_show_the_spine_are_fetched(found: FoundSeries, why_not: str) -> None:
    assert why_not_series(found, study("", "DX", "CT"), POLICY) == why_not
