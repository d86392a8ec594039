"""The built-in job `predict`: predict from a file and write the predictions to another file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from ..batch.formats import Format, detect_format, open_writer, read_records
from ..batch.formats.record import chunks
from ..batch.predict import predict_records
from ..errors import InvalidInputError
from ..storage import validate_path
from .context import JobContext
from .download import download_source, validate_source
from .types import JobType

Source = Annotated[str, AfterValidator(validate_source)]
StoragePath = Annotated[str, AfterValidator(validate_path)]
ColumnName = Annotated[str, Field(max_length=1000)]
Columns = ColumnName | Annotated[list[ColumnName], Field(min_length=1, max_length=100)]


class PredictArguments(BaseModel):
    """The input of the prediction."""

    model_config = ConfigDict(extra="forbid")

    source: Source = Field(
        description="File of lines, JSONL, CSV or Parquet: its path in the storage, or its http or https address."
    )
    target: StoragePath | None = Field(None, description="File to write; by default results/ID.extension.")
    format: Format | None = Field(None, description="Format of the source, if its extension does not tell.")
    column: Any
    parameters: Any


class PredictJob(JobType[PredictArguments]):
    """Predict from every record of a file; a bad record gets an error and does not affect the others."""

    name = "predict"
    column: ClassVar[str | list[str]] = "text"
    """Field or column that holds the input, unless the arguments name another one."""
    column_description = "Field or column that holds the input."

    def __init__(self, parameters: type[BaseModel]) -> None:
        """Create the job with the class of your task's parameters."""
        is_required = any(each.is_required() for each in parameters.model_fields.values())
        self.arguments = create_model(
            "PredictArguments",
            __base__=PredictArguments,
            column=(Columns, Field(self.column, description=self.column_description)),
            parameters=(parameters, ... if is_required else parameters()),
        )

    def reads(self, arguments: PredictArguments) -> Sequence[str]:
        """Return the source, unless it is at an address."""
        return [] if "://" in arguments.source else [arguments.source]

    def writes(self, arguments: PredictArguments) -> Sequence[str]:
        """Return the target, if the arguments name one."""
        return [arguments.target] if arguments.target else []

    def parse(self, text: str, context: JobContext) -> Any:
        """Return the input that the text of a record stands for. Raise InvalidInputError if it is none."""
        return context.model.parse_text(text)

    def run(self, arguments: PredictArguments, context: JobContext) -> dict[str, Any]:
        """Predict from the source. A repeated run writes the same target again."""
        storage, settings = context.storage, context.settings
        source = download_source(arguments.source, context)
        source_format = detect_format(Path(source), arguments.format)
        target = arguments.target or f"results/{context.id}{Path(source).suffix}"
        done = failed = 0
        with storage.read(source) as stream, storage.write(target) as output:
            size = storage.size(source)
            writer = open_writer(output, detect_format(Path(target), source_format))
            records = read_records(stream, source_format, arguments.column)
            for chunk in chunks(records, settings.max_batch_size):
                results = predict_records(
                    context.model, chunk, arguments.parameters, lambda text: self.parse(text, context)
                )
                for record, prediction in results:
                    writer.write(record, prediction)
                    done += 1
                    failed += record.error is not None
                context.progress(min(stream.tell(), size), size)
            writer.close()
            context.progress(size, size)  # raises if the job is lost, before the target is replaced
        return {"target": target, "records": done, "failed": failed}


class PredictPairsJob(PredictJob):
    """Predict from every pair of texts in a file; a bad record gets an error and does not affect the others."""

    column: ClassVar[str | list[str]] = ["query", "text"]
    column_description = "Fields or columns that hold the two texts."


class PredictImagesJob(PredictJob):
    """Predict from every image that a file lists; a bad record gets an error and does not affect the others."""

    column_description = "Field or column that holds the path of an image in the storage."

    def parse(self, text: str, context: JobContext) -> bytes:
        """Return the content of the image at this path of the storage."""
        limit = context.settings.max_body_bytes
        with context.storage.read(text) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise InvalidInputError(f"{text}: larger than {limit:,} bytes")
        return content
