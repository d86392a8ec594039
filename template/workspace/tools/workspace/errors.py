"""Errors that a person can act on, and what programs print on their way to one."""


class WorkspaceError(Exception):
    """One line for each problem, printed without a traceback."""

    def __init__(self, *problems: str, code: int = 1) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.code = code


def last_line(text: str) -> str:
    """Return the last line of a program's output that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
