"""A platform in containers, as in production, of which the measurements of jobs are made."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.images import docker
from benchmarks.report import say
from tests import releases
from tests.answers import TABLE
from tests.engine import attempt
from tests.program import run
from tests.system import System

ANSWERS = {
    "preset": "platform",
    "services": ["postgres"],
    "hf_task": "custom",
    "torch_version": "none",
    "package_name": "my_project",
}

NOTHING = '''

from pydantic import BaseModel


class NoArguments(BaseModel):
    """No arguments."""


class Nothing(JobType[NoArguments]):
    """A job that does nothing."""

    name = "nothing"
    arguments = NoArguments

    def run(self, arguments, context):
        """Return at once."""
        return {}


JOB_TYPES.append(Nothing())
'''


@contextmanager
def running(slug: str) -> Iterator[System]:
    """Yield a ready platform with a no-op kind of job beside its own; remove everything at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        index = os.environ.get("TORCH_INDEX") or TABLE["index"]
        template = releases.clone(Path(temporary, "template"))
        releases.copied(template, releases.NEWEST, folder, ANSWERS | {"project_slug": slug, "torch_index": index})
        job_types = folder / "src/my_project/job_types.py"
        job_types.write_text(job_types.read_text() + NOTHING)
        (folder / ".env").write_text("PORT=0\n")
        run([folder / "docker/secrets.sh"]).check_returncode()
        say("building ...")
        docker("build", "--target=lock", f"--output={folder}", folder)
        system = System(folder)
        try:
            system.start()
            yield system
        finally:
            system.down()
            attempt("image", "rm", "--force", slug)
