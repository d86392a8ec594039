"""Images of a registry that a machine without one lacks, and a browser: built from packages."""

from pathlib import Path

from tests.engine import attempt, docker, exists

FOLDER = Path(__file__).parent / "image"
"""Folder of the Dockerfiles, and of the drivers of the browser."""
BROWSER = "slipway-test-browser"
"""Image with Chromium and the library that drives it."""


def ensure(image: str) -> None:
    """Pull an image that this machine lacks; without a registry, build a stand-in."""
    if not exists(image) and attempt("pull", "--quiet", image).returncode:
        build(image, image.partition(":")[0])


def ensure_browser() -> None:
    """Build the image with the browser."""
    build(BROWSER, "browser")


def build(tag: str, name: str) -> None:
    """Build a stand-in from its Dockerfile."""
    docker("build", f"--tag={tag}", "-", input=(FOLDER / f"{name}.dockerfile").read_text())
