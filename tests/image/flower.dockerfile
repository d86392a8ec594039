# Flower of its package, as whom the published image runs it.
FROM python:3.11-slim-trixie
RUN pip install --no-cache-dir flower==2.2.0 redis && useradd --uid 1000 flower
USER flower
CMD ["celery", "flower"]
