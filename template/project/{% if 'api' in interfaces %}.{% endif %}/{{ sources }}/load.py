"""How fast a running server answers: clients in threads, each with a connection that it keeps."""

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

WARM_UP = 0.1
"""Part of the time whose answers do not count."""


@dataclass(frozen=True)
class Load:
    """What clients saw."""

    concurrency: int
    """Clients at once."""
    rate: float | None
    """Requests a second, sent whether or not others were answered; None if each client waited for its answer."""
    answered: int
    """Requests that were answered with status 200."""
    throughput: float
    """Those in a second."""
    p50: float | None
    """Milliseconds that half of the answers took at most; in an open loop, from when the request was due."""
    p95: float | None
    p99: float | None
    errors: dict[str, int]
    """Other statuses and failures, and how often each was met."""


class _Clients:
    def __init__(self, url: str, bodies: Sequence[bytes], seconds: float, rate: float | None) -> None:
        self._url, self._bodies, self._rate = urlsplit(url), bodies, rate
        self._route = urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
        self._began = time.perf_counter()
        self._counts_from, self._ends = self._began + seconds * WARM_UP, self._began + seconds
        self._due_number, self._body_number = itertools.count(), itertools.count()
        self._lock = threading.Lock()
        self.times: list[float] = []
        self.errors: Counter[str] = Counter()

    def run(self) -> None:
        """One client, until the time is over."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=60)
        while (due := self._due()) < self._ends:
            time.sleep(max(0, due - time.perf_counter()))
            failure = self._ask(connection)
            now = time.perf_counter()
            if now < self._counts_from:
                continue
            with self._lock:
                if failure:
                    self.errors[failure] += 1
                elif now < self._ends:
                    self.times.append(now - due)
        connection.close()

    def _due(self) -> float:
        if self._rate is None:
            return time.perf_counter()
        return self._began + next(self._due_number) / self._rate

    def _ask(self, connection: HTTPConnection) -> str | None:
        body = self._bodies[next(self._body_number) % len(self._bodies)]
        while True:
            kept = connection.sock is not None
            try:
                connection.request("POST", self._route, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                connection.close()
                if kept and isinstance(error, ConnectionError):  # the server closes connections that are idle
                    continue
                return type(error).__name__
            return None if response.status == 200 else str(response.status)


def drive(
    url: str,
    inputs: Sequence[Any],
    concurrency: int,
    seconds: float,
    rate: float | None = None,
    parameters: dict[str, Any] | None = None,
) -> Load:
    """Sends inputs, one a request, to a route such as http://localhost:8000/predict, for so many seconds.

    Without a rate each client sends its next request when it has its answer (closed loop). With a rate, in requests a
    second, requests are sent when they are due, as far as there are clients that wait for nothing (open loop).
    `parameters` are those of each request.
    """
    bodies = [json.dumps({"inputs": each, "parameters": parameters or {}}).encode() for each in inputs]
    clients = _Clients(url, bodies, seconds, rate)
    with ThreadPoolExecutor(concurrency) as pool:
        for running in [pool.submit(clients.run) for _ in range(concurrency)]:
            running.result()
    times = sorted(clients.times)

    def quantile(share: float) -> float | None:
        return round(1000 * times[int(share * len(times))], 2) if times else None

    return Load(
        concurrency,
        rate,
        len(times),
        round(len(times) / (seconds * (1 - WARM_UP)), 2),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        dict(clients.errors.most_common()),
    )
