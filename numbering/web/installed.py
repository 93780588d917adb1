"""Destinations and models by REST."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from sqlalchemy import func, select

from numbering.jobs.models import Delivery, DestinationRow
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading
from numbering.pipelines import CARDS
from numbering.web.access import may
from numbering.web.answers import DestinationAnswer, DestinationsAnswer, ModelAnswer, ModelsAnswer
from numbering.web.keys import Scope
from numbering.web.state import web_of
from numbering.weights import registry

router = APIRouter(prefix="/api/v1", tags=["node"], dependencies=[Depends(may(Scope.READ))])


@router.get("/destinations")
def destinations(request: Request) -> DestinationsAnswer:
    """How each destination fares; those that only old deliveries name, too."""
    web = web_of(request)
    configured = {each.name for each in web.settings.every_destination}
    states: dict[str, dict[str, int]] = {name: {} for name in configured}
    waiting: dict[str, datetime] = {}
    with reading(web.node.engine) as session:
        counted = select(Delivery.destination, Delivery.state, func.count(), func.min(Delivery.created_at))
        for name, state, number, oldest in session.execute(counted.group_by(Delivery.destination, Delivery.state)):
            states.setdefault(name, {})[state] = number
            if state in (DeliveryState.QUEUED, DeliveryState.SENDING):
                waiting[name] = min(oldest, waiting.get(name, oldest))
        rows = {row.name: row for row in session.scalars(select(DestinationRow))}
    return DestinationsAnswer(
        destinations=[
            DestinationAnswer(
                destination=name,
                configured=name in configured,
                deliveries=states[name],
                waiting_since=waiting.get(name),
                failing_since=rows[name].failing_since if name in rows else None,
                answer=rows[name].answer if name in rows else None,
                again_at=rows[name].not_before if name in rows else None,
            )
            for name in sorted(states)
        ]
    )


@router.get("/models")
def models() -> ModelsAnswer:
    """The installed pipelines, their weights and what they are for."""
    entries = registry()
    return ModelsAnswer(
        models=[
            ModelAnswer(
                pipeline=card.name,
                version=card.version,
                architecture=entries[card.weights].architecture,
                weights_sha256=entries[card.weights].torch.sha256,
                licence=entries[card.weights].torch.licence,
                trained_on=entries[card.weights].trained_on,
                intended_use=entries[card.weights].intended_use,
                limitations=list(entries[card.weights].limitations),
            )
            for card in CARDS
        ]
    )
