import subprocess

import pandas as pd
import pytest


def call(*command):
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.e2e
def test_train_then_predict(tmp_path):
    where = [f"hydra.run.dir={tmp_path}/run", "model=tiny", "device=cpu"]
    model = tmp_path / "classifier.joblib"
    done = call("paratope-train", *where, f"output={model}")
    assert done.returncode == 0, done.stderr
    output = tmp_path / "predictions.csv"
    done = call(
        "paratope-predict",
        *where,
        f"classifier={model}",
        "input=tests/data/holdout.csv",
        f"output={output}",
    )
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(output)["probability"].between(0, 1).all()


@pytest.mark.e2e
def test_config_group_of_the_package_can_be_listed():
    done = call("paratope-train", "--cfg", "job", "model=tiny")
    assert done.returncode == 0, done.stderr
    assert "hidden_size: 32" in done.stdout
