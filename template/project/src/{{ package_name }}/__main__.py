"""`python -m` on the package is its command."""

from .cli.program import main

main()
