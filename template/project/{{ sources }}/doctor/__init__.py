"""What would keep the project from running here. Each module of this package lists its CHECKS, and is found by itself.

The template's own, so that `copier update` brings mended checks and new facts: nothing here leans on sources that are
yours, but for the settings.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError


@dataclass(frozen=True)
class Finding:
    """What a check has found. `fail` would stop the project, `warn` would not."""

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
    for module in pkgutil.iter_modules(__path__):
        checks: list[Check] = importlib.import_module(f"{__name__}.{module.name}").CHECKS
        for check in checks:
            try:
                finding = check(thorough)
            except ValidationError:
                continue  # the check of the settings says which one does not fit
            except Exception as error:
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                finding = Finding(getattr(check, "__name__", "check").replace("_", " "), "fail", reason)
            if finding:
                findings.append(finding)
    return findings
