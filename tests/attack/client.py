"""Send one small request after the other until standard input ends, then print what came back.

A program of its own, so that what an attacker computes in Python is no time of the server. The first line of standard
input is a JSON object with `address`, `body` and `headers`. An empty line of output tells that requests begin; another
one is an object with `seconds`, the time of each answer, and `failures`, what was answered instead of status 200.
"""

import http.client
import json
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

ENOUGH = 50
"""Least number of requests that a percentile is taken of."""

PAUSE_SECONDS = 0.01
"""Pause between two requests: they are no load of their own."""

TIMEOUT_SECONDS = 60.0


def main() -> None:
    """Send requests."""
    request, ended = json.loads(sys.stdin.readline()), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    seconds: list[float] = []
    failures: list[str] = []
    print(flush=True)
    while not ended.wait(PAUSE_SECONDS) or len(seconds) + len(failures) < ENOUGH:
        began = time.perf_counter()
        try:
            status = send(request)
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
            continue
        if status == 200:
            seconds.append(time.perf_counter() - began)
        else:
            failures.append(f"status {status}")
    print(json.dumps({"seconds": seconds, "failures": failures}))


def send(request: dict[str, Any]) -> int:
    """Return the status of a request, over a connection of its own."""
    address = urlsplit(request["address"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/predict", request["body"].encode(), request["headers"])
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


if __name__ == "__main__":
    main()
