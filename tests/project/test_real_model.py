"""The default project with real weights: embeddings by command and over HTTP, and errors of downloads and settings."""

import itertools
import json
import math
import operator
import socket
import textwrap
from pathlib import Path

import pytest
from huggingface_hub import InferenceClient

from tests.answers import TASKS
from tests.conftest import MINILM
from tests.hub import Hub
from tests.installed import Make, Project

pytestmark = pytest.mark.project

PINNED = TASKS["feature-extraction"]["revision"]
TEXTS = ["A happy dog.", "Es regnet in Paris.", "x " * 100, "UPPER lower, \N{SNOWMAN} and 日本語", "a"]


@pytest.fixture(scope="module")
def project(make_project: Make) -> Project:
    """Return the default project with torch and training."""
    return make_project(package_manager="uv", hf_task="feature-extraction", runtime="torch", training="manual")


@pytest.fixture
def hub_settings(stocked_hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Return settings for the stand-in of the hub, with an empty cache."""
    stocked_hub.requests.clear()
    return {"HF_ENDPOINT": stocked_hub.endpoint, "HF_HOME": str(tmp_path / "hf")}


def one_line(text: str) -> str:
    """Return the line of an error; fail if there are several."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_the_pinned_model_is_downloaded_once_and_then_used_without_a_network(
    project: Project, stocked_hub: Hub, hub_settings: dict[str, str]
) -> None:
    first = project.run("download", **hub_settings)
    assert first.returncode == 0, first.stderr
    assert PINNED in first.stdout
    assert "model.safetensors" in stocked_hub.downloaded()
    stocked_hub.requests.clear()
    again = project.run("predict", "A happy dog.", **hub_settings)
    assert again.returncode == 0, again.stderr
    assert stocked_hub.requests == [], "a commit that is there in full needs no hub"
    offline = project.run("predict", "A happy dog.", **(hub_settings | {"HF_ENDPOINT": closed_port()}))
    assert offline.stdout == again.stdout
    assert project.run("download", "--dry-run").stdout.startswith("would download")


def test_embeddings_equal_those_of_sentence_transformers(project: Project, minilm: Path) -> None:
    done = project.run("predict", *TEXTS, MY_PROJECT_MODEL=str(minilm))
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    code = f"""
        import json
        from sentence_transformers import SentenceTransformer
        model = SentenceTransformer({str(minilm)!r}, device="cpu")
        print(json.dumps(model.encode({TEXTS!r}).tolist()))
    """
    theirs = json.loads(project.python(textwrap.dedent(code), "sentence-transformers==6.2.0").splitlines()[-1])
    assert difference(ours, theirs) < 1e-4


def test_every_way_to_pool_equals_that_of_sentence_transformers(project: Project, tmp_path: Path) -> None:
    code = f"""
        import itertools, json, sys, warnings
        from pathlib import Path
        import torch
        from sentence_transformers import SentenceTransformer, models
        sys.path.insert(0, "tests")
        import example
        from my_project.components import load_model
        from my_project.schemas import Parameters
        from my_project.settings import Settings
        warnings.simplefilter("ignore")
        folder = Path({str(tmp_path)!r})
        example.make_model(folder / "tiny")
        texts = [*example.INPUTS, "rain"]
        modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("cls", "mean")]
        for number, (mode, dense, normalize) in enumerate(itertools.product(modes, [False, True], [False, True])):
            transformer = models.Transformer(str(folder / "tiny"))
            pooling = models.Pooling(32, pooling_mode=mode)
            modules = [transformer, pooling]
            if dense:
                modules.append(models.Dense(32 * (2 if isinstance(mode, tuple) else 1), 16))
            if normalize:
                modules.append(models.Normalize())
            reference = SentenceTransformer(modules=modules, device="cpu")
            reference.save(str(folder / str(number)))
            ours = load_model(Settings(model=str(folder / str(number)), device="cpu", max_batch_size=2))
            got = torch.tensor(ours.predict(texts, Parameters()))
            difference = (got - torch.tensor(reference.encode(texts))).abs().max().item()
            print(json.dumps([str(mode), dense, normalize, difference]))
    """
    lines = project.python(textwrap.dedent(code), "sentence-transformers==6.2.0").splitlines()
    compared = [json.loads(line) for line in lines if line.startswith("[")]
    assert len(compared) == 28
    assert max(each[3] for each in compared) < 1e-4, compared


def test_the_exported_model_predicts_as_torch_does(
    make_project: Make, minilm: Path, tmp_path: Path, hub_settings: dict[str, str]
) -> None:
    project = make_project(package_manager="uv", hf_task="feature-extraction")
    options = {"MY_PROJECT_EXPORTED": str(tmp_path / "onnx")}
    nowhere = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": closed_port()}
    assert one_line(project.run("predict", "A happy dog.", **options, **nowhere).stderr).endswith("with a network")
    done = project.run("export", **options, **hub_settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "onnx")
    assert "fp32: differs from torch by" in done.stderr and "int8: agrees with torch by 0.9" in done.stderr
    again = project.run("export", **options, **(hub_settings | {"HF_ENDPOINT": closed_port()}))
    assert (again.returncode, again.stderr) == (0, "")

    def embeddings(**settings: str) -> list[list[float]]:
        done = project.run("predict", *TEXTS, **options, **settings, HF_HUB_OFFLINE="1")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    expected = embeddings(MY_PROJECT_RUNTIME="torch", MY_PROJECT_MODEL=str(minilm))
    assert difference(embeddings(), expected) < 1e-5
    close = embeddings(MY_PROJECT_PRECISION="int8")
    cosines = [sum(map(operator.mul, *pair)) for pair in zip(close, expected, strict=True)]
    assert 0.95 < min(cosines) < 0.9999


def test_the_api_speaks_to_the_clients_of_hugging_face_and_openai(project: Project, minilm: Path) -> None:
    from openai import OpenAI, omit  # slow to import

    with project.served(MY_PROJECT_MODEL=str(minilm)) as server:
        vector = InferenceClient(server.url).feature_extraction("A happy dog.")
        assert vector.shape == (384,)
        both = InferenceClient(f"{server.url}/predict").feature_extraction(["A happy dog.", "Rain."], normalize=True)
        assert difference([both[0].tolist()], [vector.tolist()]) < 1e-5
        openai = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        for encoding in (omit, "float", "base64"):
            answer = openai.embeddings.create(model="any", input="A happy dog.", encoding_format=encoding)
            embedding = answer.data[0].embedding
            if not isinstance(embedding, str):
                assert difference([embedding], [vector.tolist()]) < 1e-5
        cut = openai.embeddings.create(model="any", input=["A happy dog."], dimensions=8).data[0].embedding
        assert math.hypot(*cut) == pytest.approx(1, abs=1e-5)


def test_a_training_teaches_the_model_a_language_that_it_does_not_know(
    project: Project, minilm: Path, tmp_path: Path
) -> None:
    english = [["happy", "old", "red", "small"], ["dog", "house", "ship", "tree"], ["burns", "falls", "runs", "sings"]]
    invented = ["zor", "milk", "tan", "dup", "kelo", "vira", "bos", "hune", "prat", "gim", "salo", "wen"]
    other = dict(zip(itertools.chain(*english), invented, strict=True))
    texts = list(itertools.product(*english))
    rows = [{"anchor": f"The {' '.join(text)}.", "positive": " ".join(other[word] for word in text)} for text in texts]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {"data": str(tmp_path / "pairs.jsonl"), "holdout": 0.3, "epochs": 8, "batch_size": 8}
    recipe |= {"learning_rate": 2e-4}
    (tmp_path / "training.yaml").write_text(json.dumps(recipe))
    settings = {"MY_PROJECT_MODEL": str(minilm), "MY_PROJECT_VERSIONS": str(tmp_path / "models")}
    settings |= {"MY_PROJECT_MODEL_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = project.run("train", "--config", tmp_path / "training.yaml", **settings)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "models" / done.stdout.strip() / "training.json").read_text())
    assert told["metrics"]["accuracy"] > told["previous"]["metrics"]["accuracy"] + 0.3, done.stderr
    base = project.run("predict", "A happy dog.", **settings, MY_PROJECT_MODEL_VERSION="base")
    assert project.run("predict", "A happy dog.", **settings).stdout != base.stdout


def test_a_parameter_that_fits_no_record_is_said_once(project: Project, minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n")
    call = ["predict", "--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl", "-p", "dimensions=9999"]
    done = project.run(*call, MY_PROJECT_MODEL=str(minilm))
    assert done.returncode == 1
    assert one_line(done.stderr) == "error: dimensions: the model has 384, not 9999"
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_terminating_the_server_ends_it_in_order(project: Project, minilm: Path) -> None:
    with project.served(MY_PROJECT_MODEL=str(minilm)) as server:
        pass
    assert any("Finished server process" in line for line in server.log)
    assert not any("Traceback" in line for line in server.log)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"MY_PROJECT_MODEL": "an-org/gated"}, "is gated"),
        ({"MY_PROJECT_MODEL": "an-org/gated", "HF_TOKEN": "hf_wrong"}, "is gated"),
        ({"MY_PROJECT_MODEL": "an-org/private", "MY_PROJECT_REVISION": "main"}, "is not on the hub, or is private"),
        ({"MY_PROJECT_MODEL": "an-org/nothing"}, "is not on the hub"),
        ({"MY_PROJECT_REVISION": "v9"}, "has no revision v9"),
        ({"MY_PROJECT_MODEL": "a/b/c"}, "is neither a folder nor a model id"),
        ({"MY_PROJECT_MODEL": "/no/such/folder"}, "there is no folder /no/such/folder"),
        ({"MY_PROJECT_MODEL": ""}, "set MY_PROJECT_MODEL"),
        ({"HF_HUB_OFFLINE": "1"}, "is not in the cache"),
        ({"MY_PROJECT_DEVICE": "cuda:7"}, "device cuda:7 cannot be used"),
        ({"MY_PROJECT_DEVICE": "abacus"}, "device abacus cannot be used"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_line(
    project: Project, hub_settings: dict[str, str], settings: dict[str, str], message: str
) -> None:
    if "MY_PROJECT_MODEL" in settings and "MY_PROJECT_REVISION" not in settings:
        settings = settings | {"MY_PROJECT_REVISION": "main"}
    done = project.run("predict", "A happy dog.", **(hub_settings | settings))
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in one_line(done.stderr)


def test_no_network_and_no_cache_is_one_line(project: Project, tmp_path: Path) -> None:
    done = project.run("predict", "A dog.", HF_ENDPOINT=closed_port(), HF_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "the hub cannot be reached" in one_line(done.stderr)


def test_a_token_opens_what_is_gated_and_is_never_shown(
    project: Project, stocked_hub: Hub, hub_settings: dict[str, str]
) -> None:
    settings = {"MY_PROJECT_MODEL": "an-org/gated", "MY_PROJECT_REVISION": "main", "HF_TOKEN": stocked_hub.token}
    done = project.run("predict", "A happy dog.", **(hub_settings | settings))
    assert done.returncode == 0, done.stderr
    assert stocked_hub.token not in done.stdout + done.stderr


def test_an_interrupted_download_leaves_nothing_broken(
    project: Project, stocked_hub: Hub, hub_settings: dict[str, str]
) -> None:
    stocked_hub.cut("model.safetensors", 20_000_000, reset=True)
    failed = project.run("download", **hub_settings)
    assert failed.returncode == 1
    assert f"{MINILM} could not be downloaded" in failed.stderr.splitlines()[-1]
    done = project.run("predict", "A happy dog.", **hub_settings)
    assert done.returncode == 0, done.stderr


def test_a_port_that_is_taken_is_said(project: Project, minilm: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = project.run("serve", "--port", port, MY_PROJECT_MODEL=str(minilm))
    assert done.returncode != 0
    assert "address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def closed_port() -> str:
    """Return an address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """Return the largest difference between two lists of vectors."""
    return max(
        abs(one - other)
        for mine, yours in zip(ours, theirs, strict=True)
        for one, other in zip(mine, yours, strict=True)
    )
