import csv
import re

from dashboard.config import DATA_DIR


def mass(formula):
    with open(DATA_DIR / "elements.csv") as file:
        masses = {row["symbol"]: float(row["mass"]) for row in csv.DictReader(file)}
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    return round(sum(masses[symbol] * int(count or 1) for symbol, count in parts), 3)
