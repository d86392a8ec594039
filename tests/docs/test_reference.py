"""The generated pages are those of the tables and questions that are there now."""

import pytest

from tests.reference import COMMAND, DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), f"run `{COMMAND}`"
