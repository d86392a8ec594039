"""Jobs of a real Slurm with Apptainer: a controller and two nodes in containers, and an ordinary user."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engine import PATIENCE, attempt, build, docker
from tests.image.conftest import Image

pytestmark = [pytest.mark.image, pytest.mark.exhaustive, pytest.mark.timeout(3600)]

CLUSTER = "slipway-test-slurm-cluster"
FOLDER = "/home/somebody/project"
SIF = "slipway-test-slurm.sif"
TRAINED = "slipway-test-slurm-train-train"
"""The image that trains, as `docs/slurm.md` names it."""
SMALL_JOB = ("--cpus-per-task=1", "--mem=500M")


@dataclass
class Cluster:
    """The containers of a cluster, by the names of their hosts."""

    names: dict[str, str]

    def root(self, host: str, *command: str) -> str:
        """Run a command as root, which must succeed, and return its output."""
        return docker("exec", self.names[host], *command).stdout

    def user(self, command: str, host: str = "ctl", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in the project as the ordinary user."""
        given = [f"--env={name}={value}" for name, value in variables.items()]
        options = ["--user=somebody", f"--workdir={FOLDER}", *given]
        return attempt("exec", *options, self.names[host], "bash", "-c", command, timeout=1800)

    def read(self, path: str) -> str:
        """Return a file of the project."""
        return self.root("ctl", "cat", f"{FOLDER}/{path}")

    def write(self, path: str, text: str) -> None:
        """Write a file of the project as the user."""
        options = ["--interactive", "--user=somebody", f"--workdir={FOLDER}"]
        docker("exec", *options, self.names["ctl"], "tee", path, input=text)


@pytest.fixture(scope="module")
def cluster(engine: None) -> Iterator[Cluster]:
    """Yield a cluster whose nodes are idle."""
    docker("build", "--quiet", "--tag", CLUSTER, Path(__file__).parent / "slurm")
    names = {host: f"{CLUSTER}-{host}" for host in ("ctl", "n1", "n2")}
    docker("network", "create", CLUSTER)
    try:
        for host, name in names.items():
            options = (f"--name={name}", f"--hostname={host}", f"--network-alias={host}", f"--network={CLUSTER}")
            docker("run", "--detach", "--privileged", f"--volume={CLUSTER}:/home", *options, CLUSTER)
        cluster = Cluster(names)
        idle = 'until [ "$(sinfo --noheader --states=idle --format=%D --partition=main)" = 2 ]; do sleep 0.2; done'
        cluster.root("ctl", "timeout", str(PATIENCE), "sh", "-c", idle)
        yield cluster
    finally:
        attempt("rm", "--force", *names.values())
        attempt("network", "rm", CLUSTER)
        attempt("volume", "rm", CLUSTER)
        attempt("image", "rm", "--force", CLUSTER)


def install(cluster: Cluster, image: Image, archive: Path) -> None:
    """Copy a project and the archive of its image to the cluster, and build the image for Apptainer as the user."""
    docker("save", "--output", archive, image.name)
    cluster.root("ctl", "mkdir", "--parents", FOLDER)
    docker("cp", image.project / "deploy", f"{cluster.names['ctl']}:{FOLDER}")
    docker("cp", archive, f"{cluster.names['ctl']}:{FOLDER}")
    cluster.root("ctl", "chown", "--recursive", "somebody:", FOLDER)
    built = cluster.user(f"deploy/slurm/sif.sh {archive.name}", host="n1")
    assert built.returncode == 0, built.stderr
    assert built.stdout.splitlines()[-1] == archive.with_suffix(".sif").name


@pytest.fixture(scope="module")
def predictor(cluster: Cluster, image: Callable[[str], Image], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Return the cluster with a project that has a trained model and an input of 300 records, of which one is bad."""
    install(cluster, image("slurm"), tmp_path_factory.mktemp("slurm") / f"{Path(SIF).stem}.tar")
    trained = cluster.user("deploy/slurm/container.sh train", host="n1")
    assert trained.returncode == 0, trained.stderr
    records = [json.dumps({"text": f"user-{number % 20}", "id": number}) for number in range(300)]
    records[123] = "{"
    cluster.write("in.jsonl", "\n".join(records) + "\n")
    return cluster


VARIABLES = {"INPUT": "in.jsonl", "SHARDS": "8", "SIF": SIF, "MY_PROJECT_MAX_BATCH_SIZE": "1"}


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_eight_shards_give_the_file_that_one_run_gives(predictor: Cluster, ending: str) -> None:
    command = f"deploy/slurm/container.sh predict --input in.jsonl --output one.{ending}"
    alone = predictor.user(command, host="n2", **VARIABLES)
    assert alone.returncode == 1, "one record is bad"
    command = " ".join(["deploy/slurm/predict.sbatch --wait", *SMALL_JOB])
    done = predictor.user(command, **VARIABLES, OUTPUT=f"eight.{ending}")
    log = predictor.user("tail -n 50 slurm-*.out").stdout
    assert done.returncode == 1, f"the merge tells the same: {done.stdout}{done.stderr}{log}"
    assert predictor.read(f"eight.{ending}") == predictor.read(f"one.{ending}"), log
    assert "line 124: not JSON" in log
    assert predictor.user("ls -d *.parts").returncode != 0
    assert predictor.user("find . ! -user somebody").stdout == ""


def test_a_node_without_fuse_is_one_line(predictor: Cluster) -> None:
    predictor.root("n2", "chmod", "600", "/dev/fuse")
    try:
        done = predictor.user("deploy/slurm/container.sh check", host="n2", SIF=SIF)
    finally:
        predictor.root("n2", "chmod", "666", "/dev/fuse")
    assert done.returncode == 1
    assert done.stderr.startswith("container.sh: n2 has no /dev/fuse that you may use: unpack with 'apptainer build")
    assert done.stderr.count("\n") == 1


def test_a_node_without_fuse_can_unpack_the_image(predictor: Cluster) -> None:
    predictor.root("n2", "chmod", "600", "/dev/fuse")
    try:
        done = predictor.user("deploy/slurm/container.sh check", host="n2", SIF=SIF, APPTAINER_UNSQUASH="1")
    finally:
        predictor.root("n2", "chmod", "666", "/dev/fuse")
    assert done.returncode == 0, done.stderr
    assert predictor.root("n2", "find", "/tmp", "-name", "rootfs*") == ""


def test_a_node_without_fuse_takes_a_folder(predictor: Cluster) -> None:
    unpacked = predictor.user(f"apptainer --quiet build --sandbox unpacked {SIF}", host="n1")
    assert unpacked.returncode == 0, unpacked.stderr
    predictor.root("n2", "chmod", "600", "/dev/fuse")
    try:
        done = predictor.user("deploy/slurm/container.sh check", host="n2", SIF="unpacked")
    finally:
        predictor.root("n2", "chmod", "666", "/dev/fuse")
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_no_image_is_one_line(predictor: Cluster) -> None:
    predictor.write("half.sif", "half of an image")
    done = predictor.user("deploy/slurm/container.sh check", host="n1", SIF="half.sif")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1


def test_a_shard_that_fails_is_run_again_alone(predictor: Cluster) -> None:
    variables = {**VARIABLES, "OUTPUT": "again.jsonl", "SHARDS": "2"}
    first = predictor.user(
        "deploy/slurm/container.sh predict --input in.jsonl --output again.jsonl --shard 1/2", "n1", **VARIABLES
    )
    assert first.returncode == 0, first.stderr
    submit = " ".join(["sbatch --wait", *SMALL_JOB])
    merged = predictor.user(f"{submit} --output=early.out deploy/slurm/predict.sbatch", **variables)
    assert merged.returncode == 1
    assert "run these shards of 2 again: 2\n" in predictor.read("early.out")
    done = predictor.user(
        f"{submit} --array=2 deploy/slurm/predict.sbatch && {submit} deploy/slurm/predict.sbatch", **variables
    )
    assert done.returncode == 1, "one record is bad"
    assert predictor.read("again.jsonl") == predictor.read("one.jsonl")


PREPARE = """
import json, pathlib, sys
sys.path.insert(0, "tests")
from example import make_model, training_examples
from my_project.training.task import split_fraction
folder = pathlib.Path("base")
folder.mkdir()
make_model(folder)
config = json.loads((folder / "config.json").read_text())
config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # which draws other numbers in each process
(folder / "config.json").write_text(json.dumps(config))
parts = [], []
for each in training_examples():
    parts[split_fraction(repr(each["text"])) < 0.1].append(each)
examples = parts[0][:160] + parts[1][:16]  # whole batches: two processes fill one that is not with examples of others
pathlib.Path("examples.jsonl").write_text("".join(json.dumps(each) + "\\n" for each in examples))
for nodes in (1, 2):
    config = {"data": "examples.jsonl", "epochs": 60, "batch_size": 16 // nodes, "learning_rate": 0.001}
    pathlib.Path(f"{nodes}.yaml").write_text(json.dumps(config))
"""


class Result(NamedTuple):
    """What a training has published: the report, and the hash of the weights."""

    report: dict[str, object]
    weights: str


class Training:
    """A job of `train.sbatch` on one node or two, whose steps each learn from 16 examples."""

    def __init__(self, cluster: Cluster, name: str, nodes: int, config: str = "") -> None:
        self._cluster, self._name = cluster, name
        variables = {"SIF": f"{TRAINED}.sif", "MODELS": name, "ARGUMENTS": f"--config {config or f'{nodes}.yaml'}"}
        variables["MY_PROJECT_MODEL"] = f"{FOLDER}/base"
        options = " ".join([*SMALL_JOB, f"--nodes={nodes}", f"--output={name}.out"])
        done = cluster.user(f"sbatch --parsable {options} deploy/slurm/train.sbatch", **variables)
        assert done.returncode == 0, done.stderr
        self.job = done.stdout.strip()

    def log(self) -> str:
        """Return what the job has written."""
        return self._cluster.read(f"{self._name}.out")

    def until(self, condition: str) -> None:
        """Wait until a line of shell succeeds."""
        line = f"timeout {3 * PATIENCE} bash -c 'until {condition}; do sleep 0.2; done'"
        assert self._cluster.user(line).returncode == 0, f"never: {condition}: {self.log()}"

    def reach(self, step: int) -> None:
        """Wait until the training has told that it has passed a step."""
        self.until(f'grep --quiet --extended-regexp "^step ([{step // 100}-9][0-9]{{2}}) of" {self._name}.out')

    def end(self, state: str, restarts: int = 0) -> None:
        """Wait until the job has ended, which must be in a state and after a number of restarts."""
        states = "JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)"
        self.until(f'scontrol show job {self.job} | grep --quiet --extended-regexp "{states}"')
        shown = self._cluster.root("ctl", "scontrol", "show", "job", self.job)
        assert f"JobState={state} " in shown and f"Restarts={restarts} " in shown, shown + self.log()

    def result(self, restarts: int = 0) -> Result:
        """Wait until the job has succeeded, after a number of restarts."""
        self.end("COMPLETED", restarts)
        found = self._cluster.user(f"cat {self._name}/*/training.json; sha256sum {self._name}/*/model.safetensors")
        report, _, rest = found.stdout.rpartition("}")
        return Result(json.loads(report + "}"), rest.split()[0])


@pytest.fixture(scope="module")
def trainer(
    cluster: Cluster, project: Callable[[str], Path], tags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Cluster:
    """Return the cluster with a project that trains, its base model and examples."""
    tags.append(TRAINED)
    folder = project("slurm, train")
    done = build(folder, "--target=train", f"--tag={TRAINED}")
    assert done.returncode == 0, done.output
    install(cluster, Image(TRAINED, folder), tmp_path_factory.mktemp("slurm") / f"{TRAINED}.tar")
    docker("cp", folder / "tests", f"{cluster.names['ctl']}:{FOLDER}")
    cluster.write("prepare.py", PREPARE)
    prepared = cluster.user(f"SIF={TRAINED}.sif deploy/slurm/container.sh python prepare.py", host="n1")
    assert prepared.returncode == 0, prepared.stderr
    return cluster


@pytest.fixture(scope="module")
def undisturbed(trainer: Cluster) -> Result:
    """Return the result of a training on two nodes."""
    return Training(trainer, "two", nodes=2).result()


def losses(report: dict[str, object]) -> list[float]:
    """Return every loss that a training has told."""
    history: object = report["history"]
    assert isinstance(history, list)
    return [value for each in history for name, value in each.items() if name in ("loss", "eval_loss")]


def test_two_nodes_train_as_one_does(trainer: Cluster, undisturbed: Result) -> None:
    alone = losses(Training(trainer, "one", nodes=1).result().report)
    assert len(alone) > 50
    assert losses(undisturbed.report) == pytest.approx(alone, abs=1e-5, rel=0)


def saved_at(training: Training) -> str:
    """Return the step at which a training has saved when it was told to end."""
    saved = re.search(r"interrupted and saved at step (\d+) of", training.log())
    assert saved, training.log()
    return saved[1]


@pytest.mark.parametrize("returns", ["later", "at once"])
def test_a_training_that_loses_a_node_ends_with_the_same_model(
    trainer: Cluster, undisturbed: Result, returns: str
) -> None:
    training = Training(trainer, f"lost-{returns.replace(' ', '-')}", nodes=2)
    training.reach(200)
    docker("kill", trainer.names["n2"])
    if returns == "later":
        training.until(f"squeue --noheader --format=%T --jobs={training.job} | grep --quiet PENDING")
    docker("start", trainer.names["n2"])
    assert training.result(restarts=1).weights == undisturbed.weights
    assert "train.sbatch: n2 was lost: the training is queued again\n" in training.log()
    assert "resuming from checkpoint-" in training.log()


@pytest.mark.parametrize(
    ("name", "announcement"),
    [
        ("preempted", "sbatch --partition=urgent --nodes=2 --exclusive --output=/dev/null --wrap true"),
        ("ending", "scancel --batch --signal=USR1 {job}"),  # as Slurm does before the time is over
    ],
)
def test_a_training_that_must_end_saves_and_resumes(
    trainer: Cluster, undisturbed: Result, name: str, announcement: str
) -> None:
    training = Training(trainer, name, nodes=2)
    training.reach(200)
    assert trainer.user(announcement.format(job=training.job)).returncode == 0
    assert training.result(restarts=1).weights == undisturbed.weights
    assert f"resuming from checkpoint-{saved_at(training)}\n" in training.log()


def test_a_training_that_is_cancelled_saves_and_resumes_when_it_is_submitted_again(
    trainer: Cluster, undisturbed: Result
) -> None:
    training = Training(trainer, "cancelled", nodes=2)
    training.reach(200)
    assert trainer.user(f"scancel {training.job}").returncode == 0
    training.end("CANCELLED")
    again = Training(trainer, "cancelled", nodes=2)
    assert again.result().weights == undisturbed.weights
    assert f"resuming from checkpoint-{saved_at(training)}\n" in again.log()


def test_a_mistake_in_the_configuration_is_one_line(trainer: Cluster) -> None:
    trainer.write("wrong.yaml", "epochs: -1\n")
    training = Training(trainer, "wrong", nodes=2, config="wrong.yaml")
    training.end("FAILED")
    assert training.log().startswith("error: wrong.yaml:1: epochs")
    assert training.log().count("\n") == 1


def test_a_training_saves_if_slurm_signals_only_the_first_process(trainer: Cluster) -> None:
    training = Training(trainer, "tasks", nodes=2)
    training.reach(200)
    for host in ("n1", "n2"):  # as proctrack/cgroup does, which this cluster has not
        processes = trainer.root(host, "scontrol", "listpids", f"{training.job}.0").splitlines()
        tasks = [pid for pid, *_, task, _ in map(str.split, processes) if task == "0"]
        trainer.root(host, "kill", "-TERM", *tasks)
    training.end("FAILED")
    assert int(saved_at(training)) >= 200
