"""Trains on a schedule."""

import logging.config


def schedule() -> None:
    """Train whenever the setting `schedule` says, until SIGTERM or Ctrl-C."""
    from .. import scheduler
    from ..logs import configuration
    from ..settings import get_settings

    settings = get_settings()
    logging.config.dictConfig(configuration(settings.log_level, settings.log_format))
    scheduler.run(scheduler.moments(settings.schedule), [__name__.partition(".")[0], "train"])
