"""How the server logs: text to read or JSON for machines, everything through one handler on standard error."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from asgi_correlation_id import correlation_id

from . import tracing

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configuration(level: str, form: Literal["text", "json"]) -> dict[str, Any]:
    """What logging.config.dictConfig takes, for every logger of the process, uvicorn's included."""
    level = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"text": {"format": TEXT}, "json": {"()": JsonFormatter}},
        "filters": {"routine": {"()": Routine}},
        "handlers": {"all": {"class": "logging.StreamHandler", "formatter": form}},
        "loggers": {"uvicorn.access": {"filters": [] if level == "DEBUG" else ["routine"]}},
        "root": {"level": level, "handlers": ["all"]},
    }


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger and message; ids of its request and trace, if any, and more."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_request(record),
        }
        if request_id := correlation_id.get():
            line["request_id"] = request_id
        if trace_id := tracing.trace_id():
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)


class Routine(logging.Filter):
    """Holds back that a health check or a reading of the metrics succeeded."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        request = _request(record)
        return request.get("status") != 200 or request["path"].partition("?")[0] not in tracing.ROUTINE


def _request(record: logging.LogRecord) -> dict[str, Any]:
    """What uvicorn's access log says of a request; nothing for another record."""
    if record.name != "uvicorn.access" or not isinstance(record.args, tuple) or len(record.args) != 5:
        return {}
    client, method, path, _, status = record.args
    return {"client": client, "method": method, "path": path, "status": status}


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a library's mistake must not break the stream of objects
        return f"{record.msg} {record.args}"
