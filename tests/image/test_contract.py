"""Check each point of the image contract on images of generated projects."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import rows
from tests.engine import Container, Export, attempt, build, cache_kept, docker, layers, outcome, reproduced, started
from tests.hub import Hub
from tests.image.conftest import Image
from tests.releases import git

pytestmark = pytest.mark.image

LOCKED_DOWN = ("--user=12345:0", "--read-only", "--tmpfs=/tmp:size=64m", "--cap-drop=ALL")
BASE = "python:3.11-slim-trixie"
EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""Digest of a layer without files, such as that of the step that tries the model."""
WHEELS = """
import csv, sys
from pathlib import Path

total = 0
for record in Path("/opt/venv").glob("lib/python*/site-packages/*.dist-info/RECORD"):
    total += sum(int(size or 0) for name, hash, size in csv.reader(record.open()))
folders = [Path("/opt/weights"), Path("/opt/exported")]
print(total, sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()))
"""


@pytest.fixture(scope="module")
def export(sample: Image, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Return the image of the default answers as a file."""
    return Export.of(sample.name, tmp_path_factory.mktemp("export") / "image.tar")


@pytest.fixture(scope="module")
def added(export: Export, sample: Image) -> list[dict[str, int]]:
    """Return the files of each layer above the base image."""
    base = layers(BASE)
    assert layers(sample.name)[: len(base)] == base
    return export.layers[len(base) :]


@pytest.fixture(scope="module")
def embedding(sample: Image) -> list[float]:
    """Return the prediction of the default image in a container without restrictions."""
    return predicted(outcome(sample.name, "predict", "A cat.").stdout)


def predicted(text: str) -> list[float]:
    """Return a printed embedding, of 384 numbers."""
    embedding = json.loads(text)
    assert len(embedding) == 384
    return embedding


# Builds


def test_a_clean_checkout_builds_and_a_second_build_runs_no_step(sample: Image, hub: Hub, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", sample.project, "checkout")
    with cache_kept():
        first, second = (
            build(folder, f"--build-arg=HF_ENDPOINT={hub.endpoint}", f"--tag={sample.name}")
            for folder in (tmp_path / "checkout", sample.project)
        )
    assert first.returncode == 0, first.output
    assert second.returncode == 0, second.output
    assert second.ran == []


@pytest.mark.parametrize("name", rows(["uv", "pip", "volume"], ["uv"]))
def test_an_edit_of_the_code_changes_only_the_last_layer(
    name: str, image: Callable[[str], Image], hub: Hub, tags: list[str], tmp_path: Path
) -> None:
    whole = image(name)
    folder = shutil.copytree(whole.project, tmp_path / "edited")
    tags += [f"{whole.name}-before", f"{whole.name}-edited"]
    arguments = [f"--build-arg=HF_ENDPOINT={hub.endpoint}", "--tag"]
    with cache_kept():
        assert build(folder, *arguments, tags[-2]).returncode == 0
        with (folder / "src/my_project/__init__.py").open("a") as source:
            source.write(f"\nEDITED = {str(tmp_path)!r}\n")
        done = build(folder, *arguments, tags[-1])
    assert done.returncode == 0, done.output
    before, after = ([layer for layer in layers(tag) if layer != EMPTY_LAYER] for tag in tags[-2:])
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    assert not [step for step in done.ran if re.match(r"\[(environment|weights|bytecode|exporter|exported) ", step)]


def test_the_context_is_small_whatever_lies_in_the_folder(sample: Image, tmp_path: Path) -> None:
    folder = shutil.copytree(sample.project, tmp_path / "full")
    for name in (
        "data/a.bin",
        "models/a.safetensors",
        ".venv/lib/a.so",
        "notebooks/a.ipynb",
        "src/a/__pycache__/a.pyc",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(5 * 10**7))
    everything = tmp_path / "Dockerfile"
    everything.write_text("FROM scratch\nCOPY . /\n")
    done = build(folder, f"--file={everything}", f"--output={tmp_path / 'context'}")
    assert done.returncode == 0, done.output
    size = sum(path.stat().st_size for path in (tmp_path / "context").rglob("*") if path.is_file())
    size -= (tmp_path / "context/uv.lock").stat().st_size  # which is as long as the list of dependencies
    assert 10_000 < size < 750_000
    assert done.sent < 2_000_000


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["small", "small, pip"])  # packing torch's layers again takes minutes
def test_the_same_commit_has_the_same_digest(name: str, project: Callable[[str], Path], tmp_path: Path) -> None:
    digests = []
    for number in (1, 2):
        git(tmp_path, "clone", "--quiet", project(name), f"clone-{number}")
        digests.append(reproduced(tmp_path / f"clone-{number}", "--no-cache"))
    assert digests[0] == digests[1]


# Users and restrictions


def test_the_default_user_is_1000_of_group_0(baked: Image) -> None:
    assert outcome(baked.name, "id").stdout.startswith("uid=1000(app) gid=0(root)")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--user=12345:0",), id="any user of group 0"),
        pytest.param(("--user=12345:12345",), id="any user at all"),
        pytest.param(("--read-only", "--tmpfs=/tmp:size=64m"), id="a read-only root"),
        pytest.param(("--network=none",), id="no network"),
        pytest.param((*LOCKED_DOWN, "--network=none"), id="all at once"),
    ],
)
def test_it_predicts_the_same_with(options: tuple[str, ...], sample: Image, embedding: list[float]) -> None:
    done = outcome(sample.name, "predict", "A cat.", options=options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert predicted(done.stdout) == embedding


def test_the_image_with_torch_predicts_the_same(image: Callable[[str], Image], embedding: list[float]) -> None:
    done = outcome(image("pip").name, "predict", "A cat.", options=(*LOCKED_DOWN, "--network=none"))
    assert predicted(done.stdout) == pytest.approx(embedding, abs=1e-5), done.stderr


def test_the_api_answers_as_any_user_on_a_read_only_root(baked: Image, embedding: list[float]) -> None:
    with started(baked.name, *LOCKED_DOWN) as container:
        assert container.healthy()
        assert httpx.get(f"{container.url}/ready").status_code == 200
        answer = httpx.post(f"{container.url}/predict", json={"inputs": "A cat."}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json() == pytest.approx(embedding, abs=1e-5)
        answer = httpx.post(f"{container.url}/v1/embeddings", json={"model": "any", "input": "A cat."}, timeout=60)
        assert answer.json()["data"][0]["embedding"] == pytest.approx(embedding, abs=1e-5)
        for line in container.log():
            assert {"level", "message"} <= set(json.loads(line)), line


def test_a_full_tmp_ends_no_process_of_the_api(sample: Image) -> None:
    limits = ("--read-only", "--tmpfs=/tmp:size=8m", "--cpus=2", "--env=WEB_CONCURRENCY=2")
    with started(sample.name, *limits) as container:
        container.until(lambda: "predict_processes 2.0" in httpx.get(f"{container.url}/metrics").text, "two processes")
        full = attempt("exec", container.name, "dd", "if=/dev/zero", "of=/tmp/full", "bs=64k")
        assert "No space left" in full.stderr
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH"):  # each needs more room for metrics
            for path in ("/health", "/ready", "/metrics", "/docs", "/openapi.json", "/predict", "/nowhere"):
                httpx.request(method, f"{container.url}{path}", json={"inputs": "A cat."}, timeout=60)
        assert 'method="PATCH"' in httpx.get(f"{container.url}/metrics").text
        assert not [line for line in container.log() if "is replaced" in line]


@pytest.mark.exhaustive
def test_an_image_without_a_model_takes_one_from_a_folder(
    image: Callable[[str], Image], minilm: Path, embedding: list[float]
) -> None:
    options = (*LOCKED_DOWN, f"--volume={minilm}:/models:ro", "--env=MY_PROJECT_MODEL=/models", "--network=none")
    done = outcome(image("own").name, "predict", "A cat.", options=options)
    assert done.returncode == 0, done.stderr
    assert predicted(done.stdout) == pytest.approx(embedding, abs=1e-5)


@pytest.mark.exhaustive
def test_an_image_without_a_model_says_so(image: Callable[[str], Image]) -> None:
    with started(image("own").name, *LOCKED_DOWN) as container:
        answer = container.until(lambda: httpx.get(f"{container.url}/ready"), "answering")
        assert answer.status_code == 503
        reason = container.until(
            lambda: (
                (found := httpx.get(f"{container.url}/ready").json()["reasons"][0]) != "the model is loading" and found
            ),
            "said why",
        )
        assert "MY_PROJECT_MODEL" in reason or "model" in reason


# Health, readiness, shutdown


def test_it_is_alive_before_it_is_ready(sample: Image) -> None:
    with started(sample.name, "--cpus=0.3") as container:
        alive = container.until(lambda: httpx.get(f"{container.url}/health"), "alive")
        waiting = httpx.get(f"{container.url}/ready")
        assert (alive.status_code, alive.json()["status"]) == (200, "alive")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "not ready")
        assert waiting.json()["reasons"]
        container.ready()
        assert httpx.get(f"{container.url}/health").json()["loaded_at"]


ANSWERS = 128
"""Inputs of a request that is long enough to stop its server meanwhile."""


def answered_while_stopping(container: Container) -> tuple[httpx.Response, int]:
    """Send a large request, stop the container meanwhile, and return the response and the exit code."""
    texts = [f"A cat sat on mat number {number}. " * 10 for number in range(ANSWERS)]
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(httpx.post, f"{container.url}/predict", json={"inputs": texts}, timeout=120)
        container.until(
            lambda: 'predict_inputs_bucket{le="+Inf"} 1.0' in httpx.get(f"{container.url}/metrics").text,
            "received the request",
        )
        assert not answer.done()
        docker("kill", "--signal=TERM", container.name)
        assert not answer.done()
        return answer.result(), container.exit_code()


def test_sigterm_finishes_what_is_in_flight_and_ends_with_0(baked: Image) -> None:
    patient = "--env=MY_PROJECT_MAX_WAIT_SECONDS=110"  # the machine may be busy
    with started(baked.name, *LOCKED_DOWN, patient) as container:
        answer, code = answered_while_stopping(container.ready())
        assert (answer.status_code, len(answer.json())) == (200, ANSWERS)
        assert code == 0


def test_docker_stop_ends_a_waiting_api_with_0(sample: Image) -> None:
    with started(sample.name) as container:
        container.ready()
        docker("stop", container.name)
        assert container.exit_code() == 0


# Secrets


def test_a_token_of_a_build_is_in_nothing_of_the_image(
    project: Callable[[str], Path], hub: Hub, tags: list[str], tmp_path: Path
) -> None:
    tags.append("slipway-test-gated")
    done = build(
        project("gated"),
        "--secret=id=HF_TOKEN",
        "--no-cache-filter=weights",
        f"--build-arg=HF_ENDPOINT={hub.endpoint}",
        f"--tag={tags[-1]}",
        environment={"HF_TOKEN": hub.token},
    )
    assert done.returncode == 0, done.output
    assert hub.token not in done.output
    assert any(request.authorization for request in hub.requests)
    export = Export.of(tags[-1], tmp_path / "image.tar")
    assert export.holding("an-org/gated"), "the search finds what is there"
    assert export.holding(hub.token) == []
    assert hub.token not in docker("history", "--no-trunc", tags[-1]).stdout
    variables = json.loads(docker("image", "inspect", "--format={{json .Config.Env}}", tags[-1]).stdout)
    assert not [each for each in variables if "TOKEN" in each]


@pytest.mark.parametrize("name", ["uv", "pip"])
@pytest.mark.parametrize("target", ["prod", "dev", "lock"])
def test_a_token_as_a_build_argument_is_refused(name: str, target: str, project: Callable[[str], Path]) -> None:
    token = secrets.token_hex(16)
    done = attempt(
        "build",
        "--progress=plain",
        f"--target={target}",
        "--build-arg=HF_TOKEN",
        "--tag=slipway-test-refused",
        project(name),
        environment={"HF_TOKEN": token},
    )
    assert done.returncode != 0
    assert "HF_TOKEN must not be a build argument" in done.stderr
    assert token not in done.stdout + done.stderr


# Contents and size


def test_it_holds_no_tools_and_no_caches(added: list[dict[str, int]]) -> None:
    tools = r".*/bin/(cc|gcc|g\+\+|c\+\+|make|ld|uv|uvx|pip[\d.]*|hatchling|git|pytest|ruff)"
    caches = r"/(root|tmp)/.*|/(home/\w+|cache)/(?!\.bash|\.profile).+|/var/(cache|log|lib/apt/lists)/.*|.*/\.cache/.*"
    packages = r".*/site-packages/((nvidia|cuda|triton).*|(pip|uv|hatchling|pytest|debugpy)(-[\d.]+\.dist-info)?)/.*"
    for layer in added:
        for name in layer:
            assert not re.fullmatch(f"{tools}|{caches}|{packages}", name), name


def test_no_file_is_in_two_layers(added: list[dict[str, int]]) -> None:
    for number, layer in enumerate(added):
        for other in added[number + 1 :]:
            twice = {name: size for name, size in layer.items() if name in other}
            assert sum(twice.values()) < 10_000, twice


def test_no_module_has_its_bytecode_twice(added: list[dict[str, int]]) -> None:
    for layer in added:
        compiled = [re.sub(r"(\.cpython-\d+)?(\.opt-\d)?\.pyc$", "", name) for name in layer if name.endswith(".pyc")]
        assert len(compiled) == len(set(compiled))


def test_its_size_over_the_base_is_that_of_wheels_and_weights(sample: Image, added: list[dict[str, int]]) -> None:
    wheels, weights = map(int, outcome(sample.name, "python", "-c", WHEELS).stdout.split())
    assert wheels > 10**8
    assert weights > 9 * 10**7
    assert sum(sum(layer.values()) for layer in added) <= 1.05 * (wheels + weights)


def test_it_is_labelled(sample: Image) -> None:
    labels = json.loads(docker("image", "inspect", "--format={{json .Config.Labels}}", sample.name).stdout)
    assert labels["org.opencontainers.image.title"] == "My Project"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


# Exit codes and the entrypoint


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["python", "-c", "raise SystemExit(3)"], 3),
        (["predict", "--parameter", "no-such=1", "A cat."], 1),
    ],
)
def test_exit_codes_propagate(command: list[str], code: int, sample: Image) -> None:
    assert outcome(sample.name, *command).returncode == code


def test_an_unknown_command_is_refused_with_those_there_are(baked: Image) -> None:
    done = outcome(baked.name, "foretell")
    assert (done.returncode, done.stdout) == (127, "")
    (line,) = done.stderr.splitlines()
    for word in ("foretell", "doctor", "download", "predict", "serve"):
        assert word in line


def test_any_program_runs_as_given(sample: Image) -> None:
    done = outcome(sample.name, "python", "-c", "import sys; print(sys.argv)", "a b", "*", "")
    assert (done.stdout, done.stderr) == ("['-c', 'a b', '*', '']\n", "")


def test_an_option_goes_to_the_command_line(sample: Image) -> None:
    assert "Usage: my-project" in outcome(sample.name, "--help").stdout


def test_without_an_api_nothing_shows_help(image: Callable[[str], Image]) -> None:
    done = outcome(image("volume").name)
    assert "Usage: slipway-test-volume" in done.stdout
    assert "predict" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        (["--cpus=1"], "1"),
        (["--cpus=0.5"], "1"),
        (["--cpus=1", "--env=OMP_NUM_THREADS=5"], "5"),
        (["--cpuset-cpus=0"], "1"),
        (["--env=WEB_CONCURRENCY=1000"], "1"),
    ],
)
def test_threads_follow_the_quota(options: list[str], threads: str, sample: Image) -> None:
    done = outcome(sample.name, "printenv", "OMP_NUM_THREADS", options=tuple(options))
    assert done.stdout.strip() == threads


def test_threads_are_all_of_the_machine_without_a_quota(sample: Image) -> None:
    done = outcome(sample.name, "sh", "-c", "echo $OMP_NUM_THREADS $(nproc)")
    given, present = done.stdout.split()
    assert given == present


def test_torch_has_the_threads_of_the_quota(image: Callable[[str], Image]) -> None:
    done = outcome(
        image("pip").name, "python", "-c", "import torch; print(torch.get_num_threads())", options=("--cpus=1",)
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("HF_TOKEN", "from huggingface_hub import get_token; print(get_token())"),
        ("MY_PROJECT_MODEL", "from my_project.settings import Settings; print(Settings().model)"),
    ],
)
def test_secrets_are_read_from_files_and_in_no_environment(name: str, code: str, baked: Image, tmp_path: Path) -> None:
    secret = "a 'secret' $value"
    (tmp_path / "secret").write_text(f"{secret}\n")
    mount = f"--volume={tmp_path / 'secret'}:/run/secrets/one:ro"
    options = (mount, f"--env={name}_FILE=/run/secrets/one", f"--env={name}=another")
    program = f"{code}; import os, sys; sys.stdout.write(open('/proc/1/environ').read() + str(os.environ))"
    done = outcome(baked.name, "python", "-c", program, options=options)
    said, _, environment = done.stdout.partition("\n")
    assert said == secret, done.stderr
    assert "/run/secrets/one" in environment
    assert secret not in environment


@pytest.mark.parametrize("name", ["HF_TOKEN", "MY_PROJECT_LOG_LEVEL"])
def test_a_secret_that_cannot_be_read_is_named(name: str, sample: Image) -> None:
    done = outcome(sample.name, "serve", options=(f"--env={name}_FILE=/run/secrets/none",))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"{name}_FILE" in line
    assert "/run/secrets/none" in line


def test_a_missing_token_is_told_where_it_may_be_needed(image: Callable[[str], Image], sample: Image) -> None:
    downloads = (image("volume").name, "download", "--help")
    assert "HF_TOKEN" in outcome(*downloads).stderr
    assert outcome(*downloads, options=("--env=HF_TOKEN=any",)).stderr == ""
    assert outcome(image("volume").name, "true").stderr == "", "nothing is downloaded"
    assert outcome(sample.name, "true").stderr == ""
