"""How well are spines numbered from a network's noisy detections? Folders of the VID layout (vid_keypoints/scans.py).

    python benchmarks/enumeration.py --data DIR [--models DIR]     five-fold cross-validation by patient, with ablation
    python benchmarks/enumeration.py --data DIR --by scan          the same by scan: a patient's other scan may be known
    python benchmarks/enumeration.py --data DIR --frozen           the shipped parameters; learns nothing
    python benchmarks/enumeration.py --data DIR --fit              fit on all of it and write the shipped parameters

Prints tables and, last, one JSON line. A true vertebra counts as identified when the nearest named place within 20 mm
carries its name; one that was not found counts as wrong. ``--models`` keeps the folds' parameters, so that a second run
does not fit again. ``--pictures DIR`` draws the twenty worst scans, the curves and an example. Without a folder there
is nothing to measure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.vid_keypoints.identification import Judged, Named, figures, judge
from benchmarks.vid_keypoints.scans import FOLDS, Scan, fold_of_name, scans
from numbering.anatomy import USUAL, Level
from numbering.enumeration import LEVELS, Evidence, Numbering, Solver, SpineModel
from numbering.enumeration.detections import Bodies
from numbering.enumeration.learned import STATEMENT, DetectionModel

SACRAL = np.array([level >= Level.S1 for level in LEVELS])
Change = Callable[[Bodies, Evidence], Evidence]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--by", choices=("patient", "scan"), default="patient")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.data is None:
        print("enumeration: no --data folder given, nothing to measure")
        return
    known = scans(options.data)
    if options.fit:
        ship(known)
        return
    model_of = shipped() if options.frozen else cross_validated(known, options.by, options.models)
    judged, numberings = number_all(known, model_of)
    print(table("numbered", judged))
    if not options.frozen and options.by == "patient":
        ablation(known, model_of)
    milliseconds = speed(known, model_of)
    print("\nfrom detections to numbering, processor time: p50 {:.1f} ms, p95 {:.1f} ms".format(*milliseconds))
    if options.pictures:
        draw(judged, numberings, options.pictures)
    answer = {"parameters": "shipped" if options.frozen else f"{FOLDS}-fold by {options.by}", **figures(judged)}
    answer["milliseconds"] = {"p50": round(milliseconds[0], 2), "p95": round(milliseconds[1], 2)}
    answer["l6"] = figures([one for one in judged if one.scan.has_l6])
    answer["eleven_ribs"] = figures([one for one in judged if one.scan.has_11_ribs])
    print(json.dumps(answer))


ModelOf = Callable[[Scan], DetectionModel]


def shipped() -> ModelOf:
    """The parameters of the package, for every scan."""
    model = DetectionModel.shipped()
    return lambda scan: model


def cross_validated(known: Sequence[Scan], by: str, folder: Path | None) -> ModelOf:
    """For each scan the parameters that were fitted without its patient, or without it alone."""

    def fold_of(scan: Scan) -> int:
        return fold_of_name(scan.patient if by == "patient" else scan.name)

    models = []
    for fold in range(FOLDS):
        kept = folder / f"{by}{fold}.npz" if folder else None
        if kept and kept.is_file():
            with np.load(kept, allow_pickle=False) as arrays:
                models.append(DetectionModel(dict(arrays)))
            continue
        from benchmarks.vid_keypoints.fitting import Recipe, fit

        begun = time.perf_counter()
        arrays = fit([scan for scan in known if fold_of(scan) != fold], Recipe())
        print(f"fold {fold}: fitted in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(kept, **arrays)
        models.append(DetectionModel(arrays))
    return lambda scan: models[fold_of(scan)]


def ship(known: Sequence[Scan]) -> None:
    """Fit on all scans and write the package's parameters with their statement."""
    from benchmarks.vid_keypoints.fitting import Recipe, fit

    recipe = Recipe()
    arrays = {name: values.astype(np.float32) for name, values in fit(known, recipe).items()}
    file = STATEMENT.with_suffix(".npz")
    np.savez_compressed(file, **arrays)
    statement = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "licence": "CC BY-SA 4.0",
        "attribution": "Derived from the ImFusion VID dataset, training split: Vincent Bürgin, Raphael Prevost, Marijn "
        "F. Stollenga, Robust vertebra identification using simultaneous node and edge predicting Graph Neural "
        "Networks, MICCAI 2023. Changed: only statistics and network weights fitted to its keypoints are here.",
        "trained_on": f"{len(known)} scans with {sum(len(scan.levels) for scan in known)} vertebrae of "
        f"{len({scan.patient for scan in known})} patients, keypoints only",
        "command": "python benchmarks/enumeration.py --data VID --fit",
        "recipe": asdict(recipe),
        "date": datetime.now(UTC).date().isoformat(),
    }
    STATEMENT.write_text(json.dumps(statement, indent=2, ensure_ascii=False) + "\n")
    print(f"{file}: {file.stat().st_size} bytes, sha256 {statement['sha256']}")


def number_all(
    known: Sequence[Scan],
    model_of: ModelOf,
    spine: Callable[[SpineModel], SpineModel] | None = None,
    change: Change | None = None,
) -> tuple[list[Judged], dict[str, tuple[Bodies, Numbering]]]:
    """Number every scan, with the chain or the evidence changed for an ablation."""
    solvers: dict[int, Solver] = {}
    judged, numberings = [], {}
    for scan in known:
        model = model_of(scan)
        if id(model) not in solvers:
            solvers[id(model)] = Solver(spine(model.spine) if spine else model.spine)
        bodies, evidence = model.evidence(scan.found)
        numbering = solvers[id(model)].number(change(bodies, evidence) if change else evidence)
        judged.append(judge(scan, named(bodies, numbering)))
        numberings[scan.name] = bodies, numbering
    return judged, numberings


def draw(judged: Sequence[Judged], numberings: dict[str, tuple[Bodies, Numbering]], folder: Path) -> None:
    """The pictures of docs/enumeration.md."""
    from benchmarks.vid_keypoints.pictures import draw_curves, draw_example, draw_worst

    draw_worst(judged, numberings, folder / "enumeration-worst.png")
    draw_curves(judged, folder / "enumeration-curves.png")
    # An example with something to decide: all right in the end, and the alternative likelier than one in ten.
    example = next(
        (one for one in judged if one.right.all() and numberings[one.scan.name][1].alternative_probability > 0.1), None
    )
    if example:
        truth = list(zip(example.scan.levels, example.scan.centres, strict=True))
        draw_example(*numberings[example.scan.name], truth, folder / "enumeration-example.png")


def named(bodies: Bodies, numbering: Numbering) -> Named:
    """The presacral vertebrae of a numbering, at their places."""
    chosen = [i for i, level in enumerate(numbering.levels) if level is not None and level < Level.S1]
    return Named(
        bodies.centres[chosen],
        tuple(level for i in chosen if (level := numbering.levels[i]) is not None),
        tuple(numbering.probabilities[i] for i in chosen),
        numbering.confidence,
    )


def ablation(known: Sequence[Scan], model_of: ModelOf) -> None:
    """What each part is worth: the same scans without it."""
    zeros = np.zeros(len(LEVELS))
    print("\n| without | identified | all correct | ECE | Brier |\n|---|---|---|---|---|")
    for name, spine, change in (
        ("nothing left out", None, None),
        ("a state for the sacrum", None, without_sacrum),
        ("variants (12T+5L only)", lambda model: replace(model, variants={USUAL: 1.0}), None),
        ("missed vertebrae", lambda model: replace(model, most_missed=0), None),
        ("spurious candidates between vertebrae", lambda model: replace(model, longest_run=0), None),
        ("pairs of pedicles as candidates", None, without_pairs),
        ("spacing in the chain", lambda model: replace(model, spacing_weight=0.0), None),
        ("the patient's scale", lambda m: replace(m, scales=np.ones(1), scale_weights=np.ones(1)), None),
        ("learnt ends of the field of view", lambda model: replace(model, start=zeros, end=zeros), None),
        ("learnt likelihoods (segment scores alone)", bare_spine, segments_alone),
        ("learnt likelihoods and the sacrum", bare_spine, lambda b, e: without_sacrum(b, segments_alone(b, e))),
    ):
        print(row(name, number_all(known, model_of, spine, change)[0]), flush=True)


def bare_spine(model: SpineModel) -> SpineModel:
    """The chain before anything was learnt but the spacing."""
    return SpineModel(spacing_mm=model.spacing_mm, spacing_sd_mm=model.spacing_sd_mm)


def without_sacrum(bodies: Bodies, evidence: Evidence) -> Evidence:
    """No candidate can be the sacrum."""
    return replace(evidence, log_likelihood=np.where(SACRAL, -np.inf, evidence.log_likelihood))


def without_pairs(bodies: Bodies, evidence: Evidence) -> Evidence:
    """Only bodies that were found are candidates; the others are spurious for certain."""
    return replace(evidence, log_likelihood=np.where(bodies.found[:, None], evidence.log_likelihood, -np.inf))


def segments_alone(bodies: Bodies, evidence: Evidence) -> Evidence:
    """Likelihoods straight from the network's scores for cervical, thoracic and lumbar; the sacrum looks lumbar."""
    scores = np.log(np.clip(np.nan_to_num(bodies.segments, nan=0.5), 0.01, 1))
    region = np.array(["CTL".index(level.region) if level.region != "S" else 2 for level in LEVELS])
    return Evidence(scores[:, region], np.full(len(bodies), np.log(0.02)), bodies.centres)


def speed(known: Sequence[Scan], model_of: ModelOf, count: int = 200) -> tuple[float, float]:
    """Milliseconds of processor time (one thread) from detections to numbering: median and 95th percentile."""
    taken = []
    solvers = {key: Solver(model.spine) for key, model in {id(m): m for m in map(model_of, known)}.items()}
    for scan in known[:: max(1, len(known) // count)]:
        model = model_of(scan)
        begun = time.process_time()
        _, evidence = model.evidence(scan.found)
        solvers[id(model)].number(evidence)
        taken.append(1e3 * (time.process_time() - begun))
    return float(np.median(taken)), float(np.percentile(taken, 95))


def table(name: str, judged: Sequence[Judged]) -> str:
    """Figures for all scans and for the unusual ones."""
    groups = {
        name: judged,
        "with L6": [one for one in judged if one.scan.has_l6],
        "with 11 ribs (T11, then L1)": [one for one in judged if one.scan.has_11_ribs],
        "cervical vertebrae in view": [one for one in judged if one.scan.levels and one.scan.levels[0] < Level.T1],
    }
    for name in sorted({one.scan.collection for one in judged} - {""}):
        groups[name] = [one for one in judged if one.scan.collection == name]
    lines = ["| scans | identified | all correct | ECE | Brier |", "|---|---|---|---|---|"]
    lines += [row(f"{group} ({len(members)})", members) for group, members in groups.items()]
    lines += ["", "| abstained | identified | of those found | threshold |", "|---|---|---|---|"]
    for point in figures(judged)["abstention"]:  # type: ignore[attr-defined]
        lines.append(
            "| {abstained:.0%} | {identification_rate} | {identification_rate_of_found} | {threshold} |".format(**point)
        )
    return "\n".join(lines)


def row(name: str, judged: Sequence[Judged]) -> str:
    """One line of a table."""
    value = figures(judged)
    cells = (value[key] for key in ("identification_rate", "subjects_all_correct", "ece", "brier"))
    return f"| {name} | " + " | ".join("" if cell is None else f"{cell:.4f}" for cell in cells) + " |"


if __name__ == "__main__":
    main()
