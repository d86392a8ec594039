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

class NoArguments(BaseModel):
    """Nothing to know."""


class Nothing(BaseModel):
    """A job that does nothing."""

    kind: Literal["nothing"]
    arguments: NoArguments = NoArguments()


Order = Predict | Nothing
RUN["nothing"] = lambda arguments, context: {}
'''


@contextmanager
def running(slug: str) -> Iterator[System]:
    """The platform, ready, with a kind of job that does nothing beside the one it has; nothing is left of it after."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        index = os.environ.get("TORCH_INDEX") or TABLE["index"]
        template = releases.clone(Path(temporary, "template"))
        releases.copied(template, releases.NEWEST, folder, ANSWERS | {"project_slug": slug, "torch_index": index})
        kinds = folder / "src/my_project/kinds.py"
        kinds.write_text(kinds.read_text() + NOTHING)
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
