"""Models of the Hugging Face Hub that the code names."""

import re
from collections.abc import Iterator

from adopt.findings import LIKELY, SURE, Finding, Source
from adopt.python_code import FILE, HUB_ID
from adopt.survey import Project

KEYS = re.compile(
    r"\s*-?\s*[\"']?(repo|repo_id|model|model_name|model_id|model_name_or_path|base_model|pretrained|pretrained_model_name_or_path|checkpoint|hf_model)[\"']?\s*[:=]\s*[\"']?([\w.-]+/[\w.-]+)[\"']?,?\s*(#.*)?$"
)


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the names of the models."""
    models: dict[str, Source] = {}
    for path, module in project.code.items():
        for each in module.models:
            if not project.repository.has(each.value) and each.value.split("/")[0] not in project.repository.folders:
                models.setdefault(each.value, Source(path, each.line))
    if models or project.listed(
        "transformers", "huggingface-hub", "sentence-transformers", "timm", "diffusers", "datasets", "peft", "vllm"
    ):
        for path in project.files:
            if re.fullmatch(r".*\.(ya?ml|toml|json)", path) and not re.search(r"compose|package|lock|\.github", path):
                for number, line in project.repository.lines(path):
                    match = KEYS.match(line)
                    if (
                        match
                        and HUB_ID.fullmatch(match[2])
                        and match[2].split("/")[0] not in project.repository.folders
                        and not FILE.search(match[2])
                        and not project.repository.ignored(match[2].split("/")[0] + "/")
                    ):
                        models.setdefault(match[2], Source(path, number))
    yield Finding("models", list(models), SURE if models else LIKELY, next(iter(models.values()), None))
