"""The simulation of the autoscalers agrees with queueing theory and with the examples of the documentation."""

import math
import random
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from benchmarks.autoscaling import (
    MEASURED_CORES,
    P99_AT_MOST,
    QUEUE_BUCKETS,
    STABILIZATION_SECONDS,
    SYNC_SECONDS,
    Autoscaler,
    Pod,
    Policy,
    queue_quantile,
    read_policies,
    simulate,
    total,
)
from benchmarks.line_chart import Panel, draw
from tests.trees import Tree

POLICY = Policy(1, 100, 1.0, 5.0, cpu_target=0.5)


def mean_wait(servers: int, utilization: float) -> float:
    """Return the mean wait of M/M/c, in service times: Erlang's C formula."""
    load = servers * utilization
    waiting = load**servers / math.factorial(servers) / (1 - utilization)
    probability = waiting / (sum(load**each / math.factorial(each) for each in range(servers)) + waiting)
    return probability / (servers * (1 - utilization))


@pytest.mark.parametrize(("servers", "utilization"), [(1, 0.5), (2, 0.7), (4, 0.6)])
def test_a_pod_lets_requests_wait_as_long_as_queueing_theory_says(servers: int, utilization: float) -> None:
    choose = random.Random(servers)
    pod, now, waited = Pod(0.0, servers), 0.0, 0.0
    count = 200_000
    for _ in range(count):
        now += choose.expovariate(servers * utilization)
        wait = pod.accept(now, choose.expovariate(1), math.inf)
        assert wait is not None
        waited += wait
    assert waited / count == pytest.approx(mean_wait(servers, utilization), rel=0.05)


def test_a_full_queue_refuses() -> None:
    pod = Pod(0.0, 1)
    assert [pod.accept(0.0, 1.0, 2) for _ in range(3)] == [0.0, 1.0, None]
    assert pod.accept(1.5, 1.0, 2) == 0.5


def decide(replicas: int, used: list[float], starting: int = 0) -> int:
    """Return the first decision of a new autoscaler whose target is half a core."""
    return Autoscaler(POLICY).decide(replicas, used, starting)


def test_replicas_follow_the_ratio_of_the_metric_to_its_target() -> None:
    assert decide(2, [1.0, 1.0]) == 4  # the documentation's example: 200m of 100m doubles
    assert decide(4, [0.25] * 4) == 2  # and 50m halves
    assert decide(10, [0.549] * 10) == 10  # within the tolerance
    assert decide(10, [0.56] * 10) == 12
    assert decide(3, [50.0] * 3) == 7  # at most four more
    assert decide(10, [50.0] * 10) == 20  # or twice as many


def test_pods_that_start_count_as_idle() -> None:
    assert decide(4, [1.0, 1.0], starting=2) == 4
    assert decide(4, [2.0, 2.0], starting=2) == 8
    assert decide(4, [0.25, 0.25], starting=2) == 1


def test_fewer_replicas_come_only_after_the_stabilization() -> None:
    autoscaler = Autoscaler(POLICY)
    assert autoscaler.decide(5, [1.0] * 5) == 10
    held = int(STABILIZATION_SECONDS / SYNC_SECONDS)
    assert [autoscaler.decide(10, [0.1] * 10) for _ in range(held + 1)] == [10] * held + [2]


def test_the_highest_of_several_metrics_decides() -> None:
    policy = replace(POLICY, queue_target=0.5, computing_target=0.7)
    assert Autoscaler(policy).decide(4, [0.5] * 4, queue_seconds=1.0) == 8
    assert Autoscaler(policy).decide(4, [0.5] * 4, queue_seconds=0.5) == 4
    assert Autoscaler(policy).decide(4, [1.0] * 4, queue_seconds=0.1) == 8
    assert Autoscaler(policy).decide(4, [0.1] * 4, computing=2.8) == 4
    assert Autoscaler(policy).decide(4, [0.1] * 4, computing=4.3) == 7


def test_a_quantile_is_interpolated_as_prometheus_does() -> None:
    counts = [0] * len(QUEUE_BUCKETS)
    counts[QUEUE_BUCKETS.index(0.25)], counts[QUEUE_BUCKETS.index(0.5)] = 60, 40
    assert queue_quantile([counts], 0.5) == pytest.approx(0.1 + 0.15 * 50 / 60)
    assert queue_quantile([counts, counts], 0.95) == pytest.approx(0.25 + 0.25 * 35 / 40)
    assert queue_quantile([[0] * len(QUEUE_BUCKETS)], 0.95) == 0.0
    assert queue_quantile([[0] * (len(QUEUE_BUCKETS) - 1) + [1]], 0.95) == 10.0


def test_policies_are_those_of_the_manifests(projects: dict[str, Tree], tmp_path: Path) -> None:
    folder = projects["platform"].path / "deploy/kubernetes"
    policies = read_policies(folder)
    changes = {
        "base/api.yaml": ("averageUtilization: 70", "averageUtilization: 35"),
        "components/keda/scaling.yaml": ('threshold: "0.5"', 'threshold: "0.25"'),
    }
    for file, (old, new) in changes.items():
        changed = tmp_path / file
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text((folder / file).read_text().replace(old, new))
    hpa, keda = read_policies(tmp_path).values()
    assert hpa == replace(policies["HPA"], cpu_target=policies["HPA"].cpu_target / 2)
    assert keda == replace(policies["KEDA"], queue_target=policies["KEDA"].queue_target / 2)
    api = tmp_path / "base/api.yaml"
    api.write_text(api.read_text().replace(f'limits: {{cpu: "{MEASURED_CORES}"', 'limits: {cpu: "3"'))
    with pytest.raises(ValueError, match="measure again"):
        read_policies(tmp_path)


@pytest.mark.parametrize("name", ["platform", "download"])
def test_replicas_do_not_follow_the_queue_alone(projects: dict[str, Tree], name: str) -> None:
    """By the queue alone they would go to the minimum whenever it is empty, and back when it is full."""
    keda = replace(read_policies(projects[name].path / "deploy/kubernetes")["KEDA"], max_replicas=20)
    assert keda.on_gpu == (name == "download")
    intervals = simulate(keda, 3)
    assert not any(each.refused for each in intervals)
    assert total(intervals).quantile(0.99) < P99_AT_MOST
    alone = simulate(replace(keda, cpu_target=math.inf, computing_target=math.inf), 3)
    assert any(each.refused for each in alone)


def test_a_chart_has_a_line_for_each_series() -> None:
    panel = Panel("Replicas", {"needed": [(0, 1), (15, 3)], "HPA": [(0, 2), (15, 42)]})
    image = xml.fromstring(draw("A test", [[panel, panel]]))
    paths = [each.get("class") for each in image.iter("{http://www.w3.org/2000/svg}path")]
    assert paths.count("line0") == paths.count("line1") == 3  # two panels and the legend
    labels = [each.text for each in image.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "20", "40", "60", "0 min", "15 min", "needed", "HPA"} <= set(labels)
