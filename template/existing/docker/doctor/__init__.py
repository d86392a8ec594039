"""What would keep the code from running here. Each module of this package lists its CHECKS, and is found by itself.

It needs the standard library alone: the image holds what the repository asked for, and nothing of ours.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What a check has found. `fail` would stop the code, `warn` would not."""

    check: str
    state: Literal["ok", "warn", "fail"]
    found: str
    mend: str = ""
    """What to do about it; empty if nothing needs to be done."""


Check = Callable[[bool], Finding | None]
"""Takes whether to be thorough; None where the check has no meaning. What it raises becomes a failure."""


def examine(thorough: bool) -> list[Finding]:
    """What every check has found."""
    findings = []
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name != "__main__"):
        checks: list[Check] = importlib.import_module(f"{__name__}.{module}").CHECKS
        for check in checks:
            try:
                finding = check(thorough)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                finding = Finding(getattr(check, "__name__", "check").replace("_", " "), "fail", reason)
            if finding:
                findings.append(finding)
    return findings
