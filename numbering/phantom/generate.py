"""Simulated patients as folders: DICOM by view, ``truth.json``, ``patient.json``, ``labels.nii.gz``, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from numbering.phantom.anatomy import to_json
from numbering.phantom.anatomy.anomalies import parse
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.anatomy.sample import sample
from numbering.phantom.dicom.flaws import FLAWS
from numbering.phantom.dicom.header import study_uid
from numbering.phantom.imaging.ct.protocol import EXTENTS
from numbering.phantom.imaging.film.position import FIELDS_OF_VIEW
from numbering.phantom.produce.made import Made, View
from numbering.phantom.produce.stage import Stage, shape_source, stage
from numbering.phantom.produce.views import KIND_OF, VIEWS, Key, key_of, keys_of, produce
from numbering.phantom.styles import STYLES
from numbering.phantom.truth import FILE_NAME, TrueStudy, TrueVariant, Truth, read, write
from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.truth.mr import TrueMr
from numbering.phantom.truth.patient import vertebrae
from numbering.phantom.visits import KINDS, Kind, Visit, record

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of every patient."""

    views: tuple[str, ...]
    fields_of_view: tuple[str, ...]
    anomaly: str | None = None
    shapes: str = "procedural"
    visits: int = 1
    style: str | None = None
    flaws: tuple[str, ...] = ()
    device: str = "cpu"
    film_pixels: int | None = None
    ct_region: str | None = None
    rendering: tuple[str, ...] = ()

    def studies(self, patient: Patient, kinds: Sequence[Kind] = ()) -> tuple[Visit, ...]:
        """The patient's studies in the order of time, of the kinds that the views need unless others are given."""
        name = "" if self.shapes == "procedural" else shape_source(self.shapes).name
        coarse = f"films of {self.film_pixels}" if self.film_pixels else ""
        region = f"ct of {self.ct_region}" if self.ct_region else ""
        return record(
            patient,
            kinds or [kind for kind in KINDS if kind in {KIND_OF[view] for view in self.views}],
            visits=self.visits,
            style=self.style,
            rendering=(*(word for word in (name, coarse, region) if word), *self.rendering),
            flaws=self.flaws,
        )


def generate(
    out: Path,
    *,
    seed: int,
    count: int,
    views: Sequence[str] = ("ap",),
    field_of_view: str | Sequence[str] = "lumbar",
    anomaly: str | None = None,
    shapes: str = "procedural",
    visits: int = 1,
    style: str | None = None,
    flaws: Sequence[str] = (),
    device: str = "cpu",
    film_pixels: int | None = None,
    ct_region: str | None = None,
    rendering: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> list[Path]:
    """Write ``count`` patients below ``out``, seeds ``seed`` to ``seed + count - 1``, and return their folders.

    A folder that already holds what is asked of the same patient is left alone, so an interrupted run is taken up
    again; the same arguments always give the same bytes on the same device. ``field_of_view`` is one or several of
    `FIELDS_OF_VIEW`, a film each; ``anomaly`` as in `sample`; ``shapes`` as in `shape_source`. ``film_pixels``
    makes films small and coarse, of so many pixels on the longer side: quicker. ``ct_region`` None draws one as clinics
    scan them, from neck to abdomen. ``rendering`` is part of
    every UID: other words, other studies. ``progress`` is called with the number of series done and of all. Unknown
    names are a ``ValueError`` before anything is written, and so is a folder that holds another patient.
    """
    order = Order(
        views=tuple(views),
        fields_of_view=(field_of_view,) if isinstance(field_of_view, str) else tuple(field_of_view),
        anomaly=anomaly,
        shapes=shapes,
        visits=visits,
        style=style,
        flaws=tuple(flaws),
        device=device,
        film_pixels=film_pixels,
        ct_region=ct_region,
        rendering=rendering,
    )
    check_names(order.views, order.fields_of_view, order.anomaly)
    _check("flaw", order.flaws, tuple(FLAWS))
    _check("region of the CT", () if ct_region is None else (ct_region,), tuple(EXTENTS))
    _check("style", () if style is None else (style,), tuple(STYLES))
    shape_source(order.shapes)
    if count < 0 or seed < 0:
        raise ValueError(f"seed {seed} and count {count}: expected neither below 0")
    if film_pixels is not None and not 64 <= film_pixels <= 4096:
        raise ValueError(f"films of {film_pixels} pixels: expected 64 to 4096")
    folders = []
    for index in range(count):
        folder = out / f"patient-{index:04d}"
        _patient(folder, sample(seed + index, order.anomaly), order, _counting(progress, index, count))
        folders.append(folder)
    return folders


def check_names(views: Sequence[str], fields_of_view: Sequence[str], anomaly: str | None) -> None:
    """``ValueError`` for a view, a field of view or an anomaly that there is none of; it lists those that there are."""
    _check("view", views, VIEWS)
    _check("field of view", fields_of_view, FIELDS_OF_VIEW)
    parse(anomaly)


def _check(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} {name!r}: expected one of {', '.join(known)}")


def _counting(progress: Progress | None, index: int, count: int) -> Progress:
    """Progress of one patient as progress of all: every patient has about as many series."""

    def tell(done: int, total: int) -> None:
        if progress:
            progress(index * total + done, count * total)

    return tell


def _patient(folder: Path, patient: Patient, order: Order, progress: Progress) -> None:
    """One patient's folder; series that it holds already are kept."""
    studies = order.studies(patient)
    truths = _held(folder, patient, order, studies)
    wanted = [(visit, key) for visit in studies for key in keys_of(visit, order.views, order.fields_of_view)]
    missing = [(visit, key) for visit, key in wanted if key not in truths]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "patient.json").write_text(to_json(patient) + "\n")
    for done, (visit, key) in enumerate(missing):
        progress(len(wanted) - len(missing) + done, len(wanted))
        truths[key] = [_write(folder, made) for made in produce(_stage(visit, order), key)]
    if missing:
        write(_truth(patient, order, truths), folder)
    progress(len(wanted), len(wanted))


@lru_cache(maxsize=1)
def _stage(visit: Visit, order: Order) -> Stage:
    """Kept for the next series of the same study."""
    return stage(
        visit,
        shape_source(order.shapes),
        order.device,
        film_pixels=order.film_pixels,
        ct_region=order.ct_region,
        several=order.visits > 1,
    )


def _write(folder: Path, made: Made) -> View:
    for name, content in made.files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    made.preview.save(folder / made.preview_name)
    return made.truth


def _held(folder: Path, patient: Patient, order: Order, studies: Sequence[Visit]) -> dict[Key, list[View]]:
    """The truth of the series that the folder holds complete; ``truth.json`` is written last."""
    if not (folder / FILE_NAME).exists():
        return {}
    found = read(folder)
    uids = {(visit.number, visit.kind): study_uid(visit) for visit in studies}
    other = [one for one in found.studies if uids.get((one.visit, one.kind)) not in (None, one.study_instance_uid)]
    if (found.seed, found.anomalies, found.visits) != (patient.seed, patient.anomalies, order.visits) or other:
        raise ValueError(
            f"{folder} holds seed {found.seed} {list(found.anomalies)} ({found.visits} visits, shapes {found.shapes}), "
            f"not seed {patient.seed} {list(patient.anomalies)}, or with other visits, shapes, style or flaws: choose "
            "another folder"
        )
    held: dict[Key, list[View]] = {}
    views: tuple[View, ...] = (*found.images, *found.ct, *found.mr)
    for one in views:
        held.setdefault(key_of(one), []).append(one)
    return {key: truths for key, truths in held.items() if all(_there(folder, one) for one in truths)}


def _there(folder: Path, one: View) -> bool:
    if isinstance(one, TrueImage):
        return (folder / one.file).exists()
    uids = one.sop_instance_uids if isinstance(one, TrueCt) else [slice_.sop_instance_uid for slice_ in one.slices]
    return len(list((folder / one.folder).glob("*.dcm"))) == len(set(uids))


def _truth(patient: Patient, order: Order, truths: Mapping[Key, Sequence[View]]) -> Truth:
    every = [one for key in sorted(truths) for one in truths[key]]
    made = {(key.visit, KIND_OF[key.view]) for key in truths}
    return Truth(
        seed=patient.seed,
        sex=patient.sex,
        variant=TrueVariant(thoracic=patient.variant.thoracic, lumbar=patient.variant.lumbar),
        anomalies=patient.anomalies,
        shapes=shape_source(order.shapes).name,
        flaws=order.flaws,
        squared_s1=patient.sacrum.squared,
        visits=order.visits,
        vertebrae=vertebrae(patient),
        studies=tuple(
            TrueStudy(
                visit=visit.number,
                kind=visit.kind,
                study_instance_uid=study_uid(visit),
                day=visit.day.strftime("%Y%m%d"),
                age=visit.patient.age,
                style=visit.style,
            )
            for visit in order.studies(patient, KINDS)
            if (visit.number, visit.kind) in made
        ),
        images=tuple(one for one in every if isinstance(one, TrueImage)),
        ct=tuple(one for one in every if isinstance(one, TrueCt)),
        mr=tuple(one for one in every if isinstance(one, TrueMr)),
    )
