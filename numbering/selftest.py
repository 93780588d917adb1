"""``numbering selftest``: simulated patients through the running node and the site's own PACS, against the truth.

The node is the one that these settings describe: it is asked by C-ECHO whether it is there, gets the patients as a
modality would send them (or the PACS gets them and routes them on), and its record says what became of each. Where the
PACS can be asked by QIDO-RS, it must hold the result objects too. Studies stay where they were sent; their patients are
called PHANTOM.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from numbering.anatomy import from_to
from numbering.dicom.outgoing.deliver import Destination, Outcome, Peer, Timeouts, WebDestination, echo, send
from numbering.dicom.outgoing.web_client import web_client
from numbering.errors import ReasonCode
from numbering.jobs.overview import Row, overview
from numbering.jobs.store import connect
from numbering.phantom.compare import compare
from numbering.phantom.generate import generate
from numbering.phantom.truth import Truth, read
from numbering.result import Status
from numbering.settings import Settings

Progress = Callable[[str, int, int], None]

PATIENTS = (7, 10, 12)
"""Seeds whose small lumbar film the shipped AP model numbers: the way is tested, not how often it answers."""
FILM_PIXELS = 1200
"""Of the films' longer side."""
POLL_SECONDS = 0.3
ECHO_TIMEOUTS = Timeouts(connection=5, association=5, message=10, network=10)
HOW_TO_START = "start it with `numbering serve`, or set NUMBERING_HOST, NUMBERING_PORT and NUMBERING_AE_TITLE"


class SelftestError(RuntimeError):
    """The test could not be done; the message names what to do."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is sent, where, and how long is waited for the results."""

    to: tuple[Peer, ...]
    views: tuple[str, ...] = ("ap",)
    field_of_view: str = "lumbar"
    seeds: tuple[int, ...] = PATIENTS
    film_pixels: int | None = FILM_PIXELS
    """None: full size."""
    calling_ae_title: str = "SELFTEST"
    run: str = ""
    """Part of every UID: a second run of the same name is the same studies, which the node knows already."""
    patience_seconds: float = 180.0
    archive: WebDestination | None = None
    """Asked by QIDO-RS for the result objects."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series of the table. ``passed`` None: still waiting when the time was over."""

    patient: str
    view: str
    study_instance_uid: str
    series_instance_uid: str
    truth: str
    status: str
    reason: str
    found: str
    verdict: str
    objects: int
    delivered: int
    in_archive: int | None
    seconds: float
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """All lines, and whether every one passed."""

    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Every series came back, no answer misleads, and something was numbered where films were sent."""
        films = [line for line in self.lines if line.verdict]
        numbered = [line for line in films if line.status == Status.NUMBERED]
        return bool(self.lines) and all(line.passed for line in self.lines) and bool(numbered or not films)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"passed": self.passed, "series": [asdict(line) for line in self.lines]}


@dataclass(frozen=True)
class _Sent:
    """One series that was sent, and where the truth about it is."""

    patient: str
    view: str
    study: str
    series: str
    truth: Truth
    films: frozenset[str]
    at: float


def selftest(
    settings: Settings, plan: Plan, folder: Path, progress: Progress = lambda what, done, total: None
) -> Outcomes:
    """Simulate, send, wait, compare. ``folder`` keeps the patients. `SelftestError` when it cannot be done."""
    node = address_of(settings)
    engine = _record(settings)
    try:
        _ask(node, plan)
        patients = [_patient(folder, seed, plan, progress) for seed in plan.seeds]
        sent = [one for number, patient in enumerate(patients) for one in _send(patient, plan, progress, number)]
        rows = _wait(engine, sent, plan, progress)
    finally:
        engine.dispose()
    return Outcomes(lines=tuple(_line(one, rows.get(one.series), plan) for one in sent))


def _patient(folder: Path, seed: int, plan: Plan, progress: Progress) -> Path:
    progress("simulating", plan.seeds.index(seed), len(plan.seeds))
    made = generate(
        folder / f"seed-{seed}",
        seed=seed,
        count=1,
        views=plan.views,
        field_of_view=plan.field_of_view,
        anomaly="none",
        film_pixels=plan.film_pixels,
        rendering=("selftest", plan.run),
    )
    return made[0]


def address_of(settings: Settings) -> Destination:
    """Where the node of these settings listens; a node with port 0 has written down which it got."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    told = settings.data / "serve.json"
    port = settings.port or (json.loads(told.read_text())["port"] if told.exists() else 0)
    return Destination(settings.ae_title, host, port)


def _record(settings: Settings) -> Any:
    if not settings.database_url and not (settings.data / "numbering.db").exists():
        raise SelftestError(
            f"no node has kept anything in {settings.data}: start one with `numbering serve`, and give this command "
            "the same NUMBERING_DATA or --data"
        )
    engine = connect(settings.sqlalchemy_url)
    try:
        if not inspect(engine).has_table("jobs"):
            raise SelftestError("the node's database is empty: start the node with `numbering serve`")
    except SQLAlchemyError as error:
        engine.dispose()
        raise SelftestError(f"the node's database cannot be read: {type(error).__name__}") from None
    return engine


def _ask(node: Destination, plan: Plan) -> None:
    for peer, what in ((node, "the node"), *((peer, "the destination") for peer in plan.to if peer != node)):
        answer = echo(
            peer, plan.calling_ae_title, timeouts=Timeouts(connection=5, association=5, message=10, network=10)
        )
        if answer.outcome is not Outcome.DELIVERED:
            hint = "start it with `numbering serve`, or set NUMBERING_HOST, NUMBERING_PORT and NUMBERING_AE_TITLE"
            raise SelftestError(
                f"{what} {peer} does not answer ({answer.text}): {hint if peer == node else 'check it'}"
            )


def _send(patient: Path, plan: Plan, progress: Progress, number: int) -> list[_Sent]:
    progress("sending", number, len(plan.seeds))
    truth = read(patient)
    files = sorted(patient.rglob("*.dcm"))
    for peer in plan.to:
        for one in send(files, peer, plan.calling_ae_title):
            if one.outcome is not Outcome.DELIVERED:
                raise SelftestError(f"{peer} did not take {one.path.name} of {patient.name}: {one.text}")
    return [
        _Sent(patient.parent.name, view, study, series, truth, films, time.monotonic())
        for view, study, series, films in series_of(truth, patient)
    ]


def series_of(truth: Truth, patient: Path) -> list[tuple[str, str, str, frozenset[str]]]:
    """View, study, series and the films' SOP Instance UIDs of each series in a patient's folder."""
    from numbering.dicom.read import read_folder

    found, _ = read_folder([patient])
    films = {image.sop_instance_uid: image.view for image in truth.images}
    listed = []
    for series in found:
        uids = frozenset(image.sop_instance_uid for image in series.images)
        view = next((films[uid] for uid in sorted(uids & films.keys())), series.modality)
        listed.append((view, series.study_instance_uid, series.series_instance_uid, uids & films.keys()))
    return listed


def _wait(engine: Any, sent: Sequence[_Sent], plan: Plan, progress: Progress) -> dict[str, Row]:
    """The record's row of each series, once all are at their end or the patience is."""
    deadline = time.monotonic() + plan.patience_seconds
    while True:
        rows: dict[str, Row] = {}
        for study in sorted({one.study for one in sent}):
            rows |= {row.series_instance_uid: row for row in overview(engine, study=study)}
        finished = sum(one.series in rows and rows[one.series].finished for one in sent)
        progress("numbering", finished, len(sent))
        if finished == len(sent) or time.monotonic() > deadline:
            return rows
        time.sleep(POLL_SECONDS)


def _line(one: _Sent, row: Row | None, plan: Plan) -> Line:
    true_films = [image for image in one.truth.images if image.sop_instance_uid in one.films]
    lowest = [v.level for image in true_films for v in image.vertebrae if v.lowest_lumbar and v.in_view]
    findings = row.result.findings if row is not None and row.result is not None else None
    verdicts = [compare(image, findings) for image in true_films if findings is not None]
    named = findings.vertebrae if findings else ()
    sure = f" ({min(vertebra.probability for vertebra in named):.2f})" if named else ""
    wanted = [uid for _, uid, _ in row.objects] if row else []
    held = _held(plan.archive, one.study, wanted) if plan.archive is not None and wanted else None
    arrived = row is not None and row.finished and row.undeliverable == 0 and held in (None, len(wanted))
    status = row.status if row is not None else None
    no_pipeline = row is not None and row.reason is not None and row.reason.code is ReasonCode.NO_PIPELINE_INSTALLED
    return Line(
        patient=one.patient,
        view=one.view,
        study_instance_uid=one.study,
        series_instance_uid=one.series,
        truth=", ".join(lowest),
        status=str(status or (row.state if row is not None else "never arrived")),
        reason=row.reason.code.value if row is not None and row.reason else "",
        found=from_to(vertebra.level for vertebra in named) + sure,
        verdict=", ".join(verdict.value for verdict in verdicts),
        objects=len(wanted),
        delivered=row.delivered if row is not None else 0,
        in_archive=held,
        seconds=round((row.changed_at - row.created_at).total_seconds(), 1) if row is not None else 0.0,
        passed=arrived and (no_pipeline or (bool(verdicts) and all(verdict.passes for verdict in verdicts))),
    )


def _held(archive: WebDestination, study: str, wanted: Sequence[str]) -> int:
    """How many of these objects the archive holds, by QIDO-RS (PS3.18 10.6)."""
    try:
        with web_client(archive, Timeouts(message=20, network=30)) as client:
            answer = client.get(f"{archive}/studies/{study}/instances", params={"limit": 5000})
    except httpx.HTTPError as error:
        raise SelftestError(f"the archive does not answer QIDO-RS at {archive}: {type(error).__name__}") from None
    if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND):
        raise SelftestError(f"the archive answered QIDO-RS at {archive} with HTTP {answer.status_code}")
    found = answer.json() if answer.status_code == httpx.codes.OK and answer.content else []
    return len(set(wanted) & {each["00080018"]["Value"][0] for each in found})
