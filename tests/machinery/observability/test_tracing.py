"""Traces of requests, sent to a collector."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from machinery.live import BODIES, address, fetch, post, served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from my_project import DISTRIBUTION
from my_project.observability import tracing

assert tracing


class Collector(BaseHTTPRequestHandler):
    """Receives traces."""

    received: list[ExportTraceServiceRequest] = []  # noqa: RUF012 - one test uses it

    def do_POST(self) -> None:
        """Keep the spans."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()


def test_requests_are_traced_and_limited_if_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    monkeypatch.setenv("MY_PROJECT_LOG_FORMAT", "json")
    monkeypatch.setenv("MY_PROJECT_TRACING", "true")
    monkeypatch.setenv("MY_PROJECT_RATE_LIMIT_PER_SECOND", "0.001")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with collector, ThreadPoolExecutor() as pool, served("-m", "my_project", "serve") as (process, lines):
        pool.submit(collector.serve_forever, 0.02)
        try:
            port = address(lines).port or 0
            assert post(port, {"inputs": BODIES[0]}, {"traceparent": f"00-{trace}-{parent}-01"}) == 200
            assert post(port, {"inputs": BODIES[0]}) == 429
            assert fetch(port, "/ready")[0] == fetch(port, "/metrics")[0] == 200
            process.terminate()
            lines += process.communicate(timeout=60)[1].splitlines()
            assert process.returncode == 0
        finally:
            collector.shutdown()
    resources = [each for request in Collector.received for each in request.resource_spans]
    described = [{each.key: each.value.string_value for each in one.resource.attributes} for one in resources]
    assert {each["service.name"] for each in described} == {DISTRIBUTION}
    spans = [span for one in resources for scope in one.scope_spans for span in scope.spans]
    assert sorted(each.name for each in spans if each.trace_id.hex() == trace) == ["POST /predict", "compute", "wait"]
    assert {each.name for each in spans} == {"POST", "POST /predict", "compute", "wait"}, "the refused one has no route"
    [request] = [each for each in spans if each.name == "POST /predict"]
    assert request.parent_span_id.hex() == parent
    wait, compute = (next(each for each in spans if each.name == name) for name in ("wait", "compute"))
    assert wait.parent_span_id == compute.parent_span_id == request.span_id
    assert request.start_time_unix_nano <= wait.start_time_unix_nano <= wait.end_time_unix_nano
    assert compute.start_time_unix_nano < compute.end_time_unix_nano <= request.end_time_unix_nano
    logged = [json.loads(line) for line in lines]
    assert [each["trace_id"] for each in logged if each.get("status") == 200] == [trace]


WITHOUT_OPENTELEMETRY = """
import sys
from my_project.cli.program import main

sys.modules["opentelemetry.sdk"] = None
main()
"""
"""The command where a package is not installed."""


def test_tracing_without_its_packages_is_refused_in_one_line() -> None:
    command = [sys.executable, "-c", WITHOUT_OPENTELEMETRY, "serve", "--port", "0"]
    environment = os.environ | {"MY_PROJECT_TRACING": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"error: tracing needs opentelemetry.sdk.*\n", done.stderr)
