"""What holds for every patient's record, whatever was taken, named, corrected and taken back: drawn by Hypothesis."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbering.anatomy import VARIANTS, Level
from numbering.record import Correction, Filed, conclude, reissues
from numbering.record.model import CONFIRMABLE, BasisKind, PatientRecord, levels_of
from numbering.record.shift import renumber
from numbering.study import View
from tests.patients import C2, LAST_RIB, NOON, SACRUM, ap_lumbar, axial, bare, correction, film, lumbar, sagittal

drawn = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
variants = st.sampled_from(VARIANTS)


@st.composite
def results(draw: st.DrawFn, number: int, anchors: tuple[str, ...] = (C2, LAST_RIB, SACRUM, "AP")) -> Filed:
    """One series of a patient; by mistake now and then of another one's spine, or with a vertebra missed."""
    uid, spine, anchor = f"1.2.{number}", draw(variants), draw(st.sampled_from(anchors))
    more = {
        "study": f"1.2.{draw(st.integers(100, 102))}",
        "space": draw(st.sampled_from([None, None, "1.9.1", "1.9.2"])),
        "view": draw(st.sampled_from([View.AP, View.LATERAL, View.SAGITTAL, None])),
        "modality": draw(st.sampled_from(["DX", "CT", "MR"])),
        "probability": draw(st.sampled_from([0.6, 0.9, 0.97, 0.999])),
    }
    if anchor == "AP":
        return ap_lumbar(uid, spine, **{key: more[key] for key in ("study", "view", "modality")})
    if anchor == C2:
        return film(uid, spine, (2, draw(st.integers(8, 26))), **more)
    above = draw(st.integers(6, 10)) if anchor == LAST_RIB else draw(st.integers(1, 10))
    return lumbar(uid, spine, anchor, above=above, **more)


@st.composite
def patients(draw: st.DrawFn, most: int = 4, anchors: tuple[str, ...] = (C2, LAST_RIB, SACRUM, "AP")) -> list[Filed]:
    """Some series of one patient, bare slices among them."""
    numbered = [draw(results(number, anchors)) for number in range(draw(st.integers(1, most)))]
    if draw(st.booleans()):
        numbered.append(bare("1.2.90", "1.9.1", [sagittal(2.0), axial(-700.0)]))
    return numbered


@st.composite
def corrections(draw: st.DrawFn, filed: list[Filed], most: int = 3) -> list[Correction]:
    """Of vertebrae of these series, most of them by one level."""
    made = []
    for number in range(draw(st.integers(0, most))):
        one = draw(st.sampled_from([one for one in filed if one.result]))
        was = draw(st.sampled_from(one.result.findings.vertebrae)).level
        levels = list(Level)
        index = min(max(levels.index(Level(was)) + draw(st.integers(-1, 1)), 0), len(levels) - 1)
        verified, hours = draw(st.booleans()), draw(st.integers(0, 5))
        made.append(correction(one, was, str(levels[index]), verified=verified, hours=hours, uid=f"2.25.{number}"))
    return made


def names(record: PatientRecord) -> dict[tuple[str, str, float], str]:
    """Every structure's name by its place."""
    return {
        (entry.series_instance_uid, one.place.sop_instance_uid, one.place.y, one.is_disc): one.name
        for entry in record.series
        for one in entry.structures
    }


@drawn
@given(st.data())
def test_the_order_of_arrival_does_not_matter(data):
    filed = data.draw(patients())
    said = data.draw(corrections(filed))
    record = conclude(filed, said)
    assert conclude(data.draw(st.permutations(filed)), data.draw(st.permutations(said))) == record


@drawn
@given(st.data())
def test_what_comes_twice_changes_nothing(data):
    filed = data.draw(patients())
    said = data.draw(corrections(filed))
    twice, again = [*filed, *filed], [*said, *said]
    assert conclude(twice, again) == conclude(filed, said)


@drawn
@given(st.data())
def test_taking_a_source_or_a_correction_away_restores_the_earlier_state(data):
    """Through what was issued, too: the results are issued as they first were, in new revisions."""
    filed = [one.model_copy(update={"issued": one.result}) for one in data.draw(patients(3))]
    base = issued(filed, ())
    said = data.draw(corrections(filed))
    more = data.draw(results(50))
    with_more = issued([*base, more], said)
    back = issued([one for one in with_more if one.series_instance_uid != "1.2.50"], ())
    assert conclude(back) == conclude(base).model_copy(update={"series": conclude(back).series})
    assert names(conclude(back)) == names(conclude(base))
    assert [one.issued and one.issued.findings for one in back] == [one.issued and one.issued.findings for one in base]


def issued(filed, said):
    """The patient's results after everything was issued that has to be."""
    made = {one.result.series_instance_uid: one.result for one in reissues(filed, said, at=NOON)}
    after = [one.model_copy(update={"issued": made.get(one.series_instance_uid, one.issued)}) for one in filed]
    assert reissues(after, said, at=NOON) == ()
    return after


@drawn
@given(st.data())
def test_a_revision_names_the_report_that_it_supersedes(data):
    filed = [one.model_copy(update={"issued": one.result}) for one in data.draw(patients(3))]
    for one in reissues(filed, data.draw(corrections(filed)), at=NOON):
        assert one.result.revision == 2
        assert one.result.predecessor_sr_uid is not None
        assert one.why
        sources = {image.sop_instance_uid for image in one.result.sources}
        assert {found.sop_instance_uid for found in one.result.findings.vertebrae} <= sources


@drawn
@given(st.data())
def test_no_series_ever_has_two_vertebrae_of_one_level_on_one_image(data):
    filed = data.draw(patients())
    record = conclude(filed, data.draw(corrections(filed)))
    for entry in record.series:
        for image in entry.images:
            found = [one.name for one in entry.structures if one.place.sop_instance_uid == image]
            assert len(found) == len(set(found))


@drawn
@given(st.data())
def test_a_correction_moves_its_whole_series_by_the_same_number(data):
    filed = data.draw(results(1, (C2, LAST_RIB, SACRUM)))
    (said,) = data.draw(corrections([filed], 1).filter(bool))
    record = conclude([filed], [said])
    (entry,) = record.series
    after = sorted((one.place.y, levels_of(one.name)[0]) for one in entry.structures)
    if len(after) < len(filed.result.findings.vertebrae):
        assert [one.name for one in entry.structures] == [said.name]
        return
    before = [Level(one.level) for one in filed.result.findings.vertebrae]
    renaming = dict(zip(before, [level for _, level in after], strict=True))
    assert said.name in map(str, renaming.values())
    assert any(
        len({new.ordinal(renaming[level]) - old.ordinal(level) for level in before}) == 1
        for old in VARIANTS
        for new in VARIANTS
        if {*before} <= {*old.levels()} and {*renaming.values()} <= {*new.levels()}
    )


@drawn
@given(st.data())
def test_presumed_counts_that_agree_confirm_nothing(data):
    filed = data.draw(patients(4, (LAST_RIB, SACRUM, "AP")))
    record = conclude(filed)
    alone = {entry.series_instance_uid: entry for one in filed for entry in conclude([one]).series}
    assert not any(one.basis.confirmed for entry in record.series for one in entry.structures)
    assert record.anchor is None or record.anchor.kind not in CONFIRMABLE
    for entry in record.series:
        kinds = {one.basis.kind for one in entry.structures}
        assert BasisKind.COUNTED_FROM_C2 not in kinds
        own = alone[entry.series_instance_uid].structures
        if own and entry.frame_of_reference_uid is None:
            assert [one.basis.kind for one in entry.structures] == [one.basis.kind for one in own]


@drawn
@given(st.data())
def test_what_contradicts_a_name_never_makes_it_more_probable(data):
    filed = data.draw(patients(3))
    before = conclude(filed)
    after = conclude([*filed, data.draw(results(50))])
    new = set(after.contradictions) - set(before.contradictions)
    contradicted = {series for one in new if "1.2.50" in one.series for series in one.series} - {"1.2.50"}
    was = {(entry.series_instance_uid, one.place): one for entry in before.series for one in entry.structures}
    for entry in after.series:
        for one in entry.structures:
            old = was.get((entry.series_instance_uid, one.place))
            if entry.series_instance_uid in contradicted and old is not None and old.name == one.name:
                assert one.probability <= old.probability + 1e-9


@drawn
@given(st.data())
def test_confirmed_names_never_presume_and_come_from_c2_or_a_person(data):
    filed = data.draw(patients())
    said = data.draw(corrections(filed))
    record = conclude(filed, said)
    for entry in record.series:
        for one in entry.structures:
            assert 0 <= one.probability <= 1
            if one.basis.confirmed:
                assert one.basis.kind in CONFIRMABLE
                assert one.basis.kind is BasisKind.COUNTED_FROM_C2 or any(each.verified for each in said)


@drawn
@given(st.data())
def test_shifted_names_follow_one_another_as_before(data):
    spine = data.draw(variants)
    first = data.draw(st.integers(1, 20))
    levels = spine.levels()[first : first + data.draw(st.integers(1, 9))]
    pin, name = data.draw(st.sampled_from(levels)), data.draw(st.sampled_from(Level))
    renaming = renumber(levels, {pin: name})
    if renaming is None:
        return
    assert renaming[pin] is name
    assert len({*renaming.values()}) == len(levels)
    assert all(renaming[upper] < renaming[lower] for upper, lower in pairwise(levels))
