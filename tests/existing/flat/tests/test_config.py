import pytest

from trainers import ConfigError, load_config, pick_device


def test_environment_is_filled_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    path = tmp_path / "c.yaml"
    path.write_text("token: ${HF_TOKEN}\nmodels: []\n")
    assert load_config(path)["token"] == "secret"


def test_missing_section(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: {}\n")
    with pytest.raises(ConfigError, match="dataset, training"):
        load_config(path, required=["model", "dataset", "training"])


def test_device_falls_back():
    assert pick_device("auto") in ("cpu", "cuda")
