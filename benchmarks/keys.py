"""Time that API keys add to a request, in process: PROJECT/.venv/bin/python -m benchmarks.keys PACKAGE.

Compares the middleware with keys to the same middleware without any, around an application that does nothing. Prints
microseconds a request, medians of several rounds that take turns, and exits with 1 above the target.
"""

import argparse
import asyncio
import hashlib
import importlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TARGET_MICROSECONDS = 100
KEYS = 1_000
ROUNDS = 15
REQUESTS = 20_000

HEADERS = [
    (b"host", b"localhost:8000"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"OpenAI/Python 2.0.0"),
    (b"content-type", b"application/json"),
    (b"content-length", b"64"),
    (b"authorization", b"Bearer sk-500"),
]


async def measure(app: Any) -> float:
    """Return microseconds for each request."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        await app({"type": "http", "path": "/predict", "headers": HEADERS}, None, None)
    return (time.perf_counter() - started) / REQUESTS * 1e6


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing."""
    assert scope["user"].name


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", help="name of the package of a generated project")
    package = parser.parse_args().package
    settings = importlib.import_module(f"{package}.base_settings").ServiceSettings
    api_keys = importlib.import_module(f"{package}.server.api_keys").ApiKeys
    authentication = importlib.import_module(f"{package}.server.middleware.authentication").Authentication
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "api_keys")
        lines = [f"k{each} sha256:{hashlib.sha256(f'sk-{each}'.encode()).hexdigest()}\n" for each in range(KEYS)]
        path.write_text("".join(lines))
        without = settings.model_construct(_fields_set=set(), api_keys_file=Path(folder, "none"))
        known = {"with": api_keys(settings(api_keys_file=path)), "without": api_keys(without)}
        apps = {
            name: authentication(nothing, keys, frozenset({"/health", "/ready"}), frozenset(), None)
            for name, keys in known.items()
        }
        times: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(ROUNDS):
            for name, app in apps.items():
                times[name].append(asyncio.run(measure(app)))
    medians = {name: statistics.median(found) for name, found in times.items()}
    added = medians["with"] - medians["without"]
    print(f"without keys {medians['without']:.2f} µs, with {KEYS:,} keys {medians['with']:.2f} µs: {added:.2f} µs more")
    sys.exit(added > TARGET_MICROSECONDS)


if __name__ == "__main__":
    main()
