"""Exceptions that several packages raise and catch. Each message is one line that says what is wrong."""

import re
from pathlib import Path

_QUOTED_PATH = re.compile(r"""(?P<quote>['"])(?:file:/+|local:/+|/|[A-Za-z]:[\\/]|\\\\)(?P<rest>[^'"]*)(?P=quote)""")
_PATH = re.compile(r"""(?<![\w.:/\\~-])(?:file:/+|local:/+|/|[A-Za-z]:[\\/]|\\\\)(?P<rest>[^\s'"<>;,:()]+)""")


def without_paths(message: str) -> str:
    """Return a message as clients may read it: of each absolute path of this machine, only the last part is left."""
    for folder in (Path(__file__).parents[2], Path.home()):  # they may contain spaces, which would end a path
        message = message.replace(f"{folder}/", "/")
    message = _QUOTED_PATH.sub(lambda found: f"{found['quote']}{_last_part(found['rest'])}{found['quote']}", message)
    return _PATH.sub(lambda found: _last_part(found["rest"]), message)


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


class InvalidInputError(ValueError):
    """An input that the model cannot take."""


class InvalidParameterError(InvalidInputError):
    """A parameter that the model cannot take, whatever the input."""


class EmptyInputError(InvalidInputError):
    """An input of which nothing is left for the model: a text without a token."""


class InputTooLongError(InvalidInputError):
    """An input that is longer than the model takes, or leaves no room for the answer."""


class ModelUnavailableError(RuntimeError):
    """The model could not be found, downloaded or read; the message says what to do."""


class NotReadyError(RuntimeError):
    """The model is not loaded yet, or failed to load."""


class QueueFullError(RuntimeError):
    """More inputs are waiting than can be computed in time."""
