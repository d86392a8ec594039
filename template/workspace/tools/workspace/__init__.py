"""Keep the services of this workspace in one inventory, and derive compose files, proxy and pipeline from it."""
