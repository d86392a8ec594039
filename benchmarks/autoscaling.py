"""Simulate the autoscalers of `deploy/kubernetes`: replicas over time and latency, when load grows fivefold.

Nothing is deployed. Requests arrive at random (Poisson) at a rate that follows LOAD, and the Service gives each to any
ready pod. A pod computes PARALLEL_BATCHES at a time, first come, first served; the time of a request is proportional to
its length, and its mean follows from the throughput that serving.md has for one pod. Thresholds, bounds and sizes are
read from the manifests of a generated project, and the replicas follow the algorithm that Kubernetes documents for the
HorizontalPodAutoscaler. KEDA creates one as well, and answers it with the value of its query; its own polling interval
and cooldown period only concern scaling to and from zero, which the manifests do not do.

Not simulated: nodes that start first, images that are pulled first, connections that stay with a pod, batches.
"""

import math
import random
import re
import sys
import tempfile
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmarks import report
from benchmarks.line_chart import Panel, draw
from benchmarks.report import Row, say
from tests import releases

REQUESTS_PER_SECOND = 116.4
"""Of one pod: ONNX Runtime in 32 bits, mixed lengths, 64 clients, in serving.md."""
MEASURED_CORES = 2
PARALLEL_BATCHES = 2
MAX_QUEUE = 512
"""Requests that a pod accepts before it refuses more with 503."""
TOKENS = (8, 128)
"""Lengths of the texts, all equally frequent, as in serving.md."""
START_SECONDS = 3.0
"""From the decision until a pod could answer: 2 s to schedule it, and 0.9 s of images.md. Its probe comes later."""

SYNC_SECONDS = 15.0
"""Interval of the autoscaler's decisions; metrics are those of the interval before."""
TOLERANCE = 0.1
STABILIZATION_SECONDS = 300.0
"""The highest recommendation of that time holds when the load falls."""
GROWTH_FACTOR, GROWTH_PODS = 2, 4
"""In one interval replicas double, or grow by four, whichever is more."""
QUEUE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)
"""Upper bounds of `predict_queue_seconds`: the default ones of prometheus_client."""

MINUTES = 45
LOAD = ((0, 0.2), (5, 0.2), (15, 0.7), (20, 0.7), (21, 1.0), (26, 1.0), (27, 0.7), (35, 0.2), (MINUTES, 0.2))
"""Minute and share of the peak: low, a ramp, a spike within one minute, and back. Linear between the points."""

TRAFFIC = (1, 10, 100)
"""Peaks, in pods that would be fully busy."""
GPU = "cu130"
GPU_CPU_SHARE = 0.1
"""Assumed: cores that a pod uses whose GPU is fully busy. For comparison, it answers as many requests as a CPU."""
P99_AT_MOST = 1.0
"""Seconds, over the whole run."""


@dataclass(frozen=True)
class Policy:
    """An autoscaler, and the pods that it sizes, as the manifests have them. A target that is not used is infinite."""

    min_replicas: int
    max_replicas: int
    cpu_request: float
    """Cores."""
    probe_seconds: float
    on_gpu: bool = False
    """Whether a GPU computes, one batch at a time, and CPUs do little."""
    cpu_target: float = math.inf
    """Share of the requested CPU."""
    queue_target: float = math.inf
    """Seconds in the queue."""
    queue_quantile: float = 0.95
    computing_target: float = math.inf
    """Seconds of computing in each second, for each pod."""
    window_seconds: float = 120.0
    """Of both queries."""

    @property
    def parallel(self) -> int:
        """Batches that a pod computes at a time."""
        return 1 if self.on_gpu else PARALLEL_BATCHES

    @property
    def cores(self) -> float:
        """Cores that a fully busy pod uses."""
        return GPU_CPU_SHARE if self.on_gpu else MEASURED_CORES

    @property
    def pods_needed(self) -> float:
        """Pods for the work of one fully busy pod, if it lasts."""
        return max(self.cores / (self.cpu_target * self.cpu_request), self.parallel / self.computing_target)


def read_policies(folder: Path) -> dict[str, Policy]:
    """Return the policies of HPA and KEDA in a project's folder `deploy/kubernetes`.

    Raises:
        ValueError: A pod has another limit of CPUs than the one that was measured, or a query of KEDA is another one.
    """
    resources = list(yaml.safe_load_all((folder / "base/api.yaml").read_text("utf-8")))
    [pod] = [each["spec"]["template"]["spec"] for each in resources if each["kind"] == "Deployment"]
    [hpa] = [each["spec"] for each in resources if each["kind"] == "HorizontalPodAutoscaler"]
    scaled = yaml.safe_load_all((folder / "components/keda/scaling.yaml").read_text("utf-8"))
    [keda] = [each["spec"] for each in scaled if each["metadata"]["name"] == "api"]
    [container] = pod["containers"]
    if float(container["resources"]["limits"]["cpu"]) != MEASURED_CORES:
        raise ValueError(f"measured with {MEASURED_CORES} cores: measure again for the limit of the manifests")
    [metric] = hpa["metrics"]
    by_cpu = Policy(
        hpa["minReplicas"],
        hpa["maxReplicas"],
        float(container["resources"]["requests"]["cpu"]),
        container["readinessProbe"]["periodSeconds"],
        on_gpu=all(each["type"] != "cpu" for each in keda["triggers"]),
        cpu_target=metric["resource"]["target"]["averageUtilization"] / 100,
    )
    by_triggers = replace(
        by_cpu, min_replicas=keda["minReplicaCount"], max_replicas=keda["maxReplicaCount"], cpu_target=math.inf
    )
    for trigger in keda["triggers"]:
        by_triggers = replace(by_triggers, **_read_trigger(trigger))
    return {"HPA": by_cpu, "KEDA": by_triggers}


def _read_trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a policy that a trigger of KEDA sets."""
    metadata = trigger["metadata"]
    if trigger["type"] == "cpu":
        return {"cpu_target": float(metadata["value"]) / 100}
    target = float(metadata["threshold"])
    if found := re.search(r"histogram_quantile\(([\d.]+),.*predict_queue_seconds.*\[(\d+)m\]", metadata["query"]):
        quantile, minutes = map(float, found.groups())
        return {"queue_target": target, "queue_quantile": quantile, "window_seconds": minutes * 60}
    if found := re.match(r"sum\(rate\(predict_batch_seconds_sum.*\[(\d+)m\]", metadata["query"]):
        return {"computing_target": target, "window_seconds": float(found[1]) * 60}
    raise ValueError(f"cannot simulate the query {metadata['query']}")


class Autoscaler:
    """The decisions of a HorizontalPodAutoscaler, one after each interval."""

    def __init__(self, policy: Policy) -> None:
        """Start without recommendations."""
        self._policy = policy
        self._recommended: deque[int] = deque(maxlen=int(STABILIZATION_SECONDS / SYNC_SECONDS) + 1)

    def decide(
        self, replicas: int, used: Sequence[float], starting: int = 0, queue_seconds: float = 0, computing: float = 0
    ) -> int:
        """Return the number of replicas for the next interval.

        Args:
            replicas: The present number.
            used: Cores that each pod used which was ready for the whole interval.
            starting: Number of the other pods.
            queue_seconds: Time in the queue, as the query returns it.
            computing: Seconds of computing in each second, of all pods.
        """
        policy = self._policy
        wanted = max(
            self._by_cpu(replicas, used, starting),
            self._by_ratio(replicas, queue_seconds / policy.queue_target, len(used)),
            self._by_ratio(replicas, computing / policy.computing_target / replicas, replicas),
        )
        self._recommended.append(min(max(wanted, policy.min_replicas), policy.max_replicas))
        growth = max(replicas * GROWTH_FACTOR, replicas + GROWTH_PODS)
        return min(max(self._recommended), max(growth, policy.min_replicas))

    def _by_cpu(self, replicas: int, used: Sequence[float], starting: int) -> int:
        if not used:
            return replicas
        target = self._policy.cpu_target * self._policy.cpu_request
        ratio = sum(used) / len(used) / target
        if ratio <= 1 or not starting:
            return self._by_ratio(replicas, ratio, len(used))
        # Pods that start count as idle when replicas grow, so that the same load does not ask for them twice.
        everyone = len(used) + starting
        ratio = sum(used) / everyone / target
        return replicas if ratio <= 1 else max(replicas, self._by_ratio(replicas, ratio, everyone))

    @staticmethod
    def _by_ratio(replicas: int, ratio: float, pods: int) -> int:
        """Return as many pods as bring a metric to its target, or the present number if it is close."""
        return replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * pods)


class Pod:
    """One queue, and as many requests at a time as the pod computes batches."""

    __slots__ = ("_accepted", "_free_at", "busy_seconds", "ready_at")

    def __init__(self, ready_at: float, parallel: int) -> None:
        """Start idle."""
        self.ready_at = ready_at
        self.busy_seconds: defaultdict[int, float] = defaultdict(float)
        """Interval -> computing time of the requests that began in it."""
        self._free_at = [ready_at] * parallel
        self._accepted: deque[float] = deque()

    def accept(self, now: float, seconds: float, most: float = MAX_QUEUE) -> float | None:
        """Return the seconds that a request of this computing time waits, or None if the queue is full."""
        accepted, free_at = self._accepted, self._free_at
        while accepted and accepted[0] <= now:
            accepted.popleft()
        if len(accepted) >= most:
            return None
        begin = min(free_at)
        slot = free_at.index(begin)
        begin = max(begin, now)
        free_at[slot] = begin + seconds
        accepted.append(begin + seconds)
        self.busy_seconds[int(begin / SYNC_SECONDS)] += seconds
        return begin - now


class Latencies:
    """A histogram whose bins grow by 2 %."""

    def __init__(self) -> None:
        """Start without requests."""
        self.bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a request."""
        self.bins[int(math.log(seconds) * 50)] += 1

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of the requests was answered, 0 without requests."""
        total = sum(self.bins.values())
        below = 0
        for number in sorted(self.bins):
            below += self.bins[number]
            if below >= share * total:
                return math.exp((number + 0.5) / 50)
        return 0.0


@dataclass(frozen=True)
class Interval:
    """What happened between two decisions."""

    minute: float
    """Its begin."""
    needed: float
    """Pods that its requests would keep fully busy."""
    replicas: int
    latencies: Latencies
    refused: int


def share_of_peak(minute: float) -> float:
    """Return the load at that minute, as a share of the peak."""
    for (before, low), (after, high) in pairwise(LOAD):
        if minute <= after:
            return low + (high - low) * (minute - before) / (after - before)
    return LOAD[-1][1]


def queue_quantile(counts: Iterable[Sequence[int]], share: float) -> float:
    """Return `histogram_quantile` over the counts of QUEUE_BUCKETS of several intervals, 0 without requests."""
    below = list(accumulate(map(sum, zip(*counts, strict=True))))
    if not below or not below[-1]:
        return 0.0
    bucket = bisect_left(below, share * below[-1])
    if bucket == len(QUEUE_BUCKETS) - 1:
        return QUEUE_BUCKETS[-2]
    lowest = QUEUE_BUCKETS[bucket - 1] if bucket else 0.0
    before = below[bucket - 1] if bucket else 0
    return lowest + (QUEUE_BUCKETS[bucket] - lowest) * (share * below[-1] - before) / (below[bucket] - before)


def simulate(policy: Policy, peak: float, seed: int = 1) -> list[Interval]:
    """Return what happens under LOAD with a peak of as many fully busy pods."""
    choose = random.Random(seed)
    autoscaler = Autoscaler(policy)
    per_token = policy.parallel / REQUESTS_PER_SECOND / (sum(TOKENS) / 2)
    begin = math.ceil(share_of_peak(0) * peak * policy.pods_needed)  # as if that load had lasted
    begin = min(max(begin, policy.min_replicas), policy.max_replicas)
    pods = [Pod(0.0, policy.parallel) for _ in range(begin)]
    window = int(policy.window_seconds / SYNC_SECONDS)
    waited: deque[list[int]] = deque(maxlen=window)
    computed: deque[float] = deque(maxlen=window)
    intervals: list[Interval] = []
    for number in range(int(MINUTES * 60 / SYNC_SECONDS)):
        start = number * SYNC_SECONDS
        latencies = Latencies()
        waited.append([0] * len(QUEUE_BUCKETS))
        refused = sum(
            _serve(choose, pods, start + second, peak, per_token, latencies, waited[-1])
            for second in range(int(SYNC_SECONDS))
        )
        intervals.append(Interval(start / 60, share_of_peak(start / 60) * peak, len(pods), latencies, refused))
        now = start + SYNC_SECONDS
        busy = {pod: pod.busy_seconds[number] / SYNC_SECONDS for pod in pods}
        computed.append(sum(busy.values()))
        used = [share * policy.cores / policy.parallel for pod, share in busy.items() if pod.ready_at <= start]
        queue_seconds = queue_quantile(waited, policy.queue_quantile)
        computing = sum(computed) / len(computed)
        wanted = autoscaler.decide(len(pods), used, len(pods) - len(used), queue_seconds, computing)
        # The probe of a new pod comes at any time of its period; the newest pods stop first.
        ready = [now + START_SECONDS + choose.uniform(0, policy.probe_seconds) for _ in range(wanted - len(pods))]
        pods = [*pods, *(Pod(each, policy.parallel) for each in ready)][:wanted]
    return intervals


def _serve(
    choose: random.Random,
    pods: list[Pod],
    start: float,
    peak: float,
    per_token: float,
    latencies: Latencies,
    waited: list[int],
) -> int:
    """Let the requests of one second arrive; return how many were refused."""
    rate = share_of_peak(start / 60) * peak * REQUESTS_PER_SECOND
    ready = [pod for pod in pods if pod.ready_at <= start]
    refused = 0
    now = start + choose.expovariate(rate)
    while now < start + 1:
        seconds = choose.uniform(*TOKENS) * per_token
        wait = ready[int(choose.random() * len(ready))].accept(now, seconds)
        if wait is None:
            refused += 1
        else:
            latencies.add(wait + seconds)
            waited[bisect_left(QUEUE_BUCKETS, wait)] += 1
        now += choose.expovariate(rate)
    return refused


def total(intervals: Sequence[Interval]) -> Latencies:
    """Return the latencies of all intervals."""
    latencies = Latencies()
    for each in intervals:
        latencies.bins.update(each.latencies.bins)
    return latencies


def rows(name: str, intervals: Sequence[Interval], at_most: float | None) -> list[Row]:
    """Return the results of a run."""
    latencies = total(intervals)
    refused = sum(each.refused for each in intervals)
    answered = sum(latencies.bins.values())
    worst = max(each.latencies.quantile(0.99) for each in intervals)
    pod_hours = sum(each.replicas for each in intervals) * SYNC_SECONDS / 3600
    busy_hours = sum(each.needed for each in intervals) * SYNC_SECONDS / 3600
    return [
        Row(f"{name}: requests", answered + refused, "requests"),
        Row(f"{name}: most replicas", max(each.replicas for each in intervals), "pods"),
        Row(f"{name}: pod hours", pod_hours, "h"),
        Row(f"{name}: pod hours to those of fully busy pods", pod_hours / busy_hours, "x"),
        Row(f"{name}: p50", latencies.quantile(0.5) * 1000, "ms"),
        Row(f"{name}: p99", latencies.quantile(0.99) * 1000, "ms", at_most and at_most * 1000),
        Row(f"{name}: p99 of the worst {SYNC_SECONDS:g} s", worst * 1000, "ms"),
        Row(f"{name}: refused", 100 * refused / (answered + refused), "%"),
    ]


def emitted_policies(**answers: Any) -> dict[str, Policy]:
    """Return the policies of a project with monitoring, made from the working tree."""
    with tempfile.TemporaryDirectory() as folder:
        template = releases.clone(Path(folder) / "template")
        project = Path(folder) / "project"
        chosen = {"services": "[monitoring]", "deploy": "[kubernetes]", **answers}
        releases.copied(template, releases.NEWEST, project, chosen)
        return read_policies(project / "deploy/kubernetes")


def chart(runs: dict[str, list[Interval]]) -> str:
    """Return an SVG of replicas and p99 over time: two runs side by side, each with its title."""
    replicas: list[Panel] = []
    latencies: list[Panel] = []
    for title, intervals in runs.items():
        lines = {
            "fully busy pods": [(each.minute, each.needed) for each in intervals],
            "replicas, p99": [(each.minute, each.replicas) for each in intervals],
        }
        replicas.append(Panel(f"Replicas, {title}", lines))
        p99 = [(each.minute, each.latencies.quantile(0.99) * 1000) for each in intervals]
        latencies.append(Panel("p99 in ms", {"replicas, p99": p99}))
    rows = [panels[begin : begin + 2] for begin in range(0, len(replicas), 2) for panels in (replicas, latencies)]
    return draw("Replicas and p99 over time", rows)


def enlarged(policy: Policy, peak: int) -> Policy:
    """Return the policy with room for twice the pods that the peak needs."""
    return replace(policy, max_replicas=max(policy.max_replicas, math.ceil(2 * peak * max(policy.pods_needed, 1))))


def main() -> int:
    """Write the results, and with --chart an image of them."""
    options = report.parser(__doc__)
    options.add_argument("--chart", type=Path, metavar="FILE", help="also draw replicas and p99 over time, as SVG")
    arguments = options.parse_args()
    loaded = report.load()
    results: list[Row] = []

    def run(name: str, policy: Policy, peak: int, at_most: float | None = None) -> list[Interval]:
        say(f"simulating {name} ...")
        intervals = simulate(policy, peak)
        results.extend(rows(name, intervals, at_most))
        return intervals

    drawn: dict[str, list[Interval]] = {}
    policies = emitted_policies()
    for peak in TRAFFIC:
        for name, policy in policies.items():
            intervals = run(f"{peak}, {name}", enlarged(policy, peak), peak, P99_AT_MOST)
            drawn.setdefault(f"peak of {peak}", intervals)  # of HPA
    for name, policy in policies.items():
        run(f"10, {name}, at most {policy.max_replicas} replicas", policy, 10)
    for name, policy in emitted_policies(accelerator=GPU).items():
        at_most = P99_AT_MOST if name == "KEDA" else None
        drawn["peak of 10, GPUs and KEDA"] = run(f"10, {name}, on GPUs", enlarged(policy, 10), 10, at_most)
    if arguments.chart:
        arguments.chart.write_text(chart(drawn), "utf-8")
    return report.finish(results, loaded, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
