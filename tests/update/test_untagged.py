"""A project made from a clone without tags is updated to the first tag, and to those after it."""

import sys
from pathlib import Path

from tests.program import run
from tests.releases import assert_clean, commit, git
from tests.update import maintainer, owner, program


def test_a_project_of_a_clone_without_tags_can_be_updated(lean: Path, tmp_path: Path) -> None:
    template = tmp_path / "template"
    git(lean, "clone", "--quiet", "--no-tags", lean, template)
    assert git(template, "tag") == ""
    project = tmp_path / "project"
    done = program.real_copier("copy", "--data=preset=cli", "--data=project_name=My Project", template, project)
    assert done.code == 0, done.said
    git(project, "init", "--quiet")
    commit(project, "Start")
    unchanged = run([sys.executable, "tools/update.py"], cwd=project)
    assert unchanged.stdout.startswith("Nothing to update"), unchanged.stdout + unchanged.stderr
    kept = owner.live(project)
    made_of = program.stored(project)["_commit"]
    assert made_of == git(template, "describe", "--tags", "--always").strip()
    for tag in ("v0.2.0", "v0.3.0"):
        for name in ("errors.py", "cli/doctor.py"):
            path = template / "template/project" / maintainer.SOURCES / name
            path.write_text(f"{path.read_text()}# Fixed in {tag}.\n")
        commit(template, tag, tag)
        done = program.real_copier("update", cwd=project)
        assert done.code == 0, done.said
        assert_clean(project)
        assert program.stored(project)["_commit"] == tag
        assert f"# Fixed in {tag}.\n" in (project / "src/my_project/cli/doctor.py").read_text()
        assert [name for name, text in kept.items() if text not in (project / name).read_text()] == []
        commit(project, f"Update to {tag}")
