"""LitServe, with dynamic batches of up to 32 that wait 5 ms for company."""

import sys
from typing import Any

import litserve
from encoder import encode, loaded


class Api(litserve.LitAPI):
    """Texts to vectors."""

    def setup(self, device: str) -> None:
        """Load the model."""
        loaded()

    def decode_request(self, request: dict[str, Any]) -> str:
        """Return the text of a request."""
        return request["inputs"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts as they are, rather than an array."""
        return inputs

    def predict(self, x: list[str]) -> list[list[float]]:
        """Return the vectors of a batch."""
        return encode(x)

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """Return the response."""
        return output

    def encode_response(self, output: list[float]) -> list[float]:
        """One vector."""
        return output


if __name__ == "__main__":
    api = Api(max_batch_size=32, batch_timeout=0.005)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        port=int(sys.argv[1]), host="127.0.0.1", num_api_servers=1, generate_client_file=False, log_level="warning"
    )
