"""Makes the exported model."""

from typing import Annotated

import typer


def export(
    force: Annotated[bool, typer.Option("--force", help="Export anew what is there already.")] = False,
) -> None:
    """Export the model to ONNX in 32 and in 8 bits, unless it does not agree with torch, and print the folder."""
    from rich.console import Console

    from ..exported import is_exported
    from ..predictor import ModelUnavailable
    from ..settings import get_settings

    settings = get_settings()
    if not force and is_exported(settings):
        typer.echo(str(settings.exported))
        return
    try:
        from ..onnx_export import export as make
    except ModuleNotFoundError as error:
        raise ModelUnavailable(f"an export needs {error.name}, which is among the tools to develop with") from None
    said = Console(stderr=True)
    with said.status("loading the model ...") as status:

        def say(line: str) -> None:
            if ":" in line:
                said.print(line, highlight=False)
            else:
                status.update(f"{line} ...")

        folder = make(settings, say)
    typer.echo(str(folder))
