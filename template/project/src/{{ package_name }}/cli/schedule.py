"""The command schedule."""

import logging.config


def schedule() -> None:
    """Train at the times of the setting `schedule`, until SIGTERM or Ctrl-C."""
    from .. import components
    from ..observability.logging import configuration
    from ..training import scheduler

    settings = components.get_settings()
    logging.config.dictConfig(configuration(settings.log_level, settings.log_format))
    scheduler.run(scheduler.occurrences(settings.schedule), [__name__.partition(".")[0], "train"])
