"""What owners do to their projects: each kind of edit once, committed."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.releases import commit

README = "# My own page\n\nNothing of the template is left here.\n"
COMMENT = "# A line of the owner.\n"
DEPENDENCY = '  "packaging>=24",\n'
SETTING = '''
    greeting: str = "Hello"
    """Text of the greeting."""
'''
MODEL = '''

class LoudModel(Model):
    """A model of the owner, which says its name aloud."""

    @property
    def loud_name(self) -> str:
        """Return the name in capitals."""
        return self.name.upper()
'''
ROUTES = '''"""Your HTTP routes. Updates never touch this file."""

from fastapi import APIRouter

from .server.dependencies import SettingsDep

router = APIRouter()


@router.get("/greeting")
async def greeting(settings: SettingsDep) -> dict[str, str]:
    """Greet."""
    return {"greeting": str(getattr(settings, "greeting", ""))}
'''
JOB = '''

class CountArguments(BaseModel):
    """Arguments of a job of the owner."""

    path: str


class CountJob(JobType[CountArguments]):
    """A job of the owner: count the lines of a file."""

    name = "lines"
    arguments = CountArguments

    def run(self, arguments: CountArguments, context: JobContext) -> dict[str, Any]:
        """Return the number of lines."""
        with context.storage.read(arguments.path) as stream:
            return {"lines": sum(1 for _ in stream)}


JOB_TYPES.append(CountJob())


class Order(Base):
    """A table of the owner."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
'''
JOB_IMPORTS = """from pydantic import BaseModel
from sqlalchemy.orm import Mapped, mapped_column

from .db.models import Base
from .jobs.context import JobContext
"""
MIGRATION = '''"""Create the table of orders."""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade to this revision."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
    )


def downgrade() -> None:
    """Downgrade from this revision."""
    op.drop_table("orders")
'''
COMMAND = '''"""A command of the owner."""

from ..components import get_settings


def greet() -> None:
    """Say hello."""
    print(get_settings().greeting)
'''
TEST = """

def test_of_the_owner(client: TestClient) -> None:
    assert client.get("/greeting").json() == {"greeting": "Hello"}
"""
VERB = """.PHONY: greet
greet: ## Say hello
	@echo Hello
"""

Edit = Callable[[str], str]


def live(project: Path) -> dict[str, str]:
    """Do all of it, commit it, and return each text that an update must keep, by file and text."""
    kept: dict[str, str] = {}

    def change(name: str, edit: Edit, text: str) -> None:
        path = project / name
        if path.exists():
            before = path.read_text("utf-8")
            after = edit(before)
            assert after != before and text in after, name
            path.write_text(after, "utf-8")
            kept[name] = text

    def write(name: str, text: str) -> None:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, "utf-8")
        kept[name] = text

    sources = next((f"src/{path.name}" for path in project.glob("src/*")), "")
    if sources:
        write("README.md", README)
        write("own.mk", VERB)
        write(f"{sources}/commands/greet.py", COMMAND)
        change(f"{sources}/settings.py", lambda text: text + SETTING, SETTING)
        change(f"{sources}/model.py", lambda text: text + MODEL, MODEL)
        change(f"{sources}/routes.py", lambda _: ROUTES, ROUTES)
        change("tests/test_routes.py", lambda text: text + TEST, TEST)
        if (project / sources / "db").exists():
            write(f"{sources}/migrations/0001_orders.py", MIGRATION)
        change(f"{sources}/job_types.py", _with_job, JOB)
        change(f"{sources}/training.yaml", lambda text: text + COMMENT, COMMENT)
        change("pyproject.toml", lambda text: text.replace("own = [\n", f"own = [\n{DEPENDENCY}"), DEPENDENCY)
        change("Dockerfile", _at_the_mark("ENV OWN=1\n"), "ENV OWN=1\n")
        change("compose.yaml", _at_the_mark("  own:\n    image: own\n"), "  own:\n    image: own\n")
        change(".env.example", _at_the_mark("OWN=1\n"), "OWN=1\n")
        for name in (".github/workflows/ci.yml", ".gitlab-ci.yml"):
            change(name, _at_the_mark(COMMENT), COMMENT)
        # Files of ours, each edited in one place, far from where the maintainer changes it:
        for name in (f"{sources}/cli/program.py", f"{sources}/inference/model.py"):
            change(name, lambda text: COMMENT + text, COMMENT)
    else:
        write("train.py", "print('Training')\n")
        for name in ("docker/packages.txt", "docker/doctor/environment.py", "Dockerfile", "docker/README.md"):
            change(name, lambda text: COMMENT + text, COMMENT)
    for name in deleted(project):
        (project / name).unlink()
    commit(project, "My own work")
    return kept


def deleted(project: Path) -> list[str]:
    """Files that this owner has no use for: of ours, and of their own that nothing imports."""
    wanted = (
        "src/*/cli/bench.py",
        "src/*/cli/tune.py",
        "docs/containers.md",
        "tests/test_model.py",
        "docker/torch/pyproject.toml",
    )
    return [str(path.relative_to(project)) for pattern in wanted for path in project.glob(pattern)]


def _at_the_mark(lines: str) -> Edit:
    """Return an edit that adds the lines in the first place that is marked as the owner's."""
    return lambda text: re.sub(r"^( *)# to here", lambda mark: f"{lines}{mark[0]}", text, count=1, flags=re.MULTILINE)


def _with_job(text: str) -> str:
    return text.replace("from .jobs.predict import", f"{JOB_IMPORTS}from .jobs.predict import") + JOB
