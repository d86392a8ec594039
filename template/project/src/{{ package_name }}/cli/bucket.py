"""Creation of buckets."""

import typer


def bucket() -> None:
    """Create the buckets in the settings, unless they exist."""
    import fsspec

    from ..components import get_settings

    settings = get_settings()
    for address in {str(getattr(settings, name, "")) for name in ("model", "versions", "storage")}:
        if not address.startswith("s3://"):
            continue
        try:
            files, root = fsspec.core.url_to_fs(address)
            name = root.partition("/")[0]
            if not files.exists(name):
                files.mkdir(name)
                typer.echo(f"created the bucket {name}", err=True)
        except Exception as error:  # the libraries below fsspec have no common exception
            raise ConnectionError(f"{address} is not available: {' '.join(str(error).split())}") from error
