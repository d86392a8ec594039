"""Predictions for arguments, standard input or a file."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import BaseModel

from ..batch.shards import MAX_SHARDS, Shard

if TYPE_CHECKING:
    from ..batch.formats.record import Record

CHUNK_BATCHES = 16
"""Number of batches to read ahead, so that inputs of similar length can share a batch."""

FormatName = Literal["lines", "jsonl", "csv", "parquet"]


def predict(
    inputs: Annotated[list[str] | None, typer.Argument(help="Inputs; without any, read --input or stdin.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", "-i", exists=True, dir_okay=False, help="File to read.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", dir_okay=False, help="File to write.")] = None,
    file_format: Annotated[
        FormatName | None, typer.Option("--format", "-f", help="File format, if no file extension tells it.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="Field or column with the input; repeat it for several.  [the model's]"),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A parameter, as name=value.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Predict only the K-th of N shares of the file, for --merge.")
    ] = None,
    merge: Annotated[
        int | None, typer.Option(min=1, max=MAX_SHARDS, metavar="N", help="Merge N shards into --output.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, but do not load the model.")] = False,
) -> None:
    """Predict from INPUTS, or from a file of lines, JSONL, CSV or Parquet to a file or standard output.

    A record that fails is reported with its line number, the others are written, and the exit code is 1.

    Several machines share a file with --shard, each with one share. --merge then writes what a single run would write.
    """
    from .. import components
    from ..batch.formats import detect_format
    from ..batch.formats.record import text_problem
    from ..errors import InvalidInputError

    parameters = _parse_parameters(parameter or [], components.schemas().parameters)
    share = Shard.parse(shard) if shard is not None else None
    if share and merge:
        raise typer.BadParameter("--shard predicts and --merge merges; give one of the two")
    if (share or merge) and not (source and target):
        raise typer.BadParameter("--shard and --merge need --input and --output")
    if inputs:
        if source or target:
            raise typer.BadParameter("INPUTS are answered on standard output; --input and --output are for files")
        for text in inputs:
            if reason := text_problem(text):
                raise InvalidInputError(f"{text!r}: {reason}")
        settings = components.get_settings()
        if dry_run:
            typer.echo(f"would predict from {len(inputs)} inputs")
            return
        model = components.load_model(settings)
        _print(model.predict([model.parse_text(text) for text in inputs], parameters))
        return
    if source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise typer.BadParameter("nothing to predict from: give inputs, --input or standard input")
    reads = file_format or (detect_format(source) if source else "lines")
    writes = detect_format(target, file_format) if target else reads
    if writes == "parquet" and target is None:
        raise typer.BadParameter("Parquet is written to a file only: give --output")
    columns = column or components.columns()
    _predict_file(source, target, reads, writes, columns, parameters, dry_run, share, merge)


def _predict_file(
    source: Path | None,
    target: Path | None,
    reads: FormatName,
    writes: FormatName,
    columns: Sequence[str],
    parameters: BaseModel,
    dry_run: bool,
    shard: Shard | None,
    merge: int | None,
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from .. import components
    from ..batch.formats import open_writer, read_records
    from ..batch.formats.record import Writer, chunks
    from ..batch.predict import predict_records, replace_file
    from ..batch.shards import Parts

    settings = components.get_settings()
    chunk_records = settings.max_batch_size * CHUNK_BATCHES
    parts = None
    if source and target and (count := shard.count if shard else merge):
        state = source.stat()
        run = {"input": [state.st_size, int(state.st_mtime)], "format": reads, "columns": list(columns)}
        run |= {"parameters": parameters.model_dump(mode="json"), "records": chunk_records}
        parts = Parts(target, count, run)
    console = Console(stderr=True)
    started = time.monotonic()
    done = failed = 0
    with ExitStack() as stack:
        stream = stack.enter_context(source.open("rb")) if source else sys.stdin.buffer
        writer: Writer | None = None
        compute: Callable[[Sequence[Record]], Iterable[tuple[Record, Any]]] = _skip
        if not dry_run:
            path = parts.begin(shard) if parts and shard else target
            output = stack.enter_context(replace_file(path)) if path else sys.stdout.buffer
            if parts and merge:
                compute = parts.open()
                writer = open_writer(output, writes)
            else:
                model = components.load_model(settings)
                compute = partial(predict_records, model, parameters=parameters)
                revision = f"{model.name} {model.revision}"
                writer = parts.writer(output, revision) if parts else open_writer(output, writes)
        progress = stack.enter_context(
            Progress(
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} bytes"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                disable=not (console.is_terminal and source),
            )
        )
        bar = progress.add_task("predict", total=source.stat().st_size if source else None)
        incoming = read_records(stream, reads, columns)
        for index, chunk in enumerate(chunks(incoming, chunk_records)):
            if shard and not shard.holds(index):
                continue
            for record, prediction in compute(chunk):
                done += 1
                if record.error is not None:
                    failed += 1
                    reason = f"line {record.number}: {record.error}"
                    console.print(reason, style="red", highlight=False, markup=False, soft_wrap=True)
                if writer:
                    writer.write(record, prediction)
            if source and stream.seekable():
                progress.update(bar, completed=stream.tell())
        if writer:
            writer.close()
    if parts and merge and not dry_run:
        parts.remove()
    verb = "would predict" if dry_run else "predicted"
    summary = f"{verb} {done - failed:,} records in {time.monotonic() - started:.1f} s"
    console.print(summary + (f", {failed:,} failed" if failed else ""), highlight=False)
    if failed and not shard:  # those of a shard are reported by the merge
        raise typer.Exit(1)


def _skip(chunk: "Sequence[Record]") -> "Iterator[tuple[Record, Any]]":
    """Yield the records of a dry run, without predictions."""
    return ((record, None) for record in chunk)


def _parse_parameters(pairs: list[str], kind: type[BaseModel]) -> BaseModel:
    from pydantic import ValidationError

    from ..errors import InvalidInputError

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair}: write a parameter as name=value")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidInputError(f"{reasons}; the parameters are {', '.join(kind.model_fields)}") from None


def _print(predictions: list[Any]) -> None:
    """Print a line of JSON for each prediction, or a short form of it on a terminal."""
    if sys.stdout.isatty():
        from rich.pretty import pprint

        for prediction in predictions:
            pprint(prediction, max_length=8, expand_all=False)
    else:
        for prediction in predictions:
            typer.echo(json.dumps(prediction, ensure_ascii=False))
