"""Which of a patient's studies and series are worth fetching: by age, modality and body part, from what a source says.

The words for body parts are those of `numbering.views`, so a description in any of its languages counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from numbering.priors.source import FoundSeries, FoundStudy
from numbering.settings.priors import Priors
from numbering.views import Region, region_of

RADIOGRAPHS = frozenset({"CR", "DX", "RG"})


def why_not_study(study: FoundStudy, policy: Priors, *, study_instance_uid: str, study_date: date) -> str:
    """Why this study is not fetched for that one, in a few words; empty when it may be."""
    if study.study_instance_uid == study_instance_uid:
        return "the study itself"
    if study.study_date is None:
        return "no date"
    days = (study_date - study.study_date).days
    if days < policy.priors_days_from:
        return "not older"
    if days > policy.priors_days_to:
        return "too old"
    if study.modalities and not study.modalities & frozenset(policy.priors_modalities):
        return "another modality"
    if policy.priors_region == "spine" and _elsewhere(region_of(study.description), study.modalities):
        return "another body part"
    return ""


def why_not_series(series: FoundSeries, study: FoundStudy, policy: Priors) -> str:
    """Why this series is not fetched, in a few words; empty when it may be."""
    if series.modality not in policy.priors_modalities:
        return "another modality"
    if policy.priors_region == "any":
        return ""
    # The first that names a part decides: Body Part Examined, as in routing, then the descriptions.
    texts = (series.body_part, series.description, study.description)
    region = next((found for text in texts if (found := region_of(text)) is not None), None)
    if _elsewhere(region, frozenset({series.modality})):
        return "another body part"
    if region is Region.CERVICAL and series.modality in RADIOGRAPHS:
        return "the neck alone"
    return ""


def _elsewhere(region: Region | None, modalities: frozenset[str]) -> bool:
    """Whether the spine is not to be seen there. Slices of a chest show it; films of one hardly do."""
    return region is Region.OTHER or (region is Region.CHEST and not modalities - RADIOGRAPHS)


def newest(studies: Iterable[FoundStudy], policy: Priors, most: int | None = None) -> list[FoundStudy]:
    """As many as the policy wants (or ``most``), newest first; equal days in the order of their UIDs."""
    dated = sorted(studies, key=lambda each: each.study_instance_uid)
    dated.sort(key=lambda each: each.study_date or date.min, reverse=True)
    return dated[: policy.priors_studies if most is None else most]
