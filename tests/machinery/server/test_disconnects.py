"""Clients that disconnect."""

import asyncio
import json
import threading
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from machinery.live import BODIES, live

from my_project.server.asgi import create


def test_work_for_a_client_that_has_gone_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    began, stopped = threading.Event(), threading.Event()

    async def endless(*arguments: Any) -> None:
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            stopped.set()

    app = create()
    with live(app) as url:
        monkeypatch.setattr(app.state.engine, "predict", endless)
        connection = HTTPConnection("127.0.0.1", urlsplit(url).port or 0, timeout=60)
        connection.request("POST", "/predict", json.dumps({"inputs": BODIES[0]}), {"content-type": "application/json"})
        assert began.wait(60)
        connection.close()
        assert stopped.wait(60)
