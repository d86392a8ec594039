"""Adding containers to a front end adds files, and updates keep its own."""

from pathlib import Path

import pytest

from tests.existing_code.front_ends import SETS, THEIRS, with_containers
from tests.releases import assert_clean, commit, copier, git


@pytest.mark.parametrize("name", [name for name in SETS if name != "starter"])
def test_their_files_stay_as_they_are(name: str, template: Path, tmp_path: Path) -> None:
    folder = with_containers(template, name, tmp_path / name)
    for path in (path for path in (THEIRS / name).rglob("*") if path.is_file()):
        assert (folder / path.relative_to(THEIRS / name)).read_bytes() == path.read_bytes()
    ours = {path.name for path in folder.iterdir()} - {path.name for path in (THEIRS / name).iterdir()} - {".git"}
    named = {"Dockerfile", "Dockerfile.dockerignore", "compose.yaml", "compose.override.yaml"}
    assert ours == {".copier-answers.yml", ".github", "docker", *named}


def test_a_dockerfile_of_theirs_is_kept(template: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    folder = with_containers(template, "vite", theirs, keep=["Dockerfile", "compose.yaml"])
    assert not (folder / "Dockerfile").exists()
    assert "dockerfile: slipway.Dockerfile" in (folder / "slipway.compose.yaml").read_text()
    assert "--file slipway.Dockerfile" in (folder / "docker/packages.mjs").read_text()


def test_an_update_changes_the_images_and_nothing_of_the_page(template: Path, tmp_path: Path) -> None:
    newer = tmp_path / "template"
    git(template, "clone", "--quiet", template, newer)
    folder = with_containers(newer, "starter", tmp_path / "page", project_name="A Page")
    page = folder / "src/App.tsx"
    page.write_text(page.read_text().replace("Predict", "Ask"))
    (folder / "src/api.test.ts").unlink()
    compose = folder / "compose.yaml"
    compose.write_text(compose.read_text().replace("restart: unless-stopped", "restart: always"))
    commit(folder, "Our own work")
    theirs = {path: path.read_bytes() for path in folder.glob("src/*.ts*") if path.suffix in (".ts", ".tsx")}
    for name in ("src/App.tsx.jinja", "src/style.css", "package.json.jinja", "docker/Caddyfile.jinja"):
        file = newer / "template/frontend" / name
        file.write_text(file.read_text() + "\n")
    commit(newer, "Next", "1000.0.0")
    done = copier("update", "--defaults", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert_clean(folder)
    assert {path: path.read_bytes() for path in theirs} == theirs
    assert "restart: always" in compose.read_text()
    changed = {line[3:] for line in git(folder, "status", "--porcelain").splitlines()}
    assert changed - {"src/api.test.ts"} == {".copier-answers.yml", "docker/Caddyfile"}
