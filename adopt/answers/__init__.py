"""The answers, each kind in a module with `find(project, found)`: `found` has the answers of those before it."""
