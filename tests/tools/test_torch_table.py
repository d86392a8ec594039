"""The compatibility table is consistent, and the program that compares it with a registry sees what differs."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version

from tests import torch_table

ROOT = Path(__file__).resolve().parents[2]
REAL = yaml.safe_load(torch_table.TABLE.read_text(encoding="utf-8"))
RELEASES = REAL["releases"]
OLD = [
    "filelock",
    'nvidia-cuda-nvrtc-cu12 (==12.4.127) ; platform_system == "Linux" and platform_machine == "x86_64"',
    'nvidia-cuda-runtime-cu12 (==12.4.127) ; platform_system == "Linux" and platform_machine == "x86_64"',
    'nvidia-cudnn-cu12 (==9.1.0.70) ; platform_system == "Linux" and platform_machine == "x86_64"',
]
NEW = [
    "filelock",
    'cuda-toolkit[cublas,cudart,cufft,nvtx]==13.0.3; platform_system == "Linux"',
    'cuda-bindings<14,>=13.0.3; platform_system == "Linux" and python_version < "3.15"',
    'nvidia-cudnn-cu13==9.20.0.48; platform_system == "Linux"',
]


# The table itself


def test_table_says_where_it_is_from() -> None:
    assert isinstance(REAL["read"], date)
    assert REAL["sources"] and all(isinstance(source, str) for source in REAL["sources"])
    assert REAL["index"].startswith("https://") and not REAL["index"].endswith("/")


def test_releases_ascend() -> None:
    assert [str(Version(release)) for release in RELEASES] == list(RELEASES)
    assert sorted(RELEASES, key=Version) == list(RELEASES)
    months = [row["released"] for row in RELEASES.values()]
    assert sorted(months) == months
    assert all(re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month) for month in months)
    minors = [Version(release).release[:2] for release in RELEASES if release not in REAL["retired"]]
    assert len(set(minors)) == len(minors), "one release of each minor is offered"


@pytest.mark.parametrize("release", RELEASES)
def test_release_is_complete(release: str) -> None:
    row = RELEASES[release]
    assert set(row) == {"released", "accelerators", "default_wheel", "python", "triton"}
    assert "cpu" in row["accelerators"] and len(set(row["accelerators"])) == len(row["accelerators"])
    assert {*row["accelerators"], row["default_wheel"]} <= set(REAL["accelerators"])
    assert all(isinstance(python, str) and re.fullmatch(r"3\.\d+", python) for python in row["python"])
    assert sorted(set(row["python"]), key=Version) == row["python"]
    assert row["triton"] in {"pytorch-triton-rocm", "triton-rocm"}


@pytest.mark.parametrize("name", REAL["accelerators"])
def test_accelerator_is_described(name: str) -> None:
    described = REAL["accelerators"][name]
    assert re.fullmatch(r"cpu|cu\d{3}|rocm\d+(\.\d+)+", name)
    assert described["label"]
    assert set(described) <= {"label", "driver", "compute_capability"}
    if name.startswith("cu"):
        version = re.sub(r"cu(\d+)(\d)", r"\1.\2", name)
        assert version in described["label"]
        assert set(described["driver"]) == {"linux", "windows"}
    if "compute_capability" in described:
        oldest, newest = map(Version, described["compute_capability"])
        assert oldest < newest


def test_default_combination_is_possible() -> None:
    default = REAL["default"]
    row = RELEASES[default["torch"]]
    assert set(default) == {"torch", "python", "accelerator"}
    assert default["python"] in row["python"]
    assert default["accelerator"] in row["accelerators"]
    assert default["torch"] not in REAL["retired"]


def test_retired_releases_are_in_the_table() -> None:
    assert set(REAL["retired"]) < set(RELEASES)


# Pure logic


@pytest.mark.parametrize(
    ("requirements", "cuda"),
    [
        (OLD, "cu124"),
        (["nvidia-cuda-runtime-cu12==12.6.77; platform_system == 'Linux'"], "cu126"),
        (["nvidia-cuda-runtime-cu11==11.8.89"], "cu118"),
        (["cuda-bindings==12.9.4", "nvidia-cuda-runtime-cu12==12.8.90"], "cu128"),
        (NEW, "cu130"),
        (["cuda-toolkit[cudart]==13.2.2; platform_system == 'Linux'"], "cu132"),
        (["nvidia-cuda-runtime==13.0.96", "nvidia-cudnn-cu13==9.13.0.50"], "cu130"),
        (["nvidia-cudnn-cu13==9.20.0.48"], None),
        (["cuda-toolkit>=13"], None),
        (["filelock", "sympy>=1.13.3"], "cpu"),
        (["nvidia-cuda-runtime-cu12==12.6.77; platform_system == 'Windows'"], "cpu"),
        (["nvidia-cuda-runtime-cu12==12.6.77; extra == 'cuda'"], "cpu"),
    ],
)
def test_cuda_of_both_naming_schemes(requirements: list[str], cuda: str | None) -> None:
    assert torch_table.cuda_of(requirements) == cuda


@pytest.mark.parametrize(
    ("filename", "python"),
    [
        ("torch-2.13.0-cp310-cp310-manylinux_2_28_x86_64.whl", "3.10"),
        ("torch-2.6.0-cp39-cp39-manylinux1_x86_64.whl", "3.9"),
        ("torch-2.10.0-3-cp314-cp314-manylinux_2_28_x86_64.whl", "3.14"),
        ("torch-2.9.1-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "3.13"),
        ("torch-2.13.0-cp313-cp313t-manylinux_2_28_x86_64.whl", ""),
        ("torch-2.13.0-cp313-cp313-manylinux_2_28_aarch64.whl", ""),
        ("torch-2.13.0-cp313-none-macosx_11_0_arm64.whl", ""),
        ("torch-2.13.0-cp313-cp313-win_amd64.whl", ""),
        ("torch-2.13.0rc1-cp313-cp313-manylinux_2_28_x86_64.whl", ""),
        ("torch-2.13.0.tar.gz", ""),
    ],
)
def test_python_of_wheel_names(filename: str, python: str) -> None:
    wheels = torch_table.linux_wheels([{"filename": filename, "url": filename}])
    assert torch_table.pythons(wheels) == python


def test_newest_patches() -> None:
    files = [wheel_file(version) for version in ("2.5.1", "2.6.0", "2.9.0", "2.9.1", "2.10.0", "2.11.0")]
    files.append(wheel_file("2.10.1") | {"yanked": "broken"})
    releases = torch_table.by_release(torch_table.linux_wheels(files))
    assert torch_table.newest_patches(releases) == ["2.6.0", "2.9.1", "2.10.0", "2.11.0"]


def test_default_index_is_the_one_that_pip_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    assert torch_table.default_index() == "http://127.0.0.1:1/simple"


# The program against a stub of a registry


def wheel_file(version: str, python: str = "3.12", abi_suffix: str = "") -> dict[str, Any]:
    """Return a file as the JSON simple API lists it."""
    tag = "cp" + python.replace(".", "")
    name = f"torch-{version}-{tag}-{tag}{abi_suffix}-manylinux_2_28_x86_64.whl"
    digest = {"sha256": "0" * 64}
    return {"filename": name, "url": f"../../files/{name}", "hashes": digest, "yanked": False, "core-metadata": digest}


class Registry:
    """What the stub serves: the simple API's files of torch, each release's requirements, the JSON API's pages."""

    def __init__(self) -> None:
        """Two releases, like those of `TABLE`."""
        self.html = False
        self.status = 200
        self.asked: list[str] = []
        self.pages: dict[str, Any] = {}
        self.requirements = {"2.6.0": OLD, "2.13.0": NEW}
        self.files = [wheel_file(version, python) for version in self.requirements for python in ("3.11", "3.12")]
        self.files.append(wheel_file("2.13.0", "3.13", abi_suffix="t"))

    def answer(self, path: str) -> tuple[str, str] | None:
        """Return the type and the text of a page."""
        self.asked.append(path)
        if path == "/simple/torch/" and self.html:
            yanked = {False: "", True: ' data-yanked=""'}
            links = (f'<a href="{f["url"]}#sha256=0"{yanked[f["yanked"]]}>{f["filename"]}</a>' for f in self.files)
            return "text/html", "<!DOCTYPE html>\n" + "<br/>\n".join(links)
        if path == "/simple/torch/":
            page = {"meta": {"api-version": "1.1"}, "name": "torch", "files": self.files}
            return "application/vnd.pypi.simple.v1+json", json.dumps(page)
        if path in self.pages:
            return "application/json", json.dumps(self.pages[path])
        if match := re.fullmatch(r"/files/torch-([\d.]+)-.*\.whl\.metadata", path):
            version = match[1]
            if version in self.requirements:
                lines = "\n".join(f"Requires-Dist: {requirement}" for requirement in self.requirements[version])
                return "text/plain", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n{lines}\n\nText\n"
        return None


Run = Callable[..., tuple[int, str, str]]
TABLE: dict[str, Any] = {
    "read": date.today(),
    "releases": {
        "2.6.0": {"python": ["3.11", "3.12"], "default_wheel": "cu124"},
        "2.13.0": {"python": ["3.11", "3.12"], "default_wheel": "cu130"},
    },
}


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def address(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the stub listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = registry.answer(self.path)
            self.send_response(registry.status if found else 404)
            self.send_header("Content-Type", found[0] if found else "text/plain")
            self.end_headers()
            self.wfile.write((found[1] if found else "").encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def run(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program on a doctored table: exit code, stdout, stderr."""

    def call(*arguments: str, **changes: Any) -> tuple[int, str, str]:
        path = tmp_path / "torch.yml"
        path.write_text(yaml.safe_dump(TABLE | changes), encoding="utf-8")
        monkeypatch.setattr(torch_table, "TABLE", path)
        code = torch_table.main(["--index-url", address, *arguments])
        output, errors = capsys.readouterr()
        return code, output, errors

    return call


@pytest.mark.parametrize("html", [False, True])
def test_nothing_differs(run: Run, registry: Registry, html: bool) -> None:
    registry.html = html
    code, out, err = run()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"2 releases compared with 127\.0\.0\.1:\d+: nothing differs\.\n", out)
    assert len(registry.asked) == 3, "one page, and one metadata file a release"
    assert not any(path.endswith(".whl") for path in registry.asked)


def doctored(release: str, **changes: Any) -> dict[str, Any]:
    """Return the stub's table with another row."""
    row = {"python": ["3.11", "3.12"], "default_wheel": "cu130"} | changes
    return {**TABLE["releases"], release: row}


@pytest.mark.parametrize(
    ("releases", "difference"),
    [
        (doctored("2.12.0"), ("2.12.0", "release", "listed", "missing")),
        (doctored("2.13.0", python=["3.12", "3.13"]), ("2.13.0", "python", "3.12 3.13", "3.11 3.12")),
        (doctored("2.13.0", default_wheel="cu126"), ("2.13.0", "default_wheel", "cu126", "cu130")),
        ({"2.6.0": TABLE["releases"]["2.6.0"]}, ("2.13.0", "release", "missing", "cu130, python 3.11 3.12")),
    ],
)
def test_each_kind_of_difference(run: Run, releases: dict[str, Any], difference: tuple[str, ...]) -> None:
    code, out, _ = run(releases=releases)
    assert code == 1
    header, row, summary = out.splitlines()
    assert header.split() == ["torch", "what", "table", "registry"]
    assert tuple(re.split(r"  +", row)) == difference
    assert summary.endswith(": 1 difference.")
    code, out, _ = run("--json", releases=releases)
    report = json.loads(out)
    assert code == 1
    assert report["releases"] == len(releases)
    assert report["differences"] == [dict(zip(("release", "what", "table", "registry"), difference, strict=True))]


@pytest.mark.parametrize("html", [False, True])
def test_yanked_release(run: Run, registry: Registry, html: bool) -> None:
    registry.html = html
    for file in registry.files:
        file["yanked"] = "2.6.0" in file["filename"]
    code, out, _ = run("--json")
    assert code == 1
    assert [difference["registry"] for difference in json.loads(out)["differences"]] == ["yanked"]


def test_rebuilt_wheel_counts(run: Run, registry: Registry) -> None:
    file = wheel_file("2.13.0")
    rebuilt = file["filename"].replace("2.13.0-", "2.13.0-3-")
    registry.files.append(file | {"filename": rebuilt, "url": f"../../files/{rebuilt}"})
    assert run()[0] == 0
    assert f"/files/{rebuilt}.metadata" in registry.asked


def test_mirror_without_metadata(run: Run, registry: Registry) -> None:
    del registry.requirements["2.13.0"]
    assert "2.13.0  default_wheel  cu130  does not say" in run()[1]
    registry.pages["/pypi/torch/json"] = {"info": {"version": "2.13.0", "requires_dist": ["filelock"]}}
    assert "does not say" in run()[1], "another platform's requirements tell nothing"
    registry.pages["/pypi/torch/json"] = {"info": {"version": "2.14.0", "requires_dist": NEW}}
    assert "does not say" in run()[1], "another release's neither"
    registry.pages["/pypi/torch/2.13.0/json"] = {"info": {"version": "2.13.0", "requires_dist": NEW}}
    assert run()[0] == 0


def test_old_table_is_warned_about(run: Run) -> None:
    assert run(read=date.today() - timedelta(days=90))[2] == ""
    code, _, err = run(read=date.today() - timedelta(days=91))
    assert code == 0
    assert err.startswith("warning: the table was read 91 days ago") and err.count("\n") == 1


def assert_one_line(code: int, out: str, err: str) -> None:
    assert (code, out) == (2, "")
    assert err.startswith("error: cannot read the registry ") and err.count("\n") == 1


def test_registry_in_trouble(run: Run, registry: Registry) -> None:
    registry.status = 503
    code, out, err = run()
    assert_one_line(code, out, err)
    assert "503" in err


def test_metadata_that_is_none(run: Run, registry: Registry) -> None:
    registry.requirements["2.13.0"] = ["nvidia-cuda-runtime-cu12=="]
    assert_one_line(*run())


def test_registry_without_torch(run: Run, registry: Registry) -> None:
    registry.files = []
    assert_one_line(*run())


@pytest.mark.parametrize("index", ["http://user:secret@[", "ftp://user:secret@127.0.0.1/simple", "nowhere", ""])
def test_impossible_addresses(capsys: pytest.CaptureFixture[str], index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "nowhere")
    code = torch_table.main(["--index-url", index])
    out, err = capsys.readouterr()
    assert_one_line(code, out, err)
    assert "secret" not in err


def test_unreachable_registry() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.torch_table", "--index-url", f"http://u:secret@127.0.0.1:{port}/simple"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "secret" not in done.stderr
    errors = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("warning: the table")]
    assert_one_line(done.returncode, done.stdout, "".join(errors))
