"""FastAPI and transformers, as most people rank texts: one pair after the other, in FastAPI's threads."""

import sys

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

app = FastAPI()


class Body(BaseModel):
    """A request."""

    query: str
    texts: list[str]


@app.post("/rerank")
def rerank(body: Body) -> list[dict[str, float]]:
    """Rank texts."""
    scores = []
    for text in body.texts:
        features = tokenizer(body.query, text, return_tensors="pt", truncation=True)
        with torch.inference_mode():
            scores.append(float(network(**features).logits.sigmoid()))
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return [{"index": index, "score": scores[index]} for index in order]


if __name__ == "__main__":
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    network = AutoModelForSequenceClassification.from_pretrained(sys.argv[2]).eval()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
