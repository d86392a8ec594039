"""The subcommands: a module here that defines a function of its own name is one, with no further registration."""
