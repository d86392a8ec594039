"""Shows recorded predictions."""

from typing import Annotated

import typer


def predictions(
    limit: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 100,
    before: Annotated[int | None, typer.Option(help="Only older ones than that of this id, such as the last.")] = None,
) -> None:
    """List the predictions that the API has recorded, the newest first, as a line of JSON each."""
    from pydantic_core import to_json
    from sqlalchemy import select

    from .. import schema
    from ..database import DatabaseUnavailable, connect
    from ..settings import get_settings
    from ..tables import Served

    database = connect(get_settings())
    if problem := schema.problem(database):
        raise DatabaseUnavailable(problem)
    query = select(Served.__table__).order_by(Served.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Served.id < before)
    with database.connect() as connection:
        for row in connection.execution_options(yield_per=100).execute(query).mappings():
            typer.echo(to_json(dict(row)))
