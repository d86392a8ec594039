"""Sets of answers that together hold every pair of choices, from the data that the questions themselves read."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from allpairspy import AllPairs

ROOT = Path(__file__).resolve().parent.parent
CHOICES = yaml.safe_load((ROOT / "extensions/choices.yml").read_text())
TASKS = yaml.safe_load((ROOT / "extensions/tasks.yml").read_text())
TABLE = yaml.safe_load((ROOT / "extensions/torch.yml").read_text())
Answer: TypeAlias = str | list[str] | dict[str, Any]
"""A value of an answer, as projects store it."""

ABOUT_EXISTING_CODE = ("install", "api_server", "keep")
"""Answers with choices about code that exists."""

ABOUT_FRONT_ENDS = ("frontend", "node_package_manager")
"""Answers with choices about front ends."""

NO_PROJECT = ("existing", "frontend", "workspace")
"""Presets that make something other than a project."""


def values() -> "OrderedDict[str, list[Any]]":
    """Every answer that has choices, or of which some value changes what is emitted, with its values."""
    fixed = {name: list(choices.values()) for name, choices in CHOICES.items() if choices}
    for name in ("runtime", "interfaces", "services", "deploy", *ABOUT_EXISTING_CODE, *ABOUT_FRONT_ENDS):
        del fixed[name]
    for preset in NO_PROJECT:
        fixed["preset"].remove(preset)
    pythons = sorted({python for release in TABLE["releases"].values() for python in release["python"]})
    return OrderedDict(
        torch_version=[*TABLE["releases"], "none"],
        accelerator=list(TABLE["accelerators"]),
        python_version=[python for python in pythons if python not in TABLE["ended"]],
        hf_task=list(TASKS),
        **fixed,
        runtime=sorted({runtime for task in TASKS.values() for runtime in task["runtimes"]}),
        interfaces=[["cli"], ["api"], ["cli", "api"], ["api", "worker"], ["cli", "api", "worker"]],
        services=[[], ["postgres"], ["bucket"], ["monitoring"], ["postgres", "bucket", "monitoring"]],
        deploy=[[], ["kubernetes"], ["hf-space"], ["slurm"], ["ghcr"]],
        training_schedule=["0 2 * * 0", "*/30 6-18 * * MON-FRI"],
        hf_model=["default", "", "an-org/a_model.v2"],
        image_registry=["", "registry.example.org:5000/mirror"],
        owner=["", "an-owner"],
        author_email=["", "somebody@example.org"],
        project_name=["My Project", "Zürich's 2nd: a *very* long name that may wrap & may break #1"],
    )


def possible(row: dict[str, Any]) -> bool:
    """Return whether some valid set of answers holds all of these, by rules that are independent of the questions."""
    return any(
        _agree({"torch_version": version, "hf_task": task} | row)
        for version in ([row["torch_version"]] if "torch_version" in row else [*TABLE["releases"], "none"])
        for task in ([row["hf_task"]] if "hf_task" in row else TASKS)
    )


def _agree(row: dict[str, Any]) -> bool:
    task, version = row["hf_task"], row["torch_version"]
    services, interfaces = row.get("services", []), row.get("interfaces", ["cli", "api", "worker"])
    if "postgres" in services and "worker" not in interfaces:
        return False
    if "bucket" in services and "worker" not in interfaces and row.get("training", "manual") == "none":
        return False
    if "monitoring" in services and "api" not in interfaces:
        return False
    local = "worker" in interfaces and "postgres" not in row.get("services", ["postgres"])
    if "kubernetes" in row.get("deploy", []) and ("api" not in interfaces or local):
        return False
    if "hf-space" in row.get("deploy", []) and ("api" not in interfaces or "postgres" in services):
        return False
    if "slurm" in row.get("deploy", []) and "cli" not in interfaces:
        return False
    if row.get("weights") == "bucket" and task != "custom" and row.get("hf_model", "default") != "":
        trains = row.get("training", "manual") != "none" and row.get("runtime", "torch") == "torch"
        if not trains or "bucket" not in row.get("services", ["bucket"]):
            return False
    if task == "custom" and row.get("hf_model", "default") != "default":
        return False
    if task == "custom" and row.get("training") == "none":
        return False
    if task != "custom" and row.get("training", "none") != "none" and row.get("runtime") == "onnx":
        return False
    if row.get("training") == "scheduled" and "api" not in row.get("interfaces", ["api"]):
        return False
    if row.get("runtime", "torch") not in TASKS[task]["runtimes"]:
        return False
    if version == "none" and (task != "custom" or row.get("accelerator", "cpu") != "cpu"):
        return False
    if row.get("runtime") == "onnx" and not _onnx(version, row.get("accelerator"), row.get("python_version")):
        return False
    release = TABLE["releases"][TABLE["default"]["torch"] if version == "none" else version]
    python = row.get("python_version", release["python"][-1])
    return python in release["python"] and row.get("accelerator", "cpu") in release["accelerators"]


def _onnx(version: str, accelerator: str | None, python: str | None) -> bool:
    needs, releases = TABLE["onnx"], list(TABLE["releases"])
    return (
        releases.index(version) >= releases.index(needs["torch_since"])
        and accelerator in (None, *needs["accelerators"])
        and python in (None, *needs["python"])
    )


def covering() -> Iterator[dict[str, Any]]:
    """Answers as given with --data: sets that together hold every possible pair of values."""
    offered = values()
    missing = {
        ((one, repr(first)), (other, repr(second)))
        for one, other in combinations(offered, 2)
        for first, second in product(offered[one], offered[other])
        if possible({one: first, other: second})
    }

    def fits(row: list[Any]) -> bool:
        return possible(dict(zip(offered, row, strict=False)))

    def take(row: dict[str, Any]) -> dict[str, Any]:
        missing.difference_update(combinations([(name, repr(row[name])) for name in offered], 2))
        return as_data(row)

    pairwise: Iterable[Any] = AllPairs(offered, filter_func=fits)
    for pairs in pairwise:
        yield take(pairs._asdict())
    order = sorted(offered, key=("hf_task", "torch_version").__contains__, reverse=True)
    while missing:  # among many impossible pairs, the library leaves some possible ones out
        pair = dict(min(missing))
        row = {name: value for name in offered for value in offered[name] if repr(value) == pair.get(name)}

        def gain(name: str, value: Any, row: dict[str, Any] = row) -> int:
            pairs = (((name, repr(value)), (other, repr(given))) for other, given in row.items())
            return sum(each in missing or each[::-1] in missing for each in pairs)

        for name in order:
            if name not in row:
                fitting = [value for value in offered[name] if possible({**row, name: value})]
                row[name] = max(fitting, key=lambda value, name=name: gain(name, value))
        yield take(row)


def about_existing_code() -> "OrderedDict[str, list[Any]]":
    """Every answer that changes what code that exists already is given, with its values."""
    fixed = {name: list(CHOICES[name].values()) for name in ABOUT_EXISTING_CODE}
    commands = {"train": "python train.py --config a.yaml", "a-long-name": "python -m app key=value"}
    processes: dict[str, dict[str, Any]] = {
        "migrate": {"command": "alembic upgrade head", "once": True},
        "worker": {"command": "celery -A app worker -n 'a $b'", "scale": 2, "health": 'ping "$HOSTNAME"'},
        "dash_board": {"command": " ".join(["python"] * 40), "port": 5555, "health": "/health", "waits_for": []},
        "report": {"command": "python -m app.report", "schedule": "*/30 6-18 * * MON-FRI"},
        "beat": {"command": "celery -A app beat", "working_folder": "src", "environment": {"A": "$x", "B": 1}},
    }
    return OrderedDict(
        requirements_file=["requirements.txt", "backend/requirements.txt", "pyproject.toml", "environment.yml"],
        requirements_dev=[[], ["requirements-dev.txt"], ["extra:dev", "group:dev"], "extra:dev"],  # a text: until 0.4
        torch_version=[TABLE["default"]["torch"], list(TABLE["releases"])[-1], "none"],
        accelerator=["cpu", "cu130", "rocm7.2"],
        api_app=["", "app.main:app"],
        code_paths=[["src"], ["backend"], ["api", "train.py", "configs/a.yaml"]],
        commands=[{}, commands],
        input_folders=[[], ["data", "/srv/in-put"]],
        output_folders=[[], ["outputs"], ["models", "runs/logs", "/srv/out"]],
        services=[[], ["postgres", "redis"], ["postgres", "redis", "proxy"]],
        environment=[{}, {"LOG_LEVEL": "info", "PRICE": '5 $ or "6" {x}'}],
        processes=[{}, processes, {"worker": processes["worker"]}],
        health_route=["", "/health"],
        project_slug=["a", "a-repository"],
        image_registry=["", "registry.example.org:5000/mirror"],
        test_command=["", "pytest", "python -m pytest tests"],
        ci=list(CHOICES["ci"].values()),
        deploy=[[], ["ghcr"], ["slurm"], ["kubernetes"], ["hf-space"]],
        devcontainer=list(CHOICES["devcontainer"].values()),
        **{**fixed, "keep": [[], *([each] for each in fixed["keep"]), fixed["keep"]]},
    )


def about_front_ends() -> dict[str, list[Any]]:
    """Return every answer that changes what a front end is given, with its values."""
    return {
        **{name: list(CHOICES[name].values()) for name in ABOUT_FRONT_ENDS},
        "node_version": ["22", "24"],
        "build_command": ["npm run build", "make site"],
        "build_output": ["dist", "out/site"],
        "dev_command": ["vite --host 0.0.0.0 --port 8080", "make serve"],
        "fallback_page": ["index.html", "404.html"],
        "public_variables": [["API_URL"], ["VITE_API_URL", "VITE_MAP"]],
        "api_address": ["http://api:8000", "https://api.example.org"],
    }


def covering_existing() -> Iterator[dict[str, Any]]:
    """Return the same for preset existing."""
    offered = about_existing_code()

    def fits(row: list[Any]) -> bool:
        found = dict(zip(offered, row, strict=False))
        if ":" in str(found.get("requirements_dev", "")) and found["requirements_file"] != "pyproject.toml":
            return False
        if "proxy" in found.get("services", []) and not (
            found["api_app"] or "dash_board" in found.get("processes", {})
        ):
            return False
        if "kubernetes" in found.get("deploy", []) and not (found["api_app"] or found.get("processes")):
            return False
        if "hf-space" in found.get("deploy", []) and (
            not (found["api_app"] or "dash_board" in found.get("processes", {})) or found.get("services")
        ):
            return False
        release = TABLE["releases"].get(found.get("torch_version"), {"accelerators": ["cpu"]})
        return found.get("accelerator", "cpu") in release["accelerators"]

    pairwise: Iterable[Any] = AllPairs(offered, filter_func=fits)
    for pairs in pairwise:
        row = pairs._asdict()
        if row["torch_version"] == "none":
            del row["accelerator"]
        yield {"preset": "existing", **row}


def as_data(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row without answers that have no meaning beside the others."""
    data = dict(row)
    if data["hf_model"] == "default":
        del data["hf_model"]
    if data["hf_task"] == "custom":
        del data["runtime"]
    if data["hf_task"] == "custom" or data.get("hf_model") == "":
        del data["weights"]
    if data["torch_version"] == "none":
        del data["accelerator"]
    if data["training"] != "scheduled":
        del data["training_schedule"]
    return data


def all_values() -> dict[str, list[Any]]:
    """Return every answer with its values: those of the sets above, and of the answers that they leave as they are."""
    found = {
        **about_existing_code(),
        **about_front_ends(),
        **values(),
        "preset": list(CHOICES["preset"].values()),
        "project_slug": ["a-project", "another-project"],
        "package_name": ["a_package", "another_package"],
        "project_description": ["A project.", "Another project."],
        "author_name": ["Somebody", "Somebody else"],
        "copyright_year": ["2026", "2027"],
        "hf_revision": ["main", "0" * 40],
        "torch_index": ["https://example.org/a", "https://example.org/b"],
        "working_folder": ["", "src"],
        "api_server": list(CHOICES["api_server"].values()),
    }
    found["hf_model"] = [value for value in found["hf_model"] if value != "default"]
    return found
