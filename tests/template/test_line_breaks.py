"""Projects work whatever Git and editors of Windows make of their files."""

from pathlib import Path

import pytest

from tests.engine import build, need_engine
from tests.releases import commit, copier, git

SCRIPTS = ("docker/as-owner.sh", "docker/entrypoint.sh", "docker/healthcheck.sh")


@pytest.fixture(params=["api", "existing"])
def project(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Path:
    """Return a project of a template that Git cloned with Windows line breaks."""
    windows = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", "--config=core.autocrlf=true", template, windows)
    folder = tmp_path / "project"
    answers = ["--data=preset=existing", "--data=api_app=app:app"] if request.param == "existing" else []
    done = copier("copy", "--defaults", "--quiet", "--vcs-ref=HEAD", *answers, windows, folder)
    assert done.returncode == 0, done.stderr
    git(folder, "init", "--quiet")
    return folder


def test_scripts_have_unix_line_breaks_after_a_copy_and_in_a_clone(project: Path, tmp_path: Path) -> None:
    commit(project, "Start")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--config=core.autocrlf=true", project, clone)
    for folder in (project, clone):
        for name in SCRIPTS:
            assert b"\r" not in (folder / name).read_bytes(), folder / name


@pytest.mark.image
def test_the_image_makes_scripts_of_windows_run(project: Path, tmp_path: Path) -> None:
    need_engine()
    wanted = {Path(name).stem: (project / name).read_bytes() for name in SCRIPTS}
    for path in [project / "Dockerfile", *map(project.joinpath, SCRIPTS), project / "docker/packages.txt"]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        path.chmod(0o644)
    out = tmp_path / "out"
    done = build(project, "--target=scripts", f"--output=type=local,dest={out}")
    assert done.returncode == 0, done.output
    for name, content in wanted.items():
        assert (out / "scripts" / name).read_bytes() == content
        assert (out / "scripts" / name).stat().st_mode & 0o111 == 0o111
