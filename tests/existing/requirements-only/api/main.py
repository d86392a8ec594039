from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

from config.settings import settings
from src.recommender import MovieRecommender

state = {"model": None}


@asynccontextmanager
async def lifespan(app: FastAPI):
    if settings.model_path.exists():
        state["model"] = MovieRecommender.load(settings.model_path)
    yield
    state["model"] = None


app = FastAPI(title="Reel Talk", version="1.2.0", lifespan=lifespan)
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origins.split(","),
    allow_methods=["*"],
    allow_headers=["*"],
)


class Recommendation(BaseModel):
    movie_id: int
    title: str


@app.get("/health")
def health():
    model = state["model"]
    return {
        "status": "healthy" if model else "degraded",
        "model_loaded": model is not None,
        "trained_at": model.trained_at if model else None,
    }


@app.get("/recommendations/{user_id}", response_model=list[Recommendation])
def recommendations(user_id: int, k: int = settings.top_k):
    if state["model"] is None:
        raise HTTPException(503, "No model: run train_model.py first")
    try:
        return state["model"].recommend(user_id, k)
    except KeyError:
        raise HTTPException(404, f"Unknown user {user_id}") from None


if __name__ == "__main__":
    uvicorn.run("api.main:app", host=settings.host, port=settings.port)
