"""The HTTP API: application, routes, middleware and the processes that serve it."""
