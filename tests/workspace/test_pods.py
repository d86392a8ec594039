"""Services of a workspace run as pods of their namespaces, and call each other by their names in Compose."""

import copy
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import need_program
from tests.deploy.manifests import Resource, pod_template
from tests.engine import attempt, build, need_engine
from tests.existing_code.packages import Package
from tests.image.pods import PREDICTION, Node, Pod, container_of, deployment, job, namespace, started_node
from tests.workspace.workspace import PROJECT, Workspace, made

pytestmark = [pytest.mark.image, pytest.mark.exhaustive, pytest.mark.timeout(1200)]

DOCS, EARS = "slipway-test-docs", "slipway-test-ears"
"""A project, and existing code that needs it: services, and the images that their manifests name."""

SERVER = f"""
import httpx
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route


async def health(request):
    return Response()


async def ask(request):
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.post("http://{DOCS}:8000/predict", json=await request.json(), timeout=60)
        except httpx.ConnectError as error:
            return Response(str(error), 502)
    return Response(answer.content, answer.status_code)


app = Starlette(routes=[Route("/health", health), Route("/ask", ask, methods=["POST"])])
"""
CODE = {"requirements.txt": "httpx\nstarlette\nuvicorn\n", "server.py": SERVER}
ANSWERS = [
    "--data=requirements_file=requirements.txt",
    "--data=code_paths=[server.py]",
    "--data=api_app=server:app",
    "--data=health_route=/health",
    "--data=torch_version=none",
    "--data=test_command=",
]


@pytest.fixture(scope="module")
def node(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node with the images and the manifests of both services, and a trained model of the project."""
    need_engine()
    need_program("kubectl")
    workspace = made(template, tmp_path_factory.mktemp("cluster") / "farm", {"deploy": ["kubernetes"]})
    Package(CODE).write(workspace.root / "services" / EARS)
    try:
        for name, preset, options in ((DOCS, "custom", PROJECT), (EARS, "existing", ANSWERS)):
            done = workspace.service(name, preset, *options)
            assert done.returncode == 0, done.stderr
            done = workspace.make("lock", f"SERVICE={name}")
            assert done.returncode == 0, done.stdout + done.stderr
            built = build(workspace.root / "services" / name, f"--tag={name}")
            assert built.returncode == 0, built.output
        resources = rendered(workspace)
        with started_node(resources, [DOCS, EARS], tmp_path_factory.mktemp("node")) as node:
            training = node.play(job(resources, "train"))
            assert training.exit_code() == 0, training.log()
            yield node
    finally:
        attempt("image", "rm", "--force", DOCS, EARS)


def rendered(workspace: Workspace) -> list[Resource]:
    """Return the manifests of a cluster for development, in which the existing code needs the project."""
    inventory = workspace.root / "services.yml"
    content = yaml.safe_load(inventory.read_text())
    content["services"][EARS]["needs"] = [DOCS]
    inventory.write_text(yaml.safe_dump(content, sort_keys=False))
    for verb in (["services"], ["k8s-render", "OVERLAY=dev"]):
        done = workspace.make(*verb)
        assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def api(node: Node, service: str, name: str) -> Resource:
    """Return the Deployment of a service's API under a name."""
    theirs = [each for each in node.resources if namespace(each) == f"{service}-dev"]
    return deployment(theirs, name)


def introduced(workload: Resource, pods: list[Pod], resources: list[Resource]) -> Resource:
    """Return a workload whose pod finds others by the Services of its namespace, as the DNS of a cluster answers."""
    found = copy.deepcopy(workload)
    names = {
        each["metadata"]["name"]: each["spec"]["externalName"]
        for each in resources
        if each["kind"] == "Service" and namespace(each) == namespace(workload) and "externalName" in each["spec"]
    }
    pod_template(found)["spec"]["hostAliases"] = [
        {"ip": behind(host, pods, resources).address, "hostnames": [name]} for name, host in names.items()
    ]
    return found


def behind(host: str, pods: list[Pod], resources: list[Resource]) -> Pod:
    """Return the only pod that a Service chooses, on whose port it must be: nothing translates ports here."""
    name, where, *_ = host.split(".")
    [service] = [
        each["spec"]
        for each in resources
        if (each["kind"], each["metadata"]["name"], namespace(each)) == ("Service", name, where)
    ]
    [pod] = [
        each
        for each in pods
        if namespace(each.workload) == where
        and service["selector"].items() <= pod_template(each.workload)["metadata"]["labels"].items()
    ]
    ports = {each["name"]: each["containerPort"] for each in container_of(pod.workload)["ports"]}
    assert [ports[each["targetPort"]] for each in service["ports"]] == [each["port"] for each in service["ports"]]
    return pod


def test_a_service_calls_another_by_its_name_in_compose(node: Node) -> None:
    docs = node.play(api(node, DOCS, "docs")).ready()
    ears = node.play(introduced(api(node, EARS, "ears"), [docs], node.resources)).ready()
    stranger = node.play(api(node, EARS, "stranger")).ready()
    direct = httpx.post(f"{docs.url}/predict", json=PREDICTION)
    assert direct.status_code == 200, direct.text
    asked = httpx.post(f"{ears.url}/ask", json=PREDICTION, timeout=60)
    assert (asked.status_code, asked.json()) == (200, direct.json())
    assert httpx.post(f"{stranger.url}/ask", json=PREDICTION, timeout=60).status_code == 502
    for pod in (docs, ears):
        pod.assert_restricted()
        pod.terminate()
        assert pod.exit_code() == 0
