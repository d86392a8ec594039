"""Versions of the model: where they are, which one is selected, and how a running process changes to another."""
