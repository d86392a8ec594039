"""Who reaches what: the table of docs/before-you-expose-it.md is what the compose files say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.trees import Tree, rendered

LISTENS = {
    "api": "8000",
    "worker": "9100",
    "flower": "5555",
    "redis": "6379",
    "postgres": "5432",
    "bucket": "8333, 18333",
}
LISTENS |= {"grafana": "3000", "prometheus": "9090", "proxy": "80, 443"}
"""Ports on which the program of each service listens for others; no other service listens."""

SMALL = {"hf_task": "custom", "torch_version": "none"}
PLATFORM = {**SMALL, "preset": "platform"}
SETS: list[dict[str, Any]] = [
    {"preset": "api"},
    {"preset": "api", "runtime": "torch", "training": "manual", "weights": "volume"},
    {**PLATFORM, "services": ["postgres", "bucket", "monitoring"]},
    {**PLATFORM, "services": []},
    {**SMALL, "interfaces": ["api"], "services": ["monitoring"]},
    {**PLATFORM, "services": ["bucket"], "training": "scheduled"},
    {"preset": "platform", "runtime": "torch", "training": "scheduled", "services": ["bucket"], "weights": "bucket"},
    {"preset": "platform", "runtime": "onnx", "training": "none", "services": ["bucket"], "weights": "volume"},
    {**SMALL, "interfaces": ["cli"], "services": [], "preset": "custom"},
    {"preset": "existing", "api_app": "app:app"},
]


class Reset:
    """A value that Compose takes away."""


class Override:
    """A value that replaces that of the extended service."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Loader(yaml.SafeLoader):
    """Reads Compose's tags."""


def _reset(loader: Loader, node: yaml.Node) -> Reset:
    return Reset()


def _override(loader: Loader, node: yaml.Node) -> Override:
    if isinstance(node, yaml.MappingNode):
        return Override(loader.construct_mapping(node, deep=True))
    assert isinstance(node, yaml.SequenceNode)
    return Override(loader.construct_sequence(node, deep=True))


Loader.add_constructor("!reset", _reset)
Loader.add_constructor("!override", _override)


def read(path: Path) -> dict[str, Any]:
    """Return the services of a compose file, as they are written."""
    services: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader)["services"]
    return services


def merged(services: dict[str, Any], name: str, key: str) -> list[str]:
    """Return a list of a service as Compose sees it, with that of the service that it extends."""
    service = services[name]
    given = service.get(key, [])
    if isinstance(given, Reset):
        return []
    if isinstance(given, Override):
        return list(given.value)
    extended = service.get("extends", {}).get("service")
    return [*(merged(services, extended, key) if extended else []), *given]


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return projects with each service that there is."""
    return rendered(SETS, template, tmp_path_factory.mktemp("reachable"))


def table(tree: Tree) -> dict[str, tuple[str, str, str]]:
    """Return the rows of the page: service -> ports, addresses on the host, networks."""
    page = (tree.path / "docs/before-you-expose-it.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| ([^|,]+)[^|]* \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    return {name: (ports, address.strip(" `"), networks) for name, ports, address, networks in rows}


def test_the_page_lists_every_service_that_listens_with_its_networks_and_addresses(projects: list[Tree]) -> None:
    pages = 0
    for tree in projects:
        if not (tree.path / "docs/before-you-expose-it.md").exists():
            assert not (tree.path / "compose.tls.yaml").exists(), "an API has the page"
            continue
        pages += 1
        plain, proxied = read(tree.path / "compose.yaml"), read(tree.path / "compose.tls.yaml")
        services = plain | {"proxy": proxied["proxy"]}
        expected = {}
        for name in services:
            if name not in LISTENS:
                assert not merged(services, name, "ports"), f"{name} publishes a port, and no row says so"
                continue
            ports = merged(services, name, "ports")
            hosts = {port.replace("${ADDRESS:-127.0.0.1}", "ADDRESS").partition(":")[0] for port in ports}
            address = ", ".join(sorted(hosts)) or "none"
            expected[name] = LISTENS[name], address, ", ".join(merged(services, name, "networks")) or "default"
        assert table(tree) == expected, tree.answers
    assert pages == 8


def test_https_publishes_the_proxy_alone(projects: list[Tree]) -> None:
    for tree in projects:
        if (tree.path / "compose.tls.yaml").exists():
            proxied = read(tree.path / "compose.tls.yaml")
            assert isinstance(proxied["api"]["ports"], Reset)
            assert [name for name, service in proxied.items() if isinstance(service.get("ports"), list)] == ["proxy"]


def test_everything_is_published_on_this_machine_unless_an_address_is_set(projects: list[Tree]) -> None:
    ports = 0
    for tree in projects:
        for path in tree.path.glob("*compose*.yaml"):
            services = read(path)
            for name in services:
                for port in services[name].get("ports", []) if isinstance(services[name].get("ports"), list) else []:
                    ports += 1
                    assert port.startswith(("127.0.0.1:", "${ADDRESS:-127.0.0.1}:")), f"{path}: {name} {port}"
                    assert name in ("api", "proxy") or port.startswith("127.0.0.1:"), f"{path}: {name} {port}"
    assert ports


def test_backing_services_are_on_a_network_without_a_way_out(projects: list[Tree]) -> None:
    for tree in projects:
        compose = yaml.load((tree.path / "compose.yaml").read_text("utf-8"), Loader)
        for name in {"redis", "postgres", "bucket", "prometheus"} & compose["services"].keys():
            assert merged(compose["services"], name, "networks") == ["inside"]
            assert compose["networks"]["inside"] == {"internal": True}


def test_no_service_extends_one_that_takes_something_away(projects: list[Tree]) -> None:
    """Compose 2.40 drops such a tag in about half of its runs: ports of the API would be published twice."""
    for tree in projects:
        services = read(tree.path / "compose.yaml")
        for name, service in services.items():
            extended = service.get("extends", {}).get("service", "")
            tagged = [key for key, value in services.get(extended, {}).items() if isinstance(value, Reset | Override)]
            assert tagged == [], f"{name} extends {extended}, which resets {tagged}"


def test_only_those_who_publish_models_have_the_key_for_it(projects: list[Tree]) -> None:
    seen = set()
    for tree in projects:
        services = read(tree.path / "compose.yaml")
        holders = {name for name in services if "trainer_credentials" in merged(services, name, "secrets")}
        seen |= holders
        assert holders <= {"train", "schedule", "seed", "make-bucket", "bucket"}, tree.answers
    assert seen == {"train", "schedule", "seed", "make-bucket", "bucket"}


def test_every_image_that_is_built_gets_the_credentials_of_private_indexes(projects: list[Tree]) -> None:
    built = 0
    for tree in projects:
        services = read(tree.path / "compose.yaml")
        for name, service in services.items():
            given = service.get("build")
            if isinstance(given, dict) and "extends" not in service:
                built += 1
                assert {"indexes", "netrc"} <= {*given["secrets"]}, (tree.answers, name)
    assert built >= len(projects)
