"""Prometheus metrics of the inference engine."""

from prometheus_client import Counter, Gauge, Histogram

from .batcher import BatchReport

SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

INPUTS = Histogram("predict_inputs", "Inputs per request.", buckets=SIZE_BUCKETS)
QUEUE_DEPTH = Gauge(
    "predict_queue_depth", "Inputs that are accepted and not answered yet.", multiprocess_mode="livesum"
)
QUEUE_SECONDS = Histogram("predict_queue_seconds", "Time of an input in the queue.")
BATCH_INPUTS = Histogram("predict_batch_inputs", "Inputs per batch.", buckets=SIZE_BUCKETS)
BATCH_SECONDS = Histogram("predict_batch_seconds", "Computing time of a batch.")
TOKENS = Counter("predict_tokens", "Tokens computed, without padding. An image counts as one.")
PADDING_TOKENS = Counter("predict_padding_tokens", "Padding tokens computed.")
CACHE = Counter("predict_cache", "Cache look-ups by result: hit or miss.", ["result"])
LOADED = Gauge("predict_processes", "Processes with a loaded model.", multiprocess_mode="livesum")
MODEL = Gauge(
    "model_info",
    "1 for the model and code in use, 0 for earlier ones.",
    ["model", "revision", "version"],
    multiprocess_mode="livemax",
)


def count_cache(hits: int, misses: int) -> None:
    """Count a look-up in the cache."""
    CACHE.labels("hit").inc(hits)
    CACHE.labels("miss").inc(misses)


def observe(batch: BatchReport) -> None:
    """Record a batch."""
    BATCH_INPUTS.observe(len(batch.sizes))
    BATCH_SECONDS.observe(batch.seconds)
    for seconds in batch.waited_seconds:
        QUEUE_SECONDS.observe(seconds)
    TOKENS.inc(sum(batch.sizes))
    PADDING_TOKENS.inc(max(batch.sizes) * len(batch.sizes) - sum(batch.sizes))
