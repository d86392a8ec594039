"""A distribution that is built from source and lacks something is named, with the Debian package to add."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import attempt, build, need_engine, outcome
from tests.existing_code.packages import Package
from tests.existing_code.repositories import add_containers
from tests.program import run
from tests.releases import ROOT

SCRIPT = ROOT / "template/existing/{{ docker_folder }}/build_packages.py"
FAILED = "  Failed to build `thing==1.0`\n  The build backend returned an error\n"
LINES = {
    "error: command 'gcc' failed: No such file or directory": "build-essential",
    "error: command 'x86_64-linux-gnu-g++' failed: No such file or directory": "build-essential",
    "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]": "build-essential",
    "Error: pg_config executable not found.": "libpq-dev",
    "src/a.c:3:10: fatal error: sndfile.h: No such file or directory": "libsndfile1-dev",
    "src/a.c:3:10: fatal error: odd/thing.h: No such file or directory": "the package that has odd/thing.h",
    "/usr/bin/ld: cannot find -lsnappy: No such file or directory": "libsnappy-dev",
    "error: can't find Rust compiler": "cargo",
    "FileNotFoundError: [Errno 2] No such file or directory: 'cmake'": "cmake",
}
"""What a build prints -> the Debian package to add."""


def failing(output: str) -> subprocess.CompletedProcess[str]:
    """Return what the script prints for a command that fails with an output."""
    command = [sys.executable, "-c", "import sys; sys.stderr.write(sys.argv[1]); sys.exit(2)", output]
    return run([sys.executable, "-B", SCRIPT, *command])


@pytest.mark.parametrize("line", LINES)
def test_what_a_build_lacks_is_named_at_the_end(line: str) -> None:
    done = failing(f"{FAILED}      {line}\n")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"build: thing is built from source: add {LINES[line]} to ")
    assert last.endswith("/build-packages.txt")


def test_another_failure_says_nothing_of_packages() -> None:
    done = failing("error: Failed to fetch: `https://example.org/simple/thing/`\n")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.image
@pytest.mark.exhaustive
def test_packages_for_builds_are_not_in_the_production_image(template: Path, tmp_path: Path) -> None:
    need_engine()
    tag = "slipway-test-existing-c"
    files = {"requirements.txt": "netifaces==0.11.0\n", "work.py": "import netifaces\nprint(netifaces.interfaces())\n"}
    folder = Package(files).write(tmp_path / "theirs")
    answers = {"requirements_file": "requirements.txt", "code_paths": ["work.py"], "keep": ["docker"]}
    answers |= {"commands": {"work": "python work.py"}, "torch_version": "none", "project_slug": tag}
    done = add_containers(template, folder, **answers)
    assert done.returncode == 0, done.stderr
    assert build(folder, "--target=lock", f"--output={folder}").returncode == 0
    failed = build(folder, f"--tag={tag}")
    assert failed.returncode != 0
    assert "netifaces is built from source: add build-essential to slipway/build-packages.txt" in failed.output
    (folder / "slipway/build-packages.txt").write_text("build-essential\n")
    try:
        made = build(folder, f"--tag={tag}")
        assert made.returncode == 0, made.output
        assert "lo" in outcome(tag, "work").stdout
        assert outcome(tag, "which", "gcc").returncode == 1
    finally:
        attempt("image", "rm", "--force", tag)
