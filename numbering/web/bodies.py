"""A small JSON body, read only after the key has been looked at, and never more of it than is allowed."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

LARGEST_BYTES = 16384

Body = TypeVar("Body", bound=BaseModel)


async def body_of(request: Request, model: type[Body], seconds: float) -> Body:
    """The body as this model. 413 when it is too large, 408 when it does not come, 422 when it is something else.

    What was sent is not repeated: it may name a patient.
    """
    received = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                received += part
                if len(received) > LARGEST_BYTES:
                    raise HTTPException(413, f"expected at most {LARGEST_BYTES} bytes of JSON")
    except TimeoutError:
        raise HTTPException(408, "the body did not come in time") from None
    try:
        return model.model_validate_json(bytes(received))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        raise HTTPException(422, [{"loc": list(one["loc"]), "msg": one["msg"]} for one in wrong]) from None


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI description says of a body that is read so."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
