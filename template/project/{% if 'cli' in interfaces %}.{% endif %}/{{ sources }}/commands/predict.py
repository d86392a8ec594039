"""Predicts from arguments, standard input or a file."""

import json
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from .. import records
from ..predictor import InvalidInput, load_predictor
from ..records import Record, Writer
from ..settings import get_settings
from ..task import Parameters, from_text

BATCHES = 16
"""Batches that are read ahead, so that inputs of one length can be computed together."""

Format = Literal["lines", "jsonl", "csv", "parquet"]


def predict(
    inputs: Annotated[list[str] | None, typer.Argument(help="Inputs; none reads --input or standard input.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", "-i", exists=True, dir_okay=False, help="File to read.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", dir_okay=False, help="File to write.")] = None,
    form: Annotated[Format | None, typer.Option("--format", "-f", help="Format, where no ending tells it.")] = None,
    column: Annotated[str, typer.Option("--column", "-c", help="Field or column that holds the input.")] = "text",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A parameter, as name=value.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything but load no model.")] = False,
) -> None:
    """Predict from INPUTS, or from a file of lines, JSONL, CSV or Parquet to a file or standard output.

    A record that fails is reported by its line, the others are written, and the exit code is 1.
    """
    parameters = _parameters(parameter or [])
    if inputs:
        if source or target:
            raise typer.BadParameter("inputs are answered on standard output: --input and --output are for files")
        for text in inputs:
            if reason := records.problem(text):
                raise InvalidInput(f"{text!r}: {reason}")
        if dry_run:
            get_settings()
            typer.echo(f"would predict from {len(inputs)} inputs")
            return
        predictions = load_predictor(get_settings()).predict([from_text(text) for text in inputs], parameters)
        _show(predictions)
        return
    if source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise typer.BadParameter("nothing to predict from: give inputs, --input or standard input")
    reads: str = form or (records.format_of(source, None) if source else "lines")
    writes: str = records.format_of(target, form) if target else reads
    if writes == "parquet" and target is None:
        raise typer.BadParameter("Parquet goes to a file: give --output")
    _predict_file(source, target, reads, writes, column, parameters, dry_run)


def _predict_file(
    source: Path | None,
    target: Path | None,
    reads: str,
    writes: str,
    column: str,
    parameters: Parameters,
    dry_run: bool,
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    settings = get_settings()
    console = Console(stderr=True)
    started = time.monotonic()
    done = failed = 0
    with ExitStack() as stack:
        stream = stack.enter_context(source.open("rb")) if source else sys.stdin.buffer
        writer: Writer | None = None
        if not dry_run:
            output = stack.enter_context(records.replacing(target)) if target else sys.stdout.buffer
            writer = records.writer(output, writes)
        predictor = None if dry_run else load_predictor(settings)
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
        incoming = records.read(stream, reads, column)
        while chunk := list(islice(incoming, settings.max_batch_size * BATCHES)):
            outcomes: Iterable[tuple[Record, Any]] = ((record, None) for record in chunk)
            if predictor:
                outcomes = records.predict_records(predictor, chunk, parameters, from_text)
            for record, prediction in outcomes:
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
    verb = "would predict" if dry_run else "predicted"
    summary = f"{verb} {done - failed:,} records in {time.monotonic() - started:.1f} s"
    console.print(summary + (f", {failed:,} failed" if failed else ""), highlight=False)
    if failed:
        raise typer.Exit(1)


def _parameters(pairs: list[str]) -> Parameters:
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
        return Parameters.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidInput(f"{reasons}; the parameters are {', '.join(Parameters.model_fields)}") from None


def _show(predictions: list[Any]) -> None:
    """A line of JSON for each prediction; a short form of it at a terminal."""
    if sys.stdout.isatty():
        from rich.pretty import pprint

        for prediction in predictions:
            pprint(prediction, max_length=8, expand_all=False)
    else:
        for prediction in predictions:
            typer.echo(json.dumps(prediction, ensure_ascii=False))
