"""Response to a database that is unavailable."""

import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from ..db.engine import reason
from .error_handlers import error_response

logger = logging.getLogger(__name__)


async def database_unavailable(request: Request, error: SQLAlchemyError) -> Response:
    """Answer with 503; the log has the cause."""
    logger.warning("the database failed: %s", reason(error))
    return error_response(request, 503, "the database is not available", {"Retry-After": "5"})
