"""Images of existing code: its tests, commands and API work, and the image contract holds."""

import json
import re
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import rows
from tests.engine import Export, address, attempt, build, cache_kept, docker, need_engine, outcome, reproduced, started
from tests.existing_code.packages import PACKAGES, Package, contents, own_wheel, pyproject
from tests.existing_code.repositories import SHAPES, add_containers, commands_of, dockerfile, given
from tests.private_index import PASSWORD, USER, PrivateIndex
from tests.program import run
from tests.releases import commit, git

pytestmark = pytest.mark.image

ANYBODY = ("--read-only", "--tmpfs=/tmp", "--user=12345:0")
RENEW = "docker build --target lock --output . ."
PAGES = ["flat", "api-string"]
"""Repositories, without and with an API, whose page the tests run line by line."""

NAMES = rows(SHAPES, PAGES)
APIS = [name for name, shape in SHAPES.items() if shape.route]


@pytest.mark.parametrize("name", SHAPES)
def test_the_lock_holds_torch_for_the_accelerator_and_nothing_for_another(
    name: str, locked: Callable[[str], Path]
) -> None:
    for lock in ("pylock.toml", "pylock.dev.toml"):
        text = (locked(name) / "docker" / lock).read_text()
        assert "nvidia-" not in text and "triton" not in text
        assert ('version = "2.13.0+cpu"' in text) == (SHAPES[name].answers.get("torch_version") != "none")


@pytest.mark.parametrize(
    "name", [row for row in NAMES if row not in PAGES]
)  # the page of each other one runs its tests
def test_their_tests_pass_in_development_and_write_as_their_owner(name: str, locked: Callable[[str], Path]) -> None:
    folder, tag = locked(name), f"slipway-test-existing-{name}-dev"
    files = [f"--file={SHAPES[name].suffix}compose{end}.yaml" for end in ("", ".override")]
    try:
        done = build(folder, dockerfile(folder), "--target=dev", f"--tag={tag}")
        assert done.returncode == 0, done.output
        tested = attempt("compose", *files, "run", "--rm", "dev", "pytest", "-q", cwd=folder)
        assert tested.returncode == 0, tested.stdout + tested.stderr
        assert " passed" in tested.stdout
        assert {path.stat().st_uid for path in folder.rglob("*")} == {folder.stat().st_uid}
    finally:
        attempt("compose", *files, "--profile=*", "down", "--volumes", cwd=folder)
        attempt("image", "rm", "--force", tag)


@pytest.mark.parametrize("name", NAMES)
def test_commands_run_by_name_as_anybody_without_a_network(name: str, image: Callable[[str], str]) -> None:
    options = (*ANYBODY, "--network=none")
    for command in SHAPES[name].commands:
        done = outcome(image(name), *command, options=options)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    told = outcome(image(name), "help", options=options)
    assert told.returncode == 0
    assert [word for word in [*SHAPES[name].answers.get("commands", {}), "doctor"] if word not in told.stdout] == []
    wrong = outcome(image(name), "nonsense", options=options)
    assert (wrong.returncode, wrong.stdout) == (127, "")
    assert len(wrong.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_image_holds_what_is_locked_and_no_cuda_no_compiler_and_nothing_of_ours(
    name: str, image: Callable[[str], str], locked: Callable[[str], Path]
) -> None:
    listed = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    found = json.loads(outcome(image(name), "python", "-c", listed).stdout)
    names = {re.sub(r"[-_.]+", "-", each).lower() for each in found}
    lock = tomllib.loads((locked(name) / "docker/pylock.toml").read_text())
    assert names - {package["name"] for package in lock["packages"]} == {SHAPES[name].package} - {""}
    assert not [each for each in names if each.startswith(("nvidia", "triton", "cuda"))]
    for program in ("gcc", "uv", "git"):
        assert outcome(image(name), "which", program).returncode == 1


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_their_page_works(
    name: str, image: Callable[[str], str], locked: Callable[[str], Path]
) -> None:
    image(name)
    folder = locked(name)
    commands = [each for each in commands_of(folder / "docker/README.md") if "..." not in each]
    assert len(commands) >= 6
    try:
        for command in commands:
            # Detach servers, which would run until Ctrl-C, and publish them on free ports.
            command = command.replace("--publish 8000:", "--detach --label=tried --publish 127.0.0.1::")
            command = re.sub(r"^docker compose .*\bup", r"PORT=0 \g<0> --detach --wait", command)
            done = run(["bash", "-e", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, timeout=600)
            assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    finally:
        for container in docker("ps", "--quiet", "--filter=label=tried").stdout.split():
            attempt("rm", "--force", container)
        files = [f"--file={SHAPES[name].suffix}compose{end}.yaml" for end in ("", ".override")]
        attempt("compose", *files, "--profile=*", "down", "--volumes", "--timeout=1", cwd=folder)
        attempt("image", "rm", "--force", f"slipway-test-existing-{name}-dev")


@pytest.mark.parametrize("name", NAMES)
def test_doctor_needs_nothing_of_theirs(name: str, image: Callable[[str], str]) -> None:
    options = (*ANYBODY, "--network=none", "--shm-size=2g")
    done = outcome(image(name), "doctor", "--json", options=options)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {each["check"]: each["state"] for each in json.loads(done.stdout)}
    assert set(found.values()) == {"ok"}
    assert ("torch" in found) == (SHAPES[name].answers.get("torch_version") != "none")
    assert "STATE" in outcome(image(name), "doctor", options=options).stdout


@pytest.mark.parametrize("init", [[], ["--init"]], ids=["first process", "init"])
@pytest.mark.parametrize("name", rows(APIS, PAGES))
def test_an_api_is_healthy_answers_and_stops_in_peace(name: str, init: list[str], image: Callable[[str], str]) -> None:
    with started(image(name), *ANYBODY, *init) as container:
        assert container.healthy()
        assert httpx.get(f"{container.url}{SHAPES[name].route}").status_code == 200
        with ThreadPoolExecutor() as pool:
            answers = [pool.submit(httpx.get, f"{container.url}{SHAPES[name].route}", timeout=30) for _ in range(8)]
            time.sleep(0.05)
            docker("stop", "--time=30", container.name)
            finished = [each.result().status_code for each in answers if not each.exception()]
        assert set(finished) <= {200}
        assert container.exit_code() == 0, container.log()


WSGI = """
import time

def app(environ, start_response):
    slow = environ["PATH_INFO"] == "/slow"
    if slow:
        print("a slow request has begun", flush=True)
        time.sleep(3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"slow" if slow else b"fast"]
"""


def test_a_wsgi_application_answers_what_is_under_way_when_it_is_stopped(template: Path, tmp_path: Path) -> None:
    need_engine()
    tag = "slipway-test-existing-wsgi"
    answers = {"code_paths": ["server.py"], "api_app": "server:app", "api_server": "gunicorn", "health_route": ""}
    folder = given(template, "requirements-only", tmp_path / "theirs", **answers, output_folders=[], commands={})
    (folder / "server.py").write_text(WSGI)
    (folder / "requirements.txt").write_text("gunicorn\n")
    assert build(folder, dockerfile(folder), "--target=lock", f"--output={folder}").returncode == 0
    done = build(folder, dockerfile(folder), f"--tag={tag}")
    assert done.returncode == 0, done.output
    try:
        with started(tag, *ANYBODY) as container, ThreadPoolExecutor() as pool:
            assert container.healthy()
            slow = pool.submit(httpx.get, f"{container.url}/slow", timeout=30)
            container.until(lambda: any("has begun" in line for line in container.log()), "asked")
            docker("stop", "--time=30", container.name)
            assert slow.result().text == "slow"
            assert container.exit_code() == 0, container.log()
    finally:
        attempt("image", "rm", "--force", tag)


MIGRATION = "import our_pkg\nprint('migrated', our_pkg.__name__)\n"


def test_what_a_command_runs_is_in_production_beside_the_wheel_or_refused(template: Path, tmp_path: Path) -> None:
    need_engine()
    tag = "slipway-test-existing-migrations"
    files = {
        "pyproject.toml": pyproject('"setuptools"', 'version = "1.0"'),
        "src/our_pkg/__init__.py": "",
        "migrations/run.py": MIGRATION,
        "migrations/versions/1.sql": "SELECT 1;\n",
        "tools/clean.py": "print('clean')\n",
    }
    folder = Package(files).write(tmp_path / "theirs")
    answers = {"requirements_file": "pyproject.toml", "install": "yes", "code_paths": ["src", "migrations"]}
    answers |= {"commands": {"migrate": "python migrations/run.py"}, "torch_version": "none", "project_slug": tag}
    assert add_containers(template, folder, **answers, test_command="").returncode == 0
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    try:
        done = build(folder, f"--tag={tag}")
        assert done.returncode == 0, done.output
        assert outcome(tag, "migrate", options=ANYBODY).stdout == "migrated our_pkg\n"
        found = outcome(tag, "find", "/app", "-type", "f", "-not", "-name", "*.pyc").stdout
        assert sorted(found.split()) == ["/app/migrations/run.py", "/app/migrations/versions/1.sql"]
    finally:
        attempt("image", "rm", "--force", tag)
    entry = folder / "Dockerfile"
    for wrong, lacks in {"python tools/clean.py": "tools/clean.py", "python -m tools.clean": "tools"}.items():
        before = entry.read_text()
        entry.write_text(before.replace("migrate=python migrations/run.py", f"migrate={wrong}"))
        (said,) = [line for line in refused(folder) if line.startswith("production: ")]
        entry.write_text(before)
        assert said.startswith(f"production: the command migrate runs {lacks}, which")
        assert said.endswith("add it to code_paths")


SLOW = """
import sys, time
print("importing", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def slow(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the image of an API whose import takes long, with a command."""
    need_engine()
    tag = "slipway-test-existing-slow"
    package = Package({"server.py": SLOW, "work.py": SLOW, "requirements.txt": "uvicorn\n"})
    folder = package.write(tmp_path_factory.mktemp("slow") / "theirs")
    answers = {"requirements_file": "requirements.txt", "code_paths": ["server.py", "work.py"], "api_app": "server:app"}
    answers |= {"torch_version": "none", "commands": {"work": "python work.py"}}
    assert add_containers(template, folder, **answers, test_command="", project_slug=tag).returncode == 0
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    done = build(folder, f"--tag={tag}")
    assert done.returncode == 0, done.output
    yield tag
    attempt("image", "rm", "--force", tag)


@pytest.mark.parametrize("command", ["serve", "work"])
@pytest.mark.parametrize("init", [[], ["--init"]], ids=["first process", "init"])
def test_a_program_that_still_imports_stops_at_once(slow: str, command: str, init: list[str]) -> None:
    with started(slow, *ANYBODY, *init, command=(command,)) as container:
        container.until(lambda: any("importing" in line for line in container.log()), "importing")
        before = time.monotonic()
        docker("stop", "--time=30", container.name)
        assert time.monotonic() - before < 5
        assert container.exit_code() in (0, 143), container.log()


def test_a_command_beside_the_api_is_not_measured_by_the_health_of_the_api(slow: str) -> None:
    with started(slow, *ANYBODY, command=("work",)) as container:
        container.until(lambda: any("importing" in line for line in container.log()), "importing")
        assert attempt("exec", container.name, "healthcheck").returncode == 0
    with started(slow, *ANYBODY) as container:
        container.until(lambda: any("importing" in line for line in container.log()), "importing")
        assert attempt("exec", container.name, "healthcheck").returncode == 1


@pytest.mark.exhaustive
def test_a_model_is_trained_into_a_volume_and_served_from_it(image: Callable[[str], str], locked: object) -> None:
    volume = "slipway-test-existing-models"
    try:
        mounted = (*ANYBODY, f"--volume={volume}:/app/models")
        done = outcome(image("requirements-only"), "train", options=mounted)
        assert done.returncode == 0, done.stderr
        with started(image("requirements-only"), *mounted) as container:
            assert container.healthy()
            assert httpx.get(f"{container.url}/health").json()["model_loaded"]
            assert httpx.get(f"{container.url}/recommendations/1").status_code == 200
    finally:
        attempt("volume", "rm", "--force", volume)


@pytest.mark.exhaustive
def test_an_edit_rebuilds_what_holds_the_code(locked: Callable[[str], Path]) -> None:
    folder = locked("monorepo")
    source = folder / "backend/app/config.py"
    before = source.read_text()
    with cache_kept():
        build(folder)
        assert build(folder).ran == []
        source.write_text(before + "\nMORE = 1\n")
        try:
            ran = build(folder).ran
        finally:
            source.write_text(before)
    assert ran
    assert not [step for step in ran if "[environment" in step or "[bytecode" in step], ran


@pytest.mark.exhaustive
def test_the_same_commit_has_the_same_digest_whoever_checks_it_out(
    locked: Callable[[str], Path], tmp_path: Path
) -> None:
    digests = []
    for umask in ("022", "077"):
        clone = tmp_path / umask
        run(["sh", "-c", f'umask {umask} && git clone --quiet "$0" "$1"', locked("requirements-only"), clone])
        digests.append(reproduced(clone, dockerfile(clone), "--no-cache"))
    assert digests[0] == digests[1]


def refused(folder: Path, *options: str) -> list[str]:
    """Return the output lines of a build, which must fail."""
    done = attempt("build", "--progress=plain", *options, folder)
    assert done.returncode != 0
    lines = [line.partition(" ")[2].partition(" ")[2] for line in done.stderr.splitlines() if line.startswith("#")]
    assert "Traceback" not in done.stderr
    return lines


def test_production_without_a_lock_or_with_a_stale_one(template: Path, tmp_path: Path) -> None:
    need_engine()
    folder = given(template, "monorepo", tmp_path / "theirs")
    missing = [line for line in refused(folder) if line.startswith("There is no")]
    assert missing == [f"There is no docker/pylock.toml. Create it with: {RENEW}"]
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    with (folder / "backend/requirements.txt").open("a") as requirements:
        requirements.write("colorama\n")
    (stale,) = [line for line in refused(folder) if "out of date" in line and line.startswith("docker/")]
    assert "backend/requirements.txt has changed" in stale
    assert stale.endswith(RENEW)


LISTS = ["requirements/base.txt", "requirements/prod.txt", "deps/dev.in", "deps/lint.txt"]


def test_builds_get_the_lists_that_lists_of_requirements_include(template: Path, tmp_path: Path) -> None:
    need_engine()
    package = Package({**dict.fromkeys(LISTS, "six\n"), "data/notes.txt": "", "our_pkg/__init__.py": ""})
    folder, sent = package.write(tmp_path / "theirs"), tmp_path / "sent"
    answers = {"requirements_file": "requirements/prod.txt", "requirements_dev": ["deps/dev.in"], "install": "no"}
    assert add_containers(template, folder, **answers, code_paths=["our_pkg"], torch_version="none").returncode == 0
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    done = build(folder, f"--output={sent}")
    assert done.returncode == 0, done.output
    found = {path.relative_to(sent).as_posix() for path in sent.rglob("*") if path.is_file()}
    assert found >= {*LISTS, "our_pkg/__init__.py"} and "data/notes.txt" not in found


def test_a_pin_that_cannot_be_met_is_refused_in_one_line(template: Path, tmp_path: Path) -> None:
    need_engine()
    folder = given(template, "flat", tmp_path / "theirs")
    manifest = folder / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace("torch>=2.0", "torch==2.99.0"))
    said = [line for line in refused(folder, "--target=lock") if line.startswith("lock: ")]
    assert len(said) == 1
    assert "torch==2.99.0" in said[0]


def test_a_lock_of_theirs_keeps_its_versions_without_its_cuda(template: Path, tmp_path: Path) -> None:
    need_engine()
    folder = given(template, "src-hydra", tmp_path / "theirs")
    subprocess.run(["uv", "lock", "--quiet"], cwd=folder, check=True)
    assert "nvidia" in (folder / "uv.lock").read_text()
    manifest = folder / "uv.lock"
    before = manifest.read_bytes()
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    assert manifest.read_bytes() == before
    lock = (folder / "docker/pylock.toml").read_text()
    assert "nvidia" not in lock
    assert 'version = "2.13.0+cpu"' in lock


def test_a_token_that_is_a_build_argument_is_refused(template: Path, tmp_path: Path) -> None:
    need_engine()
    folder = given(template, "monorepo", tmp_path / "theirs")
    said = refused(folder, "--build-arg=HF_TOKEN=hf_of_somebody")
    assert any(line.startswith("HF_TOKEN must not be a build argument") for line in said)
    assert not [line for line in said if "hf_of_somebody" in line]


def test_scripts_and_lists_of_windows_work(template: Path, tmp_path: Path) -> None:
    need_engine()
    tag, package = "slipway-test-windows", PACKAGES["manifest"]
    folder = package.write(tmp_path / "theirs")
    answers = {"requirements_file": "pyproject.toml", "code_paths": ["our_pkg"], "commands": {"names": "ls /app"}}
    done = add_containers(template, folder, **answers, install="yes", torch_version="none", project_slug=tag)
    assert done.returncode == 0, done.stderr
    (folder / "docker/packages.txt").write_text("# Café\nbsdextrautils\n", "utf-16")
    for path in [folder / "Dockerfile", folder / "Dockerfile.dockerignore", *(folder / "docker").rglob("*.*")]:
        if path.name != "packages.txt":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
            path.chmod(0o644)
    made = build(folder, "--target=lock", f"--output={folder}")
    assert made.returncode == 0, made.output
    try:
        for target, end in {"prod": "", "dev": "-dev"}.items():
            made = build(folder, f"--target={target}", f"--tag={tag}{end}")
            assert made.returncode == 0, made.output
            done = outcome(f"{tag}{end}", "column", "--version")
            assert done.returncode == 0, done.stderr
        assert "names" in outcome(tag, "help").stdout
        assert outcome(tag, "names").returncode == 0
        assert outcome(tag, "doctor", options=ANYBODY).returncode == 0
        assert build(folder, f"--tag={tag}").ran == []
    finally:
        attempt("image", "rm", "--force", tag, f"{tag}-dev")


@pytest.mark.parametrize("way", ["netrc", "PIP_EXTRA_INDEX_URL", "UV_INDEX_MINE_PASSWORD"])
def test_credentials_of_a_private_index_are_used_and_kept_nowhere(way: str, template: Path, tmp_path: Path) -> None:
    need_engine()
    tag, package = "slipway-test-private", PACKAGES["manifest"]
    folder = package.write(tmp_path / "theirs")
    with PrivateIndex() as index:
        host = address()
        manifest = folder / "pyproject.toml"
        manifest.write_text(manifest.read_text().replace('license = "MIT"', 'dependencies = ["private-thing"]'))
        if way != "PIP_EXTRA_INDEX_URL":
            with manifest.open("a") as file:
                file.write(f'[[tool.uv.index]]\nname = "mine"\nurl = "{index.url(host)}"\n')
        commit(folder, "Depend on a private package")
        answers = {"requirements_file": "pyproject.toml", "code_paths": ["our_pkg"], "torch_version": "none"}
        done = add_containers(template, folder, **answers, install="yes", project_slug=tag)
        assert done.returncode == 0, done.stderr
        secret = tmp_path / "secret"
        secret.write_text(
            {
                "netrc": f"machine {host} login {USER} password {PASSWORD}\n",
                "PIP_EXTRA_INDEX_URL": f"# ours\r\nPIP_EXTRA_INDEX_URL={index.url(host, login=True)}\r\n",
                "UV_INDEX_MINE_PASSWORD": f"UV_INDEX_MINE_USERNAME={USER}\nUV_INDEX_MINE_PASSWORD={PASSWORD}",
            }[way]
        )
        given = f"--secret=id={'netrc' if way == 'netrc' else 'indexes'},src={secret}"
        assert build(folder, "--target=lock", f"--output={folder}").returncode == 1
        made = build(folder, "--target=lock", f"--output={folder}", given)
        assert made.returncode == 0, made.output
        lock = (folder / "docker/pylock.toml").read_text()
        assert "private-thing" in lock and host in lock
        try:
            for target in ("prod", "dev"):
                made = build(
                    folder, f"--target={target}", f"--tag={tag}-{target}", given, "--no-cache-filter=environment,dev"
                )
                assert made.returncode == 0, made.output
                assert outcome(f"{tag}-{target}", "python", "-c", "import private_thing").returncode == 0
                history = docker("history", "--no-trunc", f"{tag}-{target}").stdout
                export = Export.of(f"{tag}-{target}", tmp_path / f"{target}.tar")
                for word in (PASSWORD, quote(PASSWORD, safe="")):
                    assert word not in lock + made.output + history
                    assert export.holding(word) == []
        finally:
            attempt("image", "rm", "--force", f"{tag}-prod", f"{tag}-dev")


def test_a_library_of_the_system_that_a_wheel_lacks_stops_the_build_with_its_package(
    template: Path, tmp_path: Path
) -> None:
    need_engine()
    tag, package = "slipway-test-opencv", PACKAGES["manifest"]
    folder = package.write(tmp_path / "theirs")
    manifest = folder / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace('license = "MIT"', 'dependencies = ["opencv-python"]'))
    (folder / "our_pkg/__init__.py").write_text("import cv2\n\nEDGES = cv2.Canny\n")
    commit(folder, "Find edges")
    answers = {"requirements_file": "pyproject.toml", "code_paths": ["our_pkg"], "torch_version": "none"}
    done = add_containers(template, folder, **answers, install="yes", project_slug=tag)
    assert done.returncode == 0, done.stderr
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    try:
        (line,) = [each for each in refused(folder) if "precompile: " in each]
        what, packages = re.findall(r"precompile: (opencv-python needs .*): add (.*) to docker/packages.txt$", line)[0]
        assert "libGL.so.1" in what and "libgl1" in packages

        made = build(folder, "--target=dev", f"--tag={tag}-dev")
        assert made.returncode == 0, made.output
        checked = attempt("compose", "run", "--rm", "dev", "doctor", "--json", cwd=folder)
        found = {each["check"]: each for each in json.loads(checked.stdout)}["system libraries"]
        assert (checked.returncode, found["state"], found["found"]) == (1, "fail", what)
        assert found["fix"] == f"add {packages} to docker/packages.txt, and rebuild the image"

        (folder / "docker/packages.txt").write_text(packages.replace(" and ", "\n") + "\n")
        made = build(folder, f"--tag={tag}")
        assert made.returncode == 0, made.output
        assert "skipped cv2" not in made.output
        assert outcome(tag, "python", "-c", "import our_pkg; our_pkg.EDGES", options=ANYBODY).returncode == 0
        checked = outcome(tag, "doctor", "--json", options=(*ANYBODY, "--network=none", "--shm-size=2g"))
        assert checked.returncode == 0, checked.stdout
        found = {each["check"]: each for each in json.loads(checked.stdout)}["system libraries"]
        assert (found["state"], found["found"]) == ("ok", "none missing")
    finally:
        attempt("compose", "--profile=*", "down", "--volumes", cwd=folder)
        attempt("image", "rm", "--force", tag, f"{tag}-dev")


RECORDED = """
import hashlib, json
from importlib.metadata import distribution

found = {}
for path in distribution("our-pkg").files:
    if path.suffix != ".pyc" and path.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        found[str(path)] = hashlib.sha256(path.read_binary()).hexdigest()
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", ["manifest", "setuptools-scm", "build hook"])
def test_a_package_is_installed_as_its_own_build_gives_it(name: str, template: Path, tmp_path: Path) -> None:
    need_engine()
    package, tag = PACKAGES[name], f"slipway-test-package-{name.replace(' ', '-')}"
    folder = package.write(tmp_path / "theirs")
    own = contents(own_wheel(folder, package, tmp_path))
    answers = {"requirements_file": f"{package.folder}pyproject.toml", "working_folder": package.folder.rstrip("/")}
    done = add_containers(
        template, folder, **answers, code_paths=["backend"], install="yes", torch_version="none", project_slug=tag
    )
    assert done.returncode == 0, done.stderr
    described = git(folder, "describe", "--tags", "--long", "--abbrev=9").strip() if package.tag else ""
    versions = [f"--build-arg=VERSION={described}"] if described else []
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    try:
        made = build(folder, f"--tag={tag}", *versions)
        assert made.returncode == 0, made.output
        held = json.loads(outcome(tag, "python", "-c", RECORDED).stdout)
        assert held == {path: digest for path, digest in own.items() if not path.endswith("/RECORD")}
        if package.tag:
            assert any('VERSION="$(git describe' in line for line in refused(folder))
        made = build(folder, "--target=dev", f"--tag={tag}-dev", *versions)
        assert made.returncode == 0, made.output
        module = next((each for each in package.holds if each.endswith(".py")), "our_pkg/__init__.py")
        code = f"import importlib; importlib.import_module({module.removesuffix('.py').replace('/', '.')!r})"
        done = attempt("compose", "run", "--rm", "dev", "python", "-c", code, cwd=folder)
        assert done.returncode == 0, done.stderr
    finally:
        attempt("compose", "--profile=*", "down", "--volumes", cwd=folder)
        attempt("image", "rm", "--force", tag, f"{tag}-dev")
