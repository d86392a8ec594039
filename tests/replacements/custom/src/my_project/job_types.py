"""Jobs of this project: count the species of the irises in a file."""

import json
from collections import Counter
from typing import Any

from pydantic import BaseModel

from .jobs.context import JobContext
from .jobs.predict import PredictJob
from .jobs.types import JobType
from .schemas import Parameters


class CensusArguments(BaseModel):
    """Where the irises are listed."""

    path: str


class CensusJob(JobType[CensusArguments]):
    """Count the species of the irises in a file of JSON lines."""

    name = "census"
    arguments = CensusArguments

    def run(self, arguments: CensusArguments, context: JobContext) -> dict[str, Any]:
        """Return the number of irises of each species."""
        with context.storage.read(arguments.path) as stream:
            irises = [json.loads(line) for line in stream]
        return dict(Counter(each["species"] for each in context.model.predict(irises, Parameters())))


JOB_TYPES: list[JobType[Any]] = [CensusJob(), PredictJob(Parameters)]
