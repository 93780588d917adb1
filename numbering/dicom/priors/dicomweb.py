"""Priors by DICOMweb: QIDO-RS page by page, and WADO-RS as a stream (PS3.18 10.4, 10.6).

No redirect is followed and no address out of an answer is called, so the service cannot point us elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from numbering.dicom.outgoing.destination import Timeouts, WebDestination
from numbering.dicom.outgoing.web_client import CredentialsError, web_client
from numbering.dicom.priors.multipart import BrokenMultipart, boundary_of, read_parts
from numbering.dicom.tls import TLSFileError
from numbering.priors.source import (
    MOST_SERIES,
    MOST_STUDIES,
    Allowance,
    FoundSeries,
    FoundStudy,
    Intake,
    Patient,
    SourceMisbehaves,
    SourceRefuses,
    SourceUnavailable,
    day_of,
    number_of,
)
from numbering.uids import InvalidUID, checked_uid

PAGE = 100
"""Matches asked for at a time."""
PAGE_LIMIT = 8 * 2**20
"""Bytes of one page."""
SILENCE_SECONDS = 60.0
CHUNK = 2**16
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
JSON_TYPES = frozenset({"application/dicom+json", "application/json"})
WHOLE_FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'

Answer = Mapping[str, Any]
Parameters = Sequence[tuple[str, str | int]]

_STUDY_FIELDS = ("00080061", "00081030", "00100021", "00201208")
_SERIES_FIELDS = ("0008103E", "00180015", "00201209")


class DicomwebSource:
    """A DICOMweb service."""

    def __init__(self, place: WebDestination) -> None:
        self._place = place

    @property
    def name(self) -> str:
        """See `PriorSource`."""
        return self.address

    @property
    def address(self) -> str:
        """See `PriorSource`."""
        return urlsplit(self._place.url).hostname or ""

    @property
    def hands_over(self) -> bool:
        """See `PriorSource`."""
        return True

    def studies(self, patient: Patient, allowance: Allowance) -> list[FoundStudy]:
        """See `PriorSource`."""
        keys = {"PatientID": patient.patient_id}
        found = []
        for answer in self._query("studies", keys, _STUDY_FIELDS, MOST_STUDIES, allowance):
            theirs = Patient(_text(answer, "00100020"), _text(answer, "00100021"))
            if (study := _study(answer)) is not None and patient.is_same(theirs):
                found.append(study)
        return found

    def series(self, patient: Patient, study_instance_uid: str, allowance: Allowance) -> list[FoundSeries]:
        """See `PriorSource`."""
        path = f"studies/{study_instance_uid}/series"
        answers = self._query(path, {}, _SERIES_FIELDS, MOST_SERIES, allowance)
        return [series for answer in answers if (series := _series(answer, study_instance_uid)) is not None]

    def fetch(self, intake: Intake) -> None:
        """See `PriorSource`."""
        path = f"studies/{intake.study_instance_uid}/series/{intake.series_instance_uid}"
        with self._answer(path, (), WHOLE_FILES, intake.allowance) as response:
            try:
                boundary = boundary_of(response.headers.get("Content-Type", ""))
                chunks = _checked(response, intake.allowance)
                read_parts(boundary, chunks, intake.take, lambda: intake.allowance.bytes_left)
            except BrokenMultipart as error:
                raise SourceMisbehaves(f"{self.name} answered a WADO-RS request oddly: {error}") from None

    def _query(
        self, path: str, keys: Mapping[str, str], fields: tuple[str, ...], most: int, allowance: Allowance
    ) -> list[Answer]:
        """All pages, until one is empty: a service may cap them below what was asked for.

        One that ignores the offset answers the same page for ever: it ends there when that is short, and what is
        longer is bounded by the total.
        """
        # One parameter a field: some services do not take a list apart (PS3.18 8.3.4.3 allows both).
        includes = [("includefield", field) for field in fields]
        found: list[Answer] = []
        seen: set[str] = set()
        while True:
            parameters: Parameters = [*keys.items(), *includes, ("limit", PAGE), ("offset", len(found))]
            page = self._page(path, parameters, allowance)
            told = {json.dumps(answer, sort_keys=True) for answer in page}
            if len(page) < PAGE and told <= seen:
                return found
            seen |= told
            found += page
            if len(found) > most:
                raise SourceMisbehaves(f"{self.name} answered a QIDO-RS request with more than {most} matches")

    def _page(self, path: str, parameters: Parameters, allowance: Allowance) -> list[Answer]:
        with self._answer(path, parameters, "application/dicom+json", allowance) as response:
            if response.status_code == httpx.codes.NO_CONTENT:
                return []
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind not in JSON_TYPES:
                raise SourceMisbehaves(f"{self.name} answered a QIDO-RS request with something else than DICOM JSON")
            body = bytearray()
            for chunk in _checked(response, allowance):
                body += chunk
                if len(body) > PAGE_LIMIT:
                    raise SourceMisbehaves(f"{self.name} answered a QIDO-RS request with more than {PAGE_LIMIT} bytes")
        try:
            page = json.loads(bytes(body)) if body.strip() else []
        except (ValueError, RecursionError):
            page = None
        if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
            raise SourceMisbehaves(f"{self.name} answered a QIDO-RS request with broken JSON")
        return page

    @contextmanager
    def _answer(self, path: str, parameters: Parameters, accept: str, allowance: Allowance) -> Iterator[httpx.Response]:
        """The answer to a GET, whose body is still to come; every fault of the service is one of ours."""
        allowance.check()
        silence = min(SILENCE_SECONDS, max(1.0, allowance.seconds_left))
        # Without an encoding of the body: what comes is what counts, and nothing can be inflated.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        try:
            with web_client(self._place, Timeouts(message=silence, network=silence)) as client:
                url = f"{self._place}/{path}"
                with client.stream("GET", url, params=list(parameters) or None, headers=headers) as response:
                    self._judge(response)
                    yield response
        except (TLSFileError, CredentialsError) as error:
            raise SourceRefuses(f"{self.name}: {error}") from None
        except (httpx.HTTPError, httpx.StreamError) as error:  # their text quotes the URL, and it the patient
            allowance.check()
            raise SourceUnavailable(f"{self.name} did not answer: {type(error).__name__}") from None

    def _judge(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in LATER:
            raise SourceUnavailable(f"{self.name} answered HTTP {status}")
        if 300 <= status < 400:
            raise SourceRefuses(f"{self.name} answers with a redirection (HTTP {status}), which is not followed")
        if status not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
            raise SourceRefuses(f"{self.name} answered HTTP {status}: check address and credentials")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise SourceMisbehaves(f"{self.name} answered in an encoding that was not asked for")


def _checked(response: httpx.Response, allowance: Allowance) -> Iterator[bytes]:
    for chunk in response.iter_raw(CHUNK):
        allowance.check()
        yield chunk


def _study(answer: Answer) -> FoundStudy | None:
    try:
        uid = checked_uid(_text(answer, "0020000D"), "Study Instance UID")
    except InvalidUID:
        return None
    return FoundStudy(
        study_instance_uid=uid,
        study_date=day_of(_text(answer, "00080020")),
        modalities=frozenset(_texts(answer, "00080061")),
        description=_text(answer, "00081030"),
        instances=number_of(_text(answer, "00201208")),
    )


def _series(answer: Answer, study_instance_uid: str) -> FoundSeries | None:
    if _text(answer, "0020000D") not in ("", study_instance_uid):
        return None
    try:
        uid = checked_uid(_text(answer, "0020000E"), "Series Instance UID")
    except InvalidUID:
        return None
    return FoundSeries(
        series_instance_uid=uid,
        modality=_text(answer, "00080060"),
        body_part=_text(answer, "00180015"),
        description=_text(answer, "0008103E"),
        instances=number_of(_text(answer, "00201209")),
    )


def _texts(answer: Answer, tag: str) -> list[str]:
    """Plain values of an element of the DICOM JSON model (PS3.18 F.2); what is not plain is left out."""
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list):
        return []
    return [str(value).strip() for value in values if isinstance(value, (str, int)) and str(value).strip()]


def _text(answer: Answer, tag: str) -> str:
    return next(iter(_texts(answer, tag)), "")
