"""Checks the machine: doctor [--json]; exit code 1 if something would stop the code."""

import argparse
import json
from dataclasses import asdict

from . import examine


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser("doctor", description="Check whether the code can run here, without the network.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    findings = examine(thorough=False)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        rows = [("CHECK", "STATE", "FOUND"), *((each.check, each.state, each.found) for each in findings)]
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        mends = ["", *(each.mend for each in findings)]
        for row, mend in zip(rows, mends, strict=True):
            print(f"{row[0]:{first}}  {row[1]:{second}}  {row[2]}{f': {mend}' if mend else ''}")
    raise SystemExit(any(finding.state == "fail" for finding in findings))


if __name__ == "__main__":
    main()
