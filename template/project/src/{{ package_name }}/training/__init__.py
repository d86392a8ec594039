"""Training: the interface of a task, and what every training shares."""
