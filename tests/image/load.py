"""Clients that send predictions all the time, and remember which ones were not answered."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeAlias

Client: TypeAlias = tuple[float, bool]
"""Seconds between the requests of a client, and whether it keeps its connection."""

TIMEOUT_SECONDS = 60
CLIENTS: list[Client] = [(0.0, True), (0.02, True), (0.3, True), (1.0, True), (0.02, False), (0.3, False)]


@dataclass
class Load:
    """What became of the predictions."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)
    """Why there was no answer, or not the status 200."""


@contextmanager
def load(port: int, body: dict[str, Any], clients: list[Client] = CLIENTS) -> Iterator[Load]:
    """Send predictions to a port of this machine until the block ends.

    The clients are the strictest that there are: they neither send a request again, nor look whether the server has
    closed the connection before they send the next one.
    """
    found, ended, lock = Load(), threading.Event(), threading.Lock()

    def send(pause_seconds: float, keeps: bool) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/json"} | ({} if keeps else {"Connection": "close"})
        while not ended.is_set():
            lost = ""
            try:
                connection.request("POST", "/predict", json.dumps(body), headers)
                with connection.getresponse() as response:
                    content = response.read()
                    lost = "" if response.status == 200 else f"{response.status}: {content[:200]!r}"
            except (HTTPException, OSError) as error:
                lost = repr(error)
                connection.close()
            with lock:
                found.answered += not lost
                found.lost += [f"{lost}, kept: {keeps}, every {pause_seconds} s"] if lost else []
            ended.wait(pause_seconds)
        connection.close()

    with ThreadPoolExecutor(max_workers=len(clients)) as pool:
        sending = [pool.submit(send, *each) for each in clients]
        try:
            yield found
        finally:
            ended.set()
    for each in sending:
        each.result()
