"""Routes of this project."""

from fastapi import APIRouter

from .components import get_settings
from .schemas import Input, Parameters
from .server.dependencies import EngineDep

router = APIRouter()


@router.post("/triage")
async def triage(engine: EngineDep, reviews: list[Input]) -> dict[str, object]:
    """Return the reviews that a person should read."""
    labels = await engine.predict(reviews, Parameters())
    unsure = [review for review, label in zip(reviews, labels, strict=True) if not label["is_certain"]]
    return {"certain_from": get_settings().certain_from, "unsure": unsure}
