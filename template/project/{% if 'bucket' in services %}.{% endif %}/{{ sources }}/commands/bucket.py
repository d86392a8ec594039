"""Makes the bucket."""

import typer


def bucket() -> None:
    """Make the buckets that the settings name, unless they are there."""
    import fsspec

    from ..settings import get_settings

    settings = get_settings()
    for address in {str(getattr(settings, name, "")) for name in ("model", "versions", "storage")}:
        if not address.startswith("s3://"):
            continue
        try:
            files, root = fsspec.core.url_to_fs(address)
            name = root.partition("/")[0]
            if not files.exists(name):
                files.mkdir(name)
                typer.echo(f"made the bucket {name}", err=True)
        except Exception as error:  # those of the library have no common kind
            raise ConnectionError(f"{address} cannot be used: {' '.join(str(error).split())}") from error
