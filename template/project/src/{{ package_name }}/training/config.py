"""The configuration of a training, read from a YAML file."""

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InvalidInputError

MAX_BYTES = 1_000_000
"""Maximum size of a configuration file."""


class TrainingConfig(BaseModel):
    """The fields of every training.yaml, which says what each means. A subclass adds those of its task."""

    model_config = ConfigDict(extra="forbid")

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    margin: Annotated[float, Field(ge=0)] = 0.01

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the configuration in a file.

        Raises:
            InvalidInputError: The file does not hold a valid configuration; the message names the line.
            OSError: The file cannot be read.
        """
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise InvalidInputError(f"{path}: larger than {MAX_BYTES:,} bytes")
        try:
            root = yaml.compose(content, yaml.SafeLoader)
            values = yaml.safe_load(content)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            raise InvalidInputError(f"{path}{line}: {error.problem or error.context}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise InvalidInputError(f"{path}: {' '.join(str(error).split())}") from error
        try:
            return cls.model_validate({} if values is None else values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
            raise InvalidInputError(f"{path}:{_line(root, first['loc'])}: {reason}") from error


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the line of the value at a location, or of the nearest parent that exists."""
    if not location or not isinstance(node, yaml.CollectionNode):
        return node.start_mark.line + 1 if node else 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(location[0]):
                return _line(value, location[1:]) if location[1:] else key.start_mark.line + 1
    elif isinstance(location[0], int) and location[0] < len(node.value):
        return _line(node.value[location[0]], location[1:])
    return node.start_mark.line + 1
