"""Servers that the serving benchmark compares."""
