"""Check the environment: doctor [--json]. The exit code is 1 if the code cannot run."""

import argparse
import json
from dataclasses import asdict

from . import Context, examine


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser("doctor", description="Check whether the code can run here. Uses no network.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    findings = examine(Context())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        rows = [("CHECK", "STATE", "FOUND"), *((each.check, each.state, each.found) for each in findings)]
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        fixes = ["", *(each.fix for each in findings)]
        for row, fix in zip(rows, fixes, strict=True):
            print(f"{row[0]:{first}}  {row[1]:{second}}  {row[2]}{f': {fix}' if fix else ''}")
    raise SystemExit(any(finding.state == "fail" for finding in findings))


if __name__ == "__main__":
    main()
