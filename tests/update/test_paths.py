"""The template can be cloned on Windows, where a path has 259 characters."""

from pathlib import Path

from copier import _main, _vcs

from tests.releases import git

MAX_LENGTH = 200
"""Of the 259, some stay for what nobody thinks of here."""
TEMPORARY_FOLDER = rf"C:\Users\{'x' * 20}\AppData\Local\Temp"
RANDOM = "x" * 8
"""As long as what tempfile adds to a name."""


def test_the_longest_path_of_a_clone_is_short_enough(template: Path) -> None:
    clone = rf"{TEMPORARY_FOLDER}\{_vcs.__name__}.clone.{RANDOM}"
    longest = max(git(template, "ls-files", "-z").split("\0"), key=len)
    length = len(rf"{clone}\{longest}")
    print(f"{length} characters with {longest}")
    assert length < MAX_LENGTH, longest


def test_the_longest_path_of_what_an_update_renders_is_short_enough(template: Path) -> None:
    folder = rf"{TEMPORARY_FOLDER}\{_main.__name__}.new_copy.{RANDOM}"
    package = "x" * 40  # the longest that the question accepts
    sources = git(template, "ls-files", "-z", "template/project").split("\0")
    names = (name.removeprefix("template/project/").replace("{{ package_name }}", package) for name in sources)
    longest = max(names, key=len)
    assert len(rf"{folder}\{longest}") < MAX_LENGTH, longest
