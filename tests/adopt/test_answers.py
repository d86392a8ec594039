"""Answers for repositories of unlike shape, beside those that an engineer gives."""

from pathlib import Path

import pytest

from adopt.answers.environment import in_parts
from tests.adopt.corpus import Shape, marks, shapes


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_answers_are_right(shape: Shape, tmp_path: Path) -> None:
    wrong = [mark for mark in marks(shape, shape.write(tmp_path / shape.name)) if not mark.right]

    assert not wrong


def test_a_part_of_an_address_needs_its_service_and_its_host() -> None:
    names = {"PGHOST", "PGPASSWORD", "APP_DB_HOST", "app_db_port", "MYSQL_HOST", "CACHE_DB_NAME", "REDIS_HOST"}

    assert in_parts(names, ["postgres"]) == {
        "PGHOST": "postgres",
        "PGPASSWORD": "{database_password}",
        "APP_DB_HOST": "postgres",
        "app_db_port": "5432",
    }
    assert in_parts(names, ["redis"]) == {"REDIS_HOST": "redis"}
