"""The scripts of `deploy/slurm`: one line for each mistake, what is submitted, and what reaches the container."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.program import run
from tests.trees import Tree, rendered

RECORDER = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$RECORD"
env | grep -E '^(APPTAINER|MY_PROJECT|HF_|SIF|SHARDS|OMP)' | sort >> "$RECORD"
echo "${ANSWER:-}"
"""
"""Stands in for Slurm and Apptainer, which no tool of this repository brings; tests/image has the real ones."""

ARGUMENTS = """#!/bin/sh
printf '%s\\n' "$@" >> "$RECORD"
"""
"""Stands in for Apptainer, and records each argument on a line."""

STEP = """#!/usr/bin/env python3
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
pathlib.Path(os.environ["RECORD"] + ".pid").write_text(str(os.getpid()))
print("trains", flush=True)
if os.environ.get("ENDS") == "when told":
    signal.sigwait({signal.SIGTERM})
sys.exit(int(os.environ["CODE"]))
"""
"""Stands in for srun with a training."""

TELL = RECORDER + 'kill -TERM "$(cat "$RECORD.pid")"\n'
"""Stands in for scancel, which signals it."""


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
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "scancel", "scontrol", "srun", "apptainer"):
        install(tmp_path / "bin" / name, RECORDER)
    (tmp_path / "record").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "HF_", "APPTAINER"))}
    return {**kept, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}


def install(program: Path, text: str) -> None:
    """Write a program."""
    program.write_text(text)
    program.chmod(0o755)


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
        ({"ARGUMENTS": "--column 'body"}, "ARGUMENTS: a quote does not end"),
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
    own = "--dependency=afterok:7"  # of two, sbatch takes the last
    allocation = {"SLURM_JOB_ID": "1"}  # of salloc, in which people submit, too
    done = script(tree, "predict.sbatch", own, **recorder, **GOOD, **allocation, ANSWER="4711;cluster")
    assert done.returncode == 0, done.stderr
    array, merge = [line.split() for line in recorded(recorder) if line.startswith("sbatch")]
    assert array[1:-1] == ["--parsable", "--gpus-per-node=1", "--dependency=afterok:7", "--array=1-8"]
    assert merge[1:-1] == ["--dependency=afterok:7", "--dependency=afterok:4711", "--kill-on-invalid-dep=yes"]
    assert array[-1] == merge[-1] == str(tree.path / "deploy/slurm/predict.sbatch")


@pytest.mark.parametrize(("task", "work"), [("3", "--shard 3/8"), ("", "--merge 8")])
def test_a_job_predicts_its_shard_or_merges(
    tree: Tree, recorder: dict[str, str], tmp_path: Path, task: str, work: str
) -> None:
    install(tmp_path / "bin/apptainer", ARGUMENTS)
    (tmp_path / "slurm_script").write_text((tree.path / "deploy/slurm/predict.sbatch").read_text())  # as Slurm has it
    job = {"SLURM_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": task, "ARGUMENTS": "--column 'review  text' --end=\\'"}
    done = run(["bash", tmp_path / "slurm_script"], cwd=tree.path, env={**recorder, **GOOD, **job})
    assert done.returncode == 0, done.stderr
    files = ["--input", f"{tree.path}/in.jsonl", "--output", f"{tree.path}/out.jsonl"]
    command = recorded(recorder)[recorded(recorder).index("predict") :]
    assert command == ["predict", "--column", "review  text", "--end='", *files, *work.split()]


def test_the_container_gets_folders_a_gpu_and_settings(tree: Tree, recorder: dict[str, str]) -> None:
    package = next((tree.path / "src").iterdir()).name.upper()
    variables = {f"{package}_DEVICE": "cpu", "HF_TOKEN": "hf_secret", "OTHER": "1", "SLURM_CPUS_PER_TASK": "3"}
    variables["CUDA_VISIBLE_DEVICES"] = "2,3"  # all that separates jobs where Slurm does not confine devices
    done = script(tree, "container.sh", "doctor", **recorder, **variables, SIF="unpacked")
    assert done.returncode == 0, done.stderr
    call, *environment = recorded(recorder)
    assert call.split()[1:6] == ["--quiet", "run", "--no-eval", "--cleanenv", "--nv"]
    assert f"--home {tree.path}/cache:/cache --bind {tree.path} --pwd {tree.path}" in call
    assert f"--bind {tree.path}/models:/models unpacked doctor" in call
    assert "hf_secret" not in call, "other users of a machine see arguments"
    passed = {line for line in environment if line.startswith("APPTAINERENV")}
    assert passed == {
        "APPTAINERENV_CUDA_VISIBLE_DEVICES=2,3",
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


JOB = {
    "SLURM_JOB_ID": "12345",
    "SLURM_JOB_NODELIST": "n[7-8]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_GPUS_ON_NODE": "4",
    "SLURM_CPUS_PER_TASK": "10",
    "SIF": "unpacked",
}
RUNS = "n7\nn8\nPreemptTime=None\nPreemptMode=REQUEUE"
"""Answers of scontrol: the hosts of a list, a job that is not preempted, and its partition."""
PREEMPTED = "n7\nn8\nPreemptTime=2026-11-30T00:00:00\nPreemptMode=REQUEUE\nslurm 24.11.5"
PREEMPTED_BEFORE = PREEMPTED.replace("24.11.5", "23.11.4")
"""The same of a release that does not queue preempted jobs again when they end."""
CANCELLED = PREEMPTED.replace("REQUEUE", "CANCEL")
"""The same where preempted jobs are cancelled."""
SUSPENDED = PREEMPTED.replace("REQUEUE", "GANG,SUSPEND")
"""The same where preempted jobs go on later; this one failed after that."""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SLURM_JOB_ID": ""}, "submit it with sbatch"),
        ({"SIF": "no.sif"}, "there is no image no.sif: build it with 'make sif IMAGE=my-project-train', or set SIF"),
        ({"MAX_RESTARTS": "-1"}, "MAX_RESTARTS is '-1': set a number from 0 to 9999"),
    ],
)
def test_a_training_that_cannot_start_is_one_line(
    tree: Tree, recorder: dict[str, str], wrong: dict[str, str], sentence: str
) -> None:
    done = script(tree, "train.sbatch", **recorder, **{**JOB, **wrong})
    assert (done.returncode, done.stderr) == (1, f"train.sbatch: {sentence}\n")
    assert recorded(recorder) == []


def test_a_training_that_is_submitted_elsewhere_is_one_line(
    tree: Tree, recorder: dict[str, str], tmp_path: Path
) -> None:
    done = run([tree.path / "deploy/slurm/train.sbatch"], cwd=tmp_path, env={**recorder, **JOB})
    sentence = f"submit it in the folder of the project, not in {tmp_path}"
    assert (done.returncode, done.stderr) == (1, f"train.sbatch: {sentence}\n")


def test_every_node_starts_a_process_for_each_gpu(tree: Tree, recorder: dict[str, str]) -> None:
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=RUNS, ARGUMENTS="--config mine.yaml")
    assert done.returncode == 0, done.stderr
    calls = recorded(recorder)
    assert "scontrol show hostnames n[7-8]" in calls
    step = next(call for call in calls if call.startswith("srun"))
    assert " --cpus-per-task=10 deploy/slurm/container.sh python -m my_project.training.launch " in step
    assert " --nnodes=2 --nproc-per-node=4 " in step
    assert " --rdzv-id=12345 --rdzv-backend=c10d --rdzv-endpoint=n7:22345 " in step
    assert step.startswith("srun --export=ALL "), "also where sbatch was told to export nothing"
    assert step.endswith(" train --config mine.yaml")
    assert "OMP_NUM_THREADS=2" in calls


@pytest.mark.parametrize(("restarts", "checked"), [("0", True), ("1", False)])
def test_a_mistake_in_the_configuration_is_found_before_any_node_starts(
    tree: Tree, recorder: dict[str, str], tmp_path: Path, restarts: str, checked: bool
) -> None:
    install(tmp_path / "bin/apptainer", RECORDER + "echo 'error: mine.yaml:1: wrong' >&2; exit 1")
    variables = {"ARGUMENTS": "--config mine.yaml", "SLURM_RESTART_COUNT": restarts}
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=RUNS, **variables)
    calls = recorded(recorder)
    assert any(call.endswith(" train --config mine.yaml --dry-run") for call in calls) == checked
    assert any(call.startswith("srun") for call in calls) != checked
    assert (done.returncode, done.stderr) == ((1, "error: mine.yaml:1: wrong\n") if checked else (0, ""))


def test_a_step_has_another_number_after_each_restart(tree: Tree, recorder: dict[str, str]) -> None:
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=RUNS, SLURM_RESTART_COUNT="2")
    assert done.returncode == 0, done.stderr
    steps = [call for call in recorded(recorder) if call.startswith("srun")]
    assert steps[:2] == ["srun --nodes=1 --ntasks=1 true"] * 2
    assert len(steps) == 3 and "training.launch" in steps[2]


@pytest.mark.parametrize(("tracking", "unpacks"), [("proctrack/cgroup", False), ("proctrack/linuxproc", True)])
def test_an_image_is_unpacked_where_slurm_signals_the_process_that_mounts_it(
    tree: Tree, recorder: dict[str, str], tracking: str, unpacks: bool
) -> None:
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=f"ProctrackType           = {tracking}")
    assert done.returncode == 0, done.stderr
    assert ("APPTAINER_UNSQUASH=1" in recorded(recorder)) == unpacks


@pytest.mark.parametrize(
    ("answer", "code", "last"),
    [
        (RUNS, "0", "update"),
        (RUNS, "1", "show node"),
        (PREEMPTED, "1", "version"),
        (PREEMPTED, "0", "update"),
        (PREEMPTED_BEFORE, "1", "requeue"),
        (CANCELLED, "1", "requeue"),
        (SUSPENDED, "1", "show node"),
    ],
    ids=["succeeds", "fails", "preempted", "succeeds though preempted", "preempted before", "cancelled", "suspended"],
)
def test_a_preempted_training_is_queued_again_once(
    tree: Tree, recorder: dict[str, str], tmp_path: Path, answer: str, code: str, last: str
) -> None:
    install(tmp_path / "bin/srun", STEP)
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=answer, CODE=code)
    assert last == "requeue" or done.returncode == int(code), done.stderr
    calls = [call for call in recorded(recorder) if call.startswith("scontrol")]
    commands = {
        "show node": "scontrol --oneliner show node n[7-8]",
        "version": "scontrol --version",
        "requeue": "scontrol requeue 12345",
        "update": "scontrol update JobId=12345 Requeue=0",
    }
    assert calls[-1] == commands[last]


NODE = "NodeName=n8 Arch=x86_64 State={} BootTime=2026-11-29T00:00:00 SlurmdStartTime={}"
BEFORE, AFTER = "2026-11-29T23:59:59", "2026-11-30T00:00:01"
SILENT = NODE.format("MIXED+NOT_RESPONDING", BEFORE)


@pytest.mark.parametrize(
    ("node", "code", "variables", "requeued", "told"),
    [
        (SILENT, "1", {}, True, "n8 was lost: the training is queued again"),
        (NODE.format("DOWN", BEFORE), "1", {}, True, "n8 was lost: the training is queued again"),
        (NODE.format("MIXED", AFTER), "1", {}, True, "n8 was lost: the training is queued again"),
        (SILENT, "1", {"SLURM_RESTART_COUNT": "19"}, True, "n8 was lost: the training is queued again"),
        (SILENT, "1", {"SLURM_RESTART_COUNT": "20"}, False, "n8 was lost, after 20 restarts: set MAX_RESTARTS"),
        (SILENT, "1", {"MAX_RESTARTS": "0"}, False, "n8 was lost, after 0 restarts: set MAX_RESTARTS"),
        (NODE.format("MIXED", BEFORE), "1", {}, False, ""),
        (NODE.format("MIXED", AFTER), "0", {}, False, ""),
    ],
    ids=["silent", "down", "back", "last restart", "too often", "never", "program fails", "succeeds"],
)
def test_a_training_that_lost_a_node_is_queued_again(
    tree: Tree,
    recorder: dict[str, str],
    tmp_path: Path,
    node: str,
    code: str,
    variables: dict[str, str],
    requeued: bool,
    told: str,
) -> None:
    install(tmp_path / "bin/srun", STEP)
    well = NODE.format("MIXED", BEFORE).replace("n8", "n7")
    answer = f"{RUNS}\n   StartTime=2026-11-30T00:00:00\n{well}\n{node}"
    done = script(tree, "train.sbatch", **recorder, **JOB, ANSWER=answer, CODE=code, **variables)
    assert done.stderr == (f"train.sbatch: {told}\n" if told else "")
    assert ("scontrol requeue 12345" in recorded(recorder)) == requeued
    assert done.returncode == (0 if requeued else int(code))


@pytest.mark.parametrize(("code", "requeued"), [("1", True), ("0", False)])
def test_the_signal_before_the_time_ends_reaches_the_training(
    tree: Tree, recorder: dict[str, str], tmp_path: Path, code: str, requeued: bool
) -> None:
    install(tmp_path / "bin/srun", STEP)
    install(tmp_path / "bin/scancel", TELL)
    environment = {**recorder, **JOB, "ANSWER": RUNS, "ENDS": "when told", "CODE": code}
    command = [tree.path / "deploy/slurm/train.sbatch"]
    with subprocess.Popen(command, cwd=tree.path, env=environment, stdout=subprocess.PIPE, text=True) as batch:
        assert batch.stdout
        assert batch.stdout.readline() == "trains\n"
        batch.send_signal(signal.SIGUSR1)
        assert batch.wait(timeout=60) == 0
    calls = recorded(recorder)
    assert "scancel --signal=TERM 12345" in calls
    assert ("scontrol requeue 12345" in calls) == requeued


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
