"""FastAPI and transformers, as most people write it: each request alone, in FastAPI's threads."""

import uvicorn
from encoder import encode, loaded
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """A request."""

    inputs: str


@app.post("/predict")
def predict(body: Body) -> list[float]:
    """One vector."""
    return encode([body.inputs])[0]


if __name__ == "__main__":
    import sys

    loaded()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
