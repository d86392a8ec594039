"""Parts that all models share: batches, the queue, the cache and the metrics."""
