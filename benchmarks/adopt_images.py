"""From `git clone` to green tests in a container, for each repository of tests/adopt: one command and no answers.

Each repository is committed, cloned and given to `adopt --yes`. Then the commands of the page that this writes run as
they stand: the locks are written and committed, the development image is built, and the repository's own tests run in
it. A repository counts if it has tests, and if its base image and its torch can be had on this machine: a mirror of
PyTorch's index often holds only a few wheels. At least one test must have run.

Needs a Docker engine, and TORCH_INDEX where a mirror of PyTorch's index serves: Copier then takes its address from its
settings file, as the default of an answer. Takes an hour; name repositories to try only those.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from benchmarks.report import Row, finish, load, parser, say
from tests.adopt.corpus import USUAL, Shape, right, shapes
from tests.answers import TABLE
from tests.engine import attempt
from tests.existing_code.repositories import commands_of
from tests.program import run
from tests.releases import ROOT, commit, git

STEP_SECONDS = 1_200
NOT_GREEN_PERCENT = 20.0
"""Share of the repositories that may fail: 6 of 30."""
INDEX = os.environ.get("TORCH_INDEX", TABLE["index"])
STEPS = ("adopt", "lock", "dev", "tests")
TESTS_RAN = re.compile(r"\b(\d+ passed)|Ran (\d+ tests?) in ")


@dataclass(frozen=True)
class Outcome:
    """How far a repository came."""

    shape: str
    state: str
    """`green`, the step that failed, or `left out` if it does not count."""
    detail: str
    """The number of tests, or the reason."""
    seconds: float


class StepError(Exception):
    """A step failed; the message is its name, a colon, and the end of its output."""


def step(name: str, command: list[str], folder: Path) -> str:
    """Run a command in a folder and return its output. Raises StepError if it fails."""
    started = time.perf_counter()
    try:
        done = run(command, cwd=folder, stdin=subprocess.DEVNULL, timeout=STEP_SECONDS)
    except subprocess.TimeoutExpired:
        raise StepError(f"{name}: not finished after {STEP_SECONDS} s") from None
    say(f"  {name}: {time.perf_counter() - started:.0f} s")
    if done.returncode:
        raise StepError(f"{name}: {(done.stderr + done.stdout).strip()}")
    return done.stderr + done.stdout


def missing(shape: Shape, answers: dict[str, object]) -> str:
    """Return what an image needs and this machine cannot get, or nothing.

    Wrong answers are no excuse: a torch or a Python that the repository does not need counts as a failure.
    """
    chosen = {
        name: str(answers.get(name) or USUAL[name]) for name in ("torch_version", "accelerator", "python_version")
    }
    if not all(right(name, shape.answers.get(name, USUAL[name]), value) for name, value in chosen.items()):
        return ""
    base = f"python:{chosen['python_version']}-slim-trixie"
    if run(["docker", "image", "inspect", base]).returncode and run(["docker", "pull", "--quiet", base]).returncode:
        return f"no image {base}"
    if chosen["torch_version"] == "none":
        return ""
    page = httpx.get(f"{INDEX}/{chosen['accelerator']}/torch/", follow_redirects=True).text
    interpreter = "cp" + chosen["python_version"].replace(".", "")
    if re.search(rf"torch-{re.escape(chosen['torch_version'])}[^-]*-{interpreter}-", page):
        return ""
    return f"no wheel of torch {chosen['torch_version']}, {chosen['accelerator']}, Python {chosen['python_version']}"


def adopted(folder: Path) -> Path:
    """Add containers to a repository with the one command; return the page that says how to use them."""
    step("adopt", [sys.executable, "-m", "adopt", "--yes", str(folder)], ROOT)
    (page,) = (found for name in ("docker", "slipway") if (found := folder / name / "README.md").exists())
    return page


def tested(folder: Path, page: Path, image: str) -> str:
    """Follow the page from the lock to the tests; return how many passed. Raises StepError at the first failure."""
    commands = [shlex.split(line) for line in commands_of(page)]
    step("lock", next(each for each in commands if "lock" in each), folder)
    commit(folder, "Add containers")
    secrets = [each for each in commands if each[0].endswith("secrets.sh")]
    if secrets:
        step("dev", secrets[0], folder)
    compose = ["docker", "compose"]
    verbs = [each for each in commands if each[:2] == compose and "dev" in each and each[-1] != "bash"]
    if not verbs:
        raise StepError("tests: the page names no command for them")
    (verb,) = verbs
    files = verb[2 : verb.index("run")]
    try:
        step("dev", [*compose, *files, "build", "dev"], folder)
        output = step("tests", verb, folder)
        if not (ran := TESTS_RAN.search(output)):
            raise StepError(f"tests: none ran: {output.strip()}")
        return ran[1] or ran[2]
    finally:
        attempt(*compose[1:], *files, "--profile=*", "down", "--volumes", "--timeout=1", cwd=folder)
        attempt("image", "rm", "--force", image)


def tried(shape: Shape, place: Path) -> Outcome:
    """Take one repository as far as it goes."""
    started = time.perf_counter()
    state, detail = "left out", "no tests of its own"
    if not right("test_command", shape.answers.get("test_command"), ""):
        origin, folder = shape.write(place / "origin"), place / f"slipway-benchmark-{shape.name}"
        commit(origin, "Theirs")
        git(place, "clone", "--quiet", origin, folder)
        try:
            page = adopted(folder)
            answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
            if lacks := missing(shape, answers):
                detail = lacks
            else:
                state, detail = "green", tested(folder, page, f"{answers['project_slug']}-dev")
        except StepError as error:
            state, _, detail = str(error).partition(": ")
    return Outcome(shape.name, state, detail, time.perf_counter() - started)


def main() -> int:
    """Try the repositories, and return the exit code."""
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help="repositories to try; default: all")
    chosen = options.parse_args()
    before = load()
    every = {shape.name: shape for held_out in (False, True) for shape in shapes(held_out)}
    if unknown := set(chosen.names) - set(every):
        sys.exit(f"unknown repositories: {', '.join(sorted(unknown))}")
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        settings = Path(place, "settings.yml")
        settings.write_text(yaml.safe_dump({"defaults": {"torch_index": INDEX}}))
        os.environ["COPIER_SETTINGS_PATH"] = str(settings)
        for name in chosen.names or every:
            found.append(outcome := tried(every[name], Path(place, name)))
            say(f"{outcome.shape}: {outcome.state}, {outcome.seconds:.0f} s: {outcome.detail[-3000:]}")
    for outcome in found:
        last = (outcome.detail.splitlines() or [""])[-1]
        print(f"{outcome.shape:26}{outcome.state:10}{outcome.seconds:5.0f} s  {last[:100]}")
    counted = [outcome for outcome in found if outcome.state != "left out"]
    green = [outcome for outcome in counted if outcome.state == "green"]
    rows = [Row(f"failed: {name}", sum(each.state == name for each in counted), "") for name in STEPS]
    rows += [
        Row("repositories that count", len(counted), ""),
        Row("tests green", len(green), ""),
        Row("not green", 100 - 100 * len(green) / max(1, len(counted)), "%", NOT_GREEN_PERCENT),
    ]
    return finish(rows, before, chosen.json)


if __name__ == "__main__":
    sys.exit(main())
