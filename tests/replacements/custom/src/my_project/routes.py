"""Routes of this project."""

from fastapi import APIRouter

from .components import get_settings
from .server.dependencies import EngineDep

router = APIRouter()


@router.get("/garden")
async def garden(engine: EngineDep) -> dict[str, str]:
    """Return where the irises grow, and who tells them apart."""
    return {"garden": get_settings().garden, "model": engine.name}
