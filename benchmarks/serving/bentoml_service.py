"""BentoML, with adaptive batches of up to 32."""

import bentoml
from encoder import encode, loaded


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 512})
class Embedder:
    """Texts to vectors."""

    def __init__(self) -> None:
        loaded()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60_000, route="/embed")
    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of a batch."""
        return encode(texts)


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 512})
class Api:
    """One text to one vector; batches are made of requests to the service behind."""

    embedder = bentoml.depends(Embedder)

    @bentoml.api(route="/predict")
    async def predict(self, inputs: str) -> list[float]:
        """One vector."""
        return (await self.embedder.to_async.embed([inputs]))[0]
