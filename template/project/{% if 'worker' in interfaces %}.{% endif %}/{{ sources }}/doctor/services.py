"""What jobs stand on: the database, the broker and the storage."""

from pathlib import Path

import fsspec
from redis import Redis, RedisError
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ..settings import get_settings
from . import Finding

PATIENCE = 3
"""Seconds until what does not answer counts as away."""


def database(thorough: bool) -> Finding:
    """Whether the database answers."""
    settings = get_settings()
    url = make_url(settings.database)
    if settings.database_password:
        url = url.set(password=settings.database_password.get_secret_value())
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return Finding("database", "ok", f"{shown}, not made yet")
    try:
        limit = {"connect_timeout": PATIENCE} if url.get_backend_name() == "postgresql" else {}
        with create_engine(url, connect_args=limit).connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, ImportError) as error:
        found = " ".join(str(getattr(error, "orig", None) or error).split())
        return Finding("database", "fail", f"{shown}: {found}", "start it, or mend its address and password")
    return Finding("database", "ok", shown)


def broker(thorough: bool) -> Finding:
    """Whether the broker answers."""
    settings = get_settings()
    if not settings.broker:
        return Finding("broker", "ok", "none: the API does the jobs itself")
    password = settings.broker_password.get_secret_value() if settings.broker_password else None
    try:
        with Redis.from_url(settings.broker, password=password, socket_connect_timeout=PATIENCE) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        found = " ".join(str(error).split())
        return Finding("broker", "fail", f"{settings.broker}: {found}", "start it, or mend its address and password")
    return Finding("broker", "ok", settings.broker)


def storage(thorough: bool) -> Finding | None:
    """Whether the files of jobs can be reached."""
    address = getattr(get_settings(), "storage", None)
    if not isinstance(address, str):
        return None
    mend = "mend its address and credentials"
    try:
        files, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        is_there = files.exists(root)
        if "://" in address and not is_there and not files.exists(root.partition("/")[0]):
            return Finding("storage", "fail", f"{address}: there is no bucket {root.partition('/')[0]}", "make it")
    except Exception as error:  # every kind of store has errors of its own
        return Finding("storage", "fail", f"{address}: {' '.join(str(error).split())}", mend)
    return Finding("storage", "ok", address if is_there else f"{address}, empty so far")


CHECKS = [database, broker, storage]
