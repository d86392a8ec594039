"""Exceptions that several packages raise and catch. Each message is one line that says what is wrong."""


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
