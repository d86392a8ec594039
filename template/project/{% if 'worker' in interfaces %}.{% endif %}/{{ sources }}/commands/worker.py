"""Works at jobs."""

import typer


def worker() -> None:
    """Do jobs until SIGTERM or Ctrl-C: those that the broker tells of, or without one, those of the database."""
    import logging.config

    from ..exporter import exported
    from ..logs import configuration
    from ..settings import get_settings

    settings = get_settings()
    logging.config.dictConfig(configuration(settings.log_level, settings.log_format))
    with exported(settings):
        if settings.broker:
            from ..broker import run

            raise typer.Exit(run(settings))
        from ..jobs import work_alone

        work_alone(settings)
