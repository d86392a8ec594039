"""The files of a model that are chosen, compared with those that its loader reads."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from example import INPUTS
from safetensors.torch import load_file, save_file
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from my_project import components
from my_project.errors import ModelUnavailableError
from my_project.inference import file_selection
from my_project.inference.file_selection import PREPROCESSOR, READS_MODULES, select_files
from my_project.inference.model_files import folder_selection, locate
from my_project.settings import Settings

NEEDED = {"image processor": ["preprocessor_config.json"], "tokenizer": ["tokenizer.json"]}[PREPROCESSOR]

CLUTTER = [
    "README.md",
    "all_results.json",
    "checkpoint-1000/config.json",
    "checkpoint-1000/model.safetensors",
    "checkpoint-1000/optimizer.pt",
    "checkpoint-500/pytorch_model.bin",
    "consolidated.00.pth",
    "consolidated.safetensors",
    "coreml/model.mlpackage/weights.bin",
    "flax_model.msgpack",
    "images/example.png",
    "model-q4.gguf",
    "model.fp16.safetensors",
    "model.safetensors.fp16.index.json",
    "model_quantized.safetensors",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
    "onnx/config.json",
    "openvino/openvino_model.bin",
    "optimizer.pt",
    "original/consolidated.00.pth",
    "original/params.json",
    "rust_model.ot",
    "scheduler.pt",
    "tf_model.h5",
    "trainer_state.json",
    "training_args.bin",
    "unet/model.safetensors",
]
"""Files that repositories hold and no loader here reads; their content is no weights."""


def chosen(*paths: str, **values: Any) -> file_selection.Selection:
    """Return what is selected of some paths; `values` are those of JSON files, by their names without the suffix."""
    return select_files(paths, lambda path: values.get(path.removesuffix(".json"), {}))


def safetensors(folder: Path) -> None:
    """Keep one file of safetensors, and put copies in other formats beside it."""
    for name in ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.safetensors.index.json"):
        (folder / name).write_text("not these")


def sharded(folder: Path) -> None:
    """Put the weights into two files of safetensors with an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number in (0, 1):
        name = f"model-{number + 1:05}-of-00002.safetensors"
        part = dict(list(tensors.items())[number::2])
        save_file(part, folder / name, {"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "pytorch_model.bin").write_text("not these")


def pickled(folder: Path) -> None:
    """Put the weights into one file of PyTorch."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def pickled_and_sharded(folder: Path) -> None:
    """Put the weights into two files of PyTorch with an index."""
    sharded(folder)
    (folder / "pytorch_model.bin").unlink()
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    (folder / "model.safetensors.index.json").unlink()
    for part in folder.glob("model-*.safetensors"):
        torch.save(load_file(part), folder / f"pytorch_{part.stem}.bin")
        part.unlink()
    names = {key: f"pytorch_{Path(name).stem}.bin" for key, name in index["weight_map"].items()}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index | {"weight_map": names}))


def named(folder: Path) -> None:
    """Let the configuration name the file of weights."""
    (folder / "model.safetensors").rename(folder / "weights-of-ours.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": "weights-of-ours.safetensors"}))
    (folder / "model.safetensors").write_text("not these")


@pytest.fixture
def cluttered(model_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny model among files that are not read."""
    folder = shutil.copytree(model_folder, tmp_path / "cluttered")
    for name in CLUTTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not these")
    return folder


@pytest.fixture
def predict() -> Iterator[Callable[[Path], Any]]:
    """Return a function that predicts from the examples with the model in a folder."""

    def predict(folder: Path) -> Any:
        changed: dict[str, Any] = {"model": str(folder), "device": "cpu"}
        if hasattr(Settings(), "model_version"):
            changed["model_version"] = "base"
        model = components.load_model(components.get_settings().model_copy(update=changed))
        return model.predict(INPUTS, components.schemas().parameters())

    yield predict


@pytest.mark.parametrize("form", [safetensors, sharded, pickled, pickled_and_sharded, named])
def test_the_selected_files_are_those_that_the_loader_reads(
    form: Callable[[Path], None], cluttered: Path, model_folder: Path, tmp_path: Path, predict: Callable[[Path], Any]
) -> None:
    form(cluttered)
    selection = folder_selection(cluttered)
    assert selection.problem == ""
    assert set(selection.files).isdisjoint(CLUTTER)
    alone = tmp_path / "alone"
    for name in selection.files:
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cluttered / name, alone / name)
    expected = predict(model_folder)
    for folder in (alone, cluttered):
        assert leaves(predict(folder)) == pytest.approx(leaves(expected), abs=1e-6)
    for name in selection.weights:  # no copy too many
        (alone / name).rename(alone / "away")
        with pytest.raises(ModelUnavailableError):
            predict(alone)
        (alone / "away").rename(alone / name)


def leaves(value: Any) -> list[Any]:
    """Return the numbers and texts in nested lists and objects."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]


def test_every_file_of_every_tokenizer_of_transformers_is_selected() -> None:
    names = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"}
    for found in TOKENIZER_MAPPING_NAMES.values():
        for each in found if isinstance(found, (tuple, list)) else [found]:
            try:
                names |= set(getattr(transformers, each or "").vocab_files_names.values())
            except (AttributeError, ImportError):  # without files, or of a library that is not installed
                continue
    assert len(names) > 15
    names |= {"sentencepiece.bpe.model", "source.spm", "tekken.json", "tokenizer.model.v3", "qwen.tiktoken", "dict.txt"}
    names |= {"generation_config.json", "preprocessor_config.json", "processor_config.json", "chat_template.json"}
    names |= {"additional_chat_templates/tools.jinja", "tokenizer.4.0.0.json"}
    found = chosen("config.json", "model.safetensors", *NEEDED, *names)
    assert names <= set(found.texts)


@pytest.mark.skipif(not READS_MODULES, reason="reads no modules")
def test_weights_are_chosen_in_each_folder_of_the_modules() -> None:
    kinds = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    modules = [{"path": f"{i}_{kind}", "type": f"sentence_transformers.models.{kind}"} for i, kind in enumerate(kinds)]
    paths = ["modules.json", "config_sentence_transformers.json", "README.md", "model.safetensors", "config.json"]
    paths += ["0_Transformer/config.json", "0_Transformer/pytorch_model.bin", "0_Transformer/tokenizer.json"]
    paths += ["0_Transformer/onnx/model.onnx", "0_Transformer/sentence_bert_config.json", "1_Pooling/config.json"]
    paths += [f"2_Dense/{name}" for name in ("config.json", "model.safetensors", "pytorch_model.bin")]
    paths += ["3_Dense/config.json", "3_Dense/pytorch_model.bin", "9_Dense/pytorch_model.bin"]
    found = chosen(*paths, modules=modules)
    assert found.problem == ""
    assert found.weights == [
        "0_Transformer/pytorch_model.bin",
        "2_Dense/model.safetensors",
        "3_Dense/pytorch_model.bin",
    ]
    assert {"modules.json", "config_sentence_transformers.json", "1_Pooling/config.json"} <= set(found.texts)
    assert "0_Transformer/sentence_bert_config.json" in found.texts
    lacking = [path for path in paths if not path.startswith("3_Dense/py")]
    assert chosen(*lacking, modules=modules).problem.startswith("has no weights: there is neither 3_Dense/model.safe")


@pytest.mark.skipif(not READS_MODULES, reason="reads no modules")
def test_modules_of_a_router_are_in_folders_of_their_own() -> None:
    modules = [{"path": "", "type": "sentence_transformers.base.modules.router.Router"}]
    types = {"query_0_StaticEmbedding": "a.StaticEmbedding", "document_0_Transformer": "a.Transformer"}
    paths = ["modules.json", "router_config.json", "query_0_StaticEmbedding/model.safetensors"]
    paths += ["query_0_StaticEmbedding/tokenizer.json", "document_0_Transformer/pytorch_model.bin"]
    paths += ["document_0_Transformer/config.json", "document_0_Transformer/vocab.txt"]
    found = chosen(*paths, modules=modules, router_config={"types": types})
    assert (found.problem, sorted(found.files)) == ("", sorted(paths))


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "has no config.json: it is not a transformers model"),
        (["adapter_config.json", "adapter_model.safetensors"], "is an adapter: merge it into its base model"),
        (["model-q4.gguf"], r"GGUF \(model-q4.gguf\): use the repository"),
        (["config.json"], "has no weights: there is neither model.safetensors nor pytorch_model.bin$"),
        (["config.json", "checkpoint-9/model.safetensors"], r"of a checkpoint \(checkpoint-9/model.safetensors\)"),
        (["config.json", "tf_model.h5", "optimizer.pt"], r"of TensorFlow \(tf_model.h5\): convert"),
        (["config.json", "flax_model.msgpack"], r"of Flax \(flax_model.msgpack\): convert"),
        (["config.json", "onnx/model.onnx"], r"ONNX \(onnx/model.onnx\): use the repository"),
        (["config.json", "openvino/openvino_model.bin"], "of OpenVINO"),
        (["config.json", "model.fp16.safetensors"], r"a variant \(model.fp16.safetensors\): rename"),
        (["config.json", "consolidated.safetensors"], "in the format of its authors"),
        (["config.json", "model-00001-of-00002.safetensors"], "a part .* without an index"),
        (["config.json", "best.safetensors"], r"under another name \(best.safetensors\): rename"),
        (["config.json", "weights/model.safetensors"], "in another folder"),
        (["config.json", "optimizer.pt", "training_args.bin"], "has no weights: .* nor pytorch_model.bin$"),
    ],
)
def test_what_a_load_would_miss_is_named(paths: list[str], said: str) -> None:
    assert re.search(said, chosen(*paths, *NEEDED).problem)


def test_a_missing_part_of_the_weights_is_named() -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    paths = ["config.json", *NEEDED, "model.safetensors.index.json", "model-1.safetensors"]
    found = chosen(*paths, **{"model.safetensors.index": index})
    assert found.problem.startswith("lacks model-2.safetensors, which model.safetensors.index.json names")


def test_a_model_without_what_it_reads_its_inputs_with_is_refused() -> None:
    problem = chosen("config.json", "model.safetensors", "special_tokens_map.json").problem
    assert problem.startswith(f"has no {PREPROCESSOR}: copy ")
    if PREPROCESSOR == "tokenizer":
        for config in ({"model_type": "canine"}, {"model_type": "t5", "tokenizer_class": "ByT5Tokenizer"}):
            assert chosen("config.json", "model.safetensors", config=config).problem == ""
    else:
        assert chosen("config.json", "model.safetensors", config={"architecture": "resnet18"}).problem == ""


@pytest.mark.parametrize("content", ["[1]", "not JSON"])
def test_a_broken_file_is_named(content: str, model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "broken")
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelUnavailableError, match=r"broken has a config\.json that"):
        locate(Settings(model=str(folder)))


def test_a_pointer_of_git_lfs_is_named(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "pointer")
    [weights] = folder_selection(folder).weights[:1]
    (folder / weights).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ModelUnavailableError, match=f"pointer lacks the content of {weights}: run git lfs pull"):
        locate(Settings(model=str(folder)))
