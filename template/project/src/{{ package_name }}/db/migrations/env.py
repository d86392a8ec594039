"""Environment of Alembic, run for every migration on the connection that db/migrate.py passes."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, TypeDecorator, text

LOCK_ID = 7_366_147_061
"""Advisory lock of PostgreSQL that serializes migrations; no other program may use this number."""


def render_type(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write a type of db/models.py as the type of SQLAlchemy below it, so that a migration needs no import."""
    return f"sa.{item.impl_instance!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


options = context.config.attributes
connection: Connection = options["connection"]
context.configure(
    connection=connection,
    target_metadata=options["metadata"],
    version_table=options["version_table"],
    include_name=lambda name, kind, _: kind != "table" or name not in options["version_tables"],
    render_as_batch=True,  # SQLite cannot alter a table in place
    render_item=render_type,
)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK_ID})
    context.run_migrations()
