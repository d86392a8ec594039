"""Your commands. Updates never touch this package.

A module with a function of its own name is a command, for example hello.py with `def hello(name: str = "World")`. See
https://typer.tiangolo.com for arguments and options. A command of yours replaces a built-in one of the same name.
"""
