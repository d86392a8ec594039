"""The interface of a kind of job, and the set of all kinds."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, create_model, model_validator

from ..db.text import encode_json
from ..json_limits import check_fields
from .context import JobContext

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,49}")

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)


class JobResultError(ValueError):
    """A job has returned what is not a dictionary of JSON values."""


class JobType(ABC, Generic[ArgumentsT]):
    """A kind of job. Define `name` and `arguments`, and implement `run`."""

    name: str
    """The `kind` that clients send."""
    arguments: type[ArgumentsT]
    """Model of the arguments, which the API validates."""

    def reads(self, arguments: ArgumentsT) -> Sequence[str]:
        """Return the files that the job reads, so that the API refuses a job of a client that has none of them."""
        return []

    def writes(self, arguments: ArgumentsT) -> Sequence[str]:
        """Return the files that the job writes, so that the API refuses a job that would replace somebody else's."""
        return []

    @abstractmethod
    def run(self, arguments: ArgumentsT, context: JobContext) -> dict[str, Any]:
        """Run the job and return its result as JSON-compatible values.

        A job may be started again at any time, after its worker died, so write it to be repeatable: files written with
        `context.storage.write` appear complete or not at all. Call `context.progress` every few seconds.

        Raises:
            InvalidInputError: The job cannot succeed; it is not retried. Any other exception is retried.
        """


class JobRequest(Protocol):
    """A validated request of a client."""

    kind: str
    arguments: BaseModel


class JobTypes(Mapping[str, JobType[Any]]):
    """All kinds of job, by name. A request without a `kind` means the first one."""

    def __init__(self, job_types: Sequence[JobType[Any]]) -> None:
        """Collect the kinds. Raise ValueError for an invalid or repeated name, or if there are none."""
        self._types: dict[str, JobType[Any]] = {}
        for each in job_types:
            if not NAME_PATTERN.fullmatch(each.name):
                raise ValueError(f"job type {each.name!r}: a name is 1 to 50 of a-z, 0-9, - and _, and begins with a-z")
            if each.name in self._types:
                raise ValueError(f"job type {each.name!r} is defined twice")
            self._types[each.name] = each
        if not self._types:
            raise ValueError("there are no job types: add one to JOB_TYPES in job_types.py")
        self.request: Any = self._request_type()
        """Type of a request for a job, which pydantic validates: a union of all kinds."""

    def __getitem__(self, name: str) -> JobType[Any]:
        """Return the kind of this name."""
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._types)

    def __len__(self) -> int:
        """Return the number of kinds."""
        return len(self._types)

    def run(self, kind: str, arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
        """Run a job and return its result.

        Raises:
            ValidationError: The kind or its arguments are no longer valid, for example since an update.
            JobResultError: The result is not a dictionary of JSON values.
        """
        request: JobRequest = TypeAdapter(self.request).validate_python({"kind": kind, "arguments": arguments})
        result: Any = self._types[request.kind].run(request.arguments, context)
        try:
            encode_json(result)
        except ValueError as error:
            raise JobResultError(f"the job has returned what is not JSON: {error}") from error
        if result is None:
            return {}
        if not isinstance(result, dict):
            raise JobResultError(f"the job has returned a {type(result).__name__}, not a dictionary")
        return result

    def _request_type(self) -> Any:
        default = next(iter(self._types))
        models = {name: _request_model(each, is_default=name == default) for name, each in self._types.items()}
        if len(models) == 1:
            return models[default]

        def kind(request: Any) -> Any:
            if isinstance(request, Mapping):
                return request.get("kind", default)
            return getattr(request, "kind", None)

        union: Any = Union  # built at run time, which type checkers do not support
        tagged = tuple(Annotated[model, Tag(name)] for name, model in models.items())
        discriminator = Discriminator(
            kind,
            custom_error_type="unknown_kind",
            custom_error_message=f"kind: not one of {', '.join(models)}",
        )
        return Annotated[union[tagged], discriminator]


def _request_model(job_type: JobType[Any], is_default: bool) -> type[BaseModel]:
    name = job_type.name
    arguments: type[BaseModel] = job_type.arguments
    is_optional = not any(field.is_required() for field in arguments.model_fields.values())
    literal: Any = Literal
    kind: Any = (literal[name], name if is_default else ...)
    given: Any = (arguments, Field(default_factory=arguments) if is_optional else ...)
    title = "".join(part.capitalize() for part in re.split("[-_]", name)) + "Request"
    check: Any = model_validator(mode="before")(_check_sizes)
    model: type[BaseModel] = create_model(
        title,
        __config__=ConfigDict(extra="forbid"),
        __doc__=type(job_type).__doc__,
        __validators__={"check_sizes": check},
        kind=kind,
        arguments=given,
    )
    return model


def _check_sizes(given: Any) -> Any:
    """Refuse a request or arguments of too many fields."""
    if isinstance(given, dict):
        check_fields(given)
        if isinstance(given.get("arguments"), dict):
            check_fields(given["arguments"])
    return given
