"""Jobs of a real Slurm with Apptainer: a controller and two nodes in containers, and an ordinary user."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import PATIENCE, attempt, docker
from tests.image.conftest import Image

pytestmark = [pytest.mark.image, pytest.mark.exhaustive, pytest.mark.timeout(3600)]

CLUSTER = "slipway-test-slurm-cluster"
FOLDER = "/home/somebody/project"
SIF = "slipway-test-slurm.sif"
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
