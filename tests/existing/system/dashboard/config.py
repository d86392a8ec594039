import os
from pathlib import Path

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///dashboard.db")
BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0")
RESULTS_DIR = Path(os.environ.get("RESULTS_DIR", "results"))
DATA_DIR = Path(os.environ.get("DATA_DIR", "data"))
TASK_SECONDS = float(os.environ.get("TASK_SECONDS", "0"))
