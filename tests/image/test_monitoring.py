"""A platform behind HTTPS, with two of each, whose metrics Prometheus reads and whose workers Flower shows.

Prometheus and Caddy are built from packages under their published names, where a machine has none. There is no package
of Grafana: what it is provisioned with is compared with its documentation, and Prometheus is asked instead.
"""

import json
import math
import re
import ssl
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.engine import PATIENCE, docker, exists
from tests.program import run
from tests.system import System

pytestmark = pytest.mark.image

HERE = Path(__file__).parent
NAME = "shop.localhost"
"""A name that is not localhost, for which Caddy's own authority vouches all the same."""

NEVER_ASKED = {"Cache hit rate", "Alerts"}
"""Panels that show nothing in a system that is well and keeps no answers."""


def until(holds: Callable[[], Any], what: str) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if answer := holds():
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"never {what}")


class Observed(System):
    """The containers, and how they are reached."""

    @cached_property
    def proxy(self) -> httpx.Client:
        """A client of the proxy over HTTPS, who trusts the authority that it made itself."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
        trusted = ssl.create_default_context(cadata=root)
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port('proxy', 443)}", verify=trusted, timeout=30)

    @cached_property
    def metrics(self) -> httpx.Client:
        """A client of Prometheus."""
        [address] = self.addresses("prometheus")
        return httpx.Client(base_url=f"http://{address}:9090/api/v1/")

    def port(self, service: str, port: int) -> int:
        """Where a port of a service is published."""
        return int(self.compose("port", service, str(port)).stdout.rpartition(":")[2])

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """What the engine knows of a service's containers."""
        return json.loads(docker("inspect", *self.compose("ps", "--quiet", service).stdout.split()).stdout)

    def addresses(self, service: str) -> set[str]:
        """Of a service's containers, in every network."""
        networks = [each["NetworkSettings"]["Networks"].values() for each in self.inspect(service)]
        return {network["IPAddress"] for found in networks for network in found}

    def ask(self, method: str, path: str, name: str = NAME, **options: Any) -> httpx.Response:
        """The proxy's answer to who asks for a name."""
        headers = {"Host": name, **options.pop("headers", {})}
        return self.proxy.request(method, path, headers=headers, extensions={"sni_hostname": name}, **options)

    def prometheus(self, path: str, **parameters: str) -> Any:
        """The data of Prometheus' answer."""
        answer = self.metrics.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[float]:
        """The values of an expression now, without those that are no numbers."""
        expression = expression.replace("$__rate_interval", "10m")
        found = [float(each["value"][1]) for each in self.prometheus("query", query=expression)["result"]]
        return [each for each in found if not math.isnan(each)]

    def order(self, source: str) -> str:
        """The id of a job that was taken."""
        answer = self.ask("POST", "/jobs", json={"arguments": {"source": source}})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def log(self, service: str) -> list[dict[str, Any]]:
        """Lines of a service's log."""
        said = self.compose("logs", "--no-log-prefix", service).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def system(project: Any, tags: list[str]) -> Iterator[Observed]:
    """The system, in which some requests were answered and a good and a bad job were done."""
    folder = project("monitoring")
    assert run(["make", "secrets"], cwd=folder).returncode == 0
    settings = ["HTTP_PORT=0", "HTTPS_PORT=0", "FLOWER_PORT=0", "MAX_BODY=500KB", f"DOMAIN=localhost, {NAME}"]
    (folder / ".env").write_text("\n".join([*settings, "MY_PROJECT_WORKER_PROCESSES=2", ""]))
    often = folder / "deploy/monitoring/prometheus/prometheus.yml"
    often.write_text(often.read_text().replace("15s", "1s"))
    for service in ("caddy", "prometheus"):
        files = [folder / "compose.yaml", folder / "compose.tls.yaml"]
        [image] = {found for file in files for found in re.findall(rf"image: (\S*\b{service}:\S+)", file.read_text())}
        if not exists(image):
            docker("build", f"--tag={image}", "-", input=(HERE / f"{service}.dockerfile").read_text())
            tags.append(image)
    tags.append("slipway-test-monitoring")
    system = Observed(folder, "compose.yaml", "compose.tls.yaml")
    try:
        system.start("--scale=api=2", "--scale=worker=2", "proxy", "worker", "prometheus", "flower")
        until(lambda: system.query('sum(up{job="api"})') == [2], "both APIs")
        until(lambda: system.query('sum(up{job="worker"})') == [2], "both workers")
        for number in range(20):
            answer = system.ask("POST", "/predict", json={"inputs": [f"user-{number}"]})
            assert answer.status_code == 200, answer.text
        system.put("a.jsonl", '{"text": "user-1"}\n' * 100)
        jobs = [system.order(source) for source in ("a.jsonl", "missing.jsonl")]
        until(lambda: all(system.ask("GET", f"/jobs/{id}").json()["finished_at"] for id in jobs), "done")
        yield system
    finally:
        system.down()


def dashboards(system: Observed) -> dict[str, dict[str, Any]]:
    """Those that Grafana is given, by their names."""
    files = (system.folder / "deploy/monitoring/grafana/dashboards").glob("*.json")
    return {each["uid"]: each for each in (json.loads(file.read_text()) for file in files)}


def expressions(system: Observed) -> Iterator[tuple[str, str]]:
    """Each panel's name, and what it asks."""
    for each in dashboards(system).values():
        for panel in each["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]


def test_every_panel_shows_something(system: Observed) -> None:
    asked = dict(expressions(system))
    assert len(asked) > 25
    for panel, expression in expressions(system):
        if panel in NEVER_ASKED:
            system.query(expression)
        else:
            until(lambda expression=expression: system.query(expression), f"an answer to {expression} of {panel}")


def test_the_numbers_are_those_of_what_happened(system: Observed) -> None:
    wanted = {
        'sum(http_requests_total{route="/predict", status="200"})': 20,
        "sum(worker_processes)": 4,
        'sum(job_attempts_total{outcome="succeeded"})': 1,
        'sum(job_attempts_total{outcome="failed"})': 1,
        "sum(job_attempt_seconds_count)": 2,
        "sum(job_wait_seconds_count)": 2,
        'max(jobs{state="succeeded"})': 1,
        'max(jobs{state="failed"})': 1,
        "count(model_info == 1)": 2,
        "sum(predict_processes)": 2,
    }
    for asked, value in wanted.items():
        until(lambda asked=asked, value=value: system.query(asked) == [value], f"{asked} is {value}")


def test_rules_are_sound_and_ask_for_what_there_is(system: Observed) -> None:
    configuration = "/etc/prometheus/prometheus.yml"
    checked = system.compose("exec", "-T", "prometheus", "promtool", "check", "config", configuration)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    rules = [rule for group in system.prometheus("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == 10
    until(lambda: all(rule["health"] == "ok" for rule in rules), "well")
    known = {"predict_cache_total", *system.prometheus("label/__name__/values")}  # which is told where there is a cache
    for asked in [*(rule["query"] for rule in rules), *(expression for _, expression in expressions(system))]:
        names = set(re.findall(r"\b(?:up|jobs|(?:http|predict|jobs?|worker|model)_\w+)\b", asked))
        assert names <= known, f"{asked}: nobody tells {names - known}"
    system.compose("stop", "worker")
    wanted = 'ALERTS{alertname="WorkersDown"}'
    until(lambda: system.query(wanted), "an alert")
    system.compose("start", "worker")
    until(lambda: not system.query(wanted), "well again")


def test_dashboards_are_what_grafana_takes(system: Observed) -> None:
    provisioning = system.folder / "deploy/monitoring/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(dashboards(system)) == {"api", "jobs"}
    for each in dashboards(system).values():
        panels = each["panels"]
        assert each["title"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        places = [panel["gridPos"] for panel in panels]
        cells = [(at["x"] + x, at["y"] + y) for at in places for x in range(at["w"]) for y in range(at["h"])]
        assert len(set(cells)) == len(cells), "panels lie over each other"
        assert {x for x, _ in cells} == set(range(24))
        for panel in panels:
            assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
            assert panel["type"] in {"stat", "timeseries", "table"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_what_stands_beside_the_api_has_no_rights_and_tells_no_password(system: Observed) -> None:
    passwords = [file.read_text() for file in (system.folder / "secrets").iterdir()]
    assert len(passwords) == 4
    for service in ("prometheus", "flower", "proxy", "worker"):
        for container in system.inspect(service):
            told = json.dumps(container)
            assert not [each for each in passwords if each in told]
            host = container["HostConfig"]
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
            assert "no-new-privileges:true" in host["SecurityOpt"]
            assert host["LogConfig"]["Type"] == "local"
            assert container["Config"]["User"] not in ("", "root", "0")
            bound = [each for ports in (host["PortBindings"] or {}).values() for each in ports]
            assert {each["HostIp"] for each in bound} <= {"127.0.0.1"}
    assert not any(each["HostConfig"]["PortBindings"] for each in system.inspect("api") + system.inspect("prometheus"))


def test_flower_shows_workers_and_jobs_to_those_who_know_the_password(system: Observed) -> None:
    url = f"http://127.0.0.1:{system.port('flower', 5555)}"
    for path in ("/", "/api/workers", "/api/tasks"):
        assert httpx.get(f"{url}{path}").status_code == 401
        assert httpx.get(f"{url}{path}", auth=("admin", "admin")).status_code == 401
    password = (system.folder / "secrets/flower_password").read_text()
    with httpx.Client(base_url=url, auth=("admin", password), timeout=30) as client:
        until(lambda: len(client.get("/api/workers", params={"refresh": "true"}).json()) == 2, "both workers")
        jobs: list[str] = []

        def seen() -> bool:
            jobs.append(system.order("a.jsonl"))  # workers that have just begun do not tell of their first ones
            done = [task["args"] for task in client.get("/api/tasks").json().values() if task["state"] == "SUCCESS"]
            return any(job in str(arguments) for job in jobs for arguments in done)

        until(seen, "a job")
        assert client.get("/workers").status_code == 200


def test_the_proxy_speaks_https_for_every_replica(system: Observed) -> None:
    for path in ("/health", "/ready"):
        assert system.ask("GET", path).status_code == 200
    plain = httpx.get(f"http://127.0.0.1:{system.port('proxy', 80)}/health", headers={"Host": NAME})
    assert (plain.status_code, plain.headers["Location"]) == (308, f"https://{NAME}/health")
    assert system.ask("GET", "/health").headers["Strict-Transport-Security"] == "max-age=31536000"
    local = system.ask("GET", "/health", "localhost")
    assert "Strict-Transport-Security" not in local.headers, "or every other server of this machine would have to"
    assert system.ask("GET", "/metrics").status_code == 404
    served = {container["Id"][:12] for container in system.inspect("api")}
    shares = system.query('count(sum by (instance) (http_requests_total{route="/predict"}) > 0)')
    assert len(served) == 2 and shares == [2]


def test_the_proxy_bounds_what_is_sent(system: Observed) -> None:
    headers = {"Content-Type": "application/json", "Connection": "close"}  # what is left of the body comes behind
    for _ in range(4):
        answer = system.ask("POST", "/predict", content=b"x" * 800_000, headers=headers)
        assert (answer.status_code, answer.content) == (413, b""), "the API would take it, and say what is wrong"
        assert system.ask("GET", "/ready").status_code == 200, "or anybody could take a replica from everybody"


def test_a_client_is_known_by_its_address_and_its_request_by_its_id(system: Observed) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "the-clients-own"}
    assert system.ask("GET", "/jobs", headers=forged).headers["X-Request-ID"] == "the-clients-own"

    def logged(id: str) -> list[dict[str, Any]]:
        return [line for line in system.log("api") if line.get("request_id") == id and "client" in line]

    [line] = until(lambda: logged("the-clients-own"), "logged")  # a log comes behind what it tells of
    client = line["client"].rpartition(":")[0]
    assert client != "203.0.113.9"
    assert client not in system.addresses("proxy"), "the limit of requests would count all clients as one"
    named = system.ask("GET", "/jobs").headers["X-Request-ID"]
    assert until(lambda: logged(named), "logged")

    def passed_on() -> list[list[str] | None]:
        return [line["resp_headers"].get("X-Request-Id") for line in system.log("proxy") if "request" in line]

    until(lambda: [named] in passed_on(), "logged by the proxy")
