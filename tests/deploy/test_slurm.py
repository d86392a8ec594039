"""The scripts of `deploy/slurm`: one line for each mistake, what is submitted, and what reaches the container."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.program import run
from tests.trees import Tree, rendered

RECORDER = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$RECORD"
env | grep -E '^(APPTAINER|MY_PROJECT|HF_|SIF|SHARDS)' | sort >> "$RECORD"
echo "${ANSWER:-}"
"""
"""Stands in for sbatch and apptainer, which no tool of this repository brings; tests/image has the real ones."""


@pytest.fixture(scope="module")
def tree(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a project for Slurm, with a file to predict from and a folder in place of an image."""
    answers = {"deploy": ["slurm"], "accelerator": "cu130", "runtime": "torch", "training": "manual"}
    tree = rendered([answers], template, tmp_path_factory.mktemp("slurm"))[0]
    (tree.path / "in.jsonl").write_text('{"text": "a"}\n')
    (tree.path / "unpacked").mkdir()
    return tree


@pytest.fixture
def recorder(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which sbatch and apptainer record how they are called."""
    for name in ("sbatch", "apptainer"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(RECORDER)
        program.chmod(0o755)
    (tmp_path / "record").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "HF_", "APPTAINER"))}
    return {**kept, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}


def script(tree: Tree, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the folder of the project."""
    return run([tree.path / "deploy/slurm" / name, *arguments], cwd=tree.path, env=environment)


def recorded(environment: dict[str, str]) -> list[str]:
    """Return the calls, and the variables that each was given."""
    return Path(environment["RECORD"]).read_text().splitlines()


GOOD = {"INPUT": "in.jsonl", "OUTPUT": "out.jsonl", "SHARDS": "8", "SIF": "unpacked"}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"INPUT": ""}, "set INPUT to the file to predict from"),
        ({"INPUT": "no.jsonl"}, "INPUT: there is no file no.jsonl"),
        ({"OUTPUT": ""}, "set OUTPUT to the file to write"),
        ({"OUTPUT": "no/out.jsonl"}, "OUTPUT: there is no folder no"),
        ({"SIF": "no.sif"}, "there is no image no.sif: build it with 'make sif', or set SIF"),
        ({"SHARDS": "0"}, "SHARDS is '0': set a number from 1 to 500"),
        ({"SHARDS": "501"}, "SHARDS is '501': set a number from 1 to 500"),
        ({"SHARDS": "8; id"}, "SHARDS is '8; id': set a number from 1 to 500"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_submitted(
    tree: Tree, recorder: dict[str, str], wrong: dict[str, str], sentence: str
) -> None:
    done = script(tree, "predict.sbatch", **recorder, **{**GOOD, **wrong})
    assert (done.returncode, done.stderr) == (1, f"predict.sbatch: {sentence}\n")
    assert recorded(recorder) == []


def test_the_merge_waits_for_all_shards(tree: Tree, recorder: dict[str, str]) -> None:
    done = script(tree, "predict.sbatch", "--time=10", **recorder, **GOOD, ANSWER="4711;cluster")
    assert done.returncode == 0, done.stderr
    array, merge = [line.split() for line in recorded(recorder) if line.startswith("sbatch")]
    assert array[1:-1] == ["--parsable", "--array=1-8", "--gpus-per-node=1", "--time=10"]
    assert merge[1:-1] == ["--dependency=afterok:4711", "--kill-on-invalid-dep=yes", "--time=10"]
    assert array[-1] == merge[-1] == str(tree.path / "deploy/slurm/predict.sbatch")


@pytest.mark.parametrize(("task", "work"), [("3", "--shard 3/8"), ("", "--merge 8")])
def test_a_job_predicts_its_shard_or_merges(tree: Tree, recorder: dict[str, str], task: str, work: str) -> None:
    job = {"SLURM_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": task, "ARGUMENTS": "--column body"}
    done = script(tree, "predict.sbatch", **recorder, **GOOD, **job)
    assert done.returncode == 0, done.stderr
    files = f"--input {tree.path}/in.jsonl --output {tree.path}/out.jsonl"
    assert recorded(recorder)[0].endswith(f"unpacked predict --column body {files} {work}")


def test_the_container_gets_folders_a_gpu_and_settings(tree: Tree, recorder: dict[str, str]) -> None:
    package = next((tree.path / "src").iterdir()).name.upper()
    variables = {f"{package}_DEVICE": "cpu", "HF_TOKEN": "hf_secret", "OTHER": "1", "SLURM_CPUS_PER_TASK": "3"}
    done = script(tree, "container.sh", "doctor", **recorder, **variables, SIF="unpacked")
    assert done.returncode == 0, done.stderr
    call, *environment = recorded(recorder)
    assert call.split()[1:6] == ["--quiet", "run", "--no-eval", "--cleanenv", "--nv"]
    assert f"--home {tree.path}/cache:/cache --bind {tree.path} --pwd {tree.path}" in call
    assert f"--bind {tree.path}/models:/models unpacked doctor" in call
    assert "hf_secret" not in call, "other users of a machine see arguments"
    passed = {line for line in environment if line.startswith("APPTAINERENV")}
    assert passed == {
        f"APPTAINERENV_{package}_DEVICE=cpu",
        "APPTAINERENV_HF_TOKEN=hf_secret",
        "APPTAINERENV_OMP_NUM_THREADS=3",
    }


@pytest.mark.parametrize(
    ("image", "source", "file"),
    [
        ("ghcr.io/me/app:1.2.3", "docker://ghcr.io/me/app:1.2.3", "app.sif"),
        ("localhost:5000/me/app@sha256:0", "docker://localhost:5000/me/app@sha256:0", "app.sif"),
        ("app.tar", "docker-archive:app.tar", "app.sif"),
    ],
)
def test_an_image_is_named_after_its_source(
    tree: Tree, recorder: dict[str, str], image: str, source: str, file: str
) -> None:
    (tree.path / "app.tar").touch()
    done = run([need_program("make"), "sif", f"IMAGE={image}"], cwd=tree.path, env=recorder)
    assert f"/{file} {source}" in recorded(recorder)[0]
    assert done.returncode != 0, "apptainer has built nothing"
    assert not list(tree.path.glob("sif-*"))


def test_an_image_that_does_not_exist_is_one_line(tree: Tree, recorder: dict[str, str]) -> None:
    done = script(tree, "sif.sh", "no-image", **recorder)
    sentence = "'no-image' is no image of Docker on this machine, no file and no address in a registry"
    assert (done.returncode, done.stderr) == (1, f"sif.sh: {sentence}\n")


PRICE = "5 $HOME or '6' \"x\" {y}"


@pytest.fixture(scope="module")
def existing(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return existing code for Slurm, with a folder to read from and a folder in place of an image."""
    answers = {
        "preset": "existing",
        "deploy": ["slurm"],
        "requirements_file": "backend/requirements.txt",
        "code_paths": ["backend"],
        "services": ["postgres"],
        "input_folders": ["data", "/srv/in-put"],
        "output_folders": ["models", "/srv/out"],
        "environment": {
            "LOG_LEVEL": "info",
            "PRICE": PRICE,
            "DATABASE": "postgresql://app:{database_password}@postgres",
        },
    }
    [tree] = rendered([answers], template, tmp_path_factory.mktemp("existing"))
    for folder in ("data", "unpacked", "elsewhere"):
        (tree.path / folder).mkdir()
    return tree


def job(tree: Tree, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the root of the repository."""
    return run([tree.path / "docker/slurm" / name, *arguments], cwd=tree.path, env=environment)


def test_a_command_of_existing_code_gets_its_folders_and_variables(existing: Tree, recorder: dict[str, str]) -> None:
    variables = {"SIF": "unpacked", "SRV_IN_PUT_HOST_FOLDER": "elsewhere", "MODELS_HOST_FOLDER": "elsewhere/models"}
    given = {"APPTAINERENV_LOG_LEVEL": "debug", "LOG_LEVEL": "of the host", "HF_TOKEN": "hf_secret", "HF_HOME": "/none"}
    job_of = {"SLURM_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": "7", "SLURM_CPUS_PER_TASK": "3"}
    done = job(existing, "run.sbatch", "train", "--name", "a b", **recorder, **variables, **given, **job_of)
    assert done.returncode == 0, done.stderr
    call, *environment = recorded(recorder)
    root = existing.path.resolve()
    mounts = [
        f"{root}/cache:/cache",
        str(existing.path),
        f"{root}/elsewhere:/srv/in-put:ro",
        f"{root}/srv-out:/srv/out",
        f"{root}/data:/app/data:ro",
        f"{root}/elsewhere/models:/app/models",
    ]
    assert f"--home {' --bind '.join(mounts)} --pwd /app/backend unpacked train --name a b" in call
    assert "hf_secret" not in call, "other users of a machine see arguments"
    passed = {line for line in environment if line.startswith("APPTAINERENV")}
    assert passed == {
        *(f"APPTAINERENV_{name}={value}" for name, value in job_of.items()),
        "APPTAINERENV_HF_TOKEN=hf_secret",
        "APPTAINERENV_LOG_LEVEL=debug",
        "APPTAINERENV_OMP_NUM_THREADS=3",
        f"APPTAINERENV_PRICE={PRICE}",
    }


@pytest.mark.parametrize(
    ("name", "variables", "arguments", "sentence"),
    [
        ("run.sbatch", {}, ["train"], "submit it: sbatch docker/slurm/run.sbatch COMMAND"),
        ("run.sbatch", {"SLURM_JOB_ID": "1"}, [], "name a command: sbatch docker/slurm/run.sbatch COMMAND"),
        (
            "container.sh",
            {"SIF": "no"},
            ["train"],
            "there is no image no: build it with 'docker/slurm/sif.sh', or set SIF",
        ),
        (
            "container.sh",
            {},
            ["train"],
            "there is no folder /srv/in-put to read as /srv/in-put: set SRV_IN_PUT_HOST_FOLDER",
        ),
        ("sif.sh", {}, ["none"], "'none' is no image of Docker on this machine, no file and no address in a registry"),
    ],
)
def test_a_mistake_with_existing_code_is_one_line(
    existing: Tree,
    recorder: dict[str, str],
    name: str,
    variables: dict[str, str],
    arguments: list[str],
    sentence: str,
) -> None:
    done = job(existing, name, *arguments, **recorder, **{"SIF": "unpacked", **variables})
    assert (done.returncode, done.stderr) == (1, f"{name}: {sentence}\n")
    assert recorded(recorder) == []
