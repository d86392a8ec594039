"""Run the command from a clone: `python -m adopt PATH`."""

from adopt.command import main

if __name__ == "__main__":
    main()
