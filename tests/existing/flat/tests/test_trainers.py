import copy

import pytest

from trainers import DPOTrainer, SFTTrainer, load_config


@pytest.fixture(scope="module")
def sft(tmp_path_factory):
    config = load_config("configs/finetune.yaml")
    config["device"] = "cpu"
    config["training"].update(epochs=3, output_dir=str(tmp_path_factory.mktemp("sft")))
    return config, SFTTrainer(copy.deepcopy(config)).train()


def test_sft_learns(sft):
    _, history = sft
    assert history[-1] < history[0]


def test_dpo_starts_from_sft(sft, tmp_path):
    config = load_config("configs/align.yaml")
    config["device"] = "cpu"
    config["model"]["path"] = sft[0]["training"]["output_dir"]
    config["training"]["output_dir"] = str(tmp_path)
    history = DPOTrainer(config).train()
    assert 0 < history[0] < 2
    assert (tmp_path / "config.json").exists()
