"""Load generator: client threads that each keep a connection to a running server."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit, urlunsplit

WARM_UP_RATIO = 0.1
"""Part of the time whose answers do not count."""


@dataclass(frozen=True)
class LoadResult:
    """Measurements with one number of clients."""

    concurrency: int
    """Number of concurrent clients."""
    rate: float | None
    """Requests per second of an open loop; None for a closed loop, in which each client waits for its answer."""
    answered: int
    """Number of requests answered with status 200."""
    throughput: float
    """Answers per second."""
    p50: float | None
    """Median latency in milliseconds; in an open loop, from the time when the request was due."""
    p95: float | None
    p99: float | None
    errors: dict[str, int]
    """Number of other statuses and failures, by name."""


class _Clients:
    def __init__(self, url: str, bodies: Sequence[bytes], seconds: float, rate: float | None, key: str) -> None:
        self._url, self._bodies, self._rate = urlsplit(url), bodies, rate
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._route = urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
        self._began = time.perf_counter()
        self._counts_from, self._ends = self._began + seconds * WARM_UP_RATIO, self._began + seconds
        self._due_number, self._body_number = itertools.count(), itertools.count()
        self._lock = threading.Lock()
        self.times: list[float] = []
        self.errors: Counter[str] = Counter()

    def run(self) -> None:
        """Send requests from one client until the time is over."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=60)
        while (due := self._next_due()) < self._ends:
            time.sleep(max(0, due - time.perf_counter()))
            failure = self._send(connection)
            now = time.perf_counter()
            if now < self._counts_from:
                continue
            with self._lock:
                if failure:
                    self.errors[failure] += 1
                elif now < self._ends:
                    self.times.append(now - due)
        connection.close()

    def _next_due(self) -> float:
        if self._rate is None:
            return time.perf_counter()
        return self._began + next(self._due_number) / self._rate

    def _send(self, connection: HTTPConnection) -> str | None:
        """Send a request and return the name of its failure, if any."""
        body = self._bodies[next(self._body_number) % len(self._bodies)]
        while True:
            is_reused = connection.sock is not None
            try:
                connection.request("POST", self._route, body, self._headers)
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                connection.close()
                if is_reused and isinstance(error, ConnectionError):  # servers close idle connections
                    continue
                return type(error).__name__
            return None if response.status == 200 else str(response.status)


def generate_load(
    url: str,
    inputs: Sequence[Any],
    concurrency: int,
    seconds: float,
    rate: float | None = None,
    parameters: dict[str, Any] | None = None,
    key: str = "",
) -> LoadResult:
    """Send inputs to a server, one a request, and return what the clients measured.

    Args:
        url: The prediction route, such as http://localhost:8000/predict.
        inputs: Sent in turn, again and again.
        concurrency: Number of client threads.
        seconds: Duration.
        rate: None for a closed loop, in which each client sends its next request after its answer. Otherwise requests
            per second of an open loop, as far as clients are free.
        parameters: Parameters of each request.
        key: API key to send, if the server needs one.
    """
    bodies = [json.dumps({"inputs": each, "parameters": parameters or {}}).encode() for each in inputs]
    clients = _Clients(url, bodies, seconds, rate, key)
    with ThreadPoolExecutor(concurrency) as pool:
        for running in [pool.submit(clients.run) for _ in range(concurrency)]:
            running.result()
    times = sorted(clients.times)

    def quantile(share: float) -> float | None:
        return round(1000 * times[int(share * len(times))], 2) if times else None

    return LoadResult(
        concurrency,
        rate,
        len(times),
        round(len(times) / (seconds * (1 - WARM_UP_RATIO)), 2),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        dict(clients.errors.most_common()),
    )
