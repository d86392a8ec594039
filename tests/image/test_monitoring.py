"""A platform behind HTTPS, with two APIs and two workers, monitored by Prometheus and Flower.

The tests build images of Prometheus and Caddy from packages where a machine has none. There is no package of Grafana:
the tests check its provisioning files and evaluate the expressions of its panels in Prometheus.
"""

import json
import math
import re
import ssl
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from tests.engine import PATIENCE, docker, exists
from tests.program import run
from tests.system import System

pytestmark = pytest.mark.image

HERE = Path(__file__).parent
T = TypeVar("T")

NAME = "shop.localhost"
"""A name other than localhost, for which Caddy's local authority issues a certificate."""

NEVER_ASKED = {"Cache hit rate", "Alerts"}
"""Panels without data in a healthy system without a prediction cache."""


def until(holds: Callable[[], T | None], what: str) -> T:
    """Return the first true result of `holds`; fail after PATIENCE."""
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
    """The containers, with clients of the proxy and Prometheus."""

    @cached_property
    def proxy(self) -> httpx.Client:
        """An HTTPS client of the proxy that trusts its local authority."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
        trusted = ssl.create_default_context(cadata=root)
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port('proxy', 443)}", verify=trusted, timeout=30)

    @cached_property
    def metrics(self) -> httpx.Client:
        """A client of Prometheus."""
        [address] = self.ip_addresses("prometheus")
        return httpx.Client(base_url=f"http://{address}:9090/api/v1/")

    def port(self, service: str, port: int) -> int:
        """Return the published port of a service's port."""
        return int(self.compose("port", service, str(port)).stdout.rpartition(":")[2])

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """Return what `docker inspect` prints of a service's containers."""
        return json.loads(docker("inspect", *self.compose("ps", "--quiet", service).stdout.split()).stdout)

    def ip_addresses(self, service: str) -> set[str]:
        """Return the addresses of a service's containers, in every network."""
        networks = [each["NetworkSettings"]["Networks"].values() for each in self.inspect(service)]
        return {network["IPAddress"] for found in networks for network in found}

    def ask(
        self,
        method: str,
        path: str,
        name: str = NAME,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Return the proxy's response to a request for a host name."""
        headers = {"Host": name, **(headers or {})}
        asked = {"sni_hostname": name}
        return self.proxy.request(method, path, json=json, content=content, headers=headers, extensions=asked)

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Return the data of a response of Prometheus."""
        answer = self.metrics.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """Return the current values of an expression, without NaN."""
        expression = expression.replace("$__rate_interval", "10m")
        found = [float(each["value"][1]) for each in self.prometheus("query", query=expression)["result"]]
        return [each for each in found if not math.isnan(each)]

    def order(self, source: str) -> str:
        """Submit a job and return its id."""
        answer = self.ask("POST", "/jobs", json={"arguments": {"source": source}})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def log(self, service: str) -> list[dict[str, Any]]:
        """Return the JSON lines of a service's log."""
        said = self.compose("logs", "--no-log-prefix", service).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def system(project: Callable[[str], Path], tags: list[str]) -> Iterator[Observed]:
    """Yield the system after some predictions, a job that succeeded and one that failed."""
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
        until(lambda: system.values('sum(up{job="api"})') == [2], "both APIs")
        until(lambda: system.values('sum(up{job="worker"})') == [2], "both workers")
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
    """Return the dashboards of Grafana, by uid."""
    files = (system.folder / "deploy/monitoring/grafana/dashboards").glob("*.json")
    return {each["uid"]: each for each in (json.loads(file.read_text()) for file in files)}


def expressions(system: Observed) -> Iterator[tuple[str, str]]:
    """Yield the title and each expression of every panel."""
    for each in dashboards(system).values():
        for panel in each["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]


def test_every_panel_shows_something(system: Observed) -> None:
    asked = dict(expressions(system))
    assert len(asked) > 25
    for panel, expression in expressions(system):
        if panel in NEVER_ASKED:
            system.values(expression)
        else:
            until(lambda expression=expression: system.values(expression), f"an answer to {expression} of {panel}")


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
        until(lambda asked=asked, value=value: system.values(asked) == [value], f"{asked} is {value}")


def alerts(system: Observed) -> list[str]:
    """Return the names of the alerts in the project's files."""
    files = (system.folder / "deploy/monitoring/prometheus/alerts").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def test_rules_are_sound_and_ask_for_what_there_is(system: Observed) -> None:
    configuration = "/etc/prometheus/prometheus.yml"
    checked = system.compose("exec", "-T", "prometheus", "promtool", "check", "config", configuration)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    rules = [rule for group in system.prometheus("rules")["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules) == sorted(alerts(system))
    until(lambda: all(rule["health"] == "ok" for rule in rules), "well")
    known = {"predict_cache_total", *system.prometheus("label/__name__/values")}  # exported only with a cache
    for asked in [*(rule["query"] for rule in rules), *(expression for _, expression in expressions(system))]:
        names = set(re.findall(r"\b(?:up|jobs|(?:http|predict|jobs?|worker|model)_\w+)\b", asked))
        assert names <= known, f"{asked}: nobody tells {names - known}"
    system.compose("stop", "worker")
    wanted = 'ALERTS{alertname="WorkersDown"}'
    until(lambda: system.values(wanted), "an alert")
    system.compose("start", "worker")
    until(lambda: not system.values(wanted), "well again")


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


@pytest.mark.parametrize("network", ["public", "inside"])
def test_a_container_of_a_network_reaches_what_the_page_lists(system: Observed, network: str) -> None:
    assert system.reached(network) == system.listed(network)


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
            jobs.append(system.order("a.jsonl"))  # workers that have just started report no events of their first jobs
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
    shares = system.values('count(sum by (instance) (http_requests_total{route="/predict"}) > 0)')
    assert len(served) == 2 and shares == [2]


def test_the_proxy_bounds_what_is_sent(system: Observed) -> None:
    headers = {"Content-Type": "application/json", "Connection": "close"}  # the rest of the body still arrives
    for _ in range(4):
        answer = system.ask("POST", "/predict", content=b"x" * 800_000, headers=headers)
        assert (answer.status_code, answer.content) == (413, b""), "the API would take it, and say what is wrong"
        assert system.ask("GET", "/ready").status_code == 200, "or anybody could take a replica from everybody"


def test_a_client_is_known_by_its_address_and_its_request_by_its_id(system: Observed) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "the-clients-own"}
    assert system.ask("GET", "/jobs", headers=forged).headers["X-Request-ID"] == "the-clients-own"

    def logged(id: str) -> list[dict[str, Any]]:
        return [line for line in system.log("api") if line.get("request_id") == id and "client" in line]

    [line] = until(lambda: logged("the-clients-own"), "logged")  # the log is written after the response
    client = line["client"].rpartition(":")[0]
    assert client != "203.0.113.9"
    assert client not in system.ip_addresses("proxy"), "the limit of requests would count all clients as one"
    named = system.ask("GET", "/jobs").headers["X-Request-ID"]
    assert until(lambda: logged(named), "logged")

    def passed_on() -> list[list[str] | None]:
        return [line["resp_headers"].get("X-Request-Id") for line in system.log("proxy") if "request" in line]

    until(lambda: [named] in passed_on(), "logged by the proxy")
