"""What is common to every model: batches, the queue in front of it, its cache and its metrics."""
