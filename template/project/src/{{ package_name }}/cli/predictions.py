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
    from ..db.engine import DatabaseUnavailableError, connect
    from ..db.models import PredictionRow

    database = connect(get_settings(), is_patient=True)
    if problem := migrate.problem(database):
        raise DatabaseUnavailableError(problem)
    query = select(PredictionRow.__table__).order_by(PredictionRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(PredictionRow.id < before)
    with database.connect() as connection:
        for row in connection.execution_options(yield_per=100).execute(query).mappings():
            typer.echo(to_json(dict(row)))
