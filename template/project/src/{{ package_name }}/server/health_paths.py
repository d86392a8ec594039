"""Paths of health checks and metrics, which platforms request every few seconds."""

from ..base_settings import ServiceSettings

HEALTH_PATHS = frozenset({"/health", "/ready", "/ping"})
"""Paths of every server, which the health check of a hosting platform may take over."""

OPEN_INFERENCE_HEALTH_PATHS = frozenset({"/v2/health/live", "/v2/health/ready"})
"""Paths of the probes of KServe v2."""

METRICS_PATH = "/metrics"


def health_paths(settings: ServiceSettings) -> frozenset[str]:
    """Return the paths of this server's health checks, which need no API key."""
    paths = HEALTH_PATHS
    if settings.health_route:
        paths |= {settings.health_route}
    if settings.open_inference_name:
        paths |= OPEN_INFERENCE_HEALTH_PATHS
    return paths


def routine_paths(settings: ServiceSettings) -> frozenset[str]:
    """Return the paths that are not traced, not limited in rate, and not logged if they are answered with 200."""
    return health_paths(settings) | {METRICS_PATH}
