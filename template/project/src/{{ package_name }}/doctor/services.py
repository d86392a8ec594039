"""Database, broker and storage of background jobs."""

from pathlib import Path

from sqlalchemy import make_url

from ..db import migrate
from ..db.engine import DatabaseUnavailableError, connect
from ..storage import Storage, StorageUnavailableError
from . import Context, Finding

CHECK_ADDRESS = "start it, or correct its address and password"


def database(context: Context) -> Finding:
    """Check that the database answers and has the schema of this release."""
    settings = context.settings
    url = make_url(settings.database)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return Finding("database", "ok", f"{shown}, not created yet")
    try:
        engine = connect(settings)
    except (DatabaseUnavailableError, ImportError) as error:  # no address, or no driver for it
        problem: str | None = str(error)
    else:
        problem = migrate.problem(engine)
        engine.dispose()
    if problem:
        return Finding("database", "fail", f"{shown}: {problem}", f"{CHECK_ADDRESS}, or run the command migrate")
    return Finding("database", "ok", shown)


def broker(context: Context) -> Finding:
    """Check that the broker answers."""
    settings = context.settings
    if not settings.broker:
        runner = "API" if settings.jobs_in_api else "command worker"
        return Finding("broker", "ok", f"none: the {runner} runs the jobs")
    from ..jobs.celery_app import Broker

    if problem := Broker(settings).problem():
        return Finding("broker", "fail", f"{settings.broker}: {problem}", CHECK_ADDRESS)
    return Finding("broker", "ok", settings.broker)


def storage(context: Context) -> Finding:
    """Check that the storage of job files can be reached."""
    address = context.settings.storage
    try:
        problem = Storage(context.settings).problem()
    except StorageUnavailableError as error:
        problem = str(error)
    if problem:
        return Finding(
            "storage", "fail", f"{address}: {problem}", "correct its address and credentials, or create the bucket"
        )
    return Finding("storage", "ok", address)


CHECKS = [database, broker, storage]
