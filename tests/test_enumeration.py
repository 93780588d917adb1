"""The solver against the sum over every path, and what must hold for any evidence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations, pairwise, product
from math import exp, log, log1p

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbering.anatomy import USUAL, VARIANTS, Level, Variant
from numbering.enumeration import (
    LEVELS,
    Anchor,
    Evidence,
    Numbering,
    Solver,
    SpineModel,
    dens,
    refusal,
    rib_bearing,
    sacrum,
)
from numbering.enumeration.graph import LOWEST, spine_graph

FEW = {USUAL: 0.7, Variant(11, 5): 0.1, Variant(12, 6): 0.15, Variant(11, 6): 0.05}
RNG = np.random.default_rng(4)
MODEL = SpineModel(
    variants=FEW,
    start=RNG.normal(0, 1, len(LEVELS)),
    end=RNG.normal(0, 1, len(LEVELS)),
    missed=0.1,
    most_missed=1,
    longest_run=1,
    repeated=0.05,
    spacing_weight=0.7,
)
SOLVER = Solver(MODEL)
USUAL_SOLVER = Solver()
BRIEF = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def random_evidence(seed: int, count: int, *, strength: float = 2.0, dimensions: int = 1) -> Evidence:
    rng = np.random.default_rng(seed)
    along = np.cumsum(rng.uniform(5, 60, count))
    positions = along if dimensions == 1 else np.stack([*rng.normal(0, 5, (2, count)), -along], 1)
    return Evidence(rng.normal(0, strength, (count, len(LEVELS))), rng.normal(-3, 1, count), positions)


def paths(levels: tuple[Level, ...], count: int, model: SpineModel):
    """Every way to give these levels of one spine to candidates: pairs of candidate and index of level."""
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            if any(b - a - 1 > model.longest_run for a, b in pairwise(chosen)):
                continue
            hops = [range(model.most_missed + 2)] * (size - 1)
            for first, *steps in product(range(len(levels)), *hops):
                at = np.cumsum([first, *steps])
                if at[-1] < len(levels):
                    yield list(zip(chosen, at.tolist(), strict=True))


def weight(path: list[tuple[int, int]], levels, prior: float, scale: int, evidence: Evidence, model: SpineModel):
    """Probability weight of one path, written down from the definition: one spine, one scale, no tree."""
    column = [LEVELS.index(level) for level in levels]
    total = log(prior) + log(model.scale_weights[scale]) + model.start[column[path[0][1]]]
    chosen = {candidate for candidate, _ in path}
    total += sum(evidence.log_likelihood[candidate, column[at]] for candidate, at in path)
    total += sum(evidence.spurious[i] for i in range(len(evidence)) if i not in chosen)
    for (one, above), (other, below) in pairwise(path):
        gap = abs(evidence.positions_mm[other] - evidence.positions_mm[one])
        if above == below:
            total += log(model.repeated)
            mean, sd = 0.0, model.repeat_mm
        else:
            total += log1p(-model.repeated) + log1p(-model.missed) + (below - above - 1) * log(model.missed)
            mean = sum(model.spacing_mm[column[at]] for at in range(above, below)) * model.scales[scale]
            sd = np.sqrt(sum(model.spacing_sd_mm[column[at]] ** 2 for at in range(above, below)))
        usual = np.exp(-0.5 * ((gap - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        total += model.spacing_weight * log((1 - model.odd_spacing) * usual + model.odd_spacing / 100)
    return exp(total + model.end[column[path[-1][1]]])


def brute_force(evidence: Evidence, model: SpineModel):
    """Weights of all labellings, and of all variants, by listing every path of every variant."""
    priors = {variant: prior / sum(model.variants.values()) for variant, prior in model.variants.items()}
    normal = sum(
        prior * exp(model.start[LEVELS.index(level)])
        for variant, prior in priors.items()
        for level in variant.levels()
        if level <= LOWEST
    )
    labellings: dict[tuple, float] = defaultdict(float)
    variants: dict[Variant, float] = defaultdict(float)
    nothing = exp(model.nothing + evidence.spurious.sum())
    labellings[(None,) * len(evidence)] = nothing
    for variant, prior in priors.items():
        variants[variant] += nothing * prior
        levels = tuple(level for level in variant.levels() if level <= LOWEST)
        for path in paths(levels, len(evidence), model):
            named = dict(path)
            names = tuple(levels[named[i]] if i in named else None for i in range(len(evidence)))
            for scale in range(len(model.scales)):
                value = weight(path, levels, prior / normal, scale, evidence, model)
                labellings[names] += value
                variants[variant] += value
    return labellings, variants


@pytest.mark.parametrize(("seed", "count"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_sums_are_those_over_every_path_of_every_variant(seed: int, count: int) -> None:
    evidence = random_evidence(seed, count)
    labellings, variants = brute_force(evidence, MODEL)
    total = sum(labellings.values())
    found = SOLVER.number(evidence)

    assert SOLVER.log_evidence(evidence) == pytest.approx(log(total), abs=1e-9)
    assert dict(found.variants.items()) == pytest.approx({v: w / total for v, w in variants.items()})
    for i in range(count):
        for column, level in enumerate(LEVELS):
            expected = sum(w for names, w in labellings.items() if names[i] is level) / total
            assert found.marginals[i, column] == pytest.approx(expected, abs=1e-10)
    assert found.probability == pytest.approx(labellings[found.levels] / total)
    assert found.alternative is not None
    assert found.alternative_probability == pytest.approx(labellings[found.alternative] / total)


@pytest.mark.parametrize("seed", range(6))
def test_with_one_scale_and_variant_the_best_numbering_and_the_best_different_one_are_the_likeliest(seed: int) -> None:
    model = replace(MODEL, variants={USUAL: 1.0}, scales=np.array([1.0]), scale_weights=np.array([1.0]))
    evidence = random_evidence(seed, 3, strength=3.0)
    labellings, _ = brute_force(evidence, model)
    found = Solver(model).number(evidence)

    assert labellings[found.levels] == pytest.approx(max(labellings.values()))

    def differs(names: tuple) -> bool:
        pairs = zip(names, found.levels, strict=True)
        return any(mine and other and mine is not other for other, mine in pairs)

    different = max((w for names, w in labellings.items() if differs(names)), default=None)
    if found.alternative is None:
        assert different is None
    else:
        assert labellings[found.alternative] == pytest.approx(different)


def maximum_likelihood_ordering(predicted: list[float], sigma: float) -> list[int]:
    """The ordering of Elton et al. 2020: of all runs of neighbouring levels the one with the highest product of
    likelihoods ``exp(-((predicted - j) / sigma)² / 2)``, levels numbered from 1 to 24.
    """
    runs = [range(first, first + len(predicted)) for first in range(1, 24 - len(predicted) + 2)]
    return list(max(runs, key=lambda run: -sum((p - j) ** 2 for p, j in zip(predicted, run, strict=True)) / sigma**2))


@BRIEF
@given(st.lists(st.floats(1, 24), min_size=1, max_size=12))
def test_the_maximum_likelihood_ordering_is_the_case_without_gaps_or_variants(predicted: list[float]) -> None:
    levels = [level for level in USUAL.levels() if level < Level.S1]
    evidence = Evidence.of(
        [{level: -0.5 * ((p - j) / 2) ** 2 for j, level in enumerate(levels, 1)} for p in predicted],
        [-1e5] * len(predicted),
    )
    plain = SpineModel(variants={USUAL: 1.0}, missed=0.0, most_missed=0)
    expected = maximum_likelihood_ordering(predicted, 2.0)
    found = [levels.index(level) + 1 for level in Solver(plain).number(evidence).levels if level is not None]

    def loss(run: list[int]) -> float:
        return sum((p - j) ** 2 for p, j in zip(predicted, run, strict=True))

    assert loss(found) == pytest.approx(loss(expected), abs=1e-6)


def agree(one: Numbering, other: Numbering) -> bool:
    return one.levels == other.levels and np.allclose(one.marginals, other.marginals, atol=1e-9)


@BRIEF
@given(st.integers(0, 2**32), st.integers(1, 9), st.floats(-1000, 1000), st.sampled_from([1, 3]))
def test_moving_the_whole_spine_changes_nothing(seed: int, count: int, by: float, dimensions: int) -> None:
    evidence = random_evidence(seed, count, dimensions=dimensions)
    moved = replace(evidence, positions_mm=evidence.positions_mm + by)
    assert agree(USUAL_SOLVER.number(evidence), USUAL_SOLVER.number(moved))


@BRIEF
@given(st.integers(0, 2**32), st.integers(1, 9), st.sampled_from([1, 3]))
def test_the_order_in_which_candidates_come_does_not_matter(seed: int, count: int, dimensions: int) -> None:
    evidence = random_evidence(seed, count, dimensions=dimensions)
    order = np.random.default_rng(seed).permutation(count)
    shuffled = Evidence(evidence.log_likelihood[order], evidence.spurious[order], evidence.positions_mm[order])
    one, other = USUAL_SOLVER.number(evidence), USUAL_SOLVER.number(shuffled)
    assert tuple(one.levels[i] for i in order) == other.levels
    np.testing.assert_allclose(one.marginals[order], other.marginals, atol=1e-9)


@BRIEF
@given(st.integers(0, 2**32), st.integers(1, 8), st.data())
def test_more_evidence_for_a_level_never_makes_it_less_likely(seed: int, count: int, data: st.DataObject) -> None:
    evidence = random_evidence(seed, count)
    candidate = data.draw(st.integers(0, count - 1))
    column = data.draw(st.integers(0, len(LEVELS) - 1))
    more = evidence.log_likelihood.copy()
    more[candidate, column] += data.draw(st.floats(0.1, 5))
    before = USUAL_SOLVER.number(evidence).marginals[candidate, column]
    after = USUAL_SOLVER.number(replace(evidence, log_likelihood=more)).marginals[candidate, column]
    assert after >= before - 1e-12


@BRIEF
@given(st.integers(0, 2**32), st.integers(0, 12), st.floats(0.1, 8))
def test_levels_go_down_the_spine_and_none_comes_twice(seed: int, count: int, strength: float) -> None:
    found = USUAL_SOLVER.number(random_evidence(seed, count, strength=strength))
    for names in (found.levels, found.alternative or ()):
        named = [level for level in names if level is not None]
        assert all(above < below for above, below in pairwise(named))


@BRIEF
@given(st.integers(0, 2**32), st.integers(0, 12), st.floats(0.1, 50))
def test_probabilities_are_probabilities(seed: int, count: int, strength: float) -> None:
    found = USUAL_SOLVER.number(random_evidence(seed, count, strength=strength))
    assert sum(found.variants.values()) == pytest.approx(1)
    assert sum(found.starts.values()) <= 1 + 1e-9
    assert (found.marginals >= 0).all()
    assert (found.marginals.sum(1) <= 1 + 1e-9).all()
    assert 0 <= found.alternative_probability <= found.probability + 1
    assert found.probability + found.alternative_probability <= 1 + 1e-9
    assert found.entropy_bits >= 0
    assert set(found.variants) == set(VARIANTS)


@BRIEF
@given(st.integers(0, 2**32), st.integers(1, 8), st.floats(-50, 50))
def test_a_row_of_log_likelihoods_may_be_shifted_as_a_whole(seed: int, count: int, by: float) -> None:
    evidence = random_evidence(seed, count)
    shifted = replace(evidence, log_likelihood=evidence.log_likelihood + by, spurious=evidence.spurious + by)
    one, other = USUAL_SOLVER.number(evidence), USUAL_SOLVER.number(shifted)
    # The row of "no vertebra at all" moves with the others, so nothing changes.
    assert agree(one, other)


def lumbar(count: int, gap_mm: float = 35.0) -> Evidence:
    """Candidates that look lumbar, one like the other, this far apart."""
    flat = {level: 0.0 if level.region == "L" else -6.0 for level in LEVELS}
    return Evidence.of([flat] * count, [-8.0] * count, np.arange(count) * gap_mm)


def test_ribs_above_say_which_lumbar_vertebra_is_which() -> None:
    evidence = lumbar(4)
    assert USUAL_SOLVER.number(evidence).confidence < 0.7
    found = USUAL_SOLVER.number(evidence.with_anchor(rib_bearing(0, 12.0)))
    assert found.levels == (Level.T12, Level.L1, Level.L2, Level.L3)
    assert found.confidence > 0.9


def test_the_sacrum_below_says_so_too() -> None:
    found = USUAL_SOLVER.number(lumbar(4).with_anchor(sacrum(3, 20.0)))
    assert found.levels == (Level.L3, Level.L4, Level.L5, Level.S1)
    assert found.alternative in {
        (Level.L4, Level.L5, Level.L6, Level.S1),
        (Level.L2, Level.L3, Level.L4, Level.S1),
    }


def test_the_dens_is_on_c2() -> None:
    flat = {level: 0.0 if level.region == "C" else -6.0 for level in LEVELS}
    evidence = Evidence.of([flat] * 4, [-8.0] * 4, np.arange(4) * 18.0).with_anchor(dens(1))
    assert USUAL_SOLVER.number(evidence).levels == (Level.C1, Level.C2, Level.C3, Level.C4)


def test_a_double_gap_is_a_missed_vertebra() -> None:
    evidence = lumbar(4).with_anchor(rib_bearing(0, 12.0))
    apart = replace(evidence, positions_mm=np.array([0.0, 33.0, 103.0, 139.0]))
    assert USUAL_SOLVER.number(apart).levels == (Level.T12, Level.L1, Level.L3, Level.L4)


def test_a_box_in_between_is_spurious() -> None:
    evidence = lumbar(4).with_anchor(rib_bearing(0, 12.0))
    apart = replace(evidence, positions_mm=np.array([0.0, 33.0, 45.0, 68.0]))
    levels = USUAL_SOLVER.number(apart).levels
    assert levels[:2] == (Level.T12, Level.L1)
    assert levels[2:] == (None, Level.L2)


def test_two_slices_of_one_vertebra_have_one_name() -> None:
    evidence = lumbar(4).with_anchor(rib_bearing(0, 12.0))
    apart = replace(evidence, positions_mm=np.array([0.0, 33.0, 37.0, 69.0]))
    slices = Solver(replace(USUAL_SOLVER.model, repeated=0.3))
    assert slices.number(apart).levels == (Level.T12, Level.L1, Level.L1, Level.L2)


def test_six_vertebrae_between_the_last_rib_and_the_sacrum_are_six_lumbar_ones() -> None:
    evidence = lumbar(8).with_anchor(rib_bearing(0, 20.0)).with_anchor(sacrum(7, 20.0))
    found = USUAL_SOLVER.number(evidence)
    assert found.levels[-2:] == (Level.L6, Level.S1)
    assert max(found.variants, key=found.variants.__getitem__).lumbar == 6


def test_no_candidate_gives_no_name_and_the_priors_back() -> None:
    found = USUAL_SOLVER.number(Evidence.of([], [], []))
    assert (found.levels, found.alternative, found.confidence) == ((), None, 0.0)
    assert found.variants[USUAL] == pytest.approx(USUAL_SOLVER.model.variants[USUAL])


def test_impossible_everywhere_is_no_vertebra() -> None:
    found = USUAL_SOLVER.number(Evidence.of([{}, {}], [0.0, 0.0], [0.0, 30.0]))
    assert found.levels == (None, None)
    assert found.probability == pytest.approx(1)


def test_the_tree_of_variants_shares_what_they_share() -> None:
    graph = spine_graph(FEW, 1)
    alone = sum(len([level for level in variant.levels() if level <= LOWEST]) for variant in FEW)
    assert graph.states < alone / 2
    assert np.allclose(graph.shares.sum(1), 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Evidence.of([{Level.L1: float("nan")}], [0.0]), "not a number"),
        (lambda: Evidence.of([{Level.L1: float("inf")}], [0.0]), "infinite"),
        (lambda: Evidence.of([{Level.L1: 0.0}], [0.0], [float("nan")]), "not finite"),
        (lambda: Evidence(np.zeros((2, 3)), np.zeros(2)), "expected"),
        (lambda: Evidence.of([{Level.L1: 0.0}], [0.0], [1.0, 2.0]), "positions"),
        (lambda: SpineModel(missed=1.5), "probabilities"),
        (lambda: SpineModel(start=np.zeros(3)), "shape"),
        (lambda: SpineModel(scale_weights=np.array([0.5, 0.2, 0.2])), "sum to 1"),
        (lambda: spine_graph({USUAL: 0.0}, 1), "positive prior"),
    ],
)
def test_what_cannot_be_is_said(make, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_an_anchor_leaves_the_other_candidates_alone() -> None:
    evidence = lumbar(3)
    anchored = evidence.with_anchor(Anchor(1, frozenset({Level.L3}), 2.0))
    assert np.array_equal(anchored.log_likelihood[[0, 2]], evidence.log_likelihood[[0, 2]])
    assert anchored.log_likelihood[1, LEVELS.index(Level.L3)] == evidence.log_likelihood[1, LEVELS.index(Level.L3)]


def test_a_doubtful_count_is_refused_and_says_what_else_it_may_be() -> None:
    code, text = refusal(USUAL_SOLVER.number(lumbar(4))) or ("", "")
    assert code == "ambiguous"
    assert "counting from C2" in text
    assert "L5" in text


def test_a_sure_count_is_not_refused() -> None:
    names = [{Level(f"L{n}"): 0.0} for n in range(1, 6)]
    evidence = Evidence.of(names, [-50.0] * 5, np.arange(5) * 36.0)
    assert refusal(USUAL_SOLVER.number(evidence)) is None


def test_no_vertebra_at_all_is_not_in_view() -> None:
    code, _ = refusal(USUAL_SOLVER.number(Evidence.of([{}], [0.0]))) or ("", "")
    assert code == "target-not-in-view"


def test_nothing_but_noise_is_low_confidence() -> None:
    flat = Evidence.of([dict.fromkeys(LEVELS, 0.0)] * 3, [0.0] * 3, [0.0, 200.0, 420.0])
    code, _ = refusal(USUAL_SOLVER.number(flat)) or ("", "")
    assert code == "low-confidence"
