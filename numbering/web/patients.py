"""Merges of patients by REST: that two identifiers are one patient's, so that their results are one record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from numbering.jobs.record.identities import merge, split
from numbering.priors.source import Patient
from numbering.web.access import may
from numbering.web.answers import Answer
from numbering.web.bodies import body_of, described
from numbering.web.keys import Key, Scope
from numbering.web.state import web_of

router = APIRouter(prefix="/api/v1", tags=["patients"])
Operator = Annotated[Key, Depends(may(Scope.OPERATE))]
Identifier = Annotated[str, Field(max_length=64)]


class IdentityRequest(BaseModel):
    """A patient's identifier."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    patient_id: Identifier = Field(min_length=1)
    issuer: Identifier = ""

    @property
    def patient(self) -> Patient:
        """As a patient."""
        return Patient(self.patient_id, self.issuer)


class MergeRequest(BaseModel):
    """Two identifiers of one patient; without ``into``, ``patient`` is another patient's after all."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    patient: IdentityRequest
    into: IdentityRequest | None = None


class MergeAnswer(Answer):
    """Whether anything changed."""

    changed: bool


@router.post("/patients/merge", openapi_extra=described(MergeRequest))
async def merge_patients(request: Request, key: Operator) -> MergeAnswer:
    """Say that two identifiers are one patient's, or that one is another patient's after all."""
    web = web_of(request)
    asked = await body_of(request, MergeRequest, web.settings.web_idle_seconds)
    node, told_by = web.node, f"key {key.name}"

    def work() -> bool:
        if asked.into is None:
            return split(node.engine, node.settings, asked.patient.patient, told_by=told_by)
        return merge(node.engine, node.settings, asked.patient.patient, asked.into.patient, told_by=told_by)

    return MergeAnswer(changed=await run_in_threadpool(work))
