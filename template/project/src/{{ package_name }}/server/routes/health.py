"""Liveness, readiness and metrics."""

import asyncio
import os
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ... import __version__
from ...errors import without_paths
from ..dependencies import EngineDep
from ..responses import Json
from ..service import DegradableService, Service

router = APIRouter()


@router.get("/health")
async def health(engine: EngineDep) -> dict[str, str | None]:
    """Report that the process is alive, with its version and model."""
    return {
        "status": "alive",
        "version": __version__,
        "model": engine.name,
        "revision": engine.revision,
        "loaded_at": engine.loaded_at.isoformat() if engine.loaded_at else None,
    }


@router.get("/ready", responses={503: {"description": "Not ready, with the reasons."}})
async def ready(request: Request, engine: EngineDep) -> Json:
    """Report whether a prediction would be answered now, and which other parts do not work."""
    services: list[Service] = request.app.state.services
    reasons = [engine.reason] if engine.reason else []
    degraded: dict[str, list[str]] = {}
    if services:
        found, degraded = await asyncio.to_thread(_ask, services)
        reasons += found
    if reasons:
        return Json({"status": "not ready", "reasons": [without_paths(reason) for reason in reasons]}, 503)
    return Json({"status": "ready"} | ({"degraded": degraded} if degraded else {}))


@router.get("/ping", include_in_schema=False)
async def ping(request: Request, engine: EngineDep) -> Response:
    """Answer SageMaker, which takes status 200 with an empty body for ready."""
    return Response(status_code=(await ready(request, engine)).status_code)


def _ask(services: Sequence[Service]) -> tuple[list[str], dict[str, list[str]]]:
    """Return why the services are not ready, and why parts of them do not work."""
    reasons = [reason for each in services for reason in each.reasons()]
    degraded: dict[str, list[str]] = {}
    for each in services:
        if isinstance(each, DegradableService):
            degraded |= {name: list(map(without_paths, found)) for name, found in each.degraded().items()}
    return reasons, degraded


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Return all metrics in the Prometheus format."""
    services: list[Service] = request.app.state.services
    content = exposition(*(collector for each in services for collector in each.collectors))
    return Response(content, media_type=CONTENT_TYPE_LATEST)


def exposition(*collectors: Collector) -> bytes:
    """Return metrics in the Prometheus format: sums over all server processes, and those of `collectors`."""
    registry, extra = REGISTRY, CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    for each in collectors:
        extra.register(each)
    return generate_latest(registry) + generate_latest(extra)
