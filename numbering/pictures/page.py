"""A page that shows one result: pictures, names with their probabilities, measurements, and on what the count rests.

Plain HTML without scripts that loads nothing but the pictures beside it; of the patient it holds UIDs alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from numbering.pictures.pen import DISCLAIMER
from numbering.result import Findings, Measurement, NumberedDisc, NumberingResult, Status, Vertebra

STYLE = (
    "body{background:#111;color:#ddd;font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "h1{font-size:1.3em}img{max-width:32%;max-height:70vh;vertical-align:top;margin:2px}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #555;padding:.2em .7em;text-align:left}"
    ".notice{color:#ffb000}"
)
POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def page(result: NumberingResult, pictures: Sequence[Path], folder: Path) -> Path:
    """Write ``SERIES.html`` (``SERIES-VIEW.html`` where the view is known) beside these pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    view = f"-{result.view}" if result.view else ""
    path = folder / f"{result.series_instance_uid}{view}.html"
    shown = "".join(f'<img src="{escape(each.name)}" alt="{escape(each.stem)}">' for each in pictures)
    body = "".join([*_head(result), shown, *_basis(result.findings), *_names(result.findings), *_measured(result)])
    path.write_text(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{POLICY}"><title>numbering: {escape(result.pipeline)}</title><style>{STYLE}</style>{body}</html>\n'
    )
    return path


def _head(result: NumberingResult) -> Iterator[str]:
    findings = result.findings
    yield f"<h1>{escape(result.pipeline)}: {escape(findings.status)}</h1>"
    yield f'<p class="notice">{escape(DISCLAIMER)}</p>'
    yield f"<p>Series {escape(result.series_instance_uid)}. Model {escape(result.model.name)} "
    yield f"{escape(result.model.version)}, trained on: {escape(result.model.trained_on)}.</p>"
    if findings.reason is not None:
        yield f"<p><b>{escape(findings.reason.code)}</b>: {escape(findings.reason.text)}</p>"


def _basis(findings: Findings) -> Iterator[str]:
    if findings.basis is not None:
        yield f"<p>{escape(findings.basis.statement)}</p>"
    yield from _list("Anomalies", findings.anomalies)
    yield from _list("Quality", findings.quality)


def _list(title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"


def _names(findings: Findings) -> Iterator[str]:
    named: Sequence[Vertebra | NumberedDisc] = findings.vertebrae or findings.discs
    if findings.status is Status.ABSTAINED or not named:
        return
    others = findings.alternative.levels if findings.alternative else ("",) * len(named)
    rows = (
        (one.level, f"{int(one.probability * 100) / 100:.2f}", other, _place(one))
        for one, other in zip(named, others, strict=False)
    )
    yield _table(("Level", "Probability", "Alternative", "Image"), rows)
    if findings.alternative is not None:
        yield f"<p>Probability of the alternative numbering: {findings.alternative.probability:.2g}.</p>"


def _place(one: Vertebra | NumberedDisc) -> str:
    return one.sop_instance_uid if one.frame is None else f"{one.sop_instance_uid}, frame {one.frame}"


def _measured(result: NumberingResult) -> Iterator[str]:
    if result.findings.measurements:
        rows = ((one.name, _value(one)) for one in result.findings.measurements)
        yield _table(("Measurement", "Value"), rows)


def _value(one: Measurement) -> str:
    if one.value is None:
        return f"not given: {one.reason}"
    spread = "" if one.uncertainty is None else f" ± {one.uncertainty:.2g}"
    volume = "" if one.volume_mm3 is None else f", over {one.volume_mm3:.0f} mm³"
    return f"{one.value:.4g}{spread} {one.unit}{volume}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"
