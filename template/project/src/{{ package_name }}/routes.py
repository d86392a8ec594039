"""Your HTTP routes. Updates never touch this file.

An example, which answers `GET /version` with the name of the model:

    from .server.dependencies import EngineDep

    @router.get("/version")
    async def version(engine: EngineDep) -> dict[str, str]:
        return {"model": engine.name}
"""

from fastapi import APIRouter

router = APIRouter()
