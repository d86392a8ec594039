"""Open development containers of generated projects with the Dev Container CLI, which shares code with editors."""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

import pytest

from tests.conftest import need, need_program, rows
from tests.engine import build, docker
from tests.existing_code.repositories import given
from tests.hub import Hub
from tests.image.test_compose import OWNER, compose_of
from tests.program import run
from tests.releases import commit, git

pytestmark = pytest.mark.image

CLI = "@devcontainers/cli@0.89.0"
LOCKS = ("uv.lock", "pylock.toml", "pylock.dev.toml")
OWNED = ("setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups")
REACH = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
"""Capabilities that let an unnamed user reach root's folders and the engine, as a member of their groups does."""

STOP = r"""
import json, subprocess, sys

adapter = subprocess.Popen([sys.executable, "-m", "debugpy.adapter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def send(command, **arguments):
    body = json.dumps({"type": "request", "seq": 1, "command": command, "arguments": arguments}).encode()
    adapter.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    adapter.stdin.flush()

def receive(wanted):
    while True:
        size = 0
        while line := adapter.stdout.readline().strip():
            if line.startswith(b"Content-Length:"):
                size = int(line.split()[1])
        said = json.loads(adapter.stdout.read(size))
        assert said.get("success", True) and (said.get("event") != "terminated" or wanted == "terminated"), said
        if wanted in (said.get("event"), said.get("command")):
            return said.get("body")

path, line = sys.argv[1], int(sys.argv[2])
send("initialize", adapterID="python")
send("launch", module="my_project", args=["--version"], console="internalConsole")
receive("initialized")
send("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
send("configurationDone")
send("stackTrace", threadId=receive("stopped")["threadId"])
top = receive("stackTrace")["stackFrames"][0]
print(top["source"]["path"], top["line"])
send("disconnect", terminateDebuggee=True)
receive("terminated")
adapter.kill()
"""


class DevContainer(Protocol):
    """The Dev Container CLI on a folder."""

    def __call__(self, verb: str, *arguments: str) -> CompletedProcess[str]:
        """Run a verb of the command line; never raise for its exit code."""
        ...


@dataclass(frozen=True)
class Opened:
    """A folder that is open in its development container."""

    folder: Path
    devcontainer: DevContainer

    def container(self, format: str) -> str:
        """Return details of the container from the engine."""
        name = compose_of(self.folder)("ps", "--quiet", "dev").stdout.strip()
        return docker("inspect", f"--format={format}", name).stdout.strip()

    def attempt(self, *command: str) -> CompletedProcess[str]:
        """Run a command as a terminal of the editor does; never raise for its exit code."""
        return self.devcontainer("exec", *command)

    def run(self, *command: str) -> str:
        """Return the output of a command, which must succeed."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def foreign(self) -> list[Path]:
        """Return the files in the folder that do not belong to its owner."""
        return [path for path in self.folder.rglob("*") if path.lstat().st_uid != owner()]


def owner() -> int:
    """Return the user id that opens the folder: that of the tests, or OWNER if that is root."""
    return os.getuid() or OWNER


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], DevContainer]:
    """Return a function that binds the Dev Container CLI to a folder, to run as its owner."""
    home = tmp_path_factory.mktemp("home")
    npm = [need_program("npm"), "install", "--silent", "--no-audit", "--no-fund", f"--prefix={home}", CLI]
    done = run(npm)
    need(done.returncode == 0, f"needs the package {CLI}: {done.stderr}")
    program: list[str | Path] = [need_program("node"), home / "node_modules/@devcontainers/cli/devcontainer.js"]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MY_PROJECT_", "COMPOSE_"))
    }
    kept["TMPDIR"] = str(home)
    if os.getuid() == 0:
        program[:0] = [*OWNED, *REACH]
        named = home / "bin/id"  # the CLI looks up the name of its user, who has none on this machine
        named.parent.mkdir()
        named.write_text('#!/bin/sh\n[ "$*" = "-u -n" ] && echo somebody || PATH=${PATH#*:} exec id "$@"\n')
        named.chmod(0o755)
        plugins = kept.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
        kept |= {"HOME": str(home), "DOCKER_CONFIG": plugins, "BUILDX_CONFIG": str(home / "buildx")}
        kept["PATH"] = f"{named.parent}{os.pathsep}{kept['PATH']}"
        os.chown(home, OWNER, OWNER)

    def of(folder: Path) -> DevContainer:
        def devcontainer(verb: str, *arguments: str) -> CompletedProcess[str]:
            return run([*program, verb, f"--workspace-folder={folder}", *arguments], env=kept, timeout=600)

        return devcontainer

    return of


@pytest.fixture(scope="module")
def open_folder(cli: Callable[[Path], DevContainer], tags: list[str]) -> Iterator[Callable[[Path], Opened]]:
    """Yield a function that opens a folder as its owner; remove containers, volumes and images at the end."""
    all_opened: list[Opened] = []

    def open_folder(folder: Path) -> Opened:
        if os.getuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, OWNER, OWNER, follow_symlinks=False)
        opened = Opened(folder, cli(folder))
        all_opened.append(opened)
        done = opened.devcontainer("up")
        assert done.returncode == 0, done.stdout + done.stderr[-4000:]
        tags.extend(opened.container("{{.Config.Image}}").split())
        return opened

    yield open_folder
    for opened in all_opened:
        tags.append(f"{re.findall('^name: (.+)$', (opened.folder / 'compose.yaml').read_text(), re.MULTILINE)[0]}-dev")
        compose_of(opened.folder)("--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1")


@pytest.fixture(scope="module", params=rows(["dev", "dev, pip"], ["dev"]))
def opened(
    request: pytest.FixtureRequest, project: Callable[[str], Path], open_folder: Callable[[Path], Opened]
) -> Opened:
    """Return an opened project of each package manager."""
    return open_folder(project(request.param))


@pytest.fixture(scope="module")
def with_hub(project: Callable[[str], Path], open_folder: Callable[[Path], Opened], hub: Hub) -> Iterator[Opened]:
    """Yield an opened project with a model of the hub."""
    settings = project("dev") / ".env"
    settings.write_text(f"HF_ENDPOINT={hub.endpoint}\n")
    opened = open_folder(project("dev"))
    opened.devcontainer("up", "--remove-existing-container")
    yield opened
    settings.unlink()


def test_its_user_is_the_owner_of_the_folder_and_not_root(opened: Opened) -> None:
    assert opened.run("id", "-un").strip() == "app"
    assert opened.run("id", "-u").strip() == str(owner())
    assert opened.run("pwd").strip() == "/app"
    opened.run("sh", "-c", "mkdir made && echo text > made/file")
    assert (opened.folder / "made/file").stat().st_uid == owner()
    opened.run("rm", "-r", "made")


def test_its_tools_are_there_at_once(opened: Opened) -> None:
    tools = ["python", "pytest", "ruff", "pyrefly", "pre-commit"]
    expected = [f"/opt/venv/bin/{tool}" for tool in tools]
    assert opened.run("which", *tools).split() == expected
    assert opened.run("bash", "--login", "-c", 'which "$@"', "bash", *tools).split() == expected
    opened.run("which", "bash", "git", "make", "ssh", "pip" if (opened.folder / "pylock.toml").exists() else "uv")


def test_it_imports_the_package_from_the_folder(opened: Opened) -> None:
    assert opened.run("python", "-c", "import my_project; print(my_project.__file__)").startswith(
        "/app/src/my_project/"
    )
    source = opened.folder / "src/my_project/__init__.py"
    before = source.read_text()
    source.write_text(f"{before}\nEDITED = 'seen'\n")
    try:
        assert opened.run("python", "-c", "import my_project; print(my_project.EDITED)") == "seen\n"
    finally:
        source.write_text(before)


def test_the_verbs_of_the_makefile_use_what_is_installed(opened: Opened) -> None:
    listing = "cd /opt/venv/lib/python*/site-packages && stat -c '%n %i' *.dist-info | grep -v ^slipway"
    before = opened.run("sh", "-c", listing)
    assert before.count("\n") > 30
    assert " passed" in opened.run("make", "test")
    opened.run("make", "lint")
    assert opened.run("sh", "-c", listing) == before
    assert not (opened.folder / ".venv").exists()
    assert opened.foreign() == []


def test_git_takes_the_folder_for_a_safe_one(opened: Opened) -> None:
    assert opened.run("git", "status", "--porcelain") == ""


def test_hooks_hold_back_a_commit(opened: Opened) -> None:
    opened.run("make", "hooks")
    try:
        opened.run("sh", "-c", "printf '%s\\n' '\"\"\"A file.\"\"\"' '' 'x  =  1' > untidy.py")
        opened.run("git", "add", "untidy.py")
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        done = opened.attempt("git", *identity, "commit", "--message=Untidy")
        assert done.returncode != 0
        assert re.search(r"ruff check\.+Passed", done.stdout + done.stderr)
        assert re.search(r"ruff format\.+Failed", done.stdout + done.stderr)
        assert (opened.folder / "untidy.py").read_text() == '"""A file."""\n\nx = 1\n'
    finally:
        opened.run("git", "rm", "--force", "--quiet", "untidy.py")
        opened.run("rm", ".git/hooks/pre-commit")


def test_its_user_may_install_more(opened: Opened) -> None:
    add = "pip install --quiet" if (opened.folder / "pylock.toml").exists() else "uv add --quiet"
    try:
        opened.run(*shlex.split(add), "colorama")
        assert opened.run("python", "-c", "import colorama; print(colorama.__file__)").startswith("/opt/venv/")
    finally:
        opened.run("git", "checkout", "--quiet", ".")


@pytest.mark.exhaustive
def test_the_hubs_cache_outlives_the_container(with_hub: Opened, hub: Hub) -> None:
    mounts = with_hub.container('{{range .Mounts}}{{.Type}} {{.Destination}}{{"\\n"}}{{end}}').splitlines()
    assert "volume /cache" in mounts
    with_hub.run("slipway-test-dev", "download")
    assert "model.safetensors" in with_hub.run("sh", "-c", "ls $HF_HOME/hub/*/snapshots/*")
    settings = with_hub.folder / ".env"
    settings.write_text("HF_ENDPOINT=http://127.0.0.1:1\n")
    first = with_hub.container("{{.Id}}")
    done = with_hub.devcontainer("up", "--remove-existing-container")
    assert done.returncode == 0, done.stderr
    assert with_hub.container("{{.Id}}") != first
    assert with_hub.run("slipway-test-dev", "predict", "A cat.").startswith("[")


@pytest.mark.exhaustive
def test_a_debugger_stops_at_a_line_of_the_folder(with_hub: Opened) -> None:
    lines = (with_hub.folder / "src/my_project/cli/program.py").read_text().splitlines()
    place = ("/app/src/my_project/cli/program.py", str(lines.index("        app()") + 1))
    assert with_hub.run("python", "-c", STOP, *place).split() == list(place)


@pytest.mark.exhaustive
def test_it_opens_beside_the_running_project(with_hub: Opened) -> None:
    ports = with_hub.container("{{json .HostConfig.PortBindings}}")
    assert ports in ("{}", "null"), "the editor forwards ports; those of the machine are the API's"


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["unlocked", "unlocked, pip"])
def test_a_fresh_clone_without_a_lock_opens(
    name: str, project: Callable[[str], Path], open_folder: Callable[[Path], Opened], tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", project(name), "clone")
    for lock in LOCKS:
        (tmp_path / "clone" / lock).unlink(missing_ok=True)
    opened = open_folder(tmp_path / "clone")
    assert " passed" in opened.run("pytest", "-q")
    assert opened.foreign() == []
    assert not [lock for lock in LOCKS if (opened.folder / lock).exists()]


@pytest.mark.exhaustive
def test_code_that_exists_already_opens_and_passes_its_tests(
    engine: None, template: Path, open_folder: Callable[[Path], Opened], tmp_path: Path
) -> None:
    folder = given(template, "poetry", tmp_path / "theirs", project_slug="slipway-test-existing-editor")
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    commit(folder, "Lock")
    opened = open_folder(folder)
    assert opened.run("id", "-un").strip() == "app"
    assert " passed" in opened.run("pytest", "-q")
    assert opened.run("git", "status", "--porcelain") == ""
    assert opened.foreign() == []
