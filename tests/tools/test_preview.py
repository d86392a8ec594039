"""The preview writes a project, and shows how it differs from the last release's."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import preview
from tests.answers import CHOICES
from tests.program import run
from tests.reference import ROOT
from tests.releases import clone, git

PAGE = "template/existing/{{ docker_folder }}/README.md.jinja"


def run_preview(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, ROOT / "run.py", "preview", *arguments])


def test_difference_to_the_last_release_is_shown(tmp_path: Path) -> None:
    repository = clone(tmp_path / "slipway")
    released = git(repository, "rev-parse", "HEAD").strip()
    table: dict[str, dict[str, str]] = {"releases": {"v0.2.0": released}, "refused": {}}
    (repository / "tests/releases.yml").write_text(yaml.safe_dump(table))
    page = repository / PAGE
    page.write_text(page.read_text() + "\nA new line.\n")
    done = run([sys.executable, "-m", "tests.preview", "existing", "--to", tmp_path / "out"], cwd=repository)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/docker/README.md").read_text().endswith("\nA new line.\n")
    said = done.stdout.splitlines()
    assert said[:2] == [f"The project of preset existing is in {tmp_path / 'out'}", "Changes since v0.2.0:"]
    assert said[2].split()[0] == "docker/README.md"
    assert said[3].startswith(" 1 file changed")
    assert "+A new line." in said


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return two projects that differ in one line, and by the release; and the place of a repository."""
    for name, line in (("before", "a"), ("after", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".copier-answers.yml").write_text(f"# Checksum: {line}\n_commit: {name}\n")
        (tmp_path / name / ".gitignore").write_text("data\n")
        (tmp_path / name / "data").write_text(f"{line}\n")
    return tmp_path / "before", tmp_path / "after", tmp_path / "difference.git"


def test_difference_has_summary_and_patch(folders: tuple[Path, Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    preview.show_difference(*folders, patch=True)
    said = capfd.readouterr().out
    assert said.startswith(" data | 2 +-\n 1 file changed")
    assert said.endswith("-a\n+b\n")
    assert "_commit" not in said


def test_summary_alone_has_no_patch(folders: tuple[Path, Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    preview.show_difference(*folders, patch=False)
    assert capfd.readouterr().out == " data | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n"


@pytest.mark.parametrize(
    ("listed", "last"),
    [({}, ""), ({"v0.9.0": "c0ffee", "v0.10.0": "decade"}, "v0.10.0")],
)
def test_last_release(listed: dict[str, str], last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "releases", lambda: listed)
    assert preview.last_release() == last


def test_unknown_preset_is_refused_with_the_valid_ones() -> None:
    done = run_preview("plattform")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("preview: plattform is not a preset; use ")
    assert [preset for preset in CHOICES["preset"].values() if preset not in line] == []


def test_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_preview("cli", "--to", tmp_path)
    assert (done.returncode, done.stderr) == (1, f"preview: {tmp_path} is not an empty folder; give a new one\n")
