"""The file .env as editors of Windows write it."""

from pathlib import Path

import pytest

from my_project.settings import Settings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_first_line_counts_with_and_without_a_byte_order_mark(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MY_PROJECT_MODEL", raising=False)
    Path(".env").write_text("MY_PROJECT_MODEL=Café\r\n", encoding)
    assert Settings().model == "Café"
