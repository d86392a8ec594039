"""Recorded predictions."""

from typing import Annotated

import typer


def predictions(
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of predictions.")] = 100,
    before: Annotated[int | None, typer.Option(help="Only those older than this id, for the next page.")] = None,
) -> None:
    """List the recorded predictions, newest first, each as a line of JSON."""
    from pydantic_core import to_json
    from sqlalchemy import select

    from ..components import get_settings
    from ..db import migrate
    from ..db.engine import DatabaseUnavailableError, opened
    from ..db.models import PredictionRow

    query = select(PredictionRow.__table__).order_by(PredictionRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(PredictionRow.id < before)
    with opened(get_settings()) as database:
        if problem := migrate.problem(database, allow_newer=True):
            raise DatabaseUnavailableError(problem)
        with database.connect() as connection:
            rows = connection.execution_options(yield_per=100).execute(query).mappings()
            for row in rows:
                typer.echo(to_json(dict(row)))
