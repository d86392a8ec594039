"""Training of the example, which learns from rows of files."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from my_project import components
from my_project.cli.program import app
from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.model import FILE, Model
from my_project.ratings import Rating, make_ratings
from my_project.registry.store import Registry
from my_project.settings import Settings
from my_project.training.rows import load_rows
from my_project.training.task import split
from my_project.training_task import Config, Ratings, Task


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command train with a configuration."""

    def train(*options: str, **values: object) -> Result:
        (tmp_path / "config.yaml").write_text(json.dumps(values))
        return CliRunner().invoke(app, ["train", f"--config={tmp_path / 'config.yaml'}", *options])

    monkeypatch.setenv("MY_PROJECT_MODEL", str(tmp_path / "models"))
    monkeypatch.setenv("MY_PROJECT_MODEL_CACHE", str(tmp_path / "cache"))
    components.get_settings.cache_clear()
    return train


def test_a_worse_model_is_published_only_by_force(tmp_path: Path, train: Callable[..., Result]) -> None:
    assert train().exit_code == 0
    worse = train(components=40)
    assert worse.exit_code == 1
    assert worse.stderr.splitlines()[-1].startswith("error: not published: its rmse of ")
    assert len(Registry(str(tmp_path / "models")).names()) == 1
    assert train("--force", components=40).exit_code == 0
    assert len(Registry(str(tmp_path / "models")).names()) == 2


def test_the_same_training_again_is_no_worse(train: Callable[..., Result]) -> None:
    assert [train(margin=0).exit_code for _ in range(2)] == [0, 0]


def test_a_broken_file_is_a_model_that_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(ModelUnavailableError, match="cannot be loaded: "):
        Model.load(tmp_path, None, Settings())


def test_rows_are_read_from_each_file_type(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffuser,item,rating,when\nAda,1,5,x\nBob,2,2.5,y\n", "utf-8")
    rows = [{"user": "Ada", "item": 1, "rating": 5.0}, {"user": "Bob", "item": 2, "rating": 2.5}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert list(load_rows(tmp_path / name, Rating)) == [Rating("Ada", "1", 5), Rating("Bob", "2", 2.5)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "user,film,stars\n", "a.csv: no column called item, rating among user, film, stars"),
        ("a.csv", "user,item,rating\nAda,Alien,5\nBob,Brazil,good\n", "a.csv: row 3: rating: .*valid number"),
        ("a.csv", "user,item,rating\nAda,,5\n", "a.csv: row 2: item: .*at least 1 character"),
        ("a.csv", "user,item,rating\nAda,Alien,nan\n", "a.csv: row 2: rating: .*finite"),
        ("a.jsonl", "{}\n", "a.jsonl: row 1: no user and no item and no rating"),
        ("a.jsonl", '{"user": 1\n', "a.jsonl: row 1: not JSON"),
        ("a.jsonl", "[]\n", "a.jsonl: row 1: no user and no item and no rating"),
        ("a.parquet", "nothing", "a.parquet: not a Parquet file"),
        ("a.ratings", "", "a.ratings: unknown extension"),
    ],
)
def test_a_broken_file_of_rows_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInputError, match=message):
        list(load_rows(tmp_path / name, Rating))


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="0 examples are too few to hold out"):
        split([], str, 0.1)


def test_no_model_has_learned_from_ratings_that_are_held_out_later(tmp_path: Path) -> None:
    ratings = make_ratings()

    def load(name: str, part: list[Rating]) -> Ratings:
        rows = "".join(json.dumps(each._asdict()) + "\n" for each in part)
        (tmp_path / f"{name}.jsonl").write_text(rows)
        return Task(Config(data=tmp_path / f"{name}.jsonl"), Settings()).load_data(tmp_path)

    found, before = load("all", ratings), load("half", ratings[::2])
    assert 0.05 < len(found.held_out) / len(ratings) < 0.15
    assert set(found.held_out).isdisjoint(before.train)
    assert set(found.train).isdisjoint(found.held_out)
