"""An owner who replaces the example by a model of their own: the files in tests/replacements are theirs."""

import shutil
from pathlib import Path

from tests.answers import ROOT
from tests.releases import git

FOLDER = ROOT / "tests/replacements"

ANSWERS: dict[str, dict[str, str]] = {
    "custom": {"preset": "platform", "hf_task": "custom"},
    "hub": {"preset": "api", "hf_task": "text-classification", "runtime": "torch"},
}
"""The project that each of them begins with; its package is called my_project."""

NOT_NEEDED = ["src/my_project/ratings.py"]
"""Files of the example that no model but it needs."""


def replace_example(project: Path, name: str) -> list[str]:
    """Replace the example in a committed project, and return the files that differ from the commit."""
    has_worker = (project / "src/my_project/job_types.py").exists()
    of_worker = () if has_worker else ("job_types.py", "test_job_types.py")
    shutil.copytree(FOLDER / name, project, ignore=shutil.ignore_patterns(*of_worker), dirs_exist_ok=True)
    for path in NOT_NEEDED:
        (project / path).unlink(missing_ok=True)
    return [line[3:] for line in git(project, "status", "--porcelain", "--untracked-files=all").splitlines()]
