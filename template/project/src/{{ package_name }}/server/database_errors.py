"""Response to a database that is unavailable."""

import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from ..db.engine import reason
from .error_handlers import error_response

DISK_FULL_TEXTS = ("database or disk is full", "No space left on device")
"""What SQLite and PostgreSQL say of a full disk."""

logger = logging.getLogger(__name__)


async def database_unavailable(request: Request, error: SQLAlchemyError) -> Response:
    """Answer with 507 if the disk is full, otherwise with 503; the log has the cause."""
    cause = reason(error)
    logger.warning("the database failed: %s", cause)
    if any(text in cause for text in DISK_FULL_TEXTS):
        return error_response(request, 507, "the disk of the database is full")
    return error_response(request, 503, "the database is not available", {"Retry-After": "5"})
