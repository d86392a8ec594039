"""The server as processes: shutdown, reload and several processes on one port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from machinery.live import BODIES, address, fetch, is_open, metrics_with, post, read_until, served

from my_project.observability.shared_metrics import SHARED_MEMORY
from my_project.server.processes import STARTUP_FAILURE

SLOW = """
import asyncio
from my_project.cli.program import main
from my_project.inference.engine import Engine

predict = Engine.predict

async def slow(*arguments):
    print("called", flush=True)
    await asyncio.sleep(3)
    return await predict(*arguments)

Engine.predict = slow
main()
"""
"""The command, with predictions that take three seconds more."""


def get(connection: HTTPConnection, path: str) -> int | None:
    """Return the status of the answer; None if the server has closed the connection."""
    with suppress(HTTPException, OSError):
        connection.request("GET", path)
        with connection.getresponse() as response:
            response.read()
            return response.status
    return None


def test_sigterm_lets_a_running_request_finish_and_ends_with_exit_code_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_LOG_FORMAT", "json")
    with served("-c", SLOW, "serve") as (process, lines), ThreadPoolExecutor() as pool:
        assert process.stdout
        port = address(lines).port or 0
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as kept:
            assert get(kept, "/ready") == 200
            answer = pool.submit(post, port, {"inputs": BODIES[0]})
            assert process.stdout.readline() == "called\n"
            process.terminate()
            assert get(kept, "/ready") in (503, None), "answered as not ready, or closed already"
        while is_open(port):
            time.sleep(0.02)
        assert not answer.done(), "new requests are refused while the old one is computed"
        assert answer.result() == 200
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0
    logged = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [each["status"] for each in logged if each.get("path") == "/predict"] == [200]
    assert all(each["request_id"] for each in logged if each["logger"] == "uvicorn.access")
    assert not [each for each in logged if each.get("path") == "/ready" and each["status"] == 200]


def test_an_idle_connection_may_bring_one_more_request_after_sigterm() -> None:
    with served("-m", "my_project", "serve") as (process, lines):
        with (
            closing(HTTPConnection("127.0.0.1", address(lines).port, timeout=60)) as kept,
            closing(HTTPConnection("127.0.0.1", address(lines).port, timeout=60)) as idle,
        ):
            assert get(kept, "/ready") == get(idle, "/ready") == 200
            process.terminate()
            read_until(process, lines, "Shutting down")
            kept.request("POST", "/predict", json.dumps({"inputs": BODIES[0]}), {"Content-Type": "application/json"})
            with kept.getresponse() as response:
                assert (response.status, response.headers["Connection"]) == (200, "close")
            process.communicate(timeout=60)  # the idle one does not hold it up
        assert process.returncode == 0


def test_sigterm_ends_a_server_that_reloads_too() -> None:
    with served("-m", "my_project", "serve", "--reload") as (process, _):
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_several_processes_are_one_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_PROJECT_LOG_FORMAT", "json")
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folders = [tmp_path, SHARED_MEMORY]
    with served("-m", "my_project", "serve") as (process, lines), ThreadPoolExecutor() as pool:
        port = address(lines).port or 0
        assert fetch(port, "/ready") == (200, '{"status":"ready"}'), "while the second one is loading"
        read_until(process, lines, "startup complete")
        first, second = [int(each) for each in re.findall(r"Started server process \[(\d+)\]", "".join(lines))]
        for serving, stopped in ((first, second), (second, first)):
            os.kill(stopped, signal.SIGSTOP)
            assert post(port, {"inputs": BODIES[0]}) == 200, f"by {serving}"
            os.kill(stopped, signal.SIGCONT)
        counted = 'http_requests_total{method="POST",route="/predict",status="200"} 2.0'
        metrics = metrics_with(counted, port)
        assert "predict_processes 2.0" in metrics
        assert re.search(r'model_info{model=".+",revision=".*",version=".+"} 1.0', metrics)
        os.kill(second, signal.SIGKILL)
        read_until(process, lines, "is replaced")
        assert "predict_processes 1.0" in fetch(port, "/metrics")[1]
        read_until(process, lines, "startup complete")
        assert counted in metrics_with("predict_processes 2.0", port), "the counts of the killed process are kept"
        files = f"metrics-{process.pid}-*"
        assert [found for folder in folders for found in folder.glob(files)]
        process.terminate()
        rest = pool.submit(process.communicate)
        while is_open(port):
            time.sleep(0.02)
        lines += rest.result(timeout=60)[1].splitlines()
        assert process.returncode == 0
    assert not [found for folder in folders for found in folder.glob(files)]
    assert all(json.loads(line)["message"] for line in lines)


def test_a_server_of_several_processes_ends_if_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "my_project", "serve"]
        command += ["--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, env=os.environ | {"WEB_CONCURRENCY": "2"}, capture_output=True, timeout=60)
    assert done.returncode == STARTUP_FAILURE
