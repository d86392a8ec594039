import os
from pathlib import Path

DATA_DIR = Path(os.getenv("DATA_DIR", "data"))  # relative to backend/, where the server is started
ALLOWED_ORIGINS = os.getenv("ALLOWED_ORIGINS", "http://localhost:5173").split(",")
MAX_UPLOAD = int(os.getenv("MAX_UPLOAD_MB", "5")) * 2**20
IMAGE_SIZE = 32
