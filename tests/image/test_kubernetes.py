"""The manifests of an overlay run as pods."""

import copy
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.conftest import need_program
from tests.deploy.manifests import kustomize
from tests.engine import PATIENCE
from tests.image import kubelet
from tests.image.conftest import Image
from tests.image.pods import PREDICTION, Node, container_of, deployment, job, roll_out, started_node

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

SLOW_LOAD = """import time
from my_project import components
from my_project.cli.program import main

load_model = components.load_model

def load_slowly(settings):
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        sum(range(1000))
    return load_model(settings)

components.load_model = load_slowly
main()"""
"""The command, with a model whose load keeps a CPU busy for some time."""


@pytest.fixture(scope="module")
def node(image: Callable[[str], Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node that has the image and a trained model in the claim `models`."""
    need_program("kubectl")
    built = image("kubernetes")
    resources = kustomize(built.project / "deploy/kubernetes/base")  # rollouts as in production
    with started_node(resources, [built.name], tmp_path_factory.mktemp("node")) as node:
        training = node.play(job(node.resources, "train"))
        assert training.exit_code() == 0, training.log()
        yield node


def test_a_pod_runs_restricted_and_answers(node: Node) -> None:
    pod = node.play(deployment(node.resources, "restricted")).ready()
    answer = httpx.post(f"{pod.url}/predict", json=PREDICTION)
    assert answer.status_code == 200, answer.text
    pod.assert_restricted()
    pod.terminate()
    assert pod.exit_code() == 0


def test_a_request_that_has_begun_is_answered_after_sigterm(node: Node) -> None:
    pod = node.play(deployment(node.resources, "begun")).ready()
    body = b'{"inputs": ["user-7"]}'
    with socket.create_connection((node.address, httpx.URL(pod.url).port), timeout=PATIENCE) as connection:
        head = f"POST /predict HTTP/1.1\r\nHost: api\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        connection.sendall(head.encode() + body[:5])
        assert httpx.get(f"{pod.url}/health").status_code == 200  # the server has read what was sent before
        pod.terminate()
        with pytest.raises(httpx.TransportError):
            for _ in range(PATIENCE * 10):
                httpx.get(f"{pod.url}/health")
                time.sleep(0.1)
        connection.sendall(body[5:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert pod.exit_code() == 0


def test_probes_do_not_restart_a_pod_whose_weights_load_slowly(node: Node) -> None:
    slow = deployment(node.resources, "slow")
    container = container_of(slow)
    liveness = kubelet.Probe.of(container["livenessProbe"])
    seconds = (liveness.failures + 1) * liveness.period_seconds
    container["args"] = ["python", "-c", SLOW_LOAD.format(seconds=seconds), "serve"]
    mistaken = copy.deepcopy(container)
    mistaken["livenessProbe"]["httpGet"]["path"] = container["readinessProbe"]["httpGet"]["path"]
    pod = node.play(slow)
    with kubelet.probed(container, pod.url) as watch, kubelet.probed(mistaken, pod.url) as other:
        assert watch.ready.wait(PATIENCE), pod.log()
        assert watch.restarted_by == ""
        assert other.restarted_by == "livenessProbe", "a probe that asks whether the model is loaded"
    pod.terminate()
    assert pod.exit_code() == 0


def test_a_rollout_loses_no_request(node: Node) -> None:
    old = node.play(deployment(node.resources, "old")).ready()
    new, sent = roll_out(old, deployment(node.resources, "new"))
    assert sent.lost == []
    by_old, by_new = (each.log().count('"path": "/predict", "status": 200') for each in (old, new))
    assert by_old and by_new
    assert by_old + by_new == sent.answered


def test_a_pod_that_does_not_wait_in_prestop_loses_requests(node: Node) -> None:
    hasty = deployment(node.resources, "hasty")
    del container_of(hasty)["lifecycle"]
    _, sent = roll_out(node.play(hasty).ready(), deployment(node.resources, "next"))
    assert sent.lost
