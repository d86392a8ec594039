"""The worker of background jobs."""

import typer


def worker() -> None:
    """Run jobs from the queue until SIGTERM or Ctrl-C. Without a broker, poll the database."""
    import logging.config

    from .. import components
    from ..jobs.metrics_server import serve_metrics
    from ..observability.logging import configuration

    settings = components.get_settings()
    logging.config.dictConfig(configuration(settings.log_level, settings.log_format))
    with serve_metrics(settings):  # before anything imports prometheus_client
        job_types, load_model = components.job_types(), components.model_source(settings)
        if settings.broker:
            from ..jobs.celery_app import run

            raise typer.Exit(run(settings, job_types, load_model))
        from ..jobs.local_worker import run_worker

        run_worker(settings, job_types, load_model)
