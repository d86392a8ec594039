"""Write how many jobs there are in each state; meant for cron."""

import json

from dashboard.config import RESULTS_DIR
from dashboard.models import counts

if __name__ == "__main__":
    RESULTS_DIR.mkdir(exist_ok=True)
    (RESULTS_DIR / "report.json").write_text(json.dumps(counts()))
