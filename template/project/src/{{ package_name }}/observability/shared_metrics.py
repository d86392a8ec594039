"""Metrics that several processes add up in files."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder below it has a random name
"""Where the files are, if the system has it. They are mapped into memory, and SIGBUS ends a process that touches such a
file on a full disk; whatever fills /tmp leaves shared memory as it is."""


@contextmanager
def shared_metrics() -> Generator[None]:
    """Let the metrics of this process and of its children be files in a temporary folder until the block ends.

    Enter the block before prometheus_client is imported.
    """
    parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix=f"metrics-{os.getpid()}-", dir=parent) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
