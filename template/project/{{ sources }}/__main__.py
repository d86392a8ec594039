"""`python -m` on the package is its command."""

from .cli import main

main()
