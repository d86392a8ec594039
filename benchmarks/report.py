"""What the measurements share: options, the table on standard output and the JSON file."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured value, and the figure that it should not exceed."""

    name: str
    value: float
    unit: str
    at_most: float | None = None

    @property
    def held(self) -> bool | None:
        """Whether the figure holds; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that every measurement has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the results there, as JSON")
    return options


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def load() -> float:
    """Return the load average of the last minute, NaN on Windows; take it before measuring."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def finish(rows: list[Row], loaded: float, file: Path | None) -> int:
    """Write the results; return the exit code, 1 if a target is missed."""
    cells = [["name", "value", "unit", "at_most", "held"]]
    for row in rows:
        figure = "-" if row.at_most is None else f"{row.at_most:g}"
        held = "-" if row.held is None else "yes" if row.held else "NO"
        cells.append([row.name, f"{row.value:.2f}" if row.value % 1 else f"{row.value:.0f}", row.unit, figure, held])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    say(f"{machine['cores']} cores, Python {machine['python']}, load {loaded:.1f} before the start")
    if file:
        results = [asdict(row) | {"held": row.held} for row in rows]
        measured = datetime.now(UTC).isoformat(timespec="seconds")
        content = {"measured": measured, "machine": machine | {"load": loaded}, "results": results}
        file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return 1 if any(row.held is False for row in rows) else 0
