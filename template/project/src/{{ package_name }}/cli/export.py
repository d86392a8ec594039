"""Export of the model to ONNX."""

from typing import Annotated

import typer


def export(
    force: Annotated[bool, typer.Option("--force", help="Export again, over an existing one.")] = False,
) -> None:
    """Export the model to ONNX in fp32 and int8, check that it agrees with torch, and print the folder."""
    from rich.console import Console

    from .. import components
    from ..backends.onnx import is_exported
    from ..errors import ModelUnavailableError

    settings = components.get_settings()
    if not force and is_exported(settings):
        typer.echo(str(settings.exported))
        return
    console = Console(stderr=True)
    with console.status("loading the model ...") as status:

        def report(line: str) -> None:
            if ":" in line:
                console.print(line, highlight=False)
            else:
                status.update(f"{line} ...")

        try:
            folder = components.export_model(settings, report)
        except ModuleNotFoundError as error:
            raise ModelUnavailableError(f"export needs {error.name}, a development dependency") from None
    typer.echo(str(folder))
