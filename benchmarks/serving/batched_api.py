"""FastAPI with `batched`: its dynamic batches, computed in a thread."""

import sys

import uvicorn
from batched import aio
from encoder import encode, loaded
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """A request."""

    inputs: str


@aio.dynamically(batch_size=32, timeout_ms=5.0)
def embed(texts: list[str]) -> list[list[float]]:
    """Return the vectors of a batch."""
    return encode(texts)


@app.post("/predict")
async def predict(body: Body) -> list[float]:
    """One vector."""
    return await embed(body.inputs)


if __name__ == "__main__":
    loaded()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
