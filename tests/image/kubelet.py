"""The kubelet's part in the life of a pod, acted out on a running one by the figures of its manifest."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Probe:
    """A probe by HTTP, with the defaults of Kubernetes."""

    path: str
    period_seconds: int
    timeout_seconds: int
    failures: int
    """Failures in a row that count."""
    headers: dict[str, str]

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> "Probe":
        """Return the probe of a manifest."""
        asked, get = manifest["httpGet"], manifest.get
        headers = {each["name"]: each["value"] for each in asked.get("httpHeaders", [])}
        return cls(
            asked["path"], get("periodSeconds", 10), get("timeoutSeconds", 1), get("failureThreshold", 3), headers
        )

    def verdicts(self, url: str, ended: threading.Event) -> Iterator[bool]:
        """Yield True after a success, and False after as many failures in a row as count, until the event is set."""
        failed = 0
        while not ended.wait(self.period_seconds):
            failed = 0 if self.succeeds(url) else failed + 1
            if not failed or failed >= self.failures:
                yield not failed

    def succeeds(self, url: str) -> bool:
        """Return whether the server at an address answers now as it should."""
        try:
            answer = httpx.get(f"{url}{self.path}", headers=self.headers, timeout=self.timeout_seconds)
            return 200 <= answer.status_code < 400
        except httpx.HTTPError:
            return False


@dataclass
class Watch:
    """What the probes of a container have found."""

    ready: threading.Event = field(default_factory=threading.Event)
    """Set as long as the pod gets requests."""
    restarted_by: str = ""
    """The first probe that would have had the container restarted."""


@contextmanager
def probed(container: dict[str, Any], url: str) -> Iterator[Watch]:
    """Probe a container as its manifest says, until the block ends."""
    watch, ended = Watch(), threading.Event()

    def start() -> None:
        for succeeded in Probe.of(container["startupProbe"]).verdicts(url, ended):
            if not succeeded:
                watch.restarted_by = watch.restarted_by or "startupProbe"
                return
            pool.submit(live)
            pool.submit(route)
            return

    def live() -> None:
        for succeeded in Probe.of(container["livenessProbe"]).verdicts(url, ended):
            if not succeeded:
                watch.restarted_by = watch.restarted_by or "livenessProbe"
                return

    def route() -> None:
        for succeeded in Probe.of(container["readinessProbe"]).verdicts(url, ended):
            (watch.ready.set if succeeded else watch.ready.clear)()

    with ThreadPoolExecutor(max_workers=3) as pool:
        starting = pool.submit(start)
        try:
            yield watch
        finally:
            ended.set()
            starting.result()


def end(pod: dict[str, Any], stop: Callable[[int], None]) -> None:
    """End a pod: wait as `preStop` says, then call `stop` with the seconds that its grace period leaves."""
    [container] = pod["containers"]
    waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    time.sleep(waits)
    stop(pod["terminationGracePeriodSeconds"] - waits)
