"""Log configuration: text or JSON, for all loggers, on standard error."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from asgi_correlation_id import correlation_id

from . import tracing

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

client_name: ContextVar[str] = ContextVar("client_name", default="")
"""Name of the API key of the current request; empty without one."""


def configuration(
    level: str, log_format: Literal["text", "json"], routine_paths: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the argument of logging.config.dictConfig for all loggers of the process, including uvicorn's.

    Requests of `routine_paths` that are answered with 200 are logged at the level `debug` alone.
    """
    level = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"text": {"()": TextFormatter, "fmt": TEXT}, "json": {"()": JsonFormatter}},
        "filters": {"routine": {"()": RoutineFilter, "paths": routine_paths}},
        "handlers": {"all": {"class": "logging.StreamHandler", "formatter": log_format}},
        "loggers": {
            "alembic": {"level": "WARNING"},
            "uvicorn.access": {"filters": [] if level == "DEBUG" else ["routine"]},
        },
        "root": {"level": level, "handlers": ["all"]},
    }


class TextFormatter(logging.Formatter):
    """One line, which ends with the name of the request's API key, if it has one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        name = client_name.get()
        return super().formatMessage(record) + (f" [{name}]" if name else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message.

    If known, it has the name of the API key, the request id, the trace id and the exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_request(record),
        }
        if name := client_name.get():
            line["key"] = name
        if request_id := correlation_id.get():
            line["request_id"] = request_id
        if trace_id := tracing.trace_id():
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)


class RoutineFilter(logging.Filter):
    """Drops access logs of successful health checks and metrics."""

    def __init__(self, paths: frozenset[str]) -> None:
        """Drop the requests of these paths."""
        super().__init__()
        self._paths = paths

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log the record."""
        request = _request(record)
        return request.get("status") != 200 or request["path"].partition("?")[0] not in self._paths


def _request(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of uvicorn's access log; empty for other records."""
    if record.name != "uvicorn.access" or not isinstance(record.args, tuple) or len(record.args) != 5:
        return {}
    client, method, path, _, status = record.args
    return {"client": client, "method": method, "path": path, "status": status}


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit must not break the stream of objects
        return f"{record.msg} {record.args}"
