"""Every architecture that transformers knows for a task, as a tiny model of random weights, beside its pipeline."""
