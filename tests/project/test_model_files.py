"""The files of embedding models that are chosen, compared with those that sentence-transformers reads."""

import json
from pathlib import Path

import pytest

from tests.installed import Make

pytestmark = pytest.mark.project

CODE = """
import json, shutil, sys, warnings
from pathlib import Path
import torch
sys.path.insert(0, "tests")
import example
from sentence_transformers import SentenceTransformer, models
from sentence_transformers.base.modules import Router
from my_project.inference.model_files import folder_selection

warnings.simplefilter("ignore")
root = Path(sys.argv[1])
example.make_model(root / "tiny")
tokenizer = models.Transformer(str(root / "tiny")).tokenizer
opened = set()
sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)


def tower():
    return [models.Transformer(str(root / "tiny")), models.Pooling(32, pooling_mode="mean")]


def pickled(folder):
    from safetensors.torch import load_file
    for path in folder.rglob("model.safetensors"):
        torch.save(load_file(path), path.with_name("pytorch_model.bin"))
        path.unlink()


def old_layout(folder):
    # Each module in a folder of its own, and a copy for transformers at the top.
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "0_Transformer").mkdir()
    for path in list(folder.iterdir()):
        if path.is_file() and path.name not in ("modules.json", "config_sentence_transformers.json"):
            shutil.copy(path, folder / "0_Transformer" / path.name)
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))


KINDS = {
    "plain": (tower(), None),
    "dense": ([*tower(), models.Dense(32, 16), models.Dense(16, 8), models.Normalize()], None),
    "layer norm": ([*tower(), models.LayerNorm(32), models.Dropout(0.1)], None),
    "pickled": ([*tower(), models.Dense(32, 16)], pickled),
    "old layout": ([*tower(), models.Dense(32, 16)], old_layout),
    "old and pickled": ([*tower(), models.Dense(32, 16)], lambda folder: (old_layout(folder), pickled(folder))),
    "static": ([models.StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=16)], None),
    "router": ([Router.for_query_document(query_modules=tower(), document_modules=tower())], None),
}
CLUTTER = ["checkpoint-5/model.safetensors", "consolidated.safetensors", "onnx/model.onnx", "openvino/model.bin"]
CLUTTER += ["model.fp16.safetensors", "optimizer.pt", "training_args.bin", "9_Dense/model.safetensors"]

for kind, (modules, change) in KINDS.items():
    folder, alone = root / kind, root / f"{kind} alone"
    reference = SentenceTransformer(modules=modules, device="cpu")
    reference.save(str(folder))
    if change:
        change(folder)
    for name in CLUTTER:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not these")
    selection = folder_selection(folder)
    for name in selection.files:
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, alone / name)

    def encode(place):
        return SentenceTransformer(str(place), device="cpu", local_files_only=True).encode_document(example.INPUTS)

    expected = reference.encode_document(example.INPUTS)
    opened.clear()
    whole = encode(folder)
    read = {str(Path(each).relative_to(folder)) for each in opened if each.startswith(f"{folder}/")}
    left_out = sorted(each for each in read - set(selection.files) if not each.endswith(("/", ".md")))
    needless = []
    for name in selection.weights:
        (alone / name).rename(alone / "away")
        try:
            encode(alone)
            needless.append(name)
        except Exception:
            pass
        (alone / "away").rename(alone / name)
    same = bool((encode(alone) == expected).all() and (whole == expected).all())
    print(json.dumps([kind, selection.problem, left_out, needless, len(selection.weights), same]))
"""


def test_the_files_of_an_embedding_model_are_those_that_sentence_transformers_reads(
    make_project: Make, tmp_path: Path
) -> None:
    project = make_project(package_manager="uv", hf_task="feature-extraction", runtime="torch", training="manual")
    code = CODE.replace("sys.argv[1]", repr(str(tmp_path)))
    lines = project.python(code, "sentence-transformers==6.2.0", HF_HUB_OFFLINE="1").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("[")]
    weights = {"plain": 1, "dense": 3, "layer norm": 2, "pickled": 2, "old layout": 2, "old and pickled": 2}
    weights |= {"static": 1, "router": 2}
    assert found == [[kind, "", [], [], number, True] for kind, number in weights.items()]
