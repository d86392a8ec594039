"""Training with a data set of the hub, and with MLflow."""

import json
import os
import socket
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

from tests.hub import Hub
from tests.installed import Make, Project, tiny_model
from tests.program import run
from tests.project.test_checks import CLASSIFIER

pytestmark = pytest.mark.project


@pytest.fixture
def trainee(make_project: Make, tmp_path: Path) -> tuple[Project, dict[str, str]]:
    """Return a project and settings for a tiny model, with training examples in the folder of the test."""
    project = make_project(**CLASSIFIER)
    rows = project.python(
        "import json, sys; sys.path.insert(0, 'tests'); import example; print(json.dumps(example.training_examples()))"
    )
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in json.loads(rows)))
    places = {"MY_PROJECT_VERSIONS": tmp_path / "versions", "MY_PROJECT_MODEL_CACHE": tmp_path / "cache"}
    return project, tiny_model(project, tmp_path / "model") | {name: str(path) for name, path in places.items()}


def train(
    trainee: tuple[Project, dict[str, str]], *packages: str, environment: dict[str, str], **values: object
) -> CompletedProcess[str]:
    """Train with a configuration and packages beyond the project's lock; never raise for the exit code."""
    project, settings = trainee
    folder = Path(settings["MY_PROJECT_MODEL"]).parent
    given = {"data": str(folder / "examples/train.jsonl"), "epochs": 1, "margin": 1, **values}
    (folder / "training.yaml").write_text(json.dumps(given))
    command = ["uv", "run", "--quiet", *(f"--with={package}" for package in packages), "my-project", "train"]
    command.append(f"--config={folder / 'training.yaml'}")
    return run(command, cwd=project.path, env=project.environment | settings | environment, timeout=600)


def test_a_data_set_of_the_hub_is_learned_from(
    trainee: tuple[Project, dict[str, str]], hub: Hub, tmp_path: Path
) -> None:
    hub.add("an-org/pairs", tmp_path / "examples", ["v1"])
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf")}
    done = train(trainee, data="an-org/pairs", revision="v1", environment=settings)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "versions" / done.stdout.strip() / "training.json").is_file()
    absent = train(trainee, data="an-org/none", environment=settings)
    assert absent.returncode != 0
    assert absent.stderr.startswith("error: an-org/none cannot be read: ")
    assert absent.stderr.count("\n") == 1


def test_mlflow_that_cannot_be_used_is_one_line_and_nothing_is_trained(
    trainee: tuple[Project, dict[str, str]], tmp_path: Path
) -> None:
    address = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}  # mlflow-skinny has no SQL store
    done = train(trainee, "mlflow-skinny>=3", report_to=["mlflow"], environment=address)
    assert done.returncode != 0
    assert done.stderr.startswith("error: report_to: mlflow cannot be used: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "versions").exists()


@pytest.mark.exhaustive
def test_mlflow_is_told_what_is_measured(trainee: tuple[Project, dict[str, str]], tmp_path: Path) -> None:
    project, _ = trainee
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = ["uv", "run", "--quiet", "--no-project", "--python=3.11", "--with=mlflow>=3", "mlflow", "server"]
    options = [f"--backend-store-uri=sqlite:///{tmp_path}/mlflow.db", f"--port={port}", "--workers=1"]
    server = subprocess.Popen(
        [*command, *options],
        cwd=tmp_path,
        env=project.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert server.stderr
        assert any("startup complete" in line for line in server.stderr)
        tracking = {"MLFLOW_TRACKING_URI": url}
        done = train(trainee, "mlflow-skinny>=3", report_to=["mlflow"], environment=tracking)
        assert done.returncode == 0, done.stderr
        asked = {"experiment_ids": ["0"]}
        [told] = httpx.post(f"{url}/api/2.0/mlflow/runs/search", json=asked).json()["runs"]
        assert told["info"]["status"] == "FINISHED"
        assert {"loss", "eval_loss", "eval_accuracy"} <= {each["key"] for each in told["data"]["metrics"]}
    finally:
        os.killpg(server.pid, 15)
        server.communicate()
