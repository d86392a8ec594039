"""OpenAI's models routes. The server has one model."""

from typing import Any

from fastapi import APIRouter, Request, Response

from ... import DISTRIBUTION
from ...inference.engine import Engine
from ..dependencies import EngineDep
from ..error_handlers import error_response
from ..responses import Json

router = APIRouter(prefix="/v1")


@router.get("/models")
async def models(engine: EngineDep) -> Json:
    """List the models as OpenAI's API does."""
    return Json({"object": "list", "data": [_describe(engine)]})


@router.get("/models/{name:path}")
async def model(request: Request, name: str, engine: EngineDep) -> Response:
    """Describe a model as OpenAI's API does."""
    known = _describe(engine)
    if name != known["id"]:
        message = f"there is no model {name}: this server has {known['id']}"
        return error_response(request, 404, message, parameter="model", code="model_not_found")
    return Json(known)


def _describe(engine: Engine) -> dict[str, Any]:
    """Return the loaded model.

    Raises:
        NotReadyError: The model is not loaded.
    """
    name = engine.model.name
    created = int(engine.loaded_at.timestamp()) if engine.loaded_at else 0
    return {"id": name, "object": "model", "created": created, "owned_by": DISTRIBUTION}
