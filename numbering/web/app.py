"""The application: every route, behind the guard. Its OpenAPI description is ``docs/openapi.json``."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI, Request

from numbering.jobs.node import Node
from numbering.web import checks, corrections, exposition, health, installed, jobs, patients, stow
from numbering.web.access import may
from numbering.web.guard import Guard
from numbering.web.keys import Scope
from numbering.web.state import Web

TITLE = "numbering"
DESCRIPTION = "Store objects, look at jobs, restart what failed. Research use only. Keys: `Authorization: Bearer KEY`."


def application(web: Web | None = None) -> FastAPI:
    """The application for this node; without one, only to be described."""
    app = FastAPI(
        title=TITLE,
        version=version("numbering"),
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # nobody is sent anywhere, least of all to what a Host header claims
    )
    for room in (stow, checks, corrections, patients, jobs, installed, health, exposition):
        app.include_router(room.router)

    @app.get("/api/v1/openapi.json", dependencies=[Depends(may(Scope.READ))], tags=["node"])
    def openapi(request: Request) -> dict[str, Any]:
        """This description."""
        described: dict[str, Any] = request.app.openapi()
        return described

    if web is not None:
        app.state.web = web
        app.add_middleware(Guard, web=web)
    return app


def web_of_node(node: Node) -> FastAPI:
    """The application of a running node."""
    return application(Web.of(node))
