"""Files that are made to hurt: the memory and the time that reading them takes, in a process of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machinery.recipes import Recipe
from machinery.recipes.tables import TABLES

from my_project.batch import formats

try:  # only some projects have the extra `parquet`
    from machinery.recipes.parquet_files import PARQUET_FILES, written
except ImportError:
    PARQUET_FILES = []

assert formats

MAX_MEMORY_BYTES = 200_000_000
"""Memory that a file may take beside what a plain one of 10 MB takes."""

MAX_RATIO = 8
"""Time that a byte may take, compared with one of a plain file: a byte of the file, or of what it unpacks to."""

PROGRAM = """
import json, re, sys, time
from my_project.batch.formats import open_writer, read_records
from my_project.batch.formats.record import chunks
from my_project.errors import InvalidInputError

def read(path, form):
    # As the job does: 32 records at once, with what is said of each.
    refusal, errors, count, size = "", set(), 0, 0
    writer = open_writer(open("/dev/null", "wb"), "jsonl")
    began = time.process_time()
    try:
        for chunk in chunks(read_records(open(path, "rb"), form, "text"), 32):
            for record in chunk:
                count += 1
                size += record.size
                errors.add(record.error)
                writer.write(record, [0.5])
    except InvalidInputError as error:
        refusal = str(error)
    seconds = time.process_time() - began
    return {"refusal": refusal, "errors": sorted(errors - {None}), "count": count, "size": size, "seconds": seconds}

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) * 1024

path, plain, form = sys.argv[1:]
unit = read(plain, form)
rest = peak()
print(json.dumps(read(path, form) | {"unit": unit, "memory": peak() - rest}))
"""


def plain(form: str) -> bytes:
    """Return a file of 10,000 records, 10 MB."""
    text = "plain text " * 90
    if form == "parquet":
        return written({"text": [f"{number} {text}" for number in range(10_000)]})
    begin, end = {"lines": ("", ""), "csv": ("", ""), "jsonl": ('{"text": "', '"}')}[form]
    header = "text\n" if form == "csv" else ""
    return (header + f"{begin}{text}{end}\n" * 10_000).encode()


@pytest.mark.parametrize("recipe", [*TABLES, *PARQUET_FILES], ids=str)
def test_no_file_takes_more_memory_or_time_than_its_size_allows(recipe: Recipe, tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "plain"
    file.write_bytes(recipe.make())
    other.write_bytes(plain(recipe.kind))
    command = [sys.executable, "-c", PROGRAM, str(file), str(other), recipe.kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    said = [found["refusal"], *found["errors"]]
    assert "\n" not in "".join(said)
    assert max(map(len, said)) < 600
    if recipe.refusal:
        assert any(re.search(recipe.refusal, each) for each in said), said
    else:
        assert not any(said)
        assert found["count"]
    assert found["memory"] <= MAX_MEMORY_BYTES
    size = max(file.stat().st_size, found["size"], 10_000_000)
    assert found["seconds"] / size <= MAX_RATIO * found["unit"]["seconds"] / found["unit"]["size"], found
