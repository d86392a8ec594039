"""Answers torch_version and accelerator, from requirements, indexes, base images and GPU reservations."""

import re
from collections.abc import Iterator

from adopt.findings import GUESS, LIKELY, SURE, Finding, Source
from adopt.requirements import Listed, specifiers
from adopt.survey import Project
from adopt.template import TORCH

BRINGS_TORCH = (
    "torchvision",
    "torchaudio",
    "sentence-transformers",
    "lightning",
    "pytorch-lightning",
    "accelerate",
    "peft",
    "trl",
    "timm",
    "torchmetrics",
    "ultralytics",
    "easyocr",
    "openai-whisper",
    "torch-geometric",
    "fastai",
    "flair",
    "vllm",
    "bitsandbytes",
    "deepspeed",
    "xformers",
    "pyro-ppl",
    "gpytorch",
    "botorch",
    "skorch",
    "kornia",
    "monai",
    "torchtext",
    "stable-baselines3",
    "segmentation-models-pytorch",
    "open-clip-torch",
    "allennlp",
    "simpletransformers",
    "setfit",
    "bertopic",
    "keybert",
    "docling",
    "marker-pdf",
    "fair-esm",
    "esm",
    "speechbrain",
    "demucs",
    "tts",
    "colbert-ai",
    "captum",
    "laion-clap",
    "nnunetv2",
    "torchrl",
    "torchdata",
    "pytorch-forecasting",
    "neuralforecast",
    "darts",
)
"""Distributions that depend on torch."""
WANT_GPU = (
    "bitsandbytes",
    "flash-attn",
    "vllm",
    "deepspeed",
    "xformers",
    "cupy-cuda12x",
    "cupy-cuda11x",
    "onnxruntime-gpu",
    "auto-gptq",
    "autoawq",
    "mamba-ssm",
    "apex",
    "nvidia-ml-py",
    "causal-conv1d",
    "unsloth",
    "triton",
    "pytorch-cuda",
    "cudatoolkit",
    "cuda-toolkit",
    "cudf-cu12",
    "faiss-gpu",
    "faiss-gpu-cu12",
)
"""Distributions without use on a machine without a GPU."""


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the version of torch, `none` without it, and the accelerator."""
    direct = project.listed("torch")
    needed = direct or project.listed(*BRINGS_TORCH) or _with_torch(project)
    if needed is None:
        imported = project.imported.get("torch")
        if imported is None:
            listing = next((file for file in project.dependency_files if file.sections.get("")), None)
            yield Finding(
                "torch_version", "none", SURE if listing else LIKELY, Source(listing.path) if listing else None
            )
            return
        needed = Listed("torch", "", imported)
    named = accelerator(project, needed)
    version, exact = release(project, direct)
    if named and named[0] not in TORCH["releases"][version]["accelerators"] and not exact:
        pass
    yield Finding("torch_version", version, SURE if direct and exact else LIKELY, needed.source)
    if named is None:
        yield Finding("accelerator", "cpu", GUESS if project.imported.get("torch") else LIKELY, needed.source)
        return
    text, source = named
    chosen = nearest(text, TORCH["releases"][version]["accelerators"])
    yield Finding("accelerator", chosen, SURE if chosen == text else LIKELY, source)


def _with_torch(project: Project) -> Listed | None:
    for file in project.dependency_files:
        for each in file.every():
            if each.extras & {"torch", "torch-cuda", "pytorch"}:
                return each
    return None


def release(project: Project, listed: Listed | None) -> tuple[str, bool]:
    """Return the release of the template's table that a requirement allows, and whether the requirement decides it.

    torch is locked at most in that release, so that it is the usual one, or the nearest that is allowed.
    """
    releases, usual = list(TORCH["releases"]), TORCH["default"]["torch"]
    wanted = specifiers(re.sub(r"\+[\w.]+", "", listed.specifier)) if listed else specifiers("")
    if pinned := locked(project):
        wanted = specifiers(f"=={pinned}") if not any(each.operator == "==" for each in wanted) else wanted
    built = next((match[1] for match, _ in images(project)), "")
    if built and not any(each.operator == "==" for each in wanted) and wanted.contains(built):
        wanted = specifiers(f"=={built}")
    exact = next((each.version for each in wanted if each.operator in ("==", "===")), None)
    if exact:
        number = [int(part) for part in re.findall(r"\d+", exact)][:3]
        newer = [each for each in releases if [int(part) for part in each.split(".")][: len(number)] >= number]
        return (newer[0] if newer else releases[-1]), True
    if wanted.contains(usual):
        return usual, False
    allowed = [each for each in releases if wanted.contains(each)]
    return (allowed[-1] if allowed else usual), bool(allowed)


def images(project: Project) -> Iterator[tuple[re.Match[str], Source]]:
    """Yield the images of PyTorch that Dockerfiles begin with, matched for the release."""
    for file in project.survey.dockerfiles:
        for image, source in file.images if project.holds(file.path) else []:
            if match := re.match(r"(?:docker\.io/)?pytorch/pytorch:(\d+\.\d+(?:\.\d+)?)", image):
                yield match, source


def locked(project: Project) -> str:
    """Return the version of torch in a lock file; empty without one."""
    for name in ("uv.lock", "poetry.lock", "pdm.lock"):
        path = project.at(name)
        if project.repository.has(path):
            match = re.search(r'name = "torch"\nversion = "(\d+(?:\.\d+)*)', project.repository.text(path))
            if match:
                return match[1]
    return ""


def accelerator(project: Project, torch: Listed) -> tuple[str, Source] | None:
    """Return the build of torch that the repository names, such as cu121, and where; None if it names none."""
    if match := re.search(r"\+(cu\d+|cpu|rocm[\d.]+)", torch.specifier):
        return match[1], torch.source
    for file in project.dependency_files:
        for text, source in file.options:
            if match := re.search(r"/whl/(?:nightly/)?(cu\d+|cpu|rocm[\d.]+)", text):
                return match[1], source
        if file.kind in ("pyproject", "poetry"):
            for number, line in project.repository.lines(file.path):
                if (
                    match := re.search(r"/whl/(?:nightly/)?(cu\d+|cpu|rocm[\d.]+)", line)
                ) and not line.lstrip().startswith("#"):
                    return match[1], Source(file.path, number)
        for each in file.sections.get("", []):
            if each.name in ("pytorch-cuda", "cudatoolkit", "cuda-version") and (
                match := re.search(r"(\d+)\.(\d+)", each.specifier)
            ):
                return f"cu{match[1]}{match[2]}", each.source
    for file in project.survey.dockerfiles:
        if not project.holds(file.path):
            continue
        for text, source in file.runs:
            if match := re.search(r"/whl/(cu\d+|cpu|rocm[\d.]+)", text):
                return match[1], source
        for image, source in file.images:
            if match := re.search(r"cuda:?(\d+)\.(\d+)", image):
                return f"cu{match[1]}{match[2]}", source
            if "rocm" in image:
                return "rocm", source
    for service in project.survey.services:
        if service.gpu and (service.build is None or project.holds(service.build or ".")):
            return "cuda", service.source
    if listed := project.listed(*WANT_GPU):
        return "cuda", listed.source
    return None


def nearest(named: str, offered: list[str]) -> str:
    """Return the accelerator of those offered that comes nearest to a named one, newer before older."""
    if named in offered:
        return named
    kind = "rocm" if named.startswith("rocm") else "cu"
    same = [each for each in offered if each.startswith(kind)]
    if not same:
        return "cpu"
    number = re.sub(r"\D", "", named)
    newer = [each for each in same if number and int(re.sub(r"\D", "", each)) >= int(number)]
    return newer[0] if newer else same[0] if not number else same[-1]
