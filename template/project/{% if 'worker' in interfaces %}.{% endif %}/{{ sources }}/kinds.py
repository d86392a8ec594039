"""What jobs there are. One of your own has a class here, which clients send, and a function in RUN, which does it."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from . import predict_job
from .attempts import Context


class Predict(BaseModel):
    """Predict from a file."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["predict"] = "predict"
    arguments: predict_job.Arguments


Order = Predict
"""A job, as a client asks for it; of several kinds, a union that their `kind` tells apart."""

RUN: dict[str, Callable[..., dict[str, Any]]] = {"predict": predict_job.run}


def run(kind: str, arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Does a job, and returns what is kept of it. Raises ValidationError for what only an older release took."""
    order = TypeAdapter(Order).validate_python({"kind": kind, "arguments": arguments})
    return RUN[kind](order.arguments, context)
