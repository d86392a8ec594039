"""The file .env as editors of Windows write it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from my_project.doctor import Context
from my_project.doctor.environment import settings
from my_project.settings import Settings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_first_line_counts_with_and_without_a_byte_order_mark(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MY_PROJECT_MODEL", raising=False)
    Path(".env").write_text("MY_PROJECT_MODEL=Café\r\n", encoding)
    assert Settings().model == "Café"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_another_encoding_is_refused_in_one_line_that_names_the_file(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("MY_PROJECT_MODEL=Caf\u00e9\r\n", encoding)
    with pytest.raises(ValidationError) as refused:
        Settings()
    [error] = refused.value.errors()
    assert (error["loc"], error["msg"]) == ((".env",), "it is not UTF-8 text: save it in the encoding UTF-8")
    assert "Caf" not in str(refused.value)
    found = settings(Context())
    assert (found.state, found.found) == ("fail", f".env: {error['msg']}")
