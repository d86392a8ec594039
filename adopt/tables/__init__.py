"""Tables of distributions: the system packages they need, the names they are imported by, and what they bring along."""

from pathlib import Path
from typing import Any

import yaml


def read(name: str) -> dict[str, Any]:
    """Return a table."""
    return yaml.load(
        Path(__file__).with_name(f"{name}.yml").read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
