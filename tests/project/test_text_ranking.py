"""Scores of text-ranking equal those of sentence-transformers' CrossEncoder, for models that it saved."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.answers import ROOT
from tests.conftest import rows
from tests.installed import Make
from tests.program import run

pytestmark = pytest.mark.project

SENTENCE_TRANSFORMERS = "sentence-transformers==6.2.0"
COHERE = "cohere==7.3.1"
SAMPLE = ("bert", "xlm-roberta", "modernbert", "gpt2")
EVERY = (*SAMPLE, "distilbert", "electra", "deberta-v2", "qwen3")


@pytest.mark.parametrize("architectures", rows([SAMPLE, EVERY], [SAMPLE]), ids=len)
@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_scores_are_those_of_a_cross_encoder(make_project: Make, runtime: str, architectures: tuple[str, ...]) -> None:
    project = make_project(package_manager="uv", hf_task="text-ranking")
    folder = ROOT / "tests/architectures"
    command = ["uv", "run", "--quiet", f"--with={SENTENCE_TRANSFORMERS}", "python", folder / "cross_encoder.py"]
    environment = project.environment | {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}
    done = run([*command, runtime, *architectures], cwd=project.path, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["architecture"] for each in found] == [each for each in architectures for _ in range(2)]
    for each in found:
        assert max(each["difference"], each["cut"]) < 1e-4, each
        assert each["spread"] > 1e-2, each  # otherwise equal scores would say nothing


CLIENTS = """
import json, sys
import cohere, httpx

url = sys.argv[1]
query, texts = "a dog", ["paris", "a happy dog", "the rain in paris"]
found = []
for client in (cohere.ClientV2(base_url=url, api_key="none"), cohere.Client(base_url=url, api_key="none")):
    answer = client.rerank(model="any", query=query, documents=texts, top_n=2)
    found.append([[each.index, each.relevance_score] for each in answer.results])
    assert answer.id and answer.meta.tokens.input_tokens
body = {"query": query, "texts": texts, "raw_scores": False, "return_text": True, "truncate": True}
answer = httpx.post(f"{url}/rerank", json=body | {"truncation_direction": "Right"}).json()
assert [each["text"] for each in answer] == [texts[each["index"]] for each in answer]
found.append([[each["index"], each["score"]] for each in answer])
pairs = [{"query": query, "text": text} for text in texts]
found.append(httpx.post(f"{url}/predict", json={"inputs": pairs}).json())
try:
    client.rerank(model="any", query=query, documents=texts, max_chunks_per_doc=1)
except cohere.UnprocessableEntityError as error:
    found.append(str(error.body))
print(json.dumps(found))
"""


def test_cohere_and_text_embeddings_inference_clients_rank(make_project: Make, tmp_path: Path) -> None:
    project = make_project(package_manager="uv", hf_task="text-ranking")
    model = "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from example import make_model"
    folder = project.python(f"{model}; print(make_model(Path({str(tmp_path)!r})))").strip()
    with project.served(MY_PROJECT_MODEL=folder, MY_PROJECT_RUNTIME="torch") as server:
        code = CLIENTS.replace("sys.argv[1]", repr(server.url))
        v2, v1, texts, scores, refusal = json.loads(project.python(code, COHERE))
    best = sorted(range(len(scores)), key=lambda index: -scores[index])
    for found in (v2, v1, texts):
        assert [index for index, _ in found] == best[: len(found)]
        assert [score for _, score in found] == pytest.approx([scores[index] for index in best[: len(found)]], abs=1e-5)
    assert (len(v2), len(v1), len(texts)) == (2, 2, 3)
    assert "max_chunks_per_doc" in refusal
