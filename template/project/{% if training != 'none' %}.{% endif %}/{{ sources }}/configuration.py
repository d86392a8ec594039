"""Configurations in YAML, each of a type of its own."""

from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .predictor import InvalidInput

MAX_BYTES = 1_000_000


class Configuration(BaseModel):
    """What a file may hold: the fields of a subclass."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The configuration in a file. Raises InvalidInput with the line of what is wrong, and OSError."""
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise InvalidInput(f"{path}: larger than {MAX_BYTES:,} bytes")
        try:
            root = yaml.compose(content, yaml.SafeLoader)
            values = yaml.safe_load(content)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            raise InvalidInput(f"{path}{line}: {error.problem or error.context}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise InvalidInput(f"{path}: {' '.join(str(error).split())}") from error
        try:
            return cls.model_validate({} if values is None else values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
            raise InvalidInput(f"{path}:{_line(root, first['loc'])}: {reason}") from error


def _line(node: yaml.Node | None, place: tuple[int | str, ...]) -> int:
    """The line of the value at a place, or of the nearest thing around it that is there."""
    if not place or not isinstance(node, yaml.CollectionNode):
        return node.start_mark.line + 1 if node else 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(place[0]):
                return _line(value, place[1:]) if place[1:] else key.start_mark.line + 1
    elif isinstance(place[0], int) and place[0] < len(node.value):
        return _line(node.value[place[0]], place[1:])
    return node.start_mark.line + 1
