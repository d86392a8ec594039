"""The FastAPI application, built from settings and components."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware import Middleware

from ..base_settings import ServiceSettings
from ..inference.engine import AnyModel, Engine, PredictionRecorder
from ..inference.schemas import TaskSchemas
from ..observability import tracing
from . import docs, processes
from .api_keys import ApiKeys
from .demo import page as demo
from .error_handlers import ErrorHandler, add_error_handlers, error_response
from .health_paths import health_paths, routine_paths
from .middleware.authentication import Authentication
from .middleware.body_limit import BodyLimit
from .middleware.json_body import JsonBody
from .middleware.rate_limit import RateLimit
from .middleware.request_metrics import RequestMetrics
from .middleware.request_quota import LocalCounter, RequestCounter, RequestQuota
from .middleware.trusted_hosts import TrustedHosts, is_loopback
from .routes.health import router as health_router
from .routes.hosted import check_hosted_routes, hosted_router
from .routes.open_inference import open_inference_router
from .routes.predict import StreamHandler, predict_router
from .service import Service


@dataclass(frozen=True)
class ServerComponents:
    """Parts of the application that depend on the project."""

    title: str
    description: str
    version: str
    service_name: str
    """Name of the service in traces, unless OTEL_SERVICE_NAME is set."""
    schemas: TaskSchemas
    load_model: Callable[[], AnyModel]
    stream: StreamHandler | None = None
    """Answers prediction requests with `"stream": true`."""
    routers: Sequence[APIRouter] = ()
    services: Sequence[Callable[[Engine], Service]] = ()
    """Create what runs beside the engine; called in the event loop."""
    middleware: Sequence[Middleware] = ()
    """Runs closest to the routes, the first one outermost."""
    recorder: Callable[[], PredictionRecorder] | None = None
    """Creates what records answered requests."""
    body_limits: Mapping[str, int] = field(default_factory=dict)
    """Maximum size of a request body in bytes by prefix of the path, where it is not `max_body_bytes`."""
    error_handlers: Mapping[type[Exception], ErrorHandler] = field(default_factory=dict)
    request_counter: Callable[[float], RequestCounter] | None = None
    """Creates what counts the requests of each API key, given their rate a second; by default each process counts."""


def create_app(settings: ServiceSettings, components: ServerComponents) -> FastAPI:
    """Return the application. Its model begins to load with its lifespan, while the server already listens.

    Raises:
        ApiKeysError: The API keys cannot be read, or are not valid.
        RouteTakenError: A hosting platform gives a route the path of another one.
    """
    routine = routine_paths(settings)

    def is_routine(scope: MutableMapping[str, Any]) -> bool:
        return scope.get("path") in routine

    app = FastAPI(
        title=components.title,
        description=components.description,
        version=components.version,
        lifespan=_lifespan(settings, components),
        openapi_url=docs.OPENAPI_PATH if settings.docs else None,
        docs_url=None,  # FastAPI's own pages load scripts of a CDN
        redoc_url=None,
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": is_routine},
    )
    app.state.settings = settings
    keys = ApiKeys(settings)
    public = routine if settings.metrics_public else health_paths(settings)
    pages = docs.PATHS if settings.docs else frozenset[str]()
    files = demo.PATHS if settings.demo else frozenset[str]()
    authentication = Middleware(
        Authentication, keys=keys, public=public, pages=pages, files=files, refuse=error_response
    )
    _add_middleware(app, settings, components, authentication)
    if settings.docs:
        docs.add_docs(app)
        docs.describe_keys(app, keys, public)
    add_error_handlers(app, components.error_handlers)
    for router in (
        *components.routers,
        health_router,
        predict_router(settings, components.schemas, components.stream),
    ):
        app.include_router(router)
    if settings.open_inference_name:
        app.include_router(open_inference_router(settings, components.schemas))
    if settings.demo:
        demo.add_demo(app, settings)
    check_hosted_routes(settings, app.routes, components.body_limits)
    hosted = hosted_router(settings, components.schemas, components.stream)
    app.router.routes[:0] = hosted.routes  # before the others, whose paths it may take over
    return app


def _add_middleware(
    app: FastAPI, settings: ServiceSettings, components: ServerComponents, authentication: Middleware
) -> None:
    """Add the middleware, the innermost first."""
    inner = [authentication]
    if settings.quota_requests_per_second:
        rate = settings.quota_requests_per_second
        counter = components.request_counter(rate) if components.request_counter else LocalCounter(rate)
        app.state.request_counter = counter
        quota = {"counter": counter, "rate_per_second": rate, "exempt": routine_paths(settings)}
        inner.append(Middleware(RequestQuota, **quota, refuse=error_response))
    inner.append(Middleware(BodyLimit, max_bytes=settings.max_body_bytes, limits=components.body_limits))
    inner.append(Middleware(JsonBody, unread=components.body_limits))
    for each in reversed([*inner, *components.middleware]):
        app.add_middleware(each.cls, *each.args, **each.kwargs)
    if settings.rate_limit_per_second:
        rate, exempt = settings.rate_limit_per_second, routine_paths(settings)
        app.add_middleware(RateLimit, rate_per_second=rate, exempt=exempt, refuse=error_response)
    if not _trusts_all_hosts(settings):
        setting = f"{settings.model_config.get('env_prefix', '')}TRUSTED_HOSTS"
        app.add_middleware(TrustedHosts, trusted=_trusted_hosts(settings), refuse=error_response, setting=setting)
    app.add_middleware(RequestMetrics)
    if settings.cors_origins:
        origins = settings.cors_origins.split()
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    app.add_middleware(CorrelationIdMiddleware, validator=_is_request_id)


def _trusts_all_hosts(settings: ServiceSettings) -> bool:
    """Return whether a request may name any host: behind a proxy, the names are the proxy's."""
    trusted = _trusted_hosts(settings)
    return "*" in trusted if trusted else not is_loopback(settings.host)


def _trusted_hosts(settings: ServiceSettings) -> list[str]:
    return settings.trusted_hosts.replace(",", " ").split()


def _is_request_id(given: str) -> bool:
    return bool(re.fullmatch(r"[\w.:-]{1,128}", given))


def _lifespan(
    settings: ServiceSettings, components: ServerComponents
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, frozenset[str]]]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, frozenset[str]]]:
        if settings.tracing:
            tracing.start(components.service_name)
        engine = Engine(settings, components.load_model, components.recorder() if components.recorder else None)
        services = [create(engine) for create in components.services]
        app.state.engine, app.state.services = engine, services
        loading = engine.start()
        for service in services:
            await service.start()
        await processes.join(loading, lambda: engine.loaded_at is not None)
        yield {"routine_paths": routine_paths(settings)}  # for HttpProtocol
        for service in reversed(services):
            await service.stop()
        engine.stop()
        if settings.quota_requests_per_second:
            await app.state.request_counter.close()
        tracing.stop()

    return lifespan
