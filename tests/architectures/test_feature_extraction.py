"""Sentence embeddings are those of sentence-transformers."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Load
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
    Pooling,
    Transformer,
)
from tiny import LONGEST, make_model, make_tokenizer, words
from transformers import AutoModel, T5EncoderModel

from my_project.errors import ModelUnavailableError
from my_project.schemas import Parameters

READ_BY_POOLER = {"method": "forward", "method_output_name": "pooler_output"}
TEXTS = [words(3), words(20, 3), words(1, 5), words(9, 9)]
WIDTH = 32


def save(folder: Path, *layers: Any, kind: str = "bert", pooling: str = "mean", **options: Any) -> SentenceTransformer:
    """Write a model with layers behind the pooling, and return it."""
    network = folder.parent / "network"
    make_model(network, AutoModel, kind)
    make_tokenizer(network, LONGEST, types=kind == "bert")
    transformer = Transformer(str(network), max_seq_length=LONGEST)
    model = SentenceTransformer(modules=[transformer, Pooling(WIDTH, pooling_mode=pooling), *layers], **options)
    model.save(str(folder))
    return SentenceTransformer(str(folder), device="cpu")


def agrees(model: Any, wanted: SentenceTransformer, **parameters: Any) -> None:
    """Compare the vectors of two models."""
    found = np.array(model.predict(TEXTS, Parameters(**parameters)))
    expected = wanted.encode(TEXTS, batch_size=1)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the model is written."""
    return tmp_path / "model"


@pytest.mark.parametrize(
    "pooling", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("mean", "max")], ids=str
)
def test_every_pooling(load: Load, folder: Path, pooling: Any) -> None:
    wanted = save(folder, pooling=pooling)
    agrees(load(folder), wanted)


@pytest.mark.parametrize(
    "layers",
    [
        [Normalize()],
        [Dense(WIDTH, 16), Normalize()],
        [Normalize(), Dense(WIDTH, 16, activation_function=torch.nn.Sigmoid())],
        [Dense(WIDTH, WIDTH, activation_function=torch.nn.Identity(), use_residual=True)],
        [Dense(WIDTH, 8, bias=False, activation_function=torch.nn.SiLU(), use_residual=True), Dropout(0.5)],
        [LayerNorm(WIDTH), Dense(WIDTH, 16, activation_function=torch.nn.ReLU()), LayerNorm(16), Normalize()],
    ],
    ids=["normalize", "dense", "dense-last", "residual", "projected", "norms"],
)
def test_layers_behind_the_pooling_in_their_order(load: Load, folder: Path, layers: list[Any]) -> None:
    wanted = save(folder, *layers)
    agrees(load(folder), wanted)


@pytest.mark.parametrize("layers", [[], [Normalize()]], ids=["plain", "normalized"])
def test_dimensions_that_the_model_keeps(load: Load, folder: Path, layers: list[Any]) -> None:
    wanted = save(folder, *layers, truncate_dim=16)
    model = load(folder)
    assert len(model.predict(TEXTS, Parameters())[0]) == 16
    agrees(model, wanted)


def test_prompts_of_the_model(load: Load, folder: Path) -> None:
    options = {"prompts": {"query": "w7 w8 ", "passage": "w9 "}, "default_prompt_name": "query"}
    wanted = save(folder, **options)
    model = load(folder)
    agrees(model, wanted)
    found = np.array(model.predict(TEXTS, Parameters(prompt_name="passage")))
    assert np.abs(found - wanted.encode(TEXTS, prompt_name="passage")).max() < 1e-4


def test_a_prompt_that_every_model_has(load: Load, folder: Path) -> None:
    wanted = save(folder)
    found = np.array(load(folder).predict(TEXTS, Parameters(prompt_name="document")))
    assert np.abs(found - wanted.encode(TEXTS, prompt_name="document")).max() < 1e-4


@pytest.mark.parametrize("kind", ["distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])
def test_the_longest_text_is_that_of_files_of_earlier_releases(load: Load, folder: Path, kind: str) -> None:
    save(folder)
    (folder / "sentence_bert_config.json").unlink()
    (folder / f"sentence_{kind}_config.json").write_text(json.dumps({"max_seq_length": 8, "do_lower_case": False}))
    wanted = SentenceTransformer(str(folder), device="cpu")
    assert wanted.max_seq_length == 8
    agrees(load(folder), wanted, truncate=True)


@pytest.mark.parametrize("kind", ["t5", "mt5"])
def test_t5_is_its_encoder(tmp_path: Path, folder: Path, kind: str) -> None:
    from my_project.components import load_tried_model
    from my_project.settings import Settings

    wanted = save(folder, Normalize(), kind=kind)
    chosen = {"runtime": "torch"} if "runtime" in Settings.model_fields else {}
    agrees(load_tried_model(Settings(model=str(folder), device="cpu", **chosen)), wanted)


def test_a_saved_encoder_of_t5(tmp_path: Path, folder: Path) -> None:
    from my_project.components import load_tried_model
    from my_project.settings import Settings

    wanted = save(folder, kind="t5")
    T5EncoderModel.from_pretrained(folder).save_pretrained(folder)
    chosen = {"runtime": "torch"} if "runtime" in Settings.model_fields else {}
    agrees(load_tried_model(Settings(model=str(folder), device="cpu", **chosen)), wanted)


@pytest.mark.parametrize("kind", ["roberta", "mpnet", "modernbert", "deberta-v2", "qwen3", "fnet"])
def test_networks_of_other_kinds(load: Load, folder: Path, kind: str) -> None:
    wanted = save(folder, kind=kind, pooling="lasttoken" if kind == "qwen3" else "mean")
    agrees(load(folder), wanted)


def change(path: Path, **values: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("1_Pooling/config.json", {"include_prompt": False}, "pools without its prompt"),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pooling by attention is not supported"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "holds a SparseEncoder"),
        ("2_Dense/config.json", {"activation_function": "my.own.Function"}, "my.own.Function is not supported"),
        ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "from token_embeddings"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "was saved for fill-mask"),
        (
            "sentence_bert_config.json",
            {"config_args": {"is_decoder": True}},
            "not supported: is_decoder of config_args",
        ),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"padding": "max_length"}}}, "processing_kwargs"),
        ("sentence_bert_config.json", {"modality_config": {"message": {}}}, "by a chat template"),
        ("sentence_bert_config.json", {"modality_config": {"text": READ_BY_POOLER}}, "reads texts by pooler_output"),
        ("config_sentence_transformers.json", {"default_prompt_name": "passage"}, "lacks its default prompt 'passage'"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    load: Load, folder: Path, name: str, values: dict[str, Any], reason: str
) -> None:
    save(folder, Dense(WIDTH, 16))
    change(folder / name, **values)
    with pytest.raises(ModelUnavailableError, match=reason):
        load(folder)


@pytest.mark.parametrize("name", ["custom_st.Transformer", "pooling.Pooling"])
def test_a_module_with_code_of_its_own_is_refused_by_name(load: Load, folder: Path, name: str) -> None:
    save(folder)
    path = folder / "modules.json"
    modules = json.loads(path.read_text())
    kind = name.rpartition(".")[2]
    changed = [each | {"type": name} if each["type"].endswith(f".{kind}") else each for each in modules]
    assert changed != modules
    path.write_text(json.dumps(changed))
    with pytest.raises(ModelUnavailableError, match=f"code of its own, {name}, which is not run"):
        load(folder)


def test_a_module_of_another_kind_is_refused_by_name(load: Load, folder: Path) -> None:
    save(folder)
    path = folder / "modules.json"
    modules = json.loads(path.read_text())
    another = {"idx": 2, "name": "2", "path": "2_CNN", "type": "sentence_transformers.models.CNN"}
    path.write_text(json.dumps([*modules, another]))
    (folder / "2_CNN").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "2_CNN")
    with pytest.raises(ModelUnavailableError, match="a module that is not supported: CNN"):
        load(folder)
