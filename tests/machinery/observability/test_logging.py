"""Log configuration."""

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Literal

import pytest

from my_project.observability.logging import configuration

ACCESS = '%s - "%s %s HTTP/%s" %d'
"""The format of uvicorn's access log; its values are the record's arguments."""


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the logging of the test run as it was."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.getLogger("uvicorn.access").filters.clear()


def configure(form: Literal["text", "json"], level: str = "info") -> None:
    logging.config.dictConfig(configuration(level, form, frozenset({"/ready"})))


def test_json_has_one_object_a_line_with_the_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    logger = logging.getLogger("a.module")
    logger.debug("not logged")
    logger.info("two\nlines of %s", "text")
    try:
        raise ValueError("no good")
    except ValueError:
        logger.exception("failed")
    plain, failed = map(json.loads, capsys.readouterr().err.splitlines())
    assert plain.pop("time").endswith("+00:00")
    assert plain == {"level": "info", "logger": "a.module", "message": "two\nlines of text"}
    assert failed["level"] == "error"
    assert failed["exception"].endswith("ValueError: no good")


def test_a_message_that_does_not_fit_its_arguments_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    logging.getLogger("a.module").warning("nothing to fill in", 5)
    assert json.loads(capsys.readouterr().err)["message"] == "nothing to fill in (5,)"


def test_requests_have_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    logging.getLogger("uvicorn.access").info(ACCESS, "1.2.3.4:5", "POST", "/predict", "1.1", 422)
    line = json.loads(capsys.readouterr().err)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 422)
    assert line["message"] == '1.2.3.4:5 - "POST /predict HTTP/1.1" 422'


@pytest.mark.parametrize(("level", "logged"), [("info", ["503", "404"]), ("debug", ["200", "503", "404"])])
def test_health_checks_that_succeed_are_debugging(
    level: str, logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure("text", level)
    for path, status in [("/ready?full=1", 200), ("/ready", 503), ("/readyish", 404)]:
        logging.getLogger("uvicorn.access").info(ACCESS, "1.2.3.4:5", "GET", path, "1.1", status)
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == logged


def test_everything_goes_through_one_handler(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text")
    for name in ("uvicorn", "uvicorn.error", "py.warnings", "my_project.engine"):
        logging.getLogger(name).warning("hello")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith(" WARNING my_project.engine: hello")
