"""Exceptions to responses: one line that says what is wrong, in the format that clients of the route expect."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import (
    InputTooLongError,
    InvalidInputError,
    InvalidParameterError,
    NotReadyError,
    QueueFullError,
    without_paths,
)
from .responses import Json

ErrorHandler = Callable[[Request, Any], Awaitable[Response]]

OPENAI_PREFIX = "/v1/"
"""Routes below it answer errors as OpenAI's API does."""

OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
"""OpenAI's codes of errors by status."""

OPENAI_FIELD_CODES = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
"""OpenAI's codes of errors in a field, by pydantic's type of the error. An `unsupported_…` type is a code itself."""

MAX_REASONS = 5
"""Maximum number of reasons in the answer to a malformed request."""

MAX_MESSAGE_CHARACTERS = 500
"""Maximum length of an error message: a request may contain field names of any length."""

UNREADABLE_BODY = "There was an error parsing the body"
"""FastAPI's message for a body that the JSON parser cannot read, such as invalid UTF-8. It does not name the cause."""


def error_response(
    request: Request,
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
    parameter: str | None = None,
    code: str | None = None,
) -> Json:
    """Return an error as JSON: `{"error": MESSAGE}`, or OpenAI's format below `/v1/`. The message becomes one line.

    Args:
        request: What is refused.
        status: Status of the response.
        message: What is wrong, and what to do.
        headers: Headers of the response.
        parameter: Name of the field that is wrong, in OpenAI's format.
        code: OpenAI's code for the error; by default that of the status, if it has one.
    """
    message = " ".join(message.encode(errors="replace").decode().split())
    if status >= 500:  # the others are about what the client has sent
        message = without_paths(message)
    message = message[:MAX_MESSAGE_CHARACTERS]
    if request.scope["path"].startswith(OPENAI_PREFIX):  # not request.url: any Host header must do
        return Json(openai_error(message, status, parameter, code or OPENAI_CODES.get(status)), status, headers)
    return Json({"error": message}, status, headers)


def openai_error(message: str, status: int, parameter: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return an error in OpenAI's format."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def add_error_handlers(app: FastAPI, more: Mapping[type[Exception], ErrorHandler]) -> None:
    """Register the handlers of this module, and `more`, at an application."""
    for kind, handler in {**HANDLERS, **more}.items():
        app.add_exception_handler(kind, handler)


async def _invalid_input(request: Request, error: InvalidInputError) -> Response:
    code = "context_length_exceeded" if isinstance(error, InputTooLongError) else None
    named = re.match(r"(\w+): ", str(error)) if isinstance(error, InvalidParameterError) else None
    return error_response(request, 422, str(error), parameter=named[1] if named else None, code=code)


async def _queue_full(request: Request, error: QueueFullError) -> Response:
    return error_response(request, 503, str(error), {"Retry-After": "1"})


async def _not_ready(request: Request, error: NotReadyError) -> Response:
    return error_response(request, 503, str(error), {"Retry-After": "5"})


async def _client_gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)  # nginx's status for it, which only the log shows


async def _http_error(request: Request, error: HTTPException) -> Response:
    if error.detail == UNREADABLE_BODY:
        return error_response(request, error.status_code, f"not JSON: {error.__cause__}")
    return error_response(request, error.status_code, f"{error.detail}", error.headers)


async def _invalid_parameters(request: Request, error: ValidationError) -> Response:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return error_response(request, 422, f"{name}: {first['msg']}", parameter=name)


async def _internal_error(request: Request, error: Exception) -> Response:
    headers = {"X-Request-ID": correlation_id.get() or ""}  # this response bypasses the middleware that adds it
    return error_response(request, 500, "the prediction failed; the server's log says why", headers)


async def _malformed_request(request: Request, error: RequestValidationError) -> Response:
    is_body_error = any(each["loc"][0] == "body" for each in error.errors())
    if is_body_error and not request.headers.get("content-type", "").lower().startswith("application/json"):
        return error_response(request, 415, "send JSON, with Content-Type: application/json")
    errors = error.errors()[:MAX_REASONS]
    if errors[0]["type"] == "json_invalid":
        return error_response(request, 400, f"not JSON: {errors[0]['ctx']['error']}")
    reasons = _reasons_by_field(errors)
    message = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    name = next(iter(reasons))
    kind: str = errors[0]["type"]
    code = kind if kind.startswith("unsupported_") else OPENAI_FIELD_CODES.get(kind, "invalid_value")
    return error_response(request, 422, message, parameter=None if name == "body" else name, code=code)


def _reasons_by_field(errors: Sequence[Any]) -> dict[str, str]:
    """Return what is wrong with each field; for a union, only the errors of the type that was sent."""
    found: dict[tuple[str, ...], list[tuple[bool, str]]] = {}
    for each in errors:
        path = tuple(str(part) for part in each["loc"][1:] if re.fullmatch(r"\w+", str(part)))
        found.setdefault(path, []).append((each["type"].endswith("_type"), each["msg"]))
    reasons = {}
    for path, messages in found.items():
        matches_no_type = all(is_type_error for is_type_error, _ in messages)
        if matches_no_type and any(other != path and other[: len(path)] == path for other in found):
            continue  # it matches a type, and a part of it is wrong
        relevant = [message for is_type_error, message in messages if is_type_error == matches_no_type]
        reasons[".".join(path) or "body"] = " or ".join(relevant)
    return reasons


HANDLERS: Mapping[type[Exception], ErrorHandler] = {
    InvalidInputError: _invalid_input,
    QueueFullError: _queue_full,
    NotReadyError: _not_ready,
    ClientDisconnect: _client_gone,
    HTTPException: _http_error,
    ValidationError: _invalid_parameters,
    RequestValidationError: _malformed_request,
    Exception: _internal_error,
}
