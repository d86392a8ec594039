"""Antibody polyreactivity from protein language models."""

from importlib.metadata import version

__version__ = version("paratope-ml")
